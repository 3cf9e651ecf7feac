/**
 * Prepared statements and portals as the server will have them once every request sent so far succeeds.
 *
 * Entries are installed when the request is forwarded and taken back when the server turns out to have
 * skipped or refused it. A name changed in an earlier, unsettled segment may not be used yet: the relay
 * waits for that segment's ReadyForQuery first (see Relay, "Waiting").
 */

import type { FieldDescription } from '../backend.ts'
import type { CellMask } from '../data-row.ts'
import type { Admission } from './gatekeeper.ts'

export interface PreparedStatement {
  readonly name: string
  /** Replaced when the statement is decided again because what it means has changed. */
  admission: Admission
  readonly segment: number
  /** From the server's RowDescription; `undefined` not yet known, null when it returns no rows. */
  fields: readonly FieldDescription[] | null | undefined
}

export interface Portal {
  readonly name: string
  /** Null for a cursor declared by SQL. */
  readonly statement: PreparedStatement | null
  /** Result format codes of the Bind: none = all text, one = for all, else one per column. */
  readonly formats: readonly number[]
  readonly segment: number
  readonly admission: Admission
  /** Survives the transaction (a cursor WITH HOLD). */
  readonly held: boolean
  /** From a RowDescription of the portal itself; see PreparedStatement.fields. */
  fields: readonly FieldDescription[] | null | undefined
  /** Compiled on the first row; undefined = not compiled, null = nothing to mask. */
  masks: readonly (CellMask | null)[] | null | undefined
}

export function formatOf(formats: readonly number[], column: number): 'text' | 'binary' {
  const code = formats.length === 0 ? 0 : formats.length === 1 ? formats[0] : formats[column]
  return code === 1 ? 'binary' : 'text'
}
