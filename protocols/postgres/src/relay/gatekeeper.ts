/**
 * What the relay asks of whoever decides. The relay knows the protocol and nothing of policy; the
 * gatekeeper knows policy and nothing of framing. Every call is synchronous; `WAIT` parks the client leg
 * until `relay.resume()`, and the same question is then asked again.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import type { FieldDescription } from '../backend.ts'
import type { CopyRowsRewriter } from '../copy-rows.ts'
import type { ProtocolError } from '../errors.ts'
import type { Portal, PreparedStatement } from './named.ts'

export const WAIT: unique symbol = Symbol('wait')
/** It depends on what an unanswered request may yet undo or change: ask again when all are answered. */
export const SETTLE: unique symbol = Symbol('settle')
/**
 * It asks the upstream something first (Relay.probe): ask again when nothing else is under way, or, in the middle of a
 * pipeline (not `Relay.canBeAlone`), when all before it is answered.
 */
export const ALONE: unique symbol = Symbol('alone')
export type NotYet = typeof WAIT | typeof SETTLE | typeof ALONE

export type BeyondLimit = typeof WAIT | 'go-on' | 'refuse'

/** Rows and bytes of one result. */
export interface Amount {
  readonly rows: number
  readonly bytes: number
}

/** Sent to the client as an ErrorResponse frame; the request never reaches the upstream. */
export interface Refusal {
  readonly kind: 'refusal'
  /** A complete ErrorResponse frame. */
  readonly error: Buffer
}

/** How much of one result may be sent; null: no limit. */
export interface ResultLimit {
  readonly rows: number | null
  readonly bytes: number | null
  /**
   * What becomes of the statement: an error in place of its completion, or only the first rows; or the gatekeeper is
   * asked (`beyondLimit`), and nothing more is read of the upstream until it has answered.
   */
  readonly exceeded: 'refuse' | 'truncate' | 'hold'
  /** There is nothing to take back when it completes before it can be cancelled. */
  readonly readOnly: boolean
  /** Also, the gatekeeper is asked as rows are sent how many more may be: see `meter`. */
  readonly metered: boolean
}

/** An admitted text. `masked`: rows pass only under masks compiled from the server's RowDescription. */
export interface Admission {
  readonly kind: 'admission'
  readonly masked: boolean
  /** What becomes of it hangs on all of its parameters: a Bind of it is decided only when it is there whole. */
  readonly whole: boolean
  /** What the server says of its columns is remembered, also where nothing is masked: its rows are read. */
  readonly described: boolean
  /** Rows are expected. Without, rows of a masked admission end the session. */
  readonly returnsRows: boolean
  readonly limit: ResultLimit | null
  /** Its outcome changes what later texts mean: they are decided only after it. */
  readonly barrier: boolean
  /** Goes to the upstream in place of the client's text, UTF-8; absent: the text as it came. */
  readonly sent?: Buffer
  /** Changes when it has to be decided anew (policy, catalog or session state moved on). */
  readonly epoch: number
}

export interface ExecutionOutcome {
  readonly admission: Admission
  /** The gatekeeper's number from `execution`. */
  readonly execution: number
  /** Index of the statement inside a simple Query, 0 otherwise. */
  readonly result: number
  readonly status: 'complete' | 'empty' | 'suspended' | 'error' | 'skipped'
  /** CommandComplete's tag, e.g. `SELECT 3`; empty unless complete. */
  readonly tag: string
  /** SQLSTATE of an error; empty otherwise. */
  readonly sqlstate: string
  readonly rows: number
  /** DataRow and CopyData bytes sent to the client. */
  readonly bytes: number
}

export interface Gatekeeper {
  /** A simple Query's or a Parse's text: bytes [start, end) of `buf`, without the terminating NUL. */
  decideText(
    via: 'query' | 'parse',
    name: string,
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Refusal | NotYet
  /**
   * At Bind: may the statement still run as admitted? A new admission replaces the old one. [start, end): the
   * Bind's body behind its names; the head of it when `partial`: an admission that is then `masked` or `whole`
   * is not acted on, and asked for again with all of it.
   */
  decideBind(
    statement: PreparedStatement,
    portal: string,
    buf: Buffer,
    start: number,
    end: number,
    partial: boolean,
  ): Admission | Refusal | NotYet
  /** Records that a portal is about to run; returns its number, or refuses. */
  decideExecute(portal: Portal): number | Refusal | NotYet
  /** Records that a simple Query is about to run; returns its number, or refuses. */
  execution(admission: Admission): number | Refusal
  decideFunctionCall(functionId: number): Admission | Refusal | NotYet
  /** A name the relay has not seen being prepared or declared on the wire (SQL PREPARE, DECLARE). */
  preparedBySql(name: string): Admission | NotYet | undefined
  declaredBySql(name: string): Admission | NotYet | undefined
  /** The wire (Parse, Bind, Close) takes a name: what SQL made of it is not to be relied on any more. */
  nameTaken(what: 'statement' | 'portal', name: string): void
  /** Refusals for names that do not exist, worded as the server words them. */
  noSuchStatement(name: string): Refusal
  noSuchPortal(name: string): Refusal
  tooManyNames(what: 'prepared statements' | 'portals'): Refusal
  nameTooLong(): Refusal
  /** A message over its cap, `bytes` long, which is not looked at; a Bind: whose parameters would have to be. */
  tooLong(via: 'query' | 'parse' | 'bind', bytes: number): Refusal
  /** A message that is not laid out as its type is, worded as the server words it. */
  malformed(error: ProtocolError): Refusal
  /**
   * The result went over its limit: the ErrorResponse the client gets. `stands`: the statement completed
   * and committed before it could be cancelled.
   */
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
  /** The result was cut after `rows` rows: a NoticeResponse frame. */
  resultCut(admission: Admission, rows: number): Buffer
  /** Asks the upstream to cancel what it runs; `relay.cancelled()` when that has been acted on. */
  cancel(): void

  /** One mask or null per column, or null when the whole row passes as it is. */
  masksFor(
    admission: Admission,
    result: number,
    fields: readonly FieldDescription[],
    formats: readonly number[],
  ): readonly (CellMask | null)[] | null
  /** For COPY TO STDOUT of a masked admission: the rewriter, or null when everything passes as it is. */
  copyOut(
    admission: Admission,
    result: number,
    format: 'text' | 'binary',
    columns: number,
  ): CopyRowsRewriter | null
  /**
   * The first row, or the description, of a result is about to be queued for the client. `portal`: of the
   * extended protocol, where the description need not come with the result; null for a simple Query and COPY.
   */
  resultBegins(admission: Admission, portal: Portal | null): void
  /** The client is about to send the data of a COPY whose admission is `described`. */
  clientDataBegins(
    admission: Admission,
    result: number,
    format: 'text' | 'binary',
    columns: number,
  ): void
  /** Bytes [start, end) of it are queued for the upstream: what CopyData messages hold, cut anywhere. */
  clientData(buf: Buffer, start: number, end: number): void
  outcome(outcome: ExecutionOutcome): void
  /** An error went by, the server's or ours in its place: what the open transaction did may be undone. */
  failed(): void
  /** ErrorResponse or NoticeResponse frame [start, end): a replacement frame, or null to pass it on. */
  redactReport(
    type: 'error' | 'notice',
    admission: Admission | null,
    buf: Buffer,
    start: number,
    end: number,
  ): Buffer | null
  /** NotificationResponse frame: a replacement, `drop`, or null to pass it on. */
  notification(buf: Buffer, start: number, end: number): Buffer | 'drop' | null
  parameterStatus(name: string, value: string): void
  /** ReadyForQuery; status is `I`, `T` or `E`. */
  ready(status: number): void
}
