/**
 * The session state an OK packet carries where CLIENT_SESSION_TRACK is in force.
 *
 *     n times | type | lenenc length | data |
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html
 */

import { ByteReader, ByteWriter, writeLenencBytes, writeUint8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { SESSION_CHANGES_MAX } from './limits.ts'
import { SESSION_TRACK } from './responses.ts'

/** One change the server tells of. Text that is not UTF-8 has U+FFFD in it. */
export type SessionChange =
  | { readonly kind: 'variable'; readonly name: string; readonly value: string }
  /** The default database; empty where there is none any more. */
  | { readonly kind: 'schema'; readonly name: string }
  /** Something changed that is tracked by no other kind; or nothing of that sort. */
  | { readonly kind: 'state'; readonly changed: boolean }
  | { readonly kind: 'transaction-characteristics'; readonly statements: string }
  /** Eight letters, see "Server Tracking of Client Session State". */
  | { readonly kind: 'transaction-state'; readonly state: string }
  | { readonly kind: 'other'; readonly type: number; readonly data: Uint8Array }

const DIGIT_ONE = 0x31

/** Throws ProtocolError where an entry is not laid out as its type says; types not listed are `other`. */
export function decodeSessionState(sessionState: Uint8Array): SessionChange[] {
  const reader = new ByteReader(sessionState)
  const changes: SessionChange[] = []
  while (reader.remaining > 0) {
    const type = reader.uint8()
    const data = new ByteReader(reader.lenencBytes())
    if (type === SESSION_TRACK.SYSTEM_VARIABLES) {
      // MariaDB puts several variables in one entry.
      do changes.push({ kind: 'variable', name: text(data), value: text(data) })
      while (data.remaining > 0)
    } else changes.push(changeOf(type, data))
    data.expectEnd()
    if (changes.length > SESSION_CHANGES_MAX) {
      throw new ProtocolError('too-large', 'remote', `${changes.length} changes of session state`)
    }
  }
  return changes
}

function changeOf(type: number, data: ByteReader): SessionChange {
  switch (type) {
    case SESSION_TRACK.SCHEMA:
      return { kind: 'schema', name: text(data) }
    case SESSION_TRACK.STATE_CHANGE:
      // MySQL writes the digit's length in front of it, MariaDB does not.
      return { kind: 'state', changed: data.rest().at(-1) === DIGIT_ONE }
    case SESSION_TRACK.TRANSACTION_CHARACTERISTICS:
      return { kind: 'transaction-characteristics', statements: text(data) }
    case SESSION_TRACK.TRANSACTION_STATE:
      return { kind: 'transaction-state', state: text(data) }
    default:
      return { kind: 'other', type, data: data.rest() }
  }
}

function text(reader: ByteReader): string {
  return reader.lenencBytes().toString('utf8')
}

/** The bytes `decodeSessionState` reads. */
export function encodeSessionState(changes: readonly SessionChange[]): Buffer {
  const out = new ByteWriter()
  for (const change of changes) {
    const [type, data] = partsOf(change)
    writeUint8(out, type)
    writeLenencBytes(out, data)
  }
  return out.take()
}

function partsOf(change: SessionChange): [number, Uint8Array] {
  switch (change.kind) {
    case 'variable':
      return [SESSION_TRACK.SYSTEM_VARIABLES, strings(change.name, change.value)]
    case 'schema':
      return [SESSION_TRACK.SCHEMA, strings(change.name)]
    case 'state':
      return [SESSION_TRACK.STATE_CHANGE, strings(change.changed ? '1' : '0')]
    case 'transaction-characteristics':
      return [SESSION_TRACK.TRANSACTION_CHARACTERISTICS, strings(change.statements)]
    case 'transaction-state':
      return [SESSION_TRACK.TRANSACTION_STATE, strings(change.state)]
    case 'other':
      return [change.type, change.data]
  }
}

function strings(...texts: readonly string[]): Buffer {
  const out = new ByteWriter()
  for (const one of texts) writeLenencBytes(out, Buffer.from(one, 'utf8'))
  return out.take()
}
