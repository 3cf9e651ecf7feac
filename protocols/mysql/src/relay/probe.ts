/** Questions of ours to the upstream, asked between the client's commands; the client never sees them. */
import { COM } from '../commands.ts'
import { ProtocolError } from '../errors.ts'
import { PROBE_CELLS_MAX } from '../limits.ts'
import { encodePacket } from '../packets.ts'
import { decodeTextRow } from '../rows.ts'
import { expect, REPLY } from './expected.ts'
import type { RelayState } from './state.ts'

/** The cells of one answer's first row; empty where there is none. */
export type ProbeAnswer = readonly (string | null)[]

export interface Probe {
  readonly answers: ProbeAnswer[]
  /** The answer to the question at hand has its row. */
  answered: boolean
  failed: boolean
  /** Questions without a reply. */
  left: number
  readonly done: (answers: readonly ProbeAnswer[] | null) => void
}

/** Asks; `state.probe` is this until all have been answered. */
export function ask(
  state: RelayState,
  questions: readonly string[],
  done: (answers: readonly ProbeAnswer[] | null) => void,
): void {
  if (state.probe !== null || state.expected.size > 0) {
    throw new ProtocolError('illegal-call', 'local', 'a probe while replies are owed')
  }
  if (questions.length === 0) return done([])
  state.probe = { answers: [], answered: false, failed: false, left: questions.length, done }
  // §COM_QUERY: no query attributes, in one set.
  const head = state.queryAttributes ? [COM.QUERY, 0, 1] : [COM.QUERY]
  for (const sql of questions) {
    const payload = Buffer.concat([Buffer.from(head), Buffer.from(sql, 'utf8')])
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
  if (probe.answered) return
  const cells = decodeTextRow(payload, columns)
  probe.answers.push(
    cells.map((cell) => (cell === null ? null : Buffer.from(cell).toString('utf8'))),
  )
  probe.answered = true
}

/** The answer at hand is complete; `failed`: it was an error. */
export function probeAnswered(state: RelayState, failed: boolean): void {
  const { probe } = state
  if (probe === null) return
  if (!probe.answered) probe.answers.push([])
  probe.answered = false
  if (failed) probe.failed = true
  probe.left--
  if (probe.left > 0) return
  state.probe = null
  probe.done(probe.failed ? null : probe.answers)
}
