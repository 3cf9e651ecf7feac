/**
 * The query whose rows a COPY … TO sends, as a text of its own: EXPLAIN takes no COPY. Spliced from the text, and only
 * where its tree is the one that the COPY has.
 */
import type { Parser } from './parse.ts'
import { piecesOf } from './pieces.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

/** Null: it is no COPY … TO of its own, or cannot be read with certainty. */
export function copiedQuery(parser: Parser, sql: string): string | null {
  const copy = treeOf(parser, sql)?.['CopyStmt'] as Tree | undefined
  const text = copy === undefined ? null : spliced(sql, copy['query'] !== undefined)
  if (copy === undefined || text === null) return null
  const made = treeOf(parser, text)
  const query = (made?.['SelectStmt'] ?? {}) as { readonly fromClause?: readonly Tree[] }
  const [from] = query.fromClause ?? []
  // A table is read as COPY reads it: ONLY.
  const same =
    copy['query'] === undefined
      ? treeText(from?.['RangeVar'], ['inh']) === treeText(copy['relation'], ['inh'])
      : treeText(made) === treeText(copy['query'])
  return same ? text : null
}

/** What stands between COPY and TO: a query in parentheses, or a table and perhaps its columns. */
function spliced(sql: string, isQuery: boolean): string | null {
  const pieces = piecesOf(sql)?.pieces ?? []
  let at = 0
  let depth = 0
  let from: number | null = null
  for (const { text, key, gap } of pieces) {
    const start = at + gap.length
    at = start + text.length
    if (from === null) {
      if (key === (isQuery ? '(' : 'COPY')) from = at
      if (isQuery && key === '(') depth = 1
      continue
    }
    if (key === '(') depth++
    if (key === ')') depth--
    if (isQuery && key === ')' && depth === 0) return sql.slice(from, start)
    // The columns of a table, or its end.
    if (!isQuery && (key === '(' || key === 'TO')) return `TABLE ONLY ${sql.slice(from, start)}`
  }
  return null
}
