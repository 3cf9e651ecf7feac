/** Statements of MySQL and MariaDB, broken over lines for people to read; see ../layout.ts. */
import { LAYOUT_LENGTH_MAX, layOut, type Piece } from '../layout.ts'
import type { Dialect } from './ast.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'

/** Null: it cannot be read, or is too long. Has the same tokens and comments as `sql`. */
export function layOutMysql(sql: string, dialect: Dialect): string | null {
  if (sql.length > LAYOUT_LENGTH_MAX) return null
  try {
    const tokens = lex(sql, dialect)
    const text = layOut(piecesOf(sql, tokens), sql.slice(tokens.at(-2)?.end ?? 0))
    return sameTokens(tokens, sql, lex(text, dialect), text) ? text : null
  } catch {
    return null
  }
}

/** What is between two tokens may be the edge of an executable comment: the layout keeps what is no white space. */
function piecesOf(sql: string, tokens: readonly Token[]): readonly Piece[] {
  let from = 0
  return tokens.slice(0, -1).map(({ type, start, end, key }) => {
    const gap = sql.slice(from, start)
    from = end
    return {
      text: sql.slice(start, end),
      key: type === 'word' || /^[(),;.]$/.test(key) ? key : '',
      gap,
    }
  })
}

function sameTokens(
  before: readonly Token[],
  was: string,
  after: readonly Token[],
  is: string,
): boolean {
  return (
    before.length === after.length &&
    before.every(({ type, start, end, key, value, quote }, i) => {
      const other = after[i]
      return (
        other?.type === type &&
        other.key === key &&
        other.value === value &&
        other.quote === quote &&
        is.slice(other.start, other.end) === was.slice(start, end)
      )
    })
  )
}
