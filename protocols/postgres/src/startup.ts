/**
 * The first bytes of a connection: SSLRequest, GSSENCRequest, CancelRequest, StartupMessage or the
 * first byte of a TLS handshake; anything else is an error. Decides nothing about TLS or identity.
 *
 *     | Int32 length (counts itself) | Int32 version or code | ... |
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html, ProcessStartupPacket in the server
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { checkSecret } from './backend-auth.ts'
import {
  ByteReader,
  ByteWriter,
  int32At,
  putInt32,
  writeBytes,
  writeCString,
  writeInt32,
  writeUint8,
} from './bytes.ts'
import { ProtocolError, SQLSTATE } from './errors.ts'
import { STARTUP_BYTES_MAX, STARTUP_PARAMETERS_MAX } from './limits.ts'
import { parseStartupOptions, type StartupOption } from './startup-options.ts'

export { parseStartupOptions, type StartupOption } from './startup-options.ts'

/** Codes in place of a version; their high half, 1234, is no protocol. */
export const REQUEST_CODE = { CANCEL: 80_877_102, SSL: 80_877_103, GSSENC: 80_877_104 } as const

/** The newest minor version of protocol 3 that this package speaks. */
export const NEWEST_MINOR = 2

/** A start-up packet's smallest length word: itself and a version. */
const STARTUP_BYTES_MIN = 8

const TLS_HANDSHAKE_RECORD = 0x16

/** `replication`: not asked for, `physical` (true, on, 1, ...), `logical` (`database`). */
export type Replication = 'none' | 'physical' | 'logical'

/** What a StartupMessage says. */
export interface Startup {
  readonly kind: 'startup'
  /** The minor version asked for, which may be one that does not exist yet. */
  readonly requestedMinor: number
  /** The minor version to speak: the lower of the one asked for and NEWEST_MINOR. */
  readonly minor: number
  readonly user: string
  /** The database asked for; the user name where none was. Empty stands for the user name too. */
  readonly database: string
  readonly replication: Replication
  /** Every parameter as sent, `_pq_.` options excluded. Setting names are case-insensitive: see `settings`. */
  readonly parameters: ReadonlyMap<string, string>
  /** The `options` parameter, read as the server reads it. */
  readonly options: readonly StartupOption[]
  /**
   * Settings in the order the server applies them, the last of a name winning: those of `options`, then
   * the other parameters. Names in lower case.
   */
  readonly settings: readonly { readonly name: string; readonly value: string }[]
  /** Names that begin with `_pq_.`; this package knows none. */
  readonly protocolOptions: readonly string[]
  /** Whether the server must send NegotiateProtocolVersion before anything else. */
  readonly negotiate: boolean
}

export interface CancelRequest {
  readonly kind: 'cancel'
  readonly pid: number
  /** Four to 256 bytes, copied. */
  readonly secret: Buffer
}

/** What the first bytes are. `bytes`: how many of them the packet took. */
export type Opening =
  | { readonly kind: 'need-data'; readonly wanted: number }
  | { readonly kind: 'ssl-request'; readonly bytes: number }
  | { readonly kind: 'gssenc-request'; readonly bytes: number }
  /** A TLS ClientHello, none of which has been taken. */
  | { readonly kind: 'direct-tls' }
  | { readonly kind: 'cancel'; readonly bytes: number; readonly request: CancelRequest }
  | { readonly kind: 'startup'; readonly bytes: number; readonly startup: Startup }

/**
 * Classifies `bytes`, the beginning of a connection or what follows a refused request. Copies what it
 * keeps. Throws 'bad-startup' for a length out of range or an unknown code, 'unsupported-protocol'
 * for versions other than 3, and what `decodeStartup` throws.
 */
export function decodeOpening(bytes: Uint8Array): Opening {
  if (bytes.length === 0) return { kind: 'need-data', wanted: STARTUP_BYTES_MIN }
  if (bytes[0] === TLS_HANDSHAKE_RECORD) return { kind: 'direct-tls' }
  // A length below 10,000 begins with two zero bytes: say no to anything else at its first byte.
  if (bytes[0] !== 0 || (bytes.length > 1 && bytes[1] !== 0)) throw badLength()
  if (bytes.length < 4) return { kind: 'need-data', wanted: STARTUP_BYTES_MIN }
  const length = int32At(bytes, 0)
  if (length < STARTUP_BYTES_MIN || length > STARTUP_BYTES_MAX) throw badLength()
  if (bytes.length < STARTUP_BYTES_MIN) return { kind: 'need-data', wanted: length }
  const code = int32At(bytes, 4)
  checkCode(code, length)
  if (bytes.length < length) return { kind: 'need-data', wanted: length }
  switch (code) {
    case REQUEST_CODE.SSL:
      return { kind: 'ssl-request', bytes: length }
    case REQUEST_CODE.GSSENC:
      return { kind: 'gssenc-request', bytes: length }
    case REQUEST_CODE.CANCEL:
      return { kind: 'cancel', bytes: length, request: decodeCancel(bytes, length) }
    default:
      return { kind: 'startup', bytes: length, startup: decodeStartup(bytes, length) }
  }
}

function badLength(): ProtocolError {
  return new ProtocolError('bad-startup', 'remote', 'invalid length of startup packet')
}

/** Refuses a code or version as soon as its eight bytes are there. */
function checkCode(code: number, length: number): void {
  if (code === REQUEST_CODE.SSL || code === REQUEST_CODE.GSSENC) {
    if (length !== STARTUP_BYTES_MIN) throw badLength()
    return
  }
  if (code === REQUEST_CODE.CANCEL) return
  const major = code >>> 16
  if (major === 1234) {
    throw new ProtocolError('bad-startup', 'remote', `request code ${code} is not listed`)
  }
  if (major !== 3) {
    throw new ProtocolError(
      'unsupported-protocol',
      'remote',
      `unsupported frontend protocol ${major}.${code & 0xffff}: server supports 3.0 to 3.${NEWEST_MINOR}`,
    )
  }
}

function decodeCancel(bytes: Uint8Array, length: number): CancelRequest {
  const reader = new ByteReader(bytes, 8, length)
  const pid = reader.int32()
  const secret = Buffer.from(reader.rest())
  checkSecret(secret, 'remote')
  return { kind: 'cancel', pid, secret }
}

/**
 * The StartupMessage in `bytes[0, length)`. Throws 'bad-startup' where the list does not end exactly at
 * the last byte, 'duplicate-parameter' where a name comes twice (names of settings compare without
 * case; the server takes the last), 'bad-value' for `replication`, 'bad-startup' (28000) without a
 * user, 'bad-options', 'too-large', 'invalid-utf8'.
 */
function decodeStartup(bytes: Uint8Array, length: number): Startup {
  const { parameters, protocolOptions } = readParameters(new ByteReader(bytes, 8, length))
  const requestedMinor = int32At(bytes, 4) & 0xffff
  const user = parameters.get('user') ?? ''
  if (user === '') {
    throw new ProtocolError(
      'bad-startup',
      'remote',
      'no PostgreSQL user name specified in startup packet',
      { sqlstate: SQLSTATE.INVALID_AUTHORIZATION },
    )
  }
  const options = parseStartupOptions(parameters.get('options') ?? '')
  return {
    kind: 'startup',
    requestedMinor,
    minor: Math.min(requestedMinor, NEWEST_MINOR),
    user,
    database: parameters.get('database') || user,
    replication: replicationOf(parameters.get('replication')),
    parameters,
    options,
    settings: settingsOf(options, parameters),
    protocolOptions,
    negotiate: requestedMinor > NEWEST_MINOR || protocolOptions.length > 0,
  }
}

function readParameters(reader: ByteReader): {
  parameters: Map<string, string>
  protocolOptions: string[]
} {
  const parameters = new Map<string, string>()
  const protocolOptions: string[] = []
  const seen = new Set<string>()
  for (;;) {
    if (reader.remaining === 0) throw badLayout()
    const name = reader.cString()
    if (name === '') break
    if (reader.remaining === 0) throw badLayout()
    const value = reader.cString()
    const key = name.toLowerCase()
    if (seen.has(key)) {
      throw new ProtocolError('duplicate-parameter', 'remote', 'a start-up parameter comes twice')
    }
    if (seen.size === STARTUP_PARAMETERS_MAX) {
      throw new ProtocolError('too-large', 'remote', `over ${STARTUP_PARAMETERS_MAX} parameters`)
    }
    seen.add(key)
    if (name.startsWith('_pq_.')) protocolOptions.push(name)
    else parameters.set(name, value)
  }
  if (reader.remaining !== 0) throw badLayout()
  return { parameters, protocolOptions }
}

function badLayout(): ProtocolError {
  return new ProtocolError(
    'bad-startup',
    'remote',
    'invalid startup packet layout: expected terminator as last byte',
  )
}

// Source: parse_bool, utils/adt/bool.c: prefixes of the words, without case.
function replicationOf(text: string | undefined): Replication {
  if (text === undefined) return 'none'
  if (text === 'database') return 'logical'
  const word = text.toLowerCase()
  const is = (full: string, least: number): boolean => word.length >= least && full.startsWith(word)
  if (is('true', 1) || is('yes', 1) || word === 'on' || word === '1') return 'physical'
  if (is('false', 1) || is('no', 1) || is('off', 2) || word === '0') return 'none'
  throw new ProtocolError('bad-value', 'remote', 'invalid value for parameter "replication"', {
    sqlstate: SQLSTATE.INVALID_PARAMETER_VALUE,
  })
}

const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication'])

function settingsOf(
  options: readonly StartupOption[],
  parameters: ReadonlyMap<string, string>,
): { name: string; value: string }[] {
  const settings: { name: string; value: string }[] = []
  for (const option of options) {
    if (option.kind !== 'setting') continue
    settings.push({ name: option.name.toLowerCase(), value: option.value })
  }
  for (const [name, value] of parameters) {
    if (!NOT_SETTINGS.has(name)) settings.push({ name: name.toLowerCase(), value })
  }
  return settings
}

/** The last value of a setting, by name without case; undefined where none was asked for. */
export function settingFor(startup: Pick<Startup, 'settings'>, name: string): string | undefined {
  return startup.settings.findLast((setting) => setting.name === name.toLowerCase())?.value
}

/** Appends a StartupMessage. `minor` 0 or 2. Throws 'too-large' (local) over STARTUP_BYTES_MAX. */
export function writeStartupMessage(
  out: ByteSink,
  options: { readonly minor: number; readonly parameters: Iterable<readonly [string, string]> },
): void {
  const start = out.at
  writeInt32(out, 0)
  writeInt32(out, (3 << 16) | options.minor)
  for (const [name, value] of options.parameters) {
    if (name === '') throw new ProtocolError('bad-value', 'local', 'a parameter without a name')
    writeCString(out, name)
    writeCString(out, value)
  }
  writeUint8(out, 0)
  const length = out.at - start
  if (length > STARTUP_BYTES_MAX) {
    out.at = start
    throw new ProtocolError(
      'too-large',
      'local',
      `a start-up packet of ${length} bytes, the cap is ${STARTUP_BYTES_MAX}`,
    )
  }
  putInt32(out.buf, start, length)
}

/** An SSLRequest packet. */
export function encodeSslRequest(): Buffer {
  return request(REQUEST_CODE.SSL, null)
}

/** A CancelRequest packet: what is sent on a connection of its own, and nothing after it. */
export function encodeCancelRequest(key: {
  readonly pid: number
  readonly secret: Uint8Array
}): Buffer {
  checkSecret(key.secret, 'local')
  return request(REQUEST_CODE.CANCEL, key)
}

function request(code: number, key: { pid: number; secret: Uint8Array } | null): Buffer {
  const out = new ByteWriter({ initialBytes: 16 })
  writeInt32(out, key === null ? 8 : 12 + key.secret.length)
  writeInt32(out, code)
  if (key !== null) {
    writeInt32(out, key.pid)
    writeBytes(out, key.secret)
  }
  return out.take()
}
