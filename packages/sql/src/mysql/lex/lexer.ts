/**
 * A text to tokens, exactly as the servers' own lexer does it (sql_lex.cc of both), by flavour, version and
 * sql_mode. Executable comments are resolved: their body is tokens, or they are comments. Where a server's
 * lexer goes on after what is no token (`!!1` loses a mark, a quote that is never closed), the text is refused.
 */
import type { Dialect } from '../ast.ts'
import { SqlError } from '../errors.ts'
import { STATEMENT_LENGTH_MAX, STATEMENT_TOKENS_MAX } from '../limits.ts'
import {
  endsDashes,
  isDigit,
  isHexDigit,
  isHostPart,
  isIdentifierPart,
  isSpace,
} from './characters.ts'
import { isCharset } from './charsets.ts'
import { blockComment } from './comments.ts'
import { endOfHint, HINTED } from './hints.ts'
import { endOfOperator } from './operators.ts'
import { closingQuote, unquoted } from './strings.ts'
import type { Gap, Token, TokenType } from './token.ts'
import { upperCase } from './words.ts'

/** The last token is `end`. Throws SqlError where the server's lexer fails, or where it is not certain what it does. */
export function lex(sql: string, dialect: Dialect): readonly Token[] {
  if (sql.length > STATEMENT_LENGTH_MAX)
    throw new SqlError('too-large', `text is longer than ${STATEMENT_LENGTH_MAX} characters`, null)
  if (!sql.isWellFormed()) throw new SqlError('encoding', 'text has half a surrogate pair', null)
  return new Lexer(sql, dialect).run()
}

class Lexer {
  readonly #sql: string
  readonly #dialect: Dialect
  readonly #tokens: Token[] = []
  #at = 0
  #gap: Gap = ''
  /** Start of the executable comment being read, -1 outside of one. */
  #executable = -1

  constructor(sql: string, dialect: Dialect) {
    this.#sql = sql
    this.#dialect = dialect
  }

  run(): readonly Token[] {
    const { length } = this.#sql
    while (this.#at < length) {
      this.#step(this.#sql.charCodeAt(this.#at))
      if (this.#tokens.length > STATEMENT_TOKENS_MAX)
        throw new SqlError('too-large', `text has more than ${STATEMENT_TOKENS_MAX} tokens`, null)
    }
    if (this.#executable !== -1) this.#fail('comment is not closed', this.#executable)
    this.#push('end', length, '', '')
    return this.#tokens
  }

  #step(code: number): void {
    if (isSpace(code)) {
      this.#at++
      if (this.#gap === '') this.#gap = 'space'
    } else if (isDigit(code)) this.#number()
    else if (isIdentifierPart(code)) this.#word(code)
    else this.#symbol(code)
  }

  #symbol(code: number): void {
    const next = this.#sql.charCodeAt(this.#at + 1)
    switch (code) {
      case 39: // '
        return this.#string(this.#at)
      case 34: // "
        return this.#dialect.ansiQuotes ? this.#quotedName('"') : this.#string(this.#at)
      case 96: // `
        return this.#quotedName('`')
      case 35: // #
        return this.#lineComment()
      case 45: // -
        if (next === 45 && endsDashes(this.#sql.charCodeAt(this.#at + 2)))
          return this.#lineComment()
        break
      case 47: // /
        if (next === 42) return this.#blockComment()
        break
      case 42: // *
        if (next === 47 && this.#executable !== -1) return this.#endExecutable()
        break
      case 46: // .
        if (isDigit(next)) return this.#fraction(this.#at)
        break
      case 64: // @
        return this.#variable(next)
      case 63: // ?
        if (isIdentifierPart(next)) this.#fail('`?` in front of a name', this.#at)
        return this.#push('parameter', this.#at + 1, '', '')
      case 92: // \
        if (next === 78 && this.#dialect.flavour === 'mariadb')
          return this.#push('word', this.#at + 2, 'NULL', 'NULL')
        break
      case 0:
        return this.#nul()
    }
    this.#operator(code)
  }

  #operator(code: number): void {
    const end = endOfOperator(this.#sql, this.#at, this.#dialect.flavour)
    if (end === -1) this.#fail('no token begins', this.#at)
    const dot = code === 46 && end === this.#at + 1
    this.#push('operator', end, this.#sql.slice(this.#at, end), '')
    // A name follows a dot at once: no keyword, and it may begin with a digit.
    if (dot && isIdentifierPart(this.#sql.charCodeAt(end))) this.#name()
  }

  /** A bare word; with a dot and a name right behind it, it is no keyword. */
  #word(code: number): void {
    const sql = this.#sql
    const start = this.#at
    if (sql.charCodeAt(start + 1) === 39 && this.#prefixedString(code)) return
    if (code === 36 && this.#dialect.flavour === 'mysql' && this.#dollar()) return
    let end = start + 1
    while (isIdentifierPart(sql.charCodeAt(end))) end++
    const word = sql.slice(start, end)
    if (sql.charCodeAt(end) === 46 && isIdentifierPart(sql.charCodeAt(end + 1)))
      return this.#qualifier(end, word)
    if (code === 95 && isCharset(word.slice(1), this.#dialect.flavour))
      return this.#push('introducer', end, '', word.slice(1).toLowerCase())
    const key = upperCase(word)
    if (key === '') this.#checkName(word)
    this.#push('word', end, key, word)
    if (HINTED.has(key) && this.#dialect.flavour === 'mysql') this.#hint()
  }

  /** `name.`: also the dot and what follows it at once. */
  #qualifier(end: number, word: string): void {
    this.#checkName(word)
    this.#push('name', end, '', word)
    this.#push('operator', end + 1, '.', '')
    this.#name()
  }

  #name(): void {
    const sql = this.#sql
    let end = this.#at
    while (isIdentifierPart(sql.charCodeAt(end))) end++
    const word = sql.slice(this.#at, end)
    if (sql.charCodeAt(end) === 46 && isIdentifierPart(sql.charCodeAt(end + 1)))
      return this.#qualifier(end, word)
    this.#checkName(word)
    this.#push('name', end, '', word)
  }

  /** `N'...'`, `X'...'`, `B'...'`. */
  #prefixedString(code: number): boolean {
    switch (code | 32) {
      case 110:
        this.#string(this.#at + 1, 'national')
        return true
      case 120:
        this.#digits('hex', isHexDigit)
        return true
      case 98:
        this.#digits('bit', isBinaryDigit)
        return true
      default:
        return false
    }
  }

  #digits(type: 'hex' | 'bit', isOne: (code: number) => boolean): void {
    const sql = this.#sql
    let end = this.#at + 2
    while (isOne(sql.charCodeAt(end))) end++
    const value = sql.slice(this.#at + 2, end)
    if (sql.charCodeAt(end) !== 39 || (type === 'hex' && value.length % 2 === 1))
      this.#fail(`not a ${type} literal`, this.#at)
    this.#push(type, end + 1, '', value)
  }

  #number(): void {
    const sql = this.#sql
    const start = this.#at
    if (sql.charCodeAt(start) === 48 && this.#prefixedNumber()) return
    let end = start + 1
    while (isDigit(sql.charCodeAt(end))) end++
    const code = sql.charCodeAt(end)
    if (code === 46) {
      // MariaDB's `1..10` is a range.
      const range = sql.charCodeAt(end + 1) === 46 && this.#dialect.flavour === 'mariadb'
      return range ? this.#push('integer', end, '', sql.slice(start, end)) : this.#fraction(end)
    }
    if (!isIdentifierPart(code)) return this.#push('integer', end, '', sql.slice(start, end))
    const exponent = (code | 32) === 101 ? endOfExponent(sql, end) : -1
    if (exponent !== -1) return this.#push('float', exponent, '', sql.slice(start, exponent))
    this.#name()
  }

  /** `0x1F`, `0b01`: lower case only, else it is a name. */
  #prefixedNumber(): boolean {
    const sql = this.#sql
    const mark = sql.charCodeAt(this.#at + 1)
    if (mark !== 120 && mark !== 98) return false
    const isOne = mark === 120 ? isHexDigit : isBinaryDigit
    let end = this.#at + 2
    while (isOne(sql.charCodeAt(end))) end++
    if (end === this.#at + 2 || isIdentifierPart(sql.charCodeAt(end))) this.#name()
    else this.#push(mark === 120 ? 'hex' : 'bit', end, '', sql.slice(this.#at + 2, end))
    return true
  }

  /** From the dot on: digits, an exponent. */
  #fraction(dot: number): void {
    const sql = this.#sql
    let end = dot + 1
    while (isDigit(sql.charCodeAt(end))) end++
    if ((sql.charCodeAt(end) | 32) !== 101)
      return this.#push('decimal', end, '', sql.slice(this.#at, end))
    const exponent = endOfExponent(sql, end)
    if (exponent === -1) this.#fail('exponent without digits', end)
    this.#push('float', exponent, '', sql.slice(this.#at, exponent))
  }

  #string(quoteAt: number, type: 'string' | 'national' = 'string'): void {
    const sql = this.#sql
    const quote = sql.charCodeAt(quoteAt)
    const backslash = !this.#dialect.noBackslashEscapes
    const end = closingQuote(sql, quoteAt + 1, { quote, backslash })
    if (end === -1) this.#fail('string is not closed', quoteAt)
    const mark = quote === 39 ? "'" : '"'
    const value = unquoted(sql, { start: quoteAt + 1, end, quote: mark, backslash })
    this.#push(type, end + 1, '', value, mark)
  }

  #quotedName(quote: '`' | '"'): void {
    const { start, end, value } = this.#quoted(this.#at, quote)
    this.#checkName(value)
    if (value.includes('\0')) this.#fail('name has a NUL', start)
    this.#push('name', end, '', value, quote)
  }

  #quoted(at: number, quote: '`' | '"' | "'"): { start: number; end: number; value: string } {
    const sql = this.#sql
    const backslash = quote === "'" && !this.#dialect.noBackslashEscapes
    const end = closingQuote(sql, at + 1, { quote: quote.charCodeAt(0), backslash })
    if (end === -1) this.#fail('name is not closed', at)
    const value = unquoted(sql, { start: at + 1, end, quote, backslash })
    return { start: at, end: end + 1, value }
  }

  /** `@name`, `@'name'`, `@@`. */
  #variable(next: number): void {
    const sql = this.#sql
    const at = this.#at
    if (next === 64) {
      const after = sql.charCodeAt(at + 2)
      if (after !== 96 && !isIdentifierPart(after)) this.#fail('`@@` without a name', at)
      this.#push('operator', at + 2, '@@', '')
      if (after !== 96) this.#systemVariable()
      return
    }
    if (next === 39 || next === 96 || next === 34) {
      const quote = next === 39 ? "'" : next === 96 ? '`' : '"'
      const doubleQuotedString = quote === '"' && !this.#dialect.ansiQuotes
      if (doubleQuotedString) return this.#variableString(at)
      const { end, value } = this.#quoted(at + 1, quote)
      return this.#push('variable', end, '', value, quote)
    }
    let end = at + 1
    while (isHostPart(sql.charCodeAt(end))) end++
    this.#push('variable', end, '', sql.slice(at + 1, end))
  }

  #variableString(at: number): void {
    const backslash = !this.#dialect.noBackslashEscapes
    const end = closingQuote(this.#sql, at + 2, { quote: 34, backslash })
    if (end === -1) this.#fail('string is not closed', at)
    const value = unquoted(this.#sql, { start: at + 2, end, quote: '"', backslash })
    this.#push('variable', end + 1, '', value, '"')
  }

  /** After `@@` a word is a keyword even with a dot behind it: `@@global.x`. */
  #systemVariable(): void {
    const sql = this.#sql
    let end = this.#at
    while (isIdentifierPart(sql.charCodeAt(end))) end++
    const word = sql.slice(this.#at, end)
    this.#push('word', end, upperCase(word), word)
    if (sql.charCodeAt(end) !== 46) return
    this.#push('operator', end + 1, '.', '')
    if (isIdentifierPart(sql.charCodeAt(this.#at))) this.#name()
  }

  /** To the end of the line: LF only. */
  #lineComment(): void {
    const end = this.#sql.indexOf('\n', this.#at)
    const to = end === -1 ? this.#sql.length : end + 1
    this.#skipTo(to)
  }

  #blockComment(): void {
    const comment = blockComment(this.#sql, this.#at, this.#dialect)
    if (comment.kind === 'plain') {
      if (comment.end === -1) this.#fail('comment is not closed', this.#at)
      return this.#skipTo(comment.end)
    }
    if (this.#executable !== -1) this.#fail('executable comment inside of one', this.#at)
    this.#executable = this.#at
    this.#at = comment.body
    this.#gap = 'comment'
  }

  #endExecutable(): void {
    this.#executable = -1
    this.#at += 2
    this.#gap = 'comment'
  }

  /** The servers skip white space after such a word, nothing else, and then look for a hint. */
  #hint(): void {
    const sql = this.#sql
    let at = this.#at
    while (isSpace(sql.charCodeAt(at))) at++
    if (!sql.startsWith('/*+', at)) return
    if (at > this.#at) this.#gap = 'space'
    const end = endOfHint(sql, at)
    if (end === -1) this.#fail('optimizer hint is not understood', at)
    this.#at = at
    this.#push('hint', end, '', sql.slice(at + 3, end - 2))
  }

  /** `$$ ... $$`, `$tag$ ... $tag$`; false where it is a name. */
  #dollar(): boolean {
    const sql = this.#sql
    let at = this.#at + 1
    while (isIdentifierPart(sql.charCodeAt(at)) && sql.charCodeAt(at) !== 36) at++
    if (sql.charCodeAt(at) !== 36) return false
    const tag = sql.slice(this.#at, at + 1)
    const end = sql.indexOf(tag, at + 1)
    if (end === -1) this.#fail('dollar-quoted text is not closed', this.#at)
    this.#push('dollar', end + tag.length, '', sql.slice(at + 1, end))
    return true
  }

  /** Both servers take a NUL at the end of a text, after a semicolon; anywhere else it may end it. */
  #nul(): void {
    const last = this.#tokens.at(-1)
    if (this.#at !== this.#sql.length - 1 || last?.key !== ';')
      this.#fail('NUL in the text', this.#at)
    this.#at++
  }

  #skipTo(end: number): void {
    // A NUL ends a line comment, and is no part of what was read here as one.
    const nul = this.#sql.indexOf('\0', this.#at)
    if (nul !== -1 && nul < end) this.#fail('NUL in a comment', nul)
    this.#at = end
    this.#gap = 'comment'
  }

  /** The servers turn characters beyond the basic plane into `?` in names. */
  #checkName(name: string): void {
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i)
      if (code >= 0xd800 && code <= 0xdfff)
        this.#fail('name has a supplementary character', this.#at)
    }
  }

  #push(
    type: TokenType,
    end: number,
    key: string,
    value: string,
    quote: Token['quote'] = '',
  ): void {
    this.#tokens.push({ type, start: this.#at, end, key, value, quote, gap: this.#gap })
    this.#at = end
    this.#gap = ''
  }

  #fail(message: string, position: number): never {
    throw new SqlError('syntax', message, position)
  }
}

function isBinaryDigit(code: number): boolean {
  return code === 48 || code === 49
}

/** After the `e` at `at`: a sign, digits. -1 where there is no digit. */
function endOfExponent(sql: string, at: number): number {
  const sign = sql.charCodeAt(at + 1)
  let end = sign === 43 || sign === 45 ? at + 2 : at + 1
  if (!isDigit(sql.charCodeAt(end))) return -1
  while (isDigit(sql.charCodeAt(end))) end++
  return end
}
