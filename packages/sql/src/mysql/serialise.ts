/**
 * The text to send for tokens that were read: what the server gets is what was parsed. Plain comments are
 * gone, the bodies of executable ones are ordinary text, every token is byte-identical. A text without comments
 * is its own serialisation.
 */
import type { Dialect } from './ast.ts'
import { SqlError } from './errors.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'

/** Throws SqlError where the result would not read as the same tokens again. */
export function serialise(sql: string, tokens: readonly Token[], dialect: Dialect): string {
  const first = tokens[0]
  const last = tokens.at(-1)
  if (first === undefined || last === undefined) return ''
  // At the end of a text, two signs would begin a comment.
  const asIs = last.key !== '-' && !tokens.some(({ gap }, i) => i > 0 && gap === 'comment')
  if (asIs) return sql.slice(first.start, last.end)
  const text = joined(sql, tokens, dialect)
  if (!sameTokens(tokens, lex(text, dialect)))
    throw new SqlError('unsupported', 'a comment stands where it cannot be taken out', first.start)
  return text
}

function joined(sql: string, tokens: readonly Token[], { ignoreSpace }: Dialect): string {
  // Under IGNORE_SPACE `count (1)` is another call than `count/**/(1)`.
  const comment = ignoreSpace ? '/**/' : ' '
  const parts = tokens.map((token, i) => {
    const text = sql.slice(token.start, token.end)
    if (i === 0) return text
    if (token.gap === 'comment') return comment + text
    // `--/*!1*/` is two signs; without its comment it would begin one.
    const dashes = token.key === '-' && tokens[i - 1]?.key === '-'
    return token.gap === 'space' || dashes ? ` ${text}` : text
  })
  return parts.join('')
}

/** `again` has an end token. */
function sameTokens(tokens: readonly Token[], again: readonly Token[]): boolean {
  if (again.length !== tokens.length + 1) return false
  return tokens.every((token, i) => {
    const other = again[i] as Token
    return token.type === other.type && token.key === other.key && token.value === other.value
  })
}
