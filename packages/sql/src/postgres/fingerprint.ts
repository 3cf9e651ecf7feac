/**
 * The text with its literals taken out, as a cache key: two texts with the same key have the same parse
 * tree but for the values of literals.
 *
 * Everything but literals is kept byte for byte, comments and white space included. A literal becomes a
 * mark of its class: string, bit string, integer or decimal, because the grammar tells these apart. What
 * the lexer is not sure of, and statements where a literal's value decides more than a value, give null.
 */
import {
  endOfDollar,
  endOfLine,
  endOfQuotedIdentifier,
  endOfString,
  endOfWord,
  isDigit,
  isIdentifierPart,
  isIdentifierStart,
  isSpace,
} from './lexical.ts'

/** Longer texts are analysed each time: their keys would cost more memory than they save. */
const KEY_LENGTH_MAX = 64 * 1024

/** A statement beginning with one of these has literals only as values of expressions. */
const QUERIES = /^(?:select|insert|update|delete|merge|with|values|table)$/i
/** Words that let a literal's value decide more than a value: `float(25)` is another type than `float(24)`. */
const SENSITIVE = /^(?:uescape|float)$/i

/** Marks that cannot stand in SQL text at those places: control characters are never part of a token. */
const STRING = "\u0001'"
const BITS = '\u0001b'
const HEX = '\u0001x'
const INTEGER = '\u00010'
const DECIMAL = '\u00010.'

/** The key as SQL again, a literal for each mark: one for all numbers, one for all strings. */
export function asText(key: string): string {
  if (!key.includes('\u0001')) return key
  const strings = key.replaceAll(STRING, "''").replaceAll(BITS, "''").replaceAll(HEX, "''")
  return strings.replaceAll(DECIMAL, '0').replaceAll(INTEGER, '0')
}

const BIT_STRING = { backslash: false, doubled: false } as const

export function fingerprintPostgres(sql: string): string | null {
  if (sql.length > KEY_LENGTH_MAX) return null
  return new Normaliser(sql).run()
}

class Normaliser {
  readonly #sql: string
  #key = ''
  /** Start of the text not copied yet. */
  #copied = 0
  #literals = false
  #query: boolean | null = null
  /** The text may only end after a semicolon. */
  #ended = false
  #sensitive = false

  constructor(sql: string) {
    this.#sql = sql
  }

  run(): string | null {
    const sql = this.#sql
    let at = 0
    while (at < sql.length) {
      const next = this.#token(at, sql.charCodeAt(at))
      if (next < 0) return null
      at = next
    }
    if (!this.#literals) return sql.includes('\u0001') ? null : sql
    if (this.#query !== true) return null
    return this.#key + sql.slice(this.#copied)
  }

  /** Offset after the token; -1 for anything that makes the text a miss. */
  #token(at: number, code: number): number {
    const sql = this.#sql
    if (isSpace(code)) return at + 1
    if (code < 32) return -1
    if (code === 45 && sql.charCodeAt(at + 1) === 45) return endOfLine(sql, at)
    // A comment is kept as it is, but whether it ends where it seems to is left to the parser.
    if (code === 47 && sql.charCodeAt(at + 1) === 42) return plainComment(sql, at)
    if (this.#ended) return -1
    if (isIdentifierStart(code)) return this.#word(at)
    if (isDigit(code)) return this.#number(at)
    switch (code) {
      case 39:
        return this.#literal(at, endOfString(sql, at, { backslash: false }), STRING)
      case 34:
        return endOfQuotedIdentifier(sql, at)
      case 36: {
        const end = endOfDollar(sql, at)
        if (isDigit(sql.charCodeAt(at + 1))) return isIdentifierPart(sql.charCodeAt(end)) ? -1 : end
        return end === at + 1 ? -1 : this.#literal(at, end, STRING)
      }
      case 46:
        // `.5` is a number, `a.5` an error, `..` neither.
        return isDigit(sql.charCodeAt(at + 1)) || sql.charCodeAt(at + 1) === 46 ? -1 : at + 1
      case 59:
        this.#ended = true
        return at + 1
      case 92:
        return -1
      default:
        return at + 1
    }
  }

  #word(at: number): number {
    const sql = this.#sql
    const end = endOfWord(sql, at)
    const next = sql.charCodeAt(end)
    if (end - at === 1 && next === 39) return this.#prefixed(at, end)
    if (next === 38 && end - at === 1 && isUnicode(sql, at)) return -1
    if (this.#query === null) this.#query = QUERIES.test(sql.slice(at, end))
    else if (isSensitive(sql, at, end)) this.#sensitive = true
    return end
  }

  /** `E'...'`, `B'...'`, `X'...'`; any other letter before a quote is left to the parser. */
  #prefixed(at: number, quote: number): number {
    switch (this.#sql.charCodeAt(at) | 32) {
      case 101:
        return this.#escaped(at, endOfString(this.#sql, quote, { backslash: true }))
      case 98:
        return this.#literal(at, endOfString(this.#sql, quote, BIT_STRING), BITS)
      case 120:
        return this.#literal(at, endOfString(this.#sql, quote, BIT_STRING), HEX)
      default:
        return -1
    }
  }

  /** Escapes of code points may be invalid, which makes the text an error. */
  #escaped(at: number, end: number): number {
    if (end < 0 || /\\[uUx0-7]/.test(this.#sql.slice(at, end))) return -1
    return this.#literal(at, end, STRING)
  }

  #number(at: number): number {
    const sql = this.#sql
    let end = at
    while (isDigit(sql.charCodeAt(end))) end++
    const integer = end - at <= 9 || (end - at === 10 && sql.slice(at, end) <= '2147483647')
    const next = sql.charCodeAt(end)
    if (next !== 46) {
      // `0x1F`, `1_000`, `1e5` and junk.
      if (isIdentifierPart(next)) return -1
      return this.#literal(at, end, integer ? INTEGER : DECIMAL)
    }
    end++
    if (!isDigit(sql.charCodeAt(end))) return -1
    while (isDigit(sql.charCodeAt(end))) end++
    if (isIdentifierPart(sql.charCodeAt(end)) || sql.charCodeAt(end) === 46) return -1
    return this.#literal(at, end, DECIMAL)
  }

  #literal(at: number, end: number, mark: string): number {
    if (end < 0 || this.#sensitive || this.#query !== true) return -1
    // A letter, digit or quote right after a literal is either an error or more of it.
    const next = this.#sql.charCodeAt(end)
    if (isIdentifierPart(next) || next === 39) return -1
    this.#literals = true
    this.#key += this.#sql.slice(this.#copied, at) + mark
    this.#copied = end
    return end
  }
}

/** Cheap tests first: this runs for every word. */
function isSensitive(sql: string, at: number, end: number): boolean {
  const length = end - at
  const first = sql.charCodeAt(at) | 32
  if (!((length === 5 && first === 102) || (length === 7 && first === 117))) return false
  return SENSITIVE.test(sql.slice(at, end))
}

function isUnicode(sql: string, at: number): boolean {
  return (sql.charCodeAt(at) | 32) === 117
}

/** A block comment without another inside. */
function plainComment(sql: string, at: number): number {
  const end = sql.indexOf('*/', at + 2)
  if (end === -1) return -1
  const inner = sql.indexOf('/*', at + 2)
  return inner !== -1 && inner < end ? -1 : end + 2
}
