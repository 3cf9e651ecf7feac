/**
 * What both legs of a relayed session share: names, owed replies, transaction status, output.
 * Nothing outside this folder touches it.
 */

import { type Expected, ExpectedQueue, REPLY } from './expected.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import type { Portal, PreparedStatement } from './named.ts'
import { GrowingSink, OutputQueue } from './output.ts'

/** A question of ours to the upstream, asked between the client's requests; see Relay.probe. */
export interface Probe {
  readonly answers: string[]
  failed: boolean
  readonly done: (answers: readonly string[] | null) => void
}

export const TX_IDLE = 0x49 // 'I'
export const TX_BLOCK = 0x54 // 'T'
export const TX_FAILED = 0x45 // 'E'

const SINK_BYTES = 16 * 1024

export class RelayState {
  readonly gatekeeper: Gatekeeper
  readonly expected = new ExpectedQueue()
  readonly statements = new Map<string, PreparedStatement>()
  readonly portals = new Map<string, Portal>()
  readonly toUpstream = new OutputQueue()
  readonly toClient = new OutputQueue()
  /** Rewritten rows live here until the pump has written them. */
  readonly sink = new GrowingSink(SINK_BYTES)
  /** Number of the segment being sent; a Sync or Query ends one. */
  segment = 1
  /** Every segment up to this one has had its ReadyForQuery. */
  settled = 0
  /** Requests of the current segment have gone upstream and no Sync has. */
  openSegment = false
  /** As of the last ReadyForQuery. */
  transaction: number = TX_IDLE
  /** The client's messages are discarded until its Sync, as the server discards them after an error. */
  skipping = false
  /** The server is reading COPY data from the client. */
  copyIn = false
  /** Unsettled requests whose outcome changes what later statements mean. */
  barriers = 0
  probe: Probe | null = null
  /** Name of a portal that never exists: describing it makes the server fail exactly where we refuse. */
  readonly refusedPortal: string

  constructor(gatekeeper: Gatekeeper, refusedPortal: string) {
    this.gatekeeper = gatekeeper
    this.refusedPortal = refusedPortal
  }

  /** Nothing is owed and nothing is half-sent: the server is waiting for a request. */
  get quiescent(): boolean {
    return this.expected.size === 0 && !this.openSegment && !this.copyIn
  }

  endSegment(): void {
    this.segment++
    this.openSegment = false
  }

  /** Takes back what requests installed that the server did not run, newest first. */
  undo(entry: Expected): void {
    if (entry.kind === REPLY.parse || entry.kind === REPLY.close) {
      const name = entry.statement?.name ?? entry.previousStatement?.name
      if (name !== undefined) this.#restoreStatement(name, entry)
    }
    if (entry.kind === REPLY.bind || entry.kind === REPLY.close) {
      const name = entry.portal?.name ?? entry.previousPortal?.name
      if (name !== undefined) this.#restorePortal(name, entry)
    }
  }

  #restoreStatement(name: string, entry: Expected): void {
    const installed = entry.kind === REPLY.close ? undefined : (entry.statement ?? undefined)
    if (this.statements.get(name) === installed) {
      if (entry.previousStatement) this.statements.set(name, entry.previousStatement)
      else this.statements.delete(name)
      return
    }
    // A later, still unsettled request replaced it: that one must fall back to what we fall back to.
    for (let i = 0; i < this.expected.size; i++) {
      const later = this.expected.at(i)
      if (
        later !== entry &&
        later.previousStatement === installed &&
        later.statement?.name === name
      ) {
        later.previousStatement = entry.previousStatement
        return
      }
    }
  }

  #restorePortal(name: string, entry: Expected): void {
    const installed = entry.kind === REPLY.close ? undefined : (entry.portal ?? undefined)
    if (this.portals.get(name) === installed) {
      if (entry.previousPortal) this.portals.set(name, entry.previousPortal)
      else this.portals.delete(name)
      return
    }
    for (let i = 0; i < this.expected.size; i++) {
      const later = this.expected.at(i)
      if (later !== entry && later.previousPortal === installed && later.portal?.name === name) {
        later.previousPortal = entry.previousPortal
        return
      }
    }
  }
}
