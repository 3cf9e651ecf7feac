/**
 * The first packets of a connection: HandshakeV10, SSLRequest, HandshakeResponse41, and the exchange of an
 * authentication (AuthSwitchRequest, AuthMoreData). Payloads only; packets are `packets.ts`.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */

import {
  ByteReader,
  ByteWriter,
  decodeUtf8,
  writeBytes,
  writeLenenc,
  writeLenencBytes,
  writeNulBytes,
  writeNulString,
  writeUint8,
  writeUint16,
  writeUint32,
  writeZeros,
} from './bytes.ts'
import { type Capabilities, CLIENT, has } from './capabilities.ts'
import { ProtocolError } from './errors.ts'
import {
  CONNECTION_ATTRIBUTES_BYTES_MAX,
  CONNECTION_ATTRIBUTES_MAX,
  LOGIN_NAME_BYTES_MAX,
  LOGIN_PACKET_BYTES_MAX,
  UPSTREAM_LOGIN_PACKET_BYTES_MAX,
} from './limits.ts'

/** Bytes of the challenge of every plugin but ed25519 (32, and only in an AuthSwitchRequest). */
export const CHALLENGE_BYTES = 20

const PROTOCOL_VERSION = 10
const FIRST_PART_BYTES = 8

export interface HandshakeV10 {
  readonly serverVersion: string
  readonly connectionId: number
  /** 20 bytes, none of them zero. */
  readonly challenge: Uint8Array
  readonly capabilities: Capabilities
  /** Low 8 bits of the server's default collation. */
  readonly collation: number
  readonly status: number
  /** Empty where the server has no CLIENT_PLUGIN_AUTH. */
  readonly plugin: string
}

/** Throws 'bad-handshake' for another protocol version, 'truncated', 'bad-value', 'trailing-bytes'. */
export function decodeHandshake(payload: Uint8Array): HandshakeV10 {
  const reader = new ByteReader(payload)
  const version = reader.uint8()
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError('bad-handshake', 'remote', `protocol version ${version}`)
  }
  const serverVersion = reader.nulString()
  const connectionId = reader.uint32()
  const first = reader.bytes(FIRST_PART_BYTES)
  reader.skip(1)
  const low = reader.uint16()
  const collation = reader.uint8()
  const status = reader.uint16()
  const flags = (low | (reader.uint16() << 16)) >>> 0
  const challengeBytes = reader.uint8()
  reader.skip(6)
  const extended = reader.uint32()
  const mariadb = (flags & CLIENT.LONG_PASSWORD) === 0 ? extended : 0
  // §HandshakeV10: max(13, length - 8) bytes, the last of them a NUL.
  const second = reader.bytes(Math.max(13, challengeBytes - FIRST_PART_BYTES))
  const challenge = Buffer.concat([first, second.subarray(0, CHALLENGE_BYTES - FIRST_PART_BYTES)])
  const plugin = (flags & CLIENT.PLUGIN_AUTH) === 0 ? '' : pluginName(reader)
  reader.expectEnd()
  return {
    serverVersion,
    connectionId,
    challenge,
    capabilities: { flags, mariadb },
    collation,
    status,
    plugin,
  }
}

/** Some servers leave out the NUL of the last name (MySQL bug 59453). */
function pluginName(reader: ByteReader): string {
  const bytes = reader.rest()
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length
  if (bytes.subarray(0, end).includes(0)) {
    throw new ProtocolError('trailing-bytes', 'remote', 'bytes after the plugin name')
  }
  return decodeUtf8(bytes, 0, end)
}

/** Throws 'bad-value' (local) where the challenge is not 20 bytes without a zero. */
export function encodeHandshake(handshake: HandshakeV10): Buffer {
  const { challenge, capabilities } = handshake
  if (challenge.length !== CHALLENGE_BYTES || challenge.includes(0)) {
    throw new ProtocolError('bad-value', 'local', `a challenge of ${challenge.length} bytes`)
  }
  const out = new ByteWriter()
  writeUint8(out, PROTOCOL_VERSION)
  writeNulString(out, handshake.serverVersion)
  writeUint32(out, handshake.connectionId)
  writeNulBytes(out, challenge.subarray(0, FIRST_PART_BYTES))
  writeUint16(out, capabilities.flags & 0xffff)
  writeUint8(out, handshake.collation & 0xff)
  writeUint16(out, handshake.status)
  writeUint16(out, capabilities.flags >>> 16)
  writeUint8(out, CHALLENGE_BYTES + 1)
  writeZeros(out, 6)
  writeUint32(out, has(capabilities, CLIENT.LONG_PASSWORD) ? 0 : capabilities.mariadb)
  writeNulBytes(out, challenge.subarray(FIRST_PART_BYTES))
  writeNulString(out, handshake.plugin)
  return out.take()
}

/** What SSLRequest and HandshakeResponse41 begin with. */
export interface ResponseHead {
  readonly capabilities: Capabilities
  /** The client's max_allowed_packet, bytes. */
  readonly packetBytesMax: number
  /** 8 bits. */
  readonly collation: number
}

const HEAD_BYTES = 32

export interface HandshakeResponse extends ResponseHead {
  readonly user: string
  /** The answer to the challenge, in whatever form `plugin` has. */
  readonly authentication: Uint8Array
  readonly database: string | null
  /** The plugin `authentication` is of; null from a client without CLIENT_PLUGIN_AUTH. */
  readonly plugin: string | null
  /** What the client says of itself, in order. */
  readonly attributes: readonly (readonly [string, string])[]
}

/** A client's first packet, and its second where the first was an SSLRequest. */
export type ClientHello =
  | { readonly kind: 'ssl-request'; readonly head: ResponseHead }
  | { readonly kind: 'response'; readonly response: HandshakeResponse }

/**
 * Throws 'bad-handshake' from a client of the protocol before 4.1, 'too-large' over LOGIN_NAME_BYTES_MAX or
 * the caps on attributes, and what its fields may throw.
 */
export function decodeClientHello(payload: Uint8Array): ClientHello {
  const reader = new ByteReader(payload)
  if (payload.length < HEAD_BYTES || ((payload[1]! << 8) & CLIENT.PROTOCOL_41) === 0) {
    throw new ProtocolError('bad-handshake', 'remote', 'no handshake response of protocol 4.1')
  }
  const flags = reader.uint32()
  const packetBytesMax = reader.uint32()
  const collation = reader.uint8()
  reader.skip(19)
  const extended = reader.uint32()
  const mariadb = (flags & CLIENT.LONG_PASSWORD) === 0 ? extended : 0
  const head = { capabilities: { flags, mariadb }, packetBytesMax, collation }
  if (reader.remaining === 0) {
    if ((flags & CLIENT.SSL) !== 0) return { kind: 'ssl-request', head }
    throw new ProtocolError('bad-handshake', 'remote', 'a handshake response without a user')
  }
  return { kind: 'response', response: decodeRest(reader, head) }
}

function decodeRest(reader: ByteReader, head: ResponseHead): HandshakeResponse {
  const { capabilities } = head
  const user = loginName(reader.nulBytes())
  const authentication = has(capabilities, CLIENT.PLUGIN_AUTH_LENENC)
    ? reader.lenencBytes()
    : has(capabilities, CLIENT.SECURE_CONNECTION)
      ? reader.bytes(reader.uint8())
      : reader.nulBytes()
  // A client may set a flag and end its packet before the field (as libmysqlclient does): it has none then.
  const more = (bit: number): boolean => has(capabilities, bit) && reader.remaining > 0
  const database = more(CLIENT.CONNECT_WITH_DB) ? loginName(reader.nulBytes()) : ''
  const plugin = more(CLIENT.PLUGIN_AUTH) ? loginName(reader.nulOrRest()) : null
  const attributes = more(CLIENT.CONNECT_ATTRS) ? decodeAttributes(reader) : []
  if (has(capabilities, CLIENT.ZSTD_COMPRESSION) && reader.remaining > 0) reader.skip(1)
  reader.expectEnd()
  return {
    ...head,
    user,
    authentication: Buffer.from(authentication),
    database: database === '' ? null : database,
    plugin,
    attributes,
  }
}

/** Throws 'too-large' over LOGIN_NAME_BYTES_MAX. */
export function loginName(bytes: Buffer): string {
  if (bytes.length > LOGIN_NAME_BYTES_MAX) {
    throw new ProtocolError('too-large', 'remote', `a name of ${bytes.length} bytes at login`)
  }
  return decodeUtf8(bytes, 0, bytes.length)
}

/** Text that is not UTF-8 (an attribute may be in any character set) has U+FFFD in it. */
export function decodeAttributes(reader: ByteReader): [string, string][] {
  const length = reader.lenenc()
  if (length > CONNECTION_ATTRIBUTES_BYTES_MAX) {
    throw new ProtocolError('too-large', 'remote', `connection attributes of ${length} bytes`)
  }
  const body = new ByteReader(reader.bytes(length))
  const attributes: [string, string][] = []
  while (body.remaining > 0) {
    if (attributes.length === CONNECTION_ATTRIBUTES_MAX) {
      throw new ProtocolError('too-large', 'remote', 'too many connection attributes')
    }
    attributes.push([body.lenencBytes().toString('utf8'), body.lenencBytes().toString('utf8')])
  }
  return attributes
}

function writeHead(out: ByteWriter, head: ResponseHead): void {
  writeUint32(out, head.capabilities.flags)
  writeUint32(out, head.packetBytesMax)
  writeUint8(out, head.collation & 0xff)
  writeZeros(out, 19)
  writeUint32(out, has(head.capabilities, CLIENT.LONG_PASSWORD) ? 0 : head.capabilities.mariadb)
}

/** The capabilities must have CLIENT.SSL. */
export function encodeSslRequest(head: ResponseHead): Buffer {
  const out = new ByteWriter()
  writeHead(out, head)
  return out.take()
}

/** Lays it out as its own capabilities say. Throws 'bad-value' (local) where a field does not fit. */
export function encodeHandshakeResponse(response: HandshakeResponse): Buffer {
  const { capabilities } = response
  const out = new ByteWriter({ bytesMax: LOGIN_PACKET_BYTES_MAX })
  writeHead(out, response)
  writeNulString(out, response.user)
  if (has(capabilities, CLIENT.PLUGIN_AUTH_LENENC)) writeLenencBytes(out, response.authentication)
  else {
    writeUint8(out, response.authentication.length)
    writeBytes(out, response.authentication)
  }
  if (has(capabilities, CLIENT.CONNECT_WITH_DB)) writeNulString(out, response.database ?? '')
  if (has(capabilities, CLIENT.PLUGIN_AUTH)) writeNulString(out, response.plugin ?? '')
  if (has(capabilities, CLIENT.CONNECT_ATTRS)) writeAttributes(out, response.attributes)
  return out.take()
}

/** Those that do not fit the server's cap any more are left out: they only describe. */
function writeAttributes(out: ByteWriter, attributes: HandshakeResponse['attributes']): void {
  const body = new ByteWriter()
  for (const pair of attributes) {
    const name = Buffer.from(pair[0], 'utf8')
    const value = Buffer.from(pair[1], 'utf8')
    // Two lengths of up to four bytes each.
    if (body.at + name.length + value.length + 8 > CONNECTION_ATTRIBUTES_BYTES_MAX) break
    writeLenencBytes(body, name)
    writeLenencBytes(body, value)
  }
  writeLenenc(out, body.at)
  writeBytes(out, body.view())
}

export const AUTH_SWITCH = 0xfe
export const AUTH_MORE_DATA = 0x01

export interface AuthSwitch {
  readonly plugin: string
  /** The plugin's data, as it came: a challenge has a NUL behind it. */
  readonly data: Uint8Array
}

/** The payload of an AuthSwitchRequest. The old one of a single byte is mysql_old_password, without data. */
export function decodeAuthSwitch(payload: Uint8Array): AuthSwitch {
  const reader = new ByteReader(payload)
  if (reader.uint8() !== AUTH_SWITCH) {
    throw new ProtocolError('bad-value', 'local', 'not an AuthSwitchRequest')
  }
  if (reader.remaining === 0) return { plugin: 'mysql_old_password', data: Buffer.alloc(0) }
  return { plugin: reader.nulString(), data: reader.rest() }
}

export function encodeAuthSwitch(request: AuthSwitch): Buffer {
  const out = new ByteWriter({ bytesMax: UPSTREAM_LOGIN_PACKET_BYTES_MAX })
  writeUint8(out, AUTH_SWITCH)
  writeNulString(out, request.plugin)
  writeBytes(out, request.data)
  return out.take()
}

export function encodeAuthMoreData(data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(AUTH_MORE_DATA), data])
}
