/**
 * When the client leg waits, and for what. A client may send commands without reading replies; what a later
 * one means, or whether it may run at all, can hang on how an earlier one ends.
 */
import { EXPECTED_REPLIES_MAX } from '../limits.ts'
import type { RelayState } from './state.ts'

/** Why the client leg takes no more for now. */
export type Parked =
  | 'no'
  /** The gatekeeper said WAIT. */
  | 'decision'
  /** Until every earlier command is answered. */
  | 'settlement'
  /** Until no barrier is unanswered. */
  | 'barrier'
  /** Until no limited result is on its way, and no cancel of ours: it could hit what follows. */
  | 'limit'
  /** Too many replies are owed. */
  | 'room'

/** One command, and what we may have to say for ourselves beside it. */
const REPLIES_PER_COMMAND_MAX = 4

/** Parks; always false: the command is not consumed. */
export function park(state: RelayState, parked: Parked): false {
  state.parked = parked
  return false
}

/** Parks where the next command must not be looked at yet. */
export function mustWait(state: RelayState): boolean {
  if (state.barriers > 0) return !park(state, 'barrier')
  if (state.limited > 0 || state.cancelling) return !park(state, 'limit')
  if (state.expected.size >= EXPECTED_REPLIES_MAX - REPLIES_PER_COMMAND_MAX) {
    return !park(state, 'room')
  }
  return false
}

/** Replies have come: may the leg go on? */
export function mayGoOn(state: RelayState): boolean {
  // What a client has sent behind LOAD DATA LOCAL is no command any more, and its leaving must be seen.
  if (state.infile) return state.parked !== 'no'
  switch (state.parked) {
    case 'no':
    case 'decision':
      return false
    case 'settlement':
      return state.expected.size === 0
    case 'barrier':
      return state.barriers === 0
    case 'limit':
      return state.limited === 0 && !state.cancelling
    case 'room':
      return state.expected.size <= EXPECTED_REPLIES_MAX / 2
  }
}
