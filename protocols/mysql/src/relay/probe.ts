/** Questions of ours to the upstream, asked between the client's commands; the client never sees them. */
import { COM } from '../commands.ts'
import { ProtocolError } from '../errors.ts'
import { PROBE_CELLS_MAX, PROBE_ROWS_MAX } from '../limits.ts'
import { encodePacket } from '../packets.ts'
import { decodeTextRow } from '../rows.ts'
import { expect, REPLY } from './expected.ts'
import type { RelayState } from './state.ts'

/** The rows of one answer, as cells; no more than PROBE_ROWS_MAX of them. */
export type ProbeAnswer = readonly (readonly (string | null)[])[]

export interface Probe {
  readonly answers: ProbeAnswer[]
  /** Of the answer to the question at hand. */
  rows: (readonly (string | null)[])[]
  failed: boolean
  /** Questions without a reply. */
  left: number
  readonly done: (answers: readonly ProbeAnswer[] | null) => void
}

/** Asks; `state.probe` is this until all have been answered. */
export function ask(
  state: RelayState,
  questions: readonly (string | Buffer)[],
  done: (answers: readonly ProbeAnswer[] | null) => void,
): void {
  if (state.probe !== null || state.expected.size > 0) {
    throw new ProtocolError('illegal-call', 'local', 'a probe while replies are owed')
  }
  if (questions.length === 0) return done([])
  state.probe = { answers: [], rows: [], failed: false, left: questions.length, done }
  // §COM_QUERY: no query attributes, in one set.
  const head = state.queryAttributes ? [COM.QUERY, 0, 1] : [COM.QUERY]
  for (const sql of questions) {
    const payload = Buffer.concat([
      Buffer.from(head),
      typeof sql === 'string' ? Buffer.from(sql, 'utf8') : sql,
    ])
    state.toUpstream.give(encodePacket(0, payload))
    state.owe(expect(REPLY.query, { fate: 'drop', barrier: true }))
  }
}

/** A row of the answer at hand. */
export function probeRow(state: RelayState, payload: Uint8Array, columns: number): void {
  const { probe } = state
  if (probe === null || columns > PROBE_CELLS_MAX) {
    throw new ProtocolError('out-of-sync', 'remote', 'a row nobody asked for')
  }
  if (probe.rows.length >= PROBE_ROWS_MAX) return
  const cells = decodeTextRow(payload, columns)
  probe.rows.push(cells.map((cell) => (cell === null ? null : Buffer.from(cell).toString('utf8'))))
}

/** The answer at hand is complete; `failed`: it was an error. */
export function probeAnswered(state: RelayState, failed: boolean): void {
  const { probe } = state
  if (probe === null) return
  probe.answers.push(probe.rows)
  probe.rows = []
  if (failed) probe.failed = true
  probe.left--
  if (probe.left > 0) return
  state.probe = null
  probe.done(probe.failed ? null : probe.answers)
}
