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
  shownBy(sql, dialect, (text, { type, start, end }) =>
    type === 'hint' || type === 'end' ? '' : text.slice(start, end),
  )

/** As `withoutMysqlLiterals`, of a text that has been lexed: `tokens` are its. */
export const tokensWithoutLiterals = (sql: string, tokens: readonly Token[]): string =>
  joined(sql, tokens, withoutLiteral)

type Shown = (sql: string, token: Token) => string

function shownBy(sql: string, dialect: Dialect, shown: Shown): string {
  try {
    return joined(sql, lex(sql, dialect), shown)
  } catch {
    return UNREADABLE
  }
}

function joined(sql: string, tokens: readonly Token[], shown: Shown): string {
  let text = ''
  for (const token of tokens) text += (token.gap === '' ? '' : ' ') + shown(sql, token)
  return text.trim()
}

function withoutLiteral(sql: string, { type, start, end, quote }: Token): string {
  switch (type) {
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
      return quote === "'" || quote === '"' ? '@…' : sql.slice(start, end)
    case 'word':
    case 'name':
    case 'introducer':
    case 'operator':
    case 'parameter':
      return sql.slice(start, end)
  }
}
