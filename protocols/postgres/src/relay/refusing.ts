/**
 * Refusing a request so that everything after it is as if the server had refused it.
 *
 * Where the server is idle and owes nothing, the refusal is written at once. Otherwise a request that is
 * certain to fail takes the refused one's place (a Describe of a portal that never exists, a Query that
 * never parses, a FunctionCall of nothing), so that the server itself enters the state an error would leave: the transaction is
 * aborted, earlier work of an implicit transaction does not commit, the rest of the pipeline is skipped to
 * Sync. Its error is replaced by ours on the way back.
 */
import { expectFailure, REPLY } from './expected.ts'
import type { Refusal } from './gatekeeper.ts'
import {
  encodeDescribe,
  REFUSED_CALL,
  REFUSED_PARSE,
  REFUSED_QUERY,
  TARGET_PORTAL,
} from './requests.ts'
import { type RelayState, TX_BLOCK } from './state.ts'

/**
 * Refuses a Parse. One of the unnamed statement destroys the one before, even where it fails: it is
 * replaced by a Parse that fails.
 */
export function refuseParse(state: RelayState, refusal: Refusal, name: string): true {
  if (name !== '') return refuse(state, refusal)
  if (state.quiescent && state.transaction !== TX_BLOCK) {
    state.statements.delete('')
    return refuse(state, refusal)
  }
  state.toUpstream.give(REFUSED_PARSE)
  state.owe(expectFailure(REPLY.parse, state.segment, refusal.error))
  state.openSegment = true
  state.skipping = true
  return true
}

/** Refuses a request of the extended protocol; the client's messages are skipped to its Sync. */
export function refuse(state: RelayState, refusal: Refusal): true {
  if (state.quiescent && state.transaction !== TX_BLOCK) {
    state.toClient.give(refusal.error)
    state.skipping = true
  } else failExtended(state, refusal.error)
  return true
}

/** Brings the server into the state after an error; `error`: what the client reads, null: it has been told. */
export function failExtended(state: RelayState, error: Buffer | null): void {
  state.toUpstream.give(encodeDescribe(TARGET_PORTAL, state.refusedPortal))
  state.owe(expectFailure(REPLY.describePortal, state.segment, error))
  state.openSegment = true
  state.skipping = true
}

/** Refuses a FunctionCall, or a malformed message that is no part of the extended protocol: no name changes. */
export function refuseCall(state: RelayState, refusal: Refusal): true {
  if (state.quiescent && state.transaction !== TX_BLOCK) sayFailed(state, refusal.error)
  else {
    state.toUpstream.give(REFUSED_CALL)
    state.owe(expectFailure(REPLY.functionCall, state.segment, refusal.error))
    state.endSegment()
  }
  return true
}

/** Refuses a Query: an error and its ReadyForQuery. */
export function refuseQuery(state: RelayState, refusal: Refusal): true {
  if (state.quiescent && state.transaction !== TX_BLOCK) {
    sayFailed(state, refusal.error)
    state.forgetUnnamedStatement(state.segment)
  } else failQuery(state, refusal.error)
  return true
}

function sayFailed(state: RelayState, error: Buffer): void {
  state.toClient.give(error)
  state.toClient.give(Buffer.from([0x5a, 0, 0, 0, 5, state.transaction]))
}

export function failQuery(state: RelayState, error: Buffer | null): void {
  state.toUpstream.give(REFUSED_QUERY)
  state.owe(expectFailure(REPLY.query, state.segment, error))
  state.endSegment()
}
