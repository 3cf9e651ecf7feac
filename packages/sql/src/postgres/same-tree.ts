/** For texts that are spliced: what was made is parsed again, and compared with what it is to be. */
import type { Parser } from './parse.ts'

export type Tree = Readonly<Record<string, unknown>>

/** Of the one statement of a text; null: it has none, more, or cannot be parsed. */
export function treeOf(parser: Parser, sql: string): Tree | null {
  const found = parser.parse(sql)
  if (found.kind !== 'tree' || found.statements.length !== 1) return null
  // Safe: a parsed statement is an object of one key, its kind.
  return (found.statements[0]?.stmt ?? null) as Tree | null
}

/** Where something stands in a text is no part of what it is. */
const PLACES = /^(location|stmt_len|(rexpr_)?list_(start|end))$/

/** Equal for equal trees, wherever they stand and whatever their members named in `without` are. */
export function treeText(tree: unknown, without: readonly string[] = []): string | undefined {
  return JSON.stringify(tree, (key, value: unknown) =>
    PLACES.test(key) || without.includes(key) ? undefined : value,
  )
}
