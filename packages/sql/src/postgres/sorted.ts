/**
 * A SELECT that is also sorted by some of its result columns and by chance, after what it sorts by itself: the order that a
 * plan gives its rows is not told. Alone, among others in a text, of a cursor, or prepared. Spliced from the text, and only
 * where its tree is the same but for that.
 */
import type { Sorting, SortKey } from '../facts.ts'
import type { Parser } from './parse.ts'
import { partsOf } from './parts.ts'
import { piecesOf } from './pieces.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

/** Null: one of them is no SELECT, and holds none, or that is not certain. */
export function sortedText(
  parser: Parser,
  sql: string,
  sortings: readonly Sorting[],
): string | null {
  const parts = partsOf(parser, sql)
  const [first] = sortings
  if (parts === null || first === undefined) return null
  if (parts.length === 1) return sortedStatement(parser, sql, first)
  const sorted = parts.map((part, at) => {
    const sorting = sortings.find(({ statement }) => statement === at)
    return sorting === undefined ? part : sortedStatement(parser, part, sorting)
  })
  const text = sorted.join(';\n')
  const treeIn = (part: string | null) => (part === null ? null : treeOf(parser, part))
  const isMeant =
    sorted.every((part) => part !== null) &&
    treeText(partsOf(parser, text)?.map(treeIn)) === treeText(sorted.map(treeIn))
  return isMeant ? text : null
}

/** What stands before the query that they hold, in their last word. */
const HOLDING: Readonly<Record<string, string>> = { DeclareCursorStmt: 'FOR', PrepareStmt: 'AS' }

function sortedStatement(parser: Parser, sql: string, sorting: Sorting): string | null {
  const tree = treeOf(parser, sql) ?? {}
  const [type = ''] = Object.keys(tree)
  const last = HOLDING[type]
  if (last === undefined) return sortedQuery(parser, sql, sorting)
  const begin = endOfFirst(sql, last)
  const sorted = begin === null ? null : sortedQuery(parser, sql.slice(begin), sorting)
  if (begin === null || sorted === null) return null
  const text = `${sql.slice(0, begin)} ${sorted}`
  const [holding, made] = [tree, treeOf(parser, text) ?? {}].map((one) => one[type] as Tree)
  const isMeant =
    treeText(holding, ['query']) === treeText(made, ['query']) &&
    treeText(holding?.['query']) === treeText(treeOf(parser, sql.slice(begin))) &&
    treeText(made?.['query']) === treeText(treeOf(parser, sorted))
  return isMeant ? text : null
}

function sortedQuery(parser: Parser, sql: string, { keys, columns }: Sorting): string | null {
  const { op = 'SETOP_NONE' } = selectOf(parser, sql) ?? {}
  if (op !== 'SETOP_NONE') return combinedWithKeys(parser, sql, keys)
  const grouped = groupedText(parser, sql, columns)
  return grouped === null ? null : withKeys(parser, grouped, keys)
}

function withKeys(parser: Parser, sql: string, keys: readonly SortKey[]): string | null {
  const select = selectOf(parser, sql)
  const end = select === undefined ? null : placeBefore(sql, AFTER_SORTING)
  const begin = end === null ? null : placeBefore(sql, SORTING)
  if (select === undefined || end === null || begin === null) return null
  const own = (select['sortClause'] ?? []) as readonly unknown[]
  const sorting = sortingOf(own.length === 0 ? '' : sql.slice(begin, end), keys)
  const text = `${sql.slice(0, begin)} ${sorting}${sql.slice(end)}`
  const made = selectOf(parser, text)
  const isMeant =
    treeText({ ...made, sortClause: undefined }) ===
      treeText({ ...select, sortClause: undefined }) && isSortedBy(made, own, keys)
  return isMeant ? text : null
}

/** `a UNION b` can be sorted by its result columns alone: it is read by a query that is sorted, and limited, in its place. */
function combinedWithKeys(parser: Parser, sql: string, keys: readonly SortKey[]): string | null {
  const select = selectOf(parser, sql) ?? {}
  const begin = placeBefore(sql, SORTING)
  const end = placeBefore(sql, AFTER_SORTING)
  if (begin === null || end === null) return null
  const own = (select['sortClause'] ?? []) as readonly unknown[]
  const sorting = sortingOf(own.length === 0 ? '' : sql.slice(begin, end), keys)
  const text = `SELECT * FROM (${sql.slice(0, begin)}) AS sallyport ${sorting}${sql.slice(end)}`
  const made = selectOf(parser, text)
  const [from] = (made?.['fromClause'] ?? []) as readonly Tree[]
  const { subquery } = (from?.['RangeSubselect'] ?? {}) as { readonly subquery?: Tree }
  const { limitCount, limitOffset, limitOption, sortClause: _, ...combined } = select
  const none = { ...EVERY_COLUMN, fromClause: [from], op: 'SETOP_NONE' }
  const limits = { limitCount, limitOffset, limitOption }
  const isMeant =
    treeText(sortedKeys(made, ['sortClause'])) === treeText(sortedKeys({ ...none, ...limits })) &&
    treeText(subquery?.['SelectStmt'], ['limitOption']) === treeText(combined, ['limitOption']) &&
    isSortedBy(made, own, keys)
  return isMeant ? text : null
}

const EVERY_COLUMN = {
  targetList: [{ ResTarget: { val: { ColumnRef: { fields: [{ A_Star: {} }] } } } }],
}

/** ORDER BY what it is sorted by itself, in `own`, and these. */
function sortingOf(own: string, keys: readonly SortKey[]): string {
  const added = keys.map((key) => (key === 'chance' ? CHANCE.text : key)).join(', ')
  const last = ` ${own === '' ? '' : `${own.replace(ORDER_BY, '')}, `}${added} `
  return `ORDER BY ${FIRST.text},${last}`
}

function isSortedBy(
  made: Tree | undefined,
  own: readonly unknown[],
  keys: readonly SortKey[],
): boolean {
  const [first, ...sorts] = (made?.['sortClause'] ?? []) as readonly Tree[]
  const meant = keys.map((key) => (key === 'chance' ? CHANCE.tree : position(key)))
  return (
    treeText(keyOf(first ?? {})) === treeText(FIRST.tree) &&
    treeText(sorts.slice(0, own.length)) === treeText(own) &&
    treeText(sorts.slice(own.length).map(keyOf)) === treeText(meant)
  )
}

/** Its members in one order. */
const sortedKeys = (tree: Tree | undefined, without: readonly string[] = []): Tree =>
  Object.fromEntries(
    Object.entries(tree ?? {})
      .filter(([key]) => !without.includes(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** As GROUP BY where it is DISTINCT, which allows no other sorting than by its result columns. */
function groupedText(parser: Parser, sql: string, columns: number): string | null {
  const select = selectOf(parser, sql)
  if (select?.['distinctClause'] === undefined) return sql
  const {
    targetList = [],
    sortClause = [],
    ...others
  } = select as { targetList?: readonly Tree[]; sortClause?: readonly Tree[] } & Tree
  if (others['groupClause'] !== undefined || others['havingClause'] !== undefined) return null
  const values = targetList.map(
    (target) => (target['ResTarget'] as { val?: Tree } | undefined)?.val,
  )
  const known = new Set(values.map((value) => treeText(value)))
  const isSortedByThem = sortClause.every((sort) => {
    const { node } = (sort['SortBy'] ?? {}) as { node?: Tree }
    return isName(node) || node?.['A_Const'] !== undefined || known.has(treeText(node))
  })
  if (!isSortedByThem) return null
  const begin = endOfFirst(sql, 'SELECT')
  const at = placeBefore(sql, AFTER_GROUPING)
  if (begin === null || at === null) return null
  const end = begin + (endOfFirst(sql.slice(begin), 'DISTINCT') ?? 0)
  // `*` stands for any number of them.
  const positions = Array.from({ length: columns }, (_, index) => index + 1)
  const grouped = inserted(sql, at, ` GROUP BY ${positions.join(', ')} `)
  const text = `${grouped.slice(0, begin)}${grouped.slice(end)}`
  const made = selectOf(parser, text)
  const isMeant =
    treeText({ ...made, groupClause: undefined }) ===
      treeText({ ...select, distinctClause: undefined }) &&
    treeText(made?.['groupClause']) === treeText(positions.map(position))
  return isMeant ? text : null
}

const CHANCE = {
  text: 'pg_catalog.gen_random_uuid()',
  tree: {
    FuncCall: {
      funcname: ['pg_catalog', 'gen_random_uuid'].map((sval) => ({ String: { sval } })),
      funcformat: 'COERCE_EXPLICIT_CALL',
    },
  },
} as const

/**
 * Always false, which the planner does not know: all rows are computed before any is sorted. Where an index gives them in
 * the order of the keys, those that a LIMIT leaves out would not be, and whether one of them fails would tell its place.
 */
const FIRST = {
  text: `${CHANCE.text} IS NULL`,
  tree: { NullTest: { arg: CHANCE.tree, nulltesttype: 'IS_NULL' } },
} as const

/** Where the first such word outside of brackets ends; null: that is not certain. */
function endOfFirst(sql: string, word: string): number | null {
  let at = 0
  let depth = 0
  for (const { text, key, gap } of piecesOf(sql)?.pieces ?? []) {
    at += gap.length + text.length
    if (depth === 0 && key === word) return at
    if (/^[([]$/.test(text)) depth++
    if (/^[)\]]$/.test(text)) depth--
  }
  return null
}

const selectOf = (parser: Parser, sql: string): Tree | undefined =>
  treeOf(parser, sql)?.['SelectStmt'] as Tree | undefined

const position = (at: number): Tree => ({ A_Const: { ival: { ival: at } } })

const inserted = (sql: string, at: number, text: string): string =>
  sql.slice(0, at) + text + sql.slice(at)

/** A column's name; not `*`. */
function isName(node: Tree | undefined): boolean {
  const { fields } = (node?.['ColumnRef'] ?? {}) as { fields?: readonly Tree[] }
  return fields?.every((field) => 'String' in field) === true
}

/** What is sorted by, in the server's own order of it; undefined where it has another. */
function keyOf(sort: Tree): unknown {
  const { node, sortby_dir, sortby_nulls, useOp } = (sort['SortBy'] ?? {}) as Tree
  const isPlain =
    sortby_dir === 'SORTBY_DEFAULT' && sortby_nulls === 'SORTBY_NULLS_DEFAULT' && !useOp
  return isPlain ? node : undefined
}

const ORDER_BY = /^\s*ORDER\s+BY\b/i
const SORTING = new Set(['ORDER', 'LIMIT', 'OFFSET', 'FETCH', 'FOR'])
/** What may follow ORDER BY. */
const AFTER_SORTING = new Set(['LIMIT', 'OFFSET', 'FETCH', 'FOR'])
/** What may follow GROUP BY, without HAVING. */
const AFTER_GROUPING = new Set([...AFTER_SORTING, 'ORDER', 'WINDOW'])

/** Where a clause of a SELECT ends, or would begin, that one of `words` may follow; null: that cannot be read with certainty. */
function placeBefore(sql: string, words: ReadonlySet<string>): number | null {
  const read = piecesOf(sql)
  if (read === null) return null
  let at = 0
  let end: number | null = null
  let depth = 0
  let before = ''
  for (const { text, key, gap } of read.pieces) {
    const start = at + gap.length
    const ends = depth === 0 && before !== '.' && (words.has(key) || key === ';')
    if (ends && end === null) end = at
    if (/^[([]$/.test(text)) depth++
    if (/^[)\]]$/.test(text)) depth--
    before = text
    at = start + text.length
  }
  return end ?? at
}
