/** For texts that are spliced: what was made is parsed again, and compared with what it is to be. */
import type { Dialect, Statement } from './ast.ts'
import { SqlError } from './errors.ts'
import { parseMysql } from './parse.ts'

/** The one statement of a text, and the text as it is sent; null: it has none, more, one of another kind, or cannot be parsed. */
export function soleStatement<K extends Statement['kind']>(
  sql: string,
  kind: K,
  dialect: Dialect,
): { readonly statement: Extract<Statement, { kind: K }>; readonly text: string } | null {
  try {
    const [parsed, ...more] = parseMysql(sql, dialect)
    if (parsed?.statement.kind !== kind || more.length > 0) return null
    // Safe: its kind has been asked for.
    const statement = parsed.statement as Extract<Statement, { kind: K }>
    return { statement, text: parsed.text }
  } catch (error) {
    if (error instanceof SqlError) return null
    throw error
  }
}

/** Equal for equal trees, wherever they stand. */
export function treeText(tree: unknown): string | undefined {
  return JSON.stringify(tree, (key, value: unknown) =>
    key === 'start' || key === 'end' ? undefined : value,
  )
}
