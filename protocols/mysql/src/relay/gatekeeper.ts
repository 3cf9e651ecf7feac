/**
 * What the relay asks of whoever decides. The relay knows the protocol and nothing of policy; the
 * gatekeeper knows policy and nothing of framing. Every call is synchronous; `WAIT` parks the client leg
 * until `relay.resume()`, `SETTLE` until every earlier command is answered; then the same question is asked
 * again. Errors and answers are payloads: the relay puts the right sequence id in front of them.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import type { BulkParameters } from '../bulk.ts'
import type { ColumnDefinition } from '../columns.ts'
import type { Parameters } from '../parameters.ts'
import type { SessionChange } from '../session-state.ts'
import type { PreparedStatement } from './prepared-statement.ts'

export const WAIT: unique symbol = Symbol('wait')
/** It depends on what an unanswered command may yet undo or change: ask again when all are answered. */
export const SETTLE: unique symbol = Symbol('settle')
export type NotYet = typeof WAIT | typeof SETTLE

export type BeyondLimit = typeof WAIT | 'go-on' | 'refuse'

/** What the client reads in place of a reply; the command never reaches the upstream. */
export interface Refusal {
  readonly kind: 'refusal'
  /** The payload of an ERR packet: see `encodeErr`. */
  readonly error: Buffer
}

/** Done without the upstream (KILL of a session of ours): the payload of an OK packet, see `encodeOk`. */
export interface Answer {
  readonly kind: 'answer'
  readonly ok: Buffer
}

/** Rows and bytes of one result. */
export interface Amount {
  readonly rows: number
  readonly bytes: number
}

/** How much of one result may be sent; null: no limit. */
export interface ResultLimit {
  readonly rows: number | null
  readonly bytes: number | null
  /**
   * What becomes of the statement: an error in place of its end, or only the first rows; or the gatekeeper is asked
   * (`beyondLimit`), and nothing more is read of the upstream until it has answered.
   */
  readonly exceeded: 'refuse' | 'truncate' | 'hold'
  /** Also, the gatekeeper is asked as rows are sent how many more may be: see `meter`. */
  readonly metered: boolean
}

/** An admitted text or command. `masked`: rows pass only under masks compiled from the server's description. */
export interface Admission {
  readonly kind: 'admission'
  /**
   * What is forwarded in place of the client's text, in the session's character set; null: the text as it came.
   * Not looked at for a prepared statement that runs again, or for another command.
   */
  readonly text: Buffer | null
  readonly masked: boolean
  /** How many warnings it gave is not the client's to know: replies say none. */
  readonly quiet: boolean
  /** `resultBegins` is told of its results, with their columns: without a description their rows do not pass. */
  readonly described: boolean
  readonly limit: ResultLimit | null
  /** Its outcome changes what later commands mean: they are decided only after it. */
  readonly barrier: boolean
  /** Files of the client's that LOAD DATA LOCAL in it may have the upstream ask for, each name as the upstream sends it. */
  readonly localFiles: readonly Uint8Array[]
  /** Changes when it has to be decided anew (policy, catalog or session state moved on). */
  readonly epoch: number
}

/** A command that is decided and has no text of its own. */
export type SessionCommand =
  | { readonly kind: 'init-db'; readonly database: string }
  /** COM_FIELD_LIST: the columns of a table with their default values. */
  | { readonly kind: 'field-list'; readonly table: string; readonly wildcard: string }
  | { readonly kind: 'process-kill'; readonly connectionId: number }
  | { readonly kind: 'statistics' }
  | { readonly kind: 'reset-connection' }
  | { readonly kind: 'set-option'; readonly multiStatements: boolean }

/** What the relay refuses by itself. The gatekeeper words it (`refusalPayload` does, as the server would) and may record it. */
export type RelayRefusal =
  /** A command that is not in `COM`. */
  | { readonly kind: 'unknown-command'; readonly command: number }
  | { readonly kind: 'unknown-statement'; readonly statementId: number; readonly command: number }
  | { readonly kind: 'no-cursor'; readonly statementId: number }
  | { readonly kind: 'too-many-statements' }
  /** A text over the cap, `bytes` long; it is not looked at. */
  | { readonly kind: 'statement-too-long'; readonly bytes: number }
  /** Any other command over its cap. */
  | { readonly kind: 'command-too-long'; readonly command: number; readonly bytes: number }
  /** The body is not laid out as the command's is. */
  | { readonly kind: 'malformed'; readonly command: number }
  /** The server asked for a file of the client, and that one had not been admitted. */
  | { readonly kind: 'local-infile' }
  /** Rows to be masked or described came without their description (resultset_metadata=NONE). */
  | { readonly kind: 'undescribed-rows' }

export interface ExecutionOutcome {
  readonly admission: Admission
  /** The gatekeeper's number from `execution` or `decideFetch`. */
  readonly execution: number
  /** Index of the result among those of the text (statements of a multi-statement, results of a CALL). */
  readonly result: number
  /** `cursor`: opened, or more rows can be fetched. */
  readonly status: 'complete' | 'cursor' | 'error'
  /** Of an OK packet; 0 of a result with rows. */
  readonly affectedRows: bigint
  readonly warnings: number
  /** Number and SQLSTATE of an error; 0 and empty otherwise. */
  readonly errno: number
  readonly sqlstate: string
  readonly rows: number
  /** Row packets sent to the client, headers included. */
  readonly bytes: number
}

export interface Gatekeeper {
  /**
   * The text of a COM_QUERY or COM_STMT_PREPARE: bytes [start, end) of `buf`. `attributes`: query attributes,
   * asserted by the client; null where there are none.
   */
  decideText(
    via: 'query' | 'prepare',
    buf: Buffer,
    start: number,
    end: number,
    attributes: Parameters | null,
  ): Admission | Answer | Refusal | NotYet
  /** May the statement run as admitted, with these? A new admission replaces the old one. */
  decideExecute(
    statement: PreparedStatement,
    parameters: Parameters,
  ): Admission | Answer | Refusal | NotYet
  /** May it run as admitted with each of these rows (COM_STMT_BULK_EXECUTE)? */
  decideBulk(
    statement: PreparedStatement,
    rows: BulkParameters,
  ): Admission | Answer | Refusal | NotYet
  /** Records that up to `rows` more rows of the statement's cursor are about to be read; returns its number. */
  decideFetch(statement: PreparedStatement, rows: number): number | Refusal | NotYet
  decideCommand(command: SessionCommand): Admission | Answer | Refusal | NotYet
  /** Records that what was admitted is about to run; returns its number, or refuses. `parameters`: of an execute. */
  execution(admission: Admission, parameters: Parameters | BulkParameters | null): number | Refusal
  refusal(reason: RelayRefusal): Refusal
  /** The result went over its limit: the error the client gets. `stands`: the statement completed before it could be cancelled. */
  limitExceeded(admission: Admission, stands: boolean): Refusal
  /**
   * More is coming of a result than its limit (`exceeded: hold`). `go-on`: all of it passes; `refuse`: as by a limit
   * that refuses. Asked again after `relay.resume()` where the answer is WAIT.
   */
  beyondLimit(admission: Admission, execution: number, result: number): BeyondLimit
  /**
   * Of the present result of a metered admission, `wanted` is about to have been sent: up to how much may be, at least
   * that much; `refuse`: no more than before, and the statement is refused. Asked again after `relay.resume()` where
   * the answer is WAIT.
   */
  meter(admission: Admission, wanted: Amount): Amount | typeof WAIT | 'refuse'
  /** Asks the upstream to cancel what it runs (KILL QUERY); `relay.cancelled()` when that has been acted on. */
  cancel(): void

  /**
   * One mask or null per column, or null when every row passes as it is. The answer holds for the admission: it
   * is asked again only where the server describes the result otherwise.
   */
  masksFor(
    admission: Admission,
    result: number,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): readonly (CellMask | null)[] | null
  /**
   * Of an admission that is `described`: what is queued for the client next are rows, or what ends them. Rows of
   * the same description come with the same array. `earlier`: what was fetched before of the same cursor.
   */
  resultBegins(
    admission: Admission,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
    earlier: { readonly rows: number; readonly bytes: number },
  ): void
  /** The client is about to send a file, of an admission that is `described`. */
  clientDataBegins(admission: Admission): void
  /** Bytes [start, end) of it are queued for the upstream. */
  clientData(buf: Buffer, start: number, end: number): void
  outcome(outcome: ExecutionOutcome): void
  /** The upstream has prepared it: an id stands for it now. */
  prepared(statement: PreparedStatement): void
  /** The statement is gone (COM_STMT_CLOSE, COM_RESET_CONNECTION). */
  closed(statement: PreparedStatement): void
  /** Payload [start, end) of an ERR packet: a replacement, or null to pass it on. */
  redactError(admission: Admission | null, buf: Buffer, start: number, end: number): Buffer | null
  /** What an OK packet told of the session's state. `admission`: what it answered. */
  sessionChanged(changes: readonly SessionChange[], admission: Admission | null): void
  /** A command is answered to its end; `status`: the server's STATUS bits. */
  ready(status: number): void
}
