/** What the client gets of a reply, and what the gatekeeper is told of its end. */
import { uint24At } from '../bytes.ts'
import { encodePacket, HEADER_BYTES, type PayloadCursor } from '../packets.ts'
import type { ErrPacket, OkPacket } from '../responses.ts'
import type { Expected } from './expected.ts'
import type { RelayState } from './state.ts'

/** Passes the packets the cursor found on, numbered as the client counts, unless they are not for the client. */
export function pass(
  state: RelayState,
  entry: Expected,
  buf: Buffer,
  { start, end, packets }: PayloadCursor,
): void {
  if (entry.fate !== 'forward' || entry.told) return
  let at = start
  for (let i = 0; i < packets; i++) {
    buf[at + 3] = state.clientSequence
    state.clientSequence = (state.clientSequence + 1) & 0xff
    at += HEADER_BYTES + uint24At(buf, at)
  }
  state.toClient.forward(buf, start, end)
}

/** Says something else in the place of a packet. */
export function sayInstead(state: RelayState, entry: Expected, payload: Buffer): void {
  if (entry.fate !== 'forward' || entry.told) return
  state.toClient.give(encodePacket(state.clientSequence, payload))
  state.clientSequence = (state.clientSequence + 1) & 0xff
}

/** A result has come to its end, or its cursor is open. */
export function completed(
  { gatekeeper }: RelayState,
  { admission, execution, result, rows, bytes }: Expected,
  status: 'complete' | 'cursor',
  { affectedRows, warnings }: OkPacket,
): void {
  if (admission === null) return
  // Not spread: this runs for every statement.
  gatekeeper.outcome({
    admission,
    execution,
    result,
    status,
    rows,
    bytes,
    affectedRows,
    warnings,
    errno: 0,
    sqlstate: '',
  })
}

/** An error has ended it, the server's or ours. */
export function failed(
  { gatekeeper }: RelayState,
  { admission, execution, result, rows, bytes }: Expected,
  { errno, sqlstate }: ErrPacket,
): void {
  if (admission === null) return
  gatekeeper.outcome({
    admission,
    execution,
    result,
    status: 'error',
    rows,
    bytes,
    affectedRows: 0n,
    warnings: 0,
    errno,
    sqlstate: sqlstate ?? '',
  })
}
