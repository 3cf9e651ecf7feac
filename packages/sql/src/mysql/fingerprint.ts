/**
 * The text with its literals taken out, as a cache key: two texts with the same key, read in the same dialect,
 * have the same tree but for the values of literals, and are sent as they are.
 *
 * Everything but literals is kept byte for byte. A literal becomes a mark of its class. Texts with a comment of
 * any kind, with more than a statement, with strings that may be an alias or a file, and whatever else is not
 * plainly a value, have no key. The rules are the lexer's (lex/lexer.ts).
 */
import type { Dialect } from './ast.ts'
import { endsDashes, isDigit, isHostPart, isIdentifierPart, isSpace } from './lex/characters.ts'
import { isCharset } from './lex/charsets.ts'
import { closingQuote } from './lex/strings.ts'

/** Longer texts are analysed each time: their keys would cost more memory than they save. */
const KEY_LENGTH_MAX = 64 * 1024

/** Beyond these a number is of another class to the grammar. */
const INTEGER_DIGITS_MAX = 18

/** A statement beginning with one of these has literals only as values of expressions. */
const QUERIES = /^(?:select|insert|replace|update|delete|with)$/i

/** Words in front of a string that make it a value; behind others it may be an alias, a file, a collation. */
const BEFORE_VALUE =
  /^(?:and|or|xor|not|like|regexp|rlike|between|div|mod|when|then|else|case|select|where|having|on|interval|separator|binary)$/i

/** Signs in front of a string that make it a value. A closing bracket may end what it is an alias of. */
const SIGNS_BEFORE_VALUE = '(,=<>!+-*/%&|^~'

/** Types that take numbers in brackets: those are no values, and a cast to another length is another cast. */
const TYPE =
  /^(?:(?:n|var)?char|character|varying|(?:var)?binary|bit|dec(?:imal)?|numeric|fixed|number|float|double|precision|real|datetime|time|timestamp|year|(?:tiny|small|medium|big)?int|integer|text|blob|vector|day_second|level)$/i

/** Marks that cannot stand in a text: one with this character has no key. */
const STRING = "\u0001'"
const INTEGER = '\u00010'
const DECIMAL = '\u00010.'
const FLOAT = '\u00010e'

export function fingerprintMysql(sql: string, dialect: Dialect): string | null {
  if (sql.length > KEY_LENGTH_MAX) return null
  return new Normaliser(sql, dialect).run()
}

type Previous = 'none' | 'word' | 'name' | 'string' | 'number' | 'sign'

class Normaliser {
  readonly #sql: string
  readonly #dialect: Dialect
  #key = ''
  /** Start of the text not copied yet. */
  #copied = 0
  #query = false
  /** The text may only go on with white space. */
  #ended = false
  /** The token before: its kind, and where it begins and ends. */
  #previous: Previous = 'none'
  #start = 0
  #end = 0
  /** The word in front of that, when it is an opening bracket. */
  #bracketed = ''

  constructor(sql: string, dialect: Dialect) {
    this.#sql = sql
    this.#dialect = dialect
  }

  run(): string | null {
    const sql = this.#sql
    let at = 0
    while (at < sql.length) {
      const code = sql.charCodeAt(at)
      if (isSpace(code)) {
        at++
        continue
      }
      if (this.#ended) return null
      const end = this.#token(at, code)
      if (end < 0) return null
      this.#bracketed = code === 40 ? sql.slice(this.#start, this.#end) : ''
      this.#start = at
      this.#end = end
      at = end
    }
    return this.#query ? this.#key + sql.slice(this.#copied) : null
  }

  /** Offset after the token; -1 for anything that leaves the text without a key. */
  #token(at: number, code: number): number {
    if (isDigit(code)) return this.#number(at)
    if (isIdentifierPart(code)) return this.#word(at, code)
    switch (code) {
      case 39:
        return this.#string(at, code)
      case 34:
        return this.#dialect.ansiQuotes ? this.#name(at, code) : this.#string(at, code)
      case 96:
        return this.#name(at, code)
      case 64:
        return this.#variable(at)
      case 59:
        this.#ended = true
        return at + 1
      default:
        return this.#sign(at, code)
    }
  }

  #sign(at: number, code: number): number {
    const next = this.#sql.charCodeAt(at + 1)
    // Comments, names behind a dot, numbers beginning with one, JSON paths.
    if (code === 45 && next === 45 && endsDashes(this.#sql.charCodeAt(at + 2))) return -1
    if (code === 47 && next === 42) return -1
    if (code === 46 && (isDigit(next) || next === 46)) return -1
    if (code === 45 && next === 62) return -1
    if (code <= 32 || code === 35 || code === 92 || code === 127) return -1
    this.#previous = 'sign'
    return at + 1
  }

  #word(at: number, code: number): number {
    const sql = this.#sql
    let end = at + 1
    while (isIdentifierPart(sql.charCodeAt(end))) end++
    // `N'...'`, `x'...'`, dollar quotes.
    if ((end === at + 1 && sql.charCodeAt(end) === 39) || code === 36) return -1
    if (!this.#query) {
      if (!QUERIES.test(sql.slice(at, end))) return -1
      this.#query = true
    }
    this.#previous = 'word'
    return end
  }

  #name(at: number, quote: number): number {
    const end = closingQuote(this.#sql, at + 1, { quote, backslash: false })
    this.#previous = 'name'
    return end === -1 ? -1 : end + 1
  }

  #variable(at: number): number {
    const sql = this.#sql
    let end = sql.charCodeAt(at + 1) === 64 ? at + 2 : at + 1
    if (!isHostPart(sql.charCodeAt(end))) return -1
    while (isHostPart(sql.charCodeAt(end))) end++
    this.#previous = 'name'
    return end
  }

  #number(at: number): number {
    const sql = this.#sql
    // Right behind a dot it is a name.
    if (sql.charCodeAt(at - 1) === 46 || TYPE.test(this.#bracketed)) return -1
    let end = digits(sql, at)
    if (end - at > INTEGER_DIGITS_MAX) return -1
    let mark = INTEGER
    if (sql.charCodeAt(end) === 46) {
      if (sql.charCodeAt(end + 1) === 46) return -1
      end = digits(sql, end + 1)
      mark = DECIMAL
    }
    if ((sql.charCodeAt(end) | 32) === 101) {
      const sign = sql.charCodeAt(end + 1)
      const from = sign === 43 || sign === 45 ? end + 2 : end + 1
      if (!isDigit(sql.charCodeAt(from))) return -1
      end = digits(sql, from)
      mark = FLOAT
    }
    if (isIdentifierPart(sql.charCodeAt(end)) || sql.charCodeAt(end) === 46) return -1
    this.#previous = 'number'
    return this.#literal(at, end, mark)
  }

  #string(at: number, quote: number): number {
    if (!this.#isValue(at)) return -1
    const backslash = !this.#dialect.noBackslashEscapes
    const end = closingQuote(this.#sql, at + 1, { quote, backslash })
    if (end === -1) return -1
    this.#previous = 'string'
    return this.#literal(at, end + 1, STRING)
  }

  /** Does the token in front of a string make it a value? */
  #isValue(at: number): boolean {
    const before = this.#sql.slice(this.#start, this.#end)
    switch (this.#previous) {
      case 'string':
        return true
      case 'sign':
        return SIGNS_BEFORE_VALUE.includes(before)
      case 'word':
        if (BEFORE_VALUE.test(before)) return true
        return (
          before.startsWith('_') &&
          isCharset(before.slice(1), this.#dialect.flavour) &&
          this.#end <= at
        )
      default:
        return false
    }
  }

  #literal(at: number, end: number, mark: string): number {
    if (!this.#query) return -1
    this.#key += this.#sql.slice(this.#copied, at) + mark
    this.#copied = end
    return end
  }
}

function digits(sql: string, at: number): number {
  let end = at
  while (isDigit(sql.charCodeAt(end))) end++
  return end
}
