/** Where MySQL's optimizer hints end. Elsewhere than behind these words, and on MariaDB, they are comments. */

export const HINTED: ReadonlySet<string> = new Set([
  'SELECT',
  'INSERT',
  'REPLACE',
  'UPDATE',
  'DELETE',
])

/**
 * Offset after the hint at `at`; -1 where its own lexer might see another end than the first mark: quotes
 * that are open there, backslashes, another comment.
 */
export function endOfHint(sql: string, at: number): number {
  const close = sql.indexOf('*/', at + 3)
  if (close === -1) return -1
  const body = sql.slice(at + 3, close)
  const rest = body.replace(/'[^']*'|"[^"]*"|`[^`]*`/g, '')
  return /['"`]|\/\*/.test(rest) || /[\\\0]/.test(body) ? -1 : close + 2
}
