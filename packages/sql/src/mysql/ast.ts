/**
 * The tree of a MySQL or MariaDB statement: plain data, complete and typed. `ast/` has it by subject.
 *
 * `Statement` is the union of all statements, `Node` of all nodes; each is told by `kind`. How nodes are
 * made, so that a walk cannot miss a child, is said in `ast/names.ts`.
 */
export type * from './ast/administration.ts'
export type * from './ast/definition-parts.ts'
export type * from './ast/definitions.ts'
export type * from './ast/dml.ts'
export type * from './ast/expressions.ts'
export type * from './ast/names.ts'
export type * from './ast/queries.ts'
export type * from './ast/routines.ts'
export type * from './ast/session.ts'
export type * from './ast/statements.ts'
export type * from './ast/types.ts'

import type { Statement } from './ast/statements.ts'

/** One statement of a text. */
export interface ParsedStatement {
  readonly statement: Statement
  /** What to send to the server for it: built from its tokens, executable comments resolved, others dropped. */
  readonly text: string
  /** How many `?` it has. */
  readonly parameters: number
}

/** What decides how the server reads a text. */
export interface Dialect {
  readonly flavour: 'mysql' | 'mariadb'
  /** As in executable comments: 90704, 101119. */
  readonly version: number
  readonly ansiQuotes: boolean
  readonly noBackslashEscapes: boolean
  readonly pipesAsConcat: boolean
  readonly ignoreSpace: boolean
  readonly highNotPrecedence: boolean
}
