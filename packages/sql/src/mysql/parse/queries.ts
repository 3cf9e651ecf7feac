/** Query expressions: WITH, SELECT, VALUES, TABLE, set operations and what follows them. */
import type {
  CommonTable,
  GroupBy,
  Identifier,
  Into,
  NamedWindow,
  Query,
  QueryBody,
  Row,
  Select,
  SelectItem,
  SetBranch,
  With,
} from '../ast.ts'
import { call } from './calls.ts'
import { type Cursor, node } from './cursor.ts'
import { into } from './into.ts'
import { locking } from './locking.ts'
import { alias, objectName } from './names.ts'
import { tableReferences } from './tables.ts'
import { value } from './values.ts'
import { limit, orderBy, orderItem, windowSpecification } from './windows.ts'

export function query(cursor: Cursor): Query {
  const { start } = cursor
  cursor.enter()
  const result = queryAfterWith(cursor, start, cursor.is('WITH') ? withClause(cursor) : null)
  cursor.leave()
  return result
}

export function queryAfterWith(cursor: Cursor, start: number, common: With | null): Query {
  return queryTail(cursor, start, { with: common, body: setOperation(cursor, null) })
}

/** The rest of a query whose first operand, in brackets, is `first`. */
export function queryAfter(cursor: Cursor, start: number, first: Query): Query {
  return queryTail(cursor, start, { with: null, body: setOperation(cursor, first) })
}

function queryTail(
  cursor: Cursor,
  start: number,
  { with: common, body }: { with: With | null; body: QueryBody },
): Query {
  const order = orderBy(cursor)
  const limited = limit(cursor)
  const procedure =
    cursor.mariadb && cursor.accept('PROCEDURE') ? call(cursor, cursor.start, null) : null
  const { locks, target } = endings(cursor)
  const bare = order.length === 0 && limited === null && locks.length === 0
  // Brackets around all of it leave no node.
  if (body.kind === 'query' && common === null && bare && target === null && procedure === null)
    return body
  return {
    kind: 'query',
    start,
    end: cursor.end,
    with: common,
    body,
    orderBy: order,
    limit: limited,
    locking: locks,
    into: target,
    procedure,
  }
}

/** INTO and locking clauses, in either order. */
function endings(cursor: Cursor): { locks: Query['locking']; target: Into | null } {
  const locks = locking(cursor)
  if (!cursor.is('INTO')) return { locks, target: null }
  const target = into(cursor)
  return { locks: [...locks, ...locking(cursor)], target }
}

export function withClause(cursor: Cursor): With {
  const { start } = cursor.expect('WITH')
  const recursive = cursor.accept('RECURSIVE')
  const tables = cursor.list(commonTable)
  return node(cursor, start, { kind: 'with', recursive, tables })
}

function commonTable(cursor: Cursor): CommonTable {
  const { start } = cursor
  const name = cursor.name()
  const columns = cursor.is('(') ? cursor.bracketed(nameOf) : null
  cursor.expectAll('AS', '(')
  const inner = query(cursor)
  cursor.expect(')')
  const cycle = cursor.mariadb && cursor.accept('CYCLE') ? cycleColumns(cursor) : []
  return node(cursor, start, { kind: 'common-table', name, columns, query: inner, cycle })
}

function cycleColumns(cursor: Cursor): Identifier[] {
  const columns = cursor.list(nameOf)
  cursor.expect('RESTRICT')
  return columns
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}

/** UNION and EXCEPT, from the left. */
function setOperation(cursor: Cursor, given: Query | null): QueryBody {
  const { start } = cursor
  const first = intersection(cursor, given)
  if (!cursor.is('UNION') && !cursor.is('EXCEPT')) return first
  const rest: SetBranch[] = []
  for (;;) {
    const branchStart = cursor.start
    const operator = cursor.acceptOne('UNION', 'EXCEPT')
    if (operator === null) break
    const all = quantifier(cursor)
    const body = intersection(cursor, null)
    rest.push(node(cursor, branchStart, { kind: 'set-branch', operator, all, body }))
  }
  return node(cursor, start, { kind: 'set-operation', first, rest })
}

function intersection(cursor: Cursor, given: Query | null): QueryBody {
  const { start } = cursor
  const first = given ?? operand(cursor)
  if (!cursor.is('INTERSECT')) return first
  const rest: SetBranch[] = []
  while (cursor.is('INTERSECT')) {
    const branchStart = cursor.next().start
    const all = quantifier(cursor)
    const body = operand(cursor)
    rest.push(node(cursor, branchStart, { kind: 'set-branch', operator: 'intersect', all, body }))
  }
  return node(cursor, start, { kind: 'set-operation', first, rest })
}

function quantifier(cursor: Cursor): boolean {
  return cursor.acceptOne('ALL', 'DISTINCT') === 'all'
}

function operand(cursor: Cursor): QueryBody {
  switch (cursor.token.key) {
    case '(': {
      cursor.next()
      const inner = query(cursor)
      cursor.expect(')')
      return inner
    }
    case 'SELECT':
      return select(cursor)
    case 'VALUES': {
      const { start } = cursor.next()
      return node(cursor, start, { kind: 'table-values', rows: cursor.list(valuesRow) })
    }
    case 'TABLE': {
      const { start } = cursor.next()
      if (cursor.mariadb) cursor.fail('expected a query')
      return node(cursor, start, { kind: 'explicit-table', table: objectName(cursor) })
    }
    default:
      return cursor.fail('expected a query')
  }
}

function valuesRow(cursor: Cursor): Row {
  const { start } = cursor
  if (!cursor.mariadb) cursor.expect('ROW')
  return rowOf(cursor, start)
}

/** `(a, DEFAULT, ...)`, also empty. */
export function rowOf(cursor: Cursor, start: number): Row {
  cursor.expect('(')
  const items = cursor.is(')') ? [] : cursor.list(value)
  cursor.expect(')')
  return { kind: 'row', start, end: cursor.end, items }
}

const OPTIONS = new Set(
  (
    'ALL DISTINCT DISTINCTROW HIGH_PRIORITY STRAIGHT_JOIN SQL_SMALL_RESULT SQL_BIG_RESULT SQL_BUFFER_RESULT ' +
    'SQL_CALC_FOUND_ROWS SQL_NO_CACHE SQL_CACHE'
  ).split(' '),
)

function select(cursor: Cursor): Select {
  const { start } = cursor.expect('SELECT')
  const hints = cursor.token.type === 'hint' ? cursor.next().value : null
  const options = selectOptions(cursor)
  const items = cursor.list(selectItem)
  const target = cursor.is('INTO') ? into(cursor) : null
  const from = cursor.accept('FROM') ? fromClause(cursor) : []
  const where = cursor.accept('WHERE') ? cursor.grammar.expression(cursor) : null
  const groupBy = cursor.is('GROUP') ? groupClause(cursor) : null
  const having = cursor.accept('HAVING') ? cursor.grammar.expression(cursor) : null
  const windows = cursor.accept('WINDOW') ? cursor.list(namedWindow) : []
  const qualifies = cursor.reserved('QUALIFY') && cursor.accept('QUALIFY')
  const qualify = qualifies ? cursor.grammar.expression(cursor) : null
  return {
    kind: 'select',
    start,
    end: cursor.end,
    hints,
    distinct: options.some((option) => option.startsWith('DISTINCT')),
    options,
    items,
    into: target,
    from,
    where,
    groupBy,
    having,
    windows,
    qualify,
  }
}

function selectOptions(cursor: Cursor): string[] {
  const options: string[] = []
  while (OPTIONS.has(cursor.token.key)) {
    if (cursor.is('SQL_CACHE') && !cursor.mariadb) break
    options.push(cursor.next().key)
  }
  return options
}

export function selectItem(cursor: Cursor): SelectItem {
  const { start } = cursor
  const all = wildcard(cursor)
  if (all !== null)
    return { kind: 'select-item', start, end: cursor.end, expression: all, alias: null }
  const expression = cursor.grammar.expression(cursor)
  const as = alias(cursor, 'column')
  return { kind: 'select-item', start, end: cursor.end, expression, alias: as }
}

/** `*`, `t.*`, `d.t.*`. */
function wildcard(cursor: Cursor): Extract<SelectItem['expression'], { kind: 'wildcard' }> | null {
  const { start } = cursor
  if (cursor.accept('*'))
    return node(cursor, start, { kind: 'wildcard', database: null, table: null })
  if (cursor.peek().key !== '.') return null
  const qualified = cursor.peek(3).key === '.' && cursor.peek(4).key === '*'
  if (cursor.peek(2).key !== '*' && !qualified) return null
  const first = cursor.name()
  cursor.expect('.')
  if (cursor.accept('*'))
    return node(cursor, start, { kind: 'wildcard', database: null, table: first })
  const table = cursor.name()
  cursor.expectAll('.', '*')
  return node(cursor, start, { kind: 'wildcard', database: first, table })
}

function fromClause(cursor: Cursor): Select['from'] {
  if (cursor.is('DUAL') && cursor.peek().key !== '.') {
    cursor.next()
    return []
  }
  return tableReferences(cursor)
}

function groupClause(cursor: Cursor): GroupBy {
  const { start } = cursor.expect('GROUP')
  cursor.expect('BY')
  // MySQL: GROUP BY ROLLUP (a, b).
  const grouping = !cursor.mariadb && cursor.peek().key === '(' && cursor.isOne('ROLLUP', 'CUBE')
  if (grouping) {
    cursor.next()
    const items = cursor.bracketed(orderItem)
    return node(cursor, start, { kind: 'group-by', items, rollup: true })
  }
  const items = cursor.list(orderItem)
  const rollup = cursor.acceptAll('WITH', 'ROLLUP') || cursor.acceptAll('WITH', 'CUBE')
  return node(cursor, start, { kind: 'group-by', items, rollup })
}

function namedWindow(cursor: Cursor): NamedWindow {
  const { start } = cursor
  const name = cursor.name()
  cursor.expect('AS')
  return node(cursor, start, { kind: 'named-window', name, window: windowSpecification(cursor) })
}
