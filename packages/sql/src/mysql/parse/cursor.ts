/**
 * The parser's place in the tokens: look, take, refuse. Grammar files are functions over it; what they need of
 * each other's files in a circle comes through `grammar`.
 */
import type { Dialect, Expression, Identifier, Node, Query, Statement } from '../ast.ts'
import { SqlError } from '../errors.ts'
import { type Words, wordsFor } from '../lex/reserved.ts'
import type { Token } from '../lex/token.ts'
import { NESTING_MAX } from '../limits.ts'

/** The circles of the grammar: expressions hold queries, queries expressions, bodies statements. */
export interface Grammar {
  readonly expression: (cursor: Cursor) => Expression
  /** Operators only: what stands where a predicate may not. */
  readonly arithmetic: (cursor: Cursor) => Expression
  readonly query: (cursor: Cursor) => Query
  /** The rest of a query whose first operand, in brackets, was read already. */
  readonly queryAfter: (cursor: Cursor, start: number, first: Query) => Query
  readonly statement: (cursor: Cursor) => Statement
  /** The statement that a text literal holds; throws SqlError. */
  readonly prepared: (text: string, cursor: Cursor) => { statement: Statement; parameters: number }
}

export class Cursor {
  readonly tokens: readonly Token[]
  readonly dialect: Dialect
  readonly mariadb: boolean
  readonly grammar: Grammar
  readonly #words: Words
  #at = 0
  #depth = 0
  /** The token to be read next. */
  token: Token
  /** `?` read so far in this statement. */
  parameters = 0
  /** Left-associative steps so far: what may make a tree higher than it nests. */
  chained = 0
  /** An operand that was read already: the next expression begins with it. */
  pending: Expression | null = null
  /** Within ON DUPLICATE KEY UPDATE, where VALUES(c) is a value. */
  inInsertedValues = false
  /** Within the body of a routine, trigger or event. */
  inBody = 0
  /** Within the text of a PREPARE. */
  readonly prepared: boolean

  constructor(
    tokens: readonly Token[],
    dialect: Dialect,
    { grammar, prepared }: { grammar: Grammar; prepared: boolean },
  ) {
    this.tokens = tokens
    this.dialect = dialect
    this.mariadb = dialect.flavour === 'mariadb'
    this.grammar = grammar
    this.prepared = prepared
    this.#words = wordsFor(dialect)
    this.token = tokens[0] as Token
  }

  /** Index of `token`. */
  get at(): number {
    return this.#at
  }

  /** Offset of the next token: where a node begins. */
  get start(): number {
    return this.pending === null ? this.token.start : this.pending.start
  }

  /** Offset after the last token taken: where a node ends. */
  get end(): number {
    return this.#at === 0 ? 0 : (this.tokens[this.#at - 1] as Token).end
  }

  /** Takes the token; the end is never passed. */
  next(): Token {
    const token = this.token
    if (this.#at < this.tokens.length - 1) this.token = this.tokens[++this.#at] as Token
    return token
  }

  peek(ahead = 1): Token {
    return this.tokens[Math.min(this.#at + ahead, this.tokens.length - 1)] as Token
  }

  /** Is the text at its end? */
  atEnd(): boolean {
    return this.token.type === 'end'
  }

  is(key: string): boolean {
    return this.token.key === key
  }

  /** Is the next token one of them? */
  isOne(...keys: readonly string[]): boolean {
    const { key } = this.token
    return key !== '' && keys.includes(key)
  }

  /** Are the next tokens these, in order? */
  ahead(...keys: readonly string[]): boolean {
    return keys.every((key, i) => this.peek(i).key === key)
  }

  accept(key: string): boolean {
    if (this.token.key !== key) return false
    this.next()
    return true
  }

  /** Takes all of them, or none. */
  acceptAll(...keys: readonly string[]): boolean {
    if (this.token.key !== keys[0] || !this.ahead(...keys)) return false
    for (const _ of keys) this.next()
    return true
  }

  /** Takes one of them and gives it, lower case, or null. */
  acceptOne<K extends string>(...keys: readonly K[]): Lowercase<K> | null {
    const { key } = this.token
    if (key === '' || !keys.includes(key as K)) return null
    this.next()
    // One of `keys`, as just checked.
    return key.toLowerCase() as Lowercase<K>
  }

  expect(key: string): Token {
    if (this.token.key !== key) this.fail(`expected \`${key}\``)
    return this.next()
  }

  expectAll(...keys: readonly string[]): void {
    for (const key of keys) this.expect(key)
  }

  expectOne<K extends string>(...keys: readonly K[]): Lowercase<K> {
    return this.acceptOne(...keys) ?? this.fail(`expected one of \`${keys.join(', ')}\``)
  }

  fail(message: string): never {
    throw new SqlError('syntax', message, this.token.start)
  }

  unsupported(message: string): never {
    throw new SqlError('unsupported', message, this.token.start)
  }

  /** What follows may nest; to be left again. Throws where it is too deep. */
  enter(): void {
    if (++this.#depth > NESTING_MAX)
      throw new SqlError('too-complex', `nested deeper than ${NESTING_MAX}`, this.token.start)
  }

  leave(): void {
    this.#depth--
  }

  reserved(key: string): boolean {
    return this.#words.reserved.has(key)
  }

  /** Words that are functions only with a bracket right behind them. */
  functionWord(key: string): boolean {
    return this.#words.functions.has(key)
  }

  /** Is the next token a name: quoted, next to a dot, or a word that is not reserved? */
  isName(token: Token = this.token): boolean {
    if (token.type === 'name') return true
    return token.type === 'word' && !(token.key !== '' && this.reserved(token.key))
  }

  name(): Identifier {
    if (!this.isName()) this.fail('expected a name')
    return this.identifier()
  }

  /** The next token as a name, whatever word it is. */
  identifier(): Identifier {
    const { start, end, value, quote } = this.next()
    // Strings become names only through `alias`.
    return { kind: 'identifier', start, end, value, quote: quote === "'" ? '' : quote }
  }

  /** `item, item, ...` */
  list<T>(item: (cursor: Cursor) => T): T[] {
    const items = [item(this)]
    while (this.accept(',')) items.push(item(this))
    return items
  }

  /** `(item, item, ...)` */
  bracketed<T>(item: (cursor: Cursor) => T): T[] {
    this.expect('(')
    const items = this.list(item)
    this.expect(')')
    return items
  }
}

/** The node of `fields`, from `start` to the last token taken. */
export function node<const T extends { readonly kind: Node['kind'] }>(
  cursor: Cursor,
  start: number,
  fields: T,
): T & { readonly start: number; readonly end: number } {
  return { ...fields, start, end: cursor.end }
}
