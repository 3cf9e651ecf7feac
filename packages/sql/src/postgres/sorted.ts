/**
 * A SELECT that is also sorted by some of its result columns, after what it sorts by itself. Rows that these leave in
 * any order then differ in nothing else that is shown. Spliced from the text, and only where its tree is the same but for that.
 */
import type { Parser } from './parse.ts'
import { piecesOf } from './pieces.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

/** `columns`: positions, from 1. Null: it is no SELECT of its own, or that is not certain. */
export function sortedText(parser: Parser, sql: string, columns: readonly number[]): string | null {
  const select = treeOf(parser, sql)?.['SelectStmt'] as Tree | undefined
  const at = select === undefined ? null : endOfSorting(sql)
  if (select === undefined || at === null) return null
  const own = (select['sortClause'] ?? []) as readonly unknown[]
  const added = `${own.length === 0 ? ' ORDER BY' : ','} ${columns.join(', ')} `
  const text = sql.slice(0, at) + added + sql.slice(at)
  const made = treeOf(parser, text)?.['SelectStmt'] as Tree | undefined
  const sorts = (made?.['sortClause'] ?? []) as readonly Tree[]
  const meant = columns.map((position) => ({ A_Const: { ival: { ival: position } } }))
  const isMeant =
    treeText(made, ['sortClause']) === treeText(select, ['sortClause']) &&
    treeText(sorts.slice(0, own.length)) === treeText(own) &&
    treeText(sorts.slice(own.length).map(keyOf)) === treeText(meant)
  return isMeant ? text : null
}

/** What is sorted by, in the server's own order of it; undefined where it has another. */
function keyOf(sort: Tree): unknown {
  const { node, sortby_dir, sortby_nulls, useOp } = (sort['SortBy'] ?? {}) as Tree
  const isPlain =
    sortby_dir === 'SORTBY_DEFAULT' && sortby_nulls === 'SORTBY_NULLS_DEFAULT' && !useOp
  return isPlain ? node : undefined
}

/** What may follow ORDER BY. */
const AFTER = new Set(['LIMIT', 'OFFSET', 'FETCH', 'FOR'])

/** Where the ORDER BY of a SELECT ends, or would begin; null: that cannot be read with certainty. */
function endOfSorting(sql: string): number | null {
  const read = piecesOf(sql)
  if (read === null) return null
  let at = 0
  let end: number | null = null
  let depth = 0
  let before = ''
  for (const { text, key, gap } of read.pieces) {
    const start = at + gap.length
    const ends = depth === 0 && before !== '.' && (AFTER.has(key) || key === ';')
    if (ends && end === null) end = at
    if (/^[([]$/.test(text)) depth++
    if (/^[)\]]$/.test(text)) depth--
    before = text
    at = start + text.length
  }
  return end ?? at
}
