/**
 * What every node of the MySQL/MariaDB tree is made of, and how names are kept.
 *
 * The tree is plain data with one rule that makes a complete walk possible without a table of fields: a node
 * is an object with `kind`, `start` and `end`, and every child is a field's value or an element of an
 * array that is a field's value. Nothing that matters to meaning is only in the text.
 */

/** Offsets are UTF-16 code units into the text given to the parser; `end` is exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A name without its quotes. The server's case rules for it depend on what it names. */
export interface Identifier extends Span {
  readonly kind: 'identifier'
  readonly value: string
  /** How it was written: bare, `` `so` ``, or `"so"` under ANSI_QUOTES. */
  readonly quote: '' | '`' | '"'
}

/** A table, view, sequence, routine, trigger, event, index or other object in a database. */
export interface ObjectName extends Span {
  readonly kind: 'object-name'
  /** null where not written: the current database. */
  readonly database: Identifier | null
  readonly name: Identifier
}

/** `'user'@'host'`, `CURRENT_USER`, `CURRENT_ROLE`, or a role. */
export interface Account extends Span {
  readonly kind: 'account'
  /** null for CURRENT_USER, CURRENT_ROLE, NONE, PUBLIC: then `keyword` says which. */
  readonly name: string | null
  /** null where not written (`%`). */
  readonly host: string | null
  readonly keyword: 'current_user' | 'current_role' | 'none' | 'public' | null
}

/** `NAME = value`, `NAME value` or a bare `NAME`, where the grammar has a list of them. */
export interface Option extends Span {
  readonly kind: 'option'
  /** Upper-case words, one space between. */
  readonly name: string
  readonly value: string | null
}
