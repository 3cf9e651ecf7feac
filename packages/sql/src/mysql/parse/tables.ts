/** Table references: tables, derived tables, brackets and joins. */
import type {
  DerivedTable,
  Identifier,
  IndexHint,
  Join,
  ObjectName,
  Query,
  SystemTime,
  Table,
  TableReference,
} from '../ast.ts'
import { CONTINUES, startsQuery } from './brackets.ts'
import { type Cursor, node } from './cursor.ts'
import { jsonTable } from './json-table.ts'
import { alias, objectName } from './names.ts'

export function tableReferences(cursor: Cursor): TableReference[] {
  return cursor.list(tableReference)
}

export function tableReference(cursor: Cursor): TableReference {
  return joins(cursor, factor(cursor))
}

type JoinKind = Pick<Join, 'type' | 'natural'>

/** The words of a join at the cursor, taken; null where there is none. */
function joinKind(cursor: Cursor): JoinKind | null {
  switch (cursor.token.key) {
    case 'JOIN':
      cursor.next()
      return { type: 'inner', natural: false }
    case 'STRAIGHT_JOIN':
      cursor.next()
      return { type: 'straight', natural: false }
    case 'INNER':
    case 'CROSS': {
      const type = cursor.next().key === 'INNER' ? 'inner' : 'cross'
      cursor.expect('JOIN')
      return { type, natural: false }
    }
    case 'LEFT':
    case 'RIGHT':
      return { type: outer(cursor), natural: false }
    case 'NATURAL': {
      cursor.next()
      if (cursor.isOne('LEFT', 'RIGHT')) return { type: outer(cursor), natural: true }
      cursor.accept('INNER')
      cursor.expect('JOIN')
      return { type: 'inner', natural: true }
    }
    default:
      return null
  }
}

function outer(cursor: Cursor): 'left' | 'right' {
  const type = cursor.expectOne('LEFT', 'RIGHT')
  cursor.accept('OUTER')
  cursor.expect('JOIN')
  return type
}

/**
 * Joins after `first`. A condition belongs to the nearest join before it that has none, as long as there are
 * conditions: `a JOIN b JOIN c ON x ON y` is `a JOIN (b JOIN c ON x) ON y`. A join without a condition takes only
 * the table next to it: `a JOIN b JOIN c ON x` is `(a JOIN b) JOIN c ON x`.
 */
function joins(cursor: Cursor, first: TableReference): TableReference {
  let left = first
  for (;;) {
    const kind = joinKind(cursor)
    if (kind === null) return left
    const right = factor(cursor)
    cursor.chained++
    left = joined(cursor, { kind, left, right })
  }
}

function joined(
  cursor: Cursor,
  { kind, left, right }: { kind: JoinKind; left: TableReference; right: TableReference },
): TableReference {
  if (kind.natural) return join(cursor, { kind, left, right })
  if (cursor.isOne('ON', 'USING')) return join(cursor, { kind, left, right })
  cursor.enter()
  const nested = joins(cursor, right)
  cursor.leave()
  if (cursor.isOne('ON', 'USING')) return join(cursor, { kind, left, right: nested })
  if (kind.type === 'left' || kind.type === 'right') cursor.fail('expected `ON`')
  return underLeftmost(cursor, nested, right, (table) => join(cursor, { kind, left, right: table }))
}

/** `tree` with `leaf`, its leftmost operand, replaced by a join with it. */
function underLeftmost(
  cursor: Cursor,
  tree: TableReference,
  leaf: TableReference,
  make: (leaf: TableReference) => Join,
): TableReference {
  if (tree === leaf) return make(leaf)
  if (tree.kind !== 'join') cursor.fail('expected a join')
  const left = underLeftmost(cursor, tree.left, leaf, make)
  return { ...tree, start: left.start, left }
}

function join(
  cursor: Cursor,
  { kind, left, right }: { kind: JoinKind; left: TableReference; right: TableReference },
): Join {
  const { start } = left
  const on = !kind.natural && cursor.accept('ON') ? cursor.grammar.expression(cursor) : null
  const using =
    !kind.natural && on === null && cursor.accept('USING') ? cursor.bracketed(nameOf) : []
  return { kind: 'join', start, end: cursor.end, ...kind, left, right, on, using }
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}

function factor(cursor: Cursor): TableReference {
  const { start, key } = cursor.token
  switch (key) {
    case '(': {
      const inner = bracketed(cursor)
      return isQuery(inner)
        ? derived(cursor, start, { query: inner, lateral: false })
        : group(cursor, start, inner)
    }
    case '{':
      return escaped(cursor)
    case 'LATERAL':
      if (cursor.peek().key !== '(') break
      return lateral(cursor)
    case 'JSON_TABLE':
      if (cursor.peek().key !== '(') break
      return jsonTable(cursor)
  }
  return table(cursor)
}

function isQuery(inner: Query | readonly TableReference[]): inner is Query {
  return 'kind' in inner
}

function group(cursor: Cursor, start: number, items: readonly TableReference[]): TableReference {
  const [only] = items
  if (only !== undefined && items.length === 1) return only
  return node(cursor, start, { kind: 'table-group', items })
}

/** `( ... )`: a query, or table references; only its inside tells. */
function bracketed(cursor: Cursor): Query | readonly TableReference[] {
  cursor.enter()
  cursor.expect('(')
  const inner = queryOrTables(cursor)
  cursor.expect(')')
  cursor.leave()
  return inner
}

function queryOrTables(cursor: Cursor): Query | readonly TableReference[] {
  if (startsQuery(cursor)) return cursor.grammar.query(cursor)
  if (!cursor.is('(')) return tableReferences(cursor)
  const { start } = cursor
  const inner = bracketed(cursor)
  let first: TableReference
  if (isQuery(inner)) {
    if (cursor.is(')')) return inner
    if (CONTINUES.has(cursor.token.key)) return cursor.grammar.queryAfter(cursor, start, inner)
    first = derived(cursor, start, { query: inner, lateral: false })
  } else first = group(cursor, start, inner)
  const references = [joins(cursor, first)]
  while (cursor.accept(',')) references.push(tableReference(cursor))
  return references
}

function derived(
  cursor: Cursor,
  start: number,
  { query, lateral }: Pick<DerivedTable, 'query' | 'lateral'>,
): DerivedTable {
  const time = cursor.mariadb ? systemTime(cursor) : null
  const as = alias(cursor, 'table')
  const columns = as !== null && cursor.is('(') ? cursor.bracketed(nameOf) : null
  return node(cursor, start, {
    kind: 'derived-table',
    lateral,
    query,
    systemTime: time,
    alias: as,
    columns,
  })
}

function lateral(cursor: Cursor): DerivedTable {
  const { start } = cursor.expect('LATERAL')
  cursor.expect('(')
  const query = cursor.grammar.query(cursor)
  cursor.expect(')')
  return derived(cursor, start, { query, lateral: true })
}

/** `{ OJ a LEFT JOIN b ON x }`. */
function escaped(cursor: Cursor): TableReference {
  cursor.expect('{')
  cursor.name()
  cursor.enter()
  const inner = tableReference(cursor)
  cursor.leave()
  cursor.expect('}')
  return inner
}

export function table(cursor: Cursor): Table {
  const { start } = cursor
  return tableAfter(cursor, start, objectName(cursor))
}

/** What may follow a table's name. */
export function tableAfter(cursor: Cursor, start: number, name: ObjectName): Table {
  const partitions = partitionNames(cursor)
  const time = cursor.mariadb ? systemTime(cursor) : null
  const as = alias(cursor, 'table')
  const sample =
    cursor.reserved('TABLESAMPLE') && cursor.is('TABLESAMPLE') ? tableSample(cursor) : null
  const hints = indexHints(cursor)
  return {
    kind: 'table',
    start,
    end: cursor.end,
    name,
    partitions,
    alias: as,
    hints,
    systemTime: time,
    sample,
  }
}

/** `PARTITION (p, q)`, or nothing. */
export function partitionNames(cursor: Cursor): readonly Identifier[] {
  return cursor.is('PARTITION') && cursor.accept('PARTITION') ? cursor.bracketed(nameOf) : []
}

function tableSample(cursor: Cursor): Table['sample'] {
  cursor.expect('TABLESAMPLE')
  cursor.expectOne('SYSTEM', 'BERNOULLI')
  cursor.expect('(')
  const percentage = cursor.grammar.expression(cursor)
  cursor.expect(')')
  return percentage
}

/** MariaDB: `FOR SYSTEM_TIME ...`. */
function systemTime(cursor: Cursor): SystemTime | null {
  const { start } = cursor
  if (!cursor.acceptAll('FOR', 'SYSTEM_TIME')) return null
  if (cursor.accept('ALL'))
    return node(cursor, start, { kind: 'system-time', range: 'all', from: null, to: null })
  if (cursor.acceptAll('AS', 'OF'))
    return node(cursor, start, {
      kind: 'system-time',
      range: 'as of',
      from: moment(cursor),
      to: null,
    })
  const range = cursor.expectOne('BETWEEN', 'FROM') === 'between' ? 'between' : 'from to'
  const from = moment(cursor)
  cursor.expect(range === 'between' ? 'AND' : 'TO')
  return node(cursor, start, { kind: 'system-time', range, from, to: moment(cursor) })
}

/** A point in time; TRANSACTION and TIMESTAMP say how a number or text is meant. */
export function moment(cursor: Cursor): NonNullable<SystemTime['from']> {
  if (cursor.is('TRANSACTION') || (cursor.is('TIMESTAMP') && cursor.peek().key !== '(')) {
    if (cursor.peek().type !== 'string' || cursor.is('TRANSACTION')) cursor.next()
  }
  return cursor.grammar.arithmetic(cursor)
}

function indexHints(cursor: Cursor): readonly IndexHint[] {
  if (!cursor.isOne('USE', 'FORCE', 'IGNORE')) return []
  const hints: IndexHint[] = []
  while (cursor.isOne('USE', 'FORCE', 'IGNORE') && ['INDEX', 'KEY'].includes(cursor.peek().key)) {
    const { start } = cursor
    const action = cursor.expectOne('USE', 'FORCE', 'IGNORE')
    cursor.next()
    if (cursor.accept('FOR') && !cursor.accept('JOIN')) {
      cursor.expectOne('ORDER', 'GROUP')
      cursor.expect('BY')
    }
    cursor.expect('(')
    const names = cursor.is(')') ? [] : cursor.list(indexName)
    cursor.expect(')')
    hints.push(node(cursor, start, { kind: 'index-hint', action, names }))
  }
  return hints
}

/** An index's name; PRIMARY is one. */
export function indexName(cursor: Cursor): Identifier {
  return cursor.is('PRIMARY') ? cursor.identifier() : cursor.name()
}
