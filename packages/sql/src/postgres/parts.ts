/**
 * The statements of a text as texts of their own. Cut where the grammar says that each begins and ends, and only where
 * each part is, parsed by itself, the statement that it was.
 */
import type { Parser } from './parse.ts'
import { type Tree, treeOf, treeText } from './same-tree.ts'

/** Null: it cannot be parsed, or not cut with certainty. */
export function partsOf(parser: Parser, sql: string): readonly string[] | null {
  const found = parser.parse(sql)
  if (found.kind !== 'tree') return null
  // The grammar counts bytes.
  const bytes = Buffer.from(sql, 'utf8')
  const parts: string[] = []
  for (const one of found.statements) {
    const {
      stmt,
      stmt_location: from = 0,
      stmt_len: length,
    } = one as {
      readonly stmt?: Tree
      readonly stmt_location?: number
      readonly stmt_len?: number
    }
    const part = bytes.toString('utf8', from, length === undefined ? bytes.length : from + length)
    const made = treeOf(parser, part)
    if (made === null || treeText(made) !== treeText(stmt)) return null
    parts.push(part)
  }
  return parts
}
