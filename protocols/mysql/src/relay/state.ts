/**
 * What both legs of a relayed session share: prepared statements, owed replies, status, output.
 * Nothing outside this folder touches it.
 */

import { GrowingSink, OutputQueue } from '@sallyport/protocol-wire'
import { type Capabilities, CLIENT, has, MARIADB_CLIENT } from '../capabilities.ts'
import type { ChangeUser } from '../change-user.ts'
import { assertNever } from '../errors.ts'
import { encodePacket } from '../packets.ts'
import { Parameters } from '../parameters.ts'
import { type Effect, type Expected, ExpectedQueue, expect, REPLY } from './expected.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import type { Parked } from './parking.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import type { Probe } from './probe.ts'

export interface RelayStateOptions {
  /** In force on the client's leg, and on the upstream's. */
  readonly client: Capabilities
  readonly upstream: Capabilities
  /** STATUS bits of the upstream's OK at login. */
  readonly status: number
}

const SINK_BYTES = 16 * 1024

export class RelayState {
  readonly gatekeeper: Gatekeeper
  readonly expected = new ExpectedQueue()
  readonly statements = new Map<number, PreparedStatement>()
  readonly toUpstream = new OutputQueue()
  readonly toClient = new OutputQueue()
  /** Rewritten packets live here until the pump has written them. */
  readonly sink = new GrowingSink(SINK_BYTES)
  readonly parameters = new Parameters()
  /** Shape the packets of both legs: they were agreed to be the same. */
  readonly capabilities: Capabilities
  readonly clientCapabilities: Capabilities
  readonly deprecateEof: boolean
  readonly queryAttributes: boolean
  /** COM_STMT_BULK_EXECUTE is in force. */
  readonly bulk: boolean
  /** The upstream's OK packets have the layout of CLIENT_SESSION_TRACK, and the client's. */
  readonly upstreamTracks: boolean
  readonly clientTracks: boolean
  /** What id 0xffffffff stands for on MariaDB. */
  lastPrepared: PreparedStatement | null = null
  multiStatements: boolean
  /** The client logs in anew: nothing of what it sends from here on is this session's. */
  changeUser: ChangeUser | null = null
  /** STATUS bits of the last reply that had any. */
  status: number
  /** Unanswered commands whose outcome changes what later ones mean. */
  barriers = 0
  /** Unanswered commands that an exceeded limit would turn into errors. */
  limited = 0
  /** A cancel of ours is under way: a command sent now might be what it hits. */
  cancelling = false
  parked: Parked = 'no'
  /** A result is at its limit: no more is taken of the upstream until the gatekeeper has answered. */
  holding = false
  /** The upstream reads a file of the client. */
  infile = false
  /** The gatekeeper is told of what is in it. */
  infileTold = false
  /** Sequence id of the next packet of the present reply, as the client counts and as the upstream does. */
  clientSequence = 0
  upstreamSequence = 0
  /** The upstream has said why it is about to close the connection. */
  farewell = false
  probe: Probe | null = null

  constructor(gatekeeper: Gatekeeper, options: RelayStateOptions) {
    this.gatekeeper = gatekeeper
    this.capabilities = options.upstream
    this.clientCapabilities = options.client
    this.status = options.status
    this.deprecateEof = has(options.upstream, CLIENT.DEPRECATE_EOF)
    this.queryAttributes = has(options.upstream, CLIENT.QUERY_ATTRIBUTES)
    this.bulk = (options.upstream.mariadb & MARIADB_CLIENT.STMT_BULK_OPERATIONS) !== 0
    this.upstreamTracks = has(options.upstream, CLIENT.SESSION_TRACK)
    this.clientTracks = has(options.client, CLIENT.SESSION_TRACK)
    this.multiStatements = has(options.upstream, CLIENT.MULTI_STATEMENTS)
  }

  owe(entry: Expected): void {
    this.expected.push(entry)
    if (entry.barrier) this.barriers++
    if (entry.limited) this.limited++
  }

  /** The reply owed next has come to its end; replies of ours that waited for it follow. */
  answered(): void {
    const entry = this.expected.pop()
    if (entry.barrier) this.barriers--
    if (entry.limited) this.limited--
    for (let next = this.expected.head(); next?.fate === 'inject'; next = this.expected.head()) {
      this.expected.pop()
      this.#say(next)
    }
  }

  /** What a command changes once it has been answered well. */
  takeEffect(effect: Effect): void {
    switch (effect) {
      case 'multi-statements-on':
        this.multiStatements = true
        return
      case 'multi-statements-off':
        this.multiStatements = false
        return
      case 'reset-connection':
        for (const statement of this.statements.values()) this.close(statement)
        return
      case 'forget-last-prepared':
        this.lastPrepared = null
        return
      case 'none':
        return
      default:
        assertNever(effect)
    }
  }

  #say(entry: Expected): void {
    this.takeEffect(entry.effect)
    if (entry.payload !== null) this.toClient.give(encodePacket(entry.sequence, entry.payload))
  }

  /** A reply of ours to a command that never leaves: now, or when its turn comes. */
  inject(sequence: number, payload: Buffer, effect: Effect = 'none'): void {
    const entry = expect(REPLY.ok, { fate: 'inject', payload, effect }, sequence)
    if (this.expected.size === 0) this.#say(entry)
    else this.owe(entry)
  }

  /** The statement is no more. */
  close(statement: PreparedStatement): void {
    this.statements.delete(statement.id)
    if (this.lastPrepared === statement) this.lastPrepared = null
    this.gatekeeper.closed(statement)
  }
}
