/** Prepared statements as the upstream has them, by the id it gave them. */

import type { ParameterType } from '../parameters.ts'
import type { Described } from './descriptions.ts'
import type { Admission } from './gatekeeper.ts'
import type { KeptLongData } from './long-data.ts'

/** What COM_STMT_FETCH reads on from. */
export interface Cursor {
  readonly admission: Admission
  /** Null: nobody asked, and rows pass as they are. */
  readonly described: Described | null
  /** Sent of it so far, over all its fetches: what a limit on the result counts. */
  rows: number
  bytes: number
  /** The result is over its limit. */
  over: boolean
  /** It was stopped because no more of it may be sent. */
  spent: boolean
  /** It may pass its limit. */
  lifted: boolean
}

export interface PreparedStatement {
  /** The upstream's, and the client's. */
  readonly id: number
  /** Replaced when the statement is decided again because what it means has changed. */
  admission: Admission
  readonly parameters: number
  /** Types the upstream remembers of the last execute; null before one. */
  types: readonly ParameterType[] | null
  /** What COM_STMT_SEND_LONG_DATA has brought since the last execute. */
  long: Map<number, KeptLongData> | null
  /** Bytes kept in `long`. */
  longBytes: number
  cursor: Cursor | null
}
