/**
 * Every message a client sends after start-up, as a union on `kind`; decoding by type byte, encoding to
 * frames. Bodies are strict: a count that contradicts another, an unknown format code or a byte too
 * many is a ProtocolError, though the server would answer some of them with an ordinary error.
 * Parameter values and statement bytes are views and live as long as the input does.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { type Format, readFormat } from './backend-results.ts'
import {
  ByteReader,
  ByteWriter,
  closeFrame,
  openFrame,
  writeBytes,
  writeCString,
  writeInt16,
  writeInt32,
  writeNullableBytes,
  writeUint8,
} from './bytes.ts'
import { assertNever, ProtocolError } from './errors.ts'
import { FRONTEND, typeName } from './frames.ts'
import { MESSAGE_BYTES_MAX, NAME_BYTES_MAX, STATEMENT_BYTES_MAX } from './limits.ts'

export interface Parse {
  readonly kind: 'Parse'
  /** Empty for the unnamed statement. */
  readonly statement: string
  readonly text: string
  /** Type OIDs of the first parameters; 0 leaves one to the server. */
  readonly parameterTypes: readonly number[]
}

export interface Bind {
  readonly kind: 'Bind'
  readonly portal: string
  readonly statement: string
  /** None (all text), one for all, or one per value. */
  readonly parameterFormats: readonly Format[]
  readonly values: readonly (Uint8Array | null)[]
  /** None (all text), one for all, or one per column. */
  readonly resultFormats: readonly Format[]
}

export interface FunctionCall {
  readonly kind: 'FunctionCall'
  readonly functionOid: number
  readonly argumentFormats: readonly Format[]
  readonly arguments: readonly (Uint8Array | null)[]
  readonly resultFormat: Format
}

/** What Describe and Close point at. */
export interface Target {
  readonly target: 'statement' | 'portal'
  readonly name: string
}

const EMPTY = {
  CopyDone: FRONTEND.COPY_DONE,
  Flush: FRONTEND.FLUSH,
  Sync: FRONTEND.SYNC,
  Terminate: FRONTEND.TERMINATE,
} as const

export type FrontendMessage =
  | Parse
  | Bind
  | FunctionCall
  | { readonly kind: keyof typeof EMPTY }
  | ({ readonly kind: 'Close' } & Target)
  | ({ readonly kind: 'Describe' } & Target)
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'CopyFail'; readonly message: string }
  /** `maxRows` 0 (on the wire, 0 or below) is no limit. */
  | { readonly kind: 'Execute'; readonly portal: string; readonly maxRows: number }
  | { readonly kind: 'Query'; readonly text: string }
  /** `p`: the login's state says which of four messages the body is; see `sasl-messages.ts`. */
  | { readonly kind: 'AuthenticationReply'; readonly body: Uint8Array }

export interface FrontendDecodeOptions {
  /** Bytes a statement's text may have; STATEMENT_BYTES_MAX unless said. */
  readonly statementBytesMax?: number
}

/** Decodes the message of type byte `type` whose body is `buf[bodyStart, bodyEnd)`. */
export function decodeFrontend(
  type: number,
  buf: Uint8Array,
  bodyStart: number,
  bodyEnd: number,
  options: FrontendDecodeOptions = {},
): FrontendMessage {
  const reader = new ByteReader(buf, bodyStart, bodyEnd)
  const message = messageOf(type, reader, options.statementBytesMax ?? STATEMENT_BYTES_MAX)
  reader.expectEnd()
  return message
}

function messageOf(type: number, reader: ByteReader, statementBytesMax: number): FrontendMessage {
  switch (type) {
    case FRONTEND.QUERY:
      return { kind: 'Query', text: statementText(reader, statementBytesMax) }
    case FRONTEND.PARSE:
      return {
        kind: 'Parse',
        statement: objectName(reader),
        text: statementText(reader, statementBytesMax),
        parameterTypes: Array.from({ length: reader.uint16() }, () => reader.uint32()),
      }
    case FRONTEND.BIND:
      return readBind(reader)
    case FRONTEND.EXECUTE:
      return { kind: 'Execute', portal: objectName(reader), maxRows: Math.max(0, reader.int32()) }
    case FRONTEND.DESCRIBE:
      return { kind: 'Describe', ...readTarget(reader) }
    case FRONTEND.CLOSE:
      return { kind: 'Close', ...readTarget(reader) }
    case FRONTEND.FUNCTION_CALL:
      return readFunctionCall(reader)
    case FRONTEND.COPY_DATA:
      return { kind: 'CopyData', data: reader.rest() }
    case FRONTEND.COPY_FAIL:
      return { kind: 'CopyFail', message: reader.cString() }
    case FRONTEND.PASSWORD:
      return { kind: 'AuthenticationReply', body: reader.rest() }
    case FRONTEND.COPY_DONE:
      return { kind: 'CopyDone' }
    case FRONTEND.FLUSH:
      return { kind: 'Flush' }
    case FRONTEND.SYNC:
      return { kind: 'Sync' }
    case FRONTEND.TERMINATE:
      return { kind: 'Terminate' }
    default:
      throw new ProtocolError('unknown-message', 'remote', `client message \`${typeName(type)}\``)
  }
}

/** Text of a statement as UTF-8. Throws 'too-large' over the cap, 'invalid-utf8'. */
function statementText(reader: ByteReader, bytesMax: number): string {
  const start = reader.at
  const text = reader.cString()
  const bytes = reader.at - start - 1
  if (bytes > bytesMax) {
    throw new ProtocolError(
      'too-large',
      'remote',
      `a statement of ${bytes} bytes, the cap is ${bytesMax}`,
    )
  }
  return text
}

/** Name of a statement or portal. Throws 'too-large' over NAME_BYTES_MAX. */
export function objectName(reader: ByteReader): string {
  const start = reader.at
  const name = reader.cString()
  if (reader.at - start - 1 > NAME_BYTES_MAX) {
    throw new ProtocolError('too-large', 'remote', `a name over ${NAME_BYTES_MAX} bytes`)
  }
  return name
}

function readTarget(reader: ByteReader): Target {
  const byte = reader.uint8()
  if (byte !== 0x53 && byte !== 0x50) {
    throw new ProtocolError('bad-value', 'remote', `target \`${typeName(byte)}\``)
  }
  return { target: byte === 0x53 ? 'statement' : 'portal', name: objectName(reader) }
}

function readFormats(reader: ByteReader): Format[] {
  return Array.from({ length: reader.uint16() }, () => readFormat(reader))
}

/** Formats then values, as Bind and FunctionCall have them. Throws 'bad-count' where they disagree. */
function readValues(reader: ByteReader): { formats: Format[]; values: (Buffer | null)[] } {
  const formats = readFormats(reader)
  const count = reader.uint16()
  if (formats.length > 1 && formats.length !== count) {
    throw new ProtocolError('bad-count', 'remote', `${formats.length} formats, ${count} values`)
  }
  return { formats, values: Array.from({ length: count }, () => reader.nullableBytes()) }
}

function readBind(reader: ByteReader): Bind {
  const portal = objectName(reader)
  const statement = objectName(reader)
  const { formats, values } = readValues(reader)
  return {
    kind: 'Bind',
    portal,
    statement,
    parameterFormats: formats,
    values,
    resultFormats: readFormats(reader),
  }
}

function readFunctionCall(reader: ByteReader): FunctionCall {
  const functionOid = reader.uint32()
  const { formats, values } = readValues(reader)
  return {
    kind: 'FunctionCall',
    functionOid,
    argumentFormats: formats,
    arguments: values,
    resultFormat: readFormat(reader),
  }
}

/** The format of parameter `index` of a Bind, 0 text or 1 binary. */
export function parameterFormat(bind: Pick<Bind, 'parameterFormats'>, index: number): Format {
  const { parameterFormats } = bind
  return parameterFormats.length === 1 ? parameterFormats[0]! : (parameterFormats[index] ?? 0)
}

const TYPE = {
  Query: FRONTEND.QUERY,
  Parse: FRONTEND.PARSE,
  Bind: FRONTEND.BIND,
  Execute: FRONTEND.EXECUTE,
  Describe: FRONTEND.DESCRIBE,
  Close: FRONTEND.CLOSE,
  FunctionCall: FRONTEND.FUNCTION_CALL,
  CopyData: FRONTEND.COPY_DATA,
  CopyFail: FRONTEND.COPY_FAIL,
  AuthenticationReply: FRONTEND.PASSWORD,
  ...EMPTY,
} as const satisfies Record<FrontendMessage['kind'], number>

/** Appends one message as a frame. */
export function writeFrontend(out: ByteSink, message: FrontendMessage): void {
  const frame = openFrame(out, TYPE[message.kind])
  writeBody(out, message)
  closeFrame(out, frame)
}

function writeBody(out: ByteSink, message: FrontendMessage): void {
  switch (message.kind) {
    case 'Query':
      return writeCString(out, message.text)
    case 'Parse':
      writeCString(out, message.statement)
      writeCString(out, message.text)
      writeInt16(out, message.parameterTypes.length)
      for (const oid of message.parameterTypes) writeInt32(out, oid)
      return
    case 'Bind':
      writeCString(out, message.portal)
      writeCString(out, message.statement)
      writeValues(out, message.parameterFormats, message.values)
      return writeFormats(out, message.resultFormats)
    case 'Execute':
      writeCString(out, message.portal)
      return writeInt32(out, message.maxRows)
    case 'Describe':
    case 'Close':
      writeUint8(out, message.target === 'statement' ? 0x53 : 0x50)
      return writeCString(out, message.name)
    case 'FunctionCall':
      writeInt32(out, message.functionOid)
      writeValues(out, message.argumentFormats, message.arguments)
      return writeInt16(out, message.resultFormat)
    case 'CopyData':
      return writeBytes(out, message.data)
    case 'CopyFail':
      return writeCString(out, message.message)
    case 'AuthenticationReply':
      return writeBytes(out, message.body)
    case 'CopyDone':
    case 'Flush':
    case 'Sync':
    case 'Terminate':
      return
    default:
      return assertNever(message)
  }
}

function writeFormats(out: ByteSink, formats: readonly Format[]): void {
  writeInt16(out, formats.length)
  for (const format of formats) writeInt16(out, format)
}

function writeValues(
  out: ByteSink,
  formats: readonly Format[],
  values: readonly (Uint8Array | null)[],
): void {
  if (formats.length > 1 && formats.length !== values.length) {
    throw new ProtocolError(
      'bad-count',
      'local',
      `${formats.length} formats, ${values.length} values`,
    )
  }
  writeFormats(out, formats)
  writeInt16(out, values.length)
  for (const value of values) writeNullableBytes(out, value)
}

/** The frames of these messages, one after the other, in memory of their own. */
export function encodeFrontend(...messages: readonly FrontendMessage[]): Buffer {
  const out = new ByteWriter({ bytesMax: MESSAGE_BYTES_MAX })
  for (const message of messages) writeFrontend(out, message)
  return out.take()
}
