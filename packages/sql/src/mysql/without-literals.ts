/**
 * A statement's text fit for a record that must hold no protected value: names, keywords and structure stay, comments
 * and hints go, and, if need be, every string and number is replaced. A text that cannot be read is not kept at all. For
 * people to read, not for parsing.
 */
import type { Dialect } from './ast.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'

const STRING = "'…'"
const NUMBER = '…'
const UNREADABLE = '…'

/** Never throws and never returns a character of a literal or comment of `sql`. */
export const withoutMysqlLiterals = (sql: string, dialect: Dialect): string =>
  shownBy(sql, dialect, withoutLiteral)

/** Never throws and never returns a character of a comment of `sql`. */
export const withoutMysqlComments = (sql: string, dialect: Dialect): string =>
  shownBy(sql, dialect, ({ type }) => (type === 'hint' || type === 'end' ? '' : null))

/** As `withoutMysqlLiterals`, of a text that has been lexed: `tokens` are its. */
export const tokensWithoutLiterals = (sql: string, tokens: readonly Token[]): string =>
  joined(sql, tokens, withoutLiteral)

/** What is shown of a token; null: it as it stands. */
type Shown = (token: Token) => string | null

function shownBy(sql: string, dialect: Dialect, shown: Shown): string {
  try {
    return joined(sql, lex(sql, dialect), shown)
  } catch {
    return UNREADABLE
  }
}

function joined(sql: string, tokens: readonly Token[], shown: Shown): string {
  let text = ''
  // What is shown as it stands is copied run by run.
  let start = 0
  let end = 0
  for (const token of tokens) {
    const instead = shown(token)
    if (instead === null && start < end && isNext(sql, token, end)) {
      end = token.end
      continue
    }
    text += sql.slice(start, end) + (token.gap === '' ? '' : ' ') + (instead ?? '')
    start = instead === null ? token.start : token.end
    end = token.end
  }
  return (text + sql.slice(start, end)).trim()
}

/** Does nothing but its gap as it is shown stand between the offset and the token? */
function isNext(sql: string, { gap, start }: Token, end: number): boolean {
  return gap === '' ? start === end : start === end + 1 && sql.charCodeAt(end) === 32
}

function withoutLiteral({ type, quote }: Token): string | null {
  switch (type) {
    case 'word':
    case 'name':
    case 'operator':
    case 'introducer':
    case 'parameter':
      return null
    case 'string':
    case 'national':
    case 'dollar':
      return STRING
    case 'integer':
    case 'decimal':
    case 'float':
    case 'hex':
    case 'bit':
      return NUMBER
    case 'hint':
    case 'end':
      return ''
    case 'variable':
      // Quoted like a string, and nobody says that it is a name.
      return quote === "'" || quote === '"' ? '@…' : null
  }
}
