/** What the lexer makes of a text. */

export type TokenType =
  /** A bare word that may be a keyword; `key` is its upper case where it is ASCII. */
  | 'word'
  /** A name that is never a keyword: quoted, or next to a dot. */
  | 'name'
  | 'string'
  | 'national'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'hex'
  | 'bit'
  /** `_utf8mb4` where the charset is known. */
  | 'introducer'
  /** `@name`, `@'name'`; also the host of an account. */
  | 'variable'
  /** Punctuation and operators; `key` is the text. */
  | 'operator'
  | 'parameter'
  /** Optimizer hints; `value` is what is between the marks. */
  | 'hint'
  /** MySQL's `$$ ... $$`. */
  | 'dollar'
  | 'end'

export interface Token {
  readonly type: TokenType
  readonly start: number
  readonly end: number
  /** What the parser compares: an upper-case word, an operator, or '' for everything else. */
  readonly key: string
  /** Names and strings without quotes and escapes, numbers as written. */
  readonly value: string
  readonly quote: '' | '`' | '"' | "'"
  /** What stood before it: nothing, white space, or also a comment or the edge of an executable one. */
  readonly gap: Gap
}

export type Gap = '' | 'space' | 'comment'
