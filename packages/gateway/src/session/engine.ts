/**
 * What a session needs of the protocol it speaks. Each protocol's room (`postgres/`, `mysql/`) makes one
 * engine per session: its relay, and the frames in which the gateway itself speaks.
 */
import type { Leg } from '../sockets/leg.ts'
import type { Output } from '../sockets/writer.ts'
import type { SessionHolds } from './holds.ts'
import type { Report } from './reports.ts'
import type { Shown } from './shown.ts'

/** A protocol's relay, between the two sockets of a session. */
export interface SessionRelay {
  readonly toUpstream: Output
  readonly toClient: Output
  /** Where rewritten rows are put. `reset(true)`: a socket still holds views of it. */
  readonly sink: { reset(inUse: boolean): void; shrink(): void }
  /** Nothing is running and nothing is owed to the client. */
  readonly quiescent: boolean
  readonly inTransaction: boolean
  /** Nothing is taken of the upstream until `resume`: a result waits for people. */
  readonly holdsBack: boolean
  /** A decision is awaited: no more is read from the client. */
  readonly parked: boolean
  /** The client has said goodbye. */
  readonly terminated: boolean
  /** The server has said why it ends the connection. */
  readonly farewell: boolean
  /** The client has part of a message that is still being passed on. */
  readonly midFrame: boolean
  /** Whole length of the frame at hand, bytes; 0 when it is not known yet. */
  readonly wantedFromClient: number
  readonly wantedFromUpstream: number
  /** Takes what it can of [start, end); returns where it stopped. Throws the protocol's error. */
  fromClient(buf: Buffer, start: number, end: number): number
  fromUpstream(buf: Buffer, start: number, end: number): number
  /** What was awaited is there, or will not come. */
  resume(): void
  /** A cancel asked for by the gatekeeper has been acted on. */
  cancelled(): void
}

export interface SessionEngine {
  readonly relay: SessionRelay
  /** Statements that wait for people. */
  readonly holds: SessionHolds
  /** Into the session's recording; null: it is not recorded. */
  readonly shown: Shown | null
  /** Whom a client that has said goodbye goes on with (COM_CHANGE_USER); null: with nobody. */
  successor(): ((client: Leg) => void) | null
  /** What the client reads when the database has closed its connection without a word; null: as little. */
  readonly upstreamLost: Report | null
  /** The message after which the connection closes. */
  farewell(report: Report): Buffer
  /** A violation of the protocol by either peer, as the client may read it; null: a bug of ours. */
  protocolError(error: unknown): { readonly sqlstate: string; readonly message: string } | null
}
