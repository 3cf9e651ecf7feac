/**
 * A statement's text fit for a record that must hold no protected value: names, keywords and structure stay, every
 * string and number is replaced, comments and hints go. A text that cannot be read is not kept at all. For
 * people to read, not for parsing.
 */
import type { Dialect } from './ast.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'

const STRING = "'…'"
const NUMBER = '0'
const UNREADABLE = '…'

/** Never throws and never returns a character of a literal or comment of `sql`. */
export function withoutMysqlLiterals(sql: string, dialect: Dialect): string {
  try {
    const tokens = lex(sql, dialect)
    return tokens
      .map((token) => (token.gap === '' ? '' : ' ') + shown(sql, token))
      .join('')
      .trim()
  } catch {
    return UNREADABLE
  }
}

function shown(sql: string, { type, start, end, quote }: Token): string {
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
