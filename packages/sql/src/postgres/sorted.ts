/**
 * A SELECT that is also sorted by some of its result columns and by chance, after what it sorts by itself: the order that a
 * plan gives its rows is not told. Spliced from the text, and only where its tree is the same but for that.
 */
import type { SortKey } from '../facts.ts'
import type { Parser } from './parse.ts'
import { piecesOf } from './pieces.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

/** Null: it is no SELECT of its own, or that is not certain. */
export function sortedText(parser: Parser, sql: string, keys: readonly SortKey[]): string | null {
  const grouped = groupedText(parser, sql)
  return grouped === null ? null : withKeys(parser, grouped, keys)
}

function withKeys(parser: Parser, sql: string, keys: readonly SortKey[]): string | null {
  const select = selectOf(parser, sql)
  const end = select === undefined ? null : placeBefore(sql, AFTER_SORTING)
  const begin = end === null ? null : placeBefore(sql, SORTING)
  if (select === undefined || end === null || begin === null) return null
  const own = (select['sortClause'] ?? []) as readonly unknown[]
  const added = keys.map((key) => (key === 'chance' ? CHANCE.text : key)).join(', ')
  const last = ` ${own.length === 0 ? '' : `${sql.slice(begin, end).replace(ORDER_BY, '')}, `}${added} `
  const text = `${sql.slice(0, begin)} ORDER BY ${FIRST.text},${last}${sql.slice(end)}`
  const made = selectOf(parser, text)
  const [first, ...sorts] = (made?.['sortClause'] ?? []) as readonly Tree[]
  const meant = keys.map((key) => (key === 'chance' ? CHANCE.tree : position(key)))
  const isMeant =
    treeText(made, ['sortClause']) === treeText(select, ['sortClause']) &&
    treeText(keyOf(first ?? {})) === treeText(FIRST.tree) &&
    treeText(sorts.slice(0, own.length)) === treeText(own) &&
    treeText(sorts.slice(own.length).map(keyOf)) === treeText(meant)
  return isMeant ? text : null
}

/** As GROUP BY where it is DISTINCT, which allows no other sorting than by its result columns. */
function groupedText(parser: Parser, sql: string): string | null {
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
  // `*` stands for more than one.
  if (values.some((value) => treeText(value)?.includes('"A_Star"') !== false)) return null
  const known = new Set(values.map((value) => treeText(value)))
  const isSortedByThem = sortClause.every((sort) => {
    const { node } = (sort['SortBy'] ?? {}) as { node?: Tree }
    return isName(node) || node?.['A_Const'] !== undefined || known.has(treeText(node))
  })
  if (!isSortedByThem) return null
  const [first, second] = piecesOf(sql)?.pieces ?? []
  const at = placeBefore(sql, AFTER_GROUPING)
  if (first?.key !== 'SELECT' || second?.key !== 'DISTINCT' || at === null) return null
  const begin = first.gap.length + first.text.length
  const end = begin + second.gap.length + second.text.length
  const positions = targetList.map((_, index) => index + 1)
  const grouped = inserted(sql, at, ` GROUP BY ${positions.join(', ')} `)
  const text = `${grouped.slice(0, begin)}${grouped.slice(end)}`
  const made = selectOf(parser, text)
  const isMeant =
    treeText(made, ['groupClause']) === treeText(select, ['distinctClause']) &&
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
