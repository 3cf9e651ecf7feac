/**
 * When the client leg waits, and for what. A name (statement, portal) or a meaning (search_path, ...)
 * changed by a request whose outcome is not known yet must not be relied on. Inside one segment it may be:
 * if the change fails, the server skips the user of it too. Across segments the leg waits for the outcome.
 */
import { EXPECTED_REPLIES_MAX } from '../limits.ts'
import type { Parked } from './parked.ts'
import { FLUSH_FRAME } from './requests.ts'
import type { RelayState } from './state.ts'

const LIMIT: Parked = { kind: 'limit' }
const COPY: Parked = { kind: 'copy' }
const ROOM: Parked = { kind: 'room' }

/** One request and what we ask for ourselves beside it. */
const REPLIES_PER_REQUEST_MAX = 4

/** Parks; always false: the request is not consumed. */
export function park(state: RelayState, parked: Parked): false {
  state.parked = parked
  // Without a Sync under way the server may keep its answers to itself.
  if (parked.kind !== 'decision' && state.openSegment) state.toUpstream.give(FLUSH_FRAME)
  return false
}

/** Parks when `segment`'s names, or any barrier's outcome, are not known yet. */
export function mustSettle(state: RelayState, segment: number): boolean {
  const earlier = segment > state.settled && segment < state.segment
  if (!earlier && state.barriers === 0) return false
  park(state, { kind: 'settlement', segment })
  return true
}

/** Parks until every earlier segment is settled. */
export function settleEarlier(state: RelayState): false {
  return park(state, { kind: 'settlement', segment: state.segment - 1 })
}

/** Parks while a limited result is on its way: what follows would run before its refusal. */
export function mustAwaitLimit(state: RelayState, isSync: boolean): boolean {
  if (!state.cancelling && state.limited === 0) return false
  if (isSync && !state.cancelling && state.limitedHarmless) return false
  park(state, LIMIT)
  return true
}

export function mustAwaitCopy(state: RelayState): boolean {
  if (!state.running) return false
  park(state, COPY)
  return true
}

export function mustMakeRoom(state: RelayState): boolean {
  if (state.expected.size < EXPECTED_REPLIES_MAX - REPLIES_PER_REQUEST_MAX) return false
  park(state, ROOM)
  return true
}

/** Replies have come: may the leg go on? */
export function mayGoOn(state: RelayState): boolean {
  const { parked, expected } = state
  switch (parked.kind) {
    case 'no':
    case 'decision':
      return false
    case 'settlement': {
      const named = parked.segment <= state.settled || parked.segment === state.segment
      return expected.size === 0 || (state.barriers === 0 && named)
    }
    case 'limit':
      return state.limited === 0 && !state.cancelling
    case 'copy':
      return state.copyIn || !state.running
    case 'room':
      return expected.size <= EXPECTED_REPLIES_MAX / 2
  }
}
