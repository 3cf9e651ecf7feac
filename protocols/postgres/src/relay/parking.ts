/**
 * When the client leg waits, and for what. A name (statement, portal) or a meaning (search_path, ...)
 * changed by a request whose outcome is not known yet must not be relied on. Inside one segment it may be:
 * if the change fails, the server skips the user of it too. Across segments the leg waits for the outcome.
 */
import { EXPECTED_REPLIES_MAX } from '../limits.ts'
import { expectDropped, REPLY } from './expected.ts'
import type { Parked } from './parked.ts'
import { FLUSH_FRAME, SYNC_FRAME } from './requests.ts'
import { type RelayState, TX_IDLE } from './state.ts'

const ALONE: Parked = { kind: 'alone' }
const ANSWERS: Parked = { kind: 'answers' }
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

/**
 * May the open segment be ended before its time? Only while it has run nothing, which would commit, and outside
 * a transaction has no portal, which would be gone.
 */
export function canBeAlone(state: RelayState): boolean {
  if (state.copyIn) return false
  if (!state.openSegment) return true
  if (state.executions > 0) return false
  if (state.transaction !== TX_IDLE) return true
  for (const { segment } of state.portals.values()) if (segment === state.segment) return false
  return true
}

/**
 * Parks until nothing is under way. Without a Sync the server would keep what it locked to parse the statement:
 * the open segment is ended by one of ours. Where that may not be, all before it is answered first.
 */
export function beAlone(state: RelayState): false {
  if (!canBeAlone(state)) return park(state, ANSWERS)
  if (state.openSegment) {
    state.toUpstream.give(SYNC_FRAME)
    state.owe(expectDropped(REPLY.sync, state.segment))
    state.endSegment()
  }
  return park(state, ALONE)
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
    case 'alone':
      return state.quiescent
    case 'answers':
      return state.copyIn || expected.size === 0
    case 'limit':
      return state.limited === 0 && !state.cancelling
    case 'copy':
      return state.copyIn || !state.running
    case 'room':
      return expected.size <= EXPECTED_REPLIES_MAX / 2
  }
}
