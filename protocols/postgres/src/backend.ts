/**
 * Every message a server sends, as a union on `kind`; decoding by type byte and encoding to frames.
 * For logins, tests and the gateway's own replies: a relayed result is not decoded into these.
 * Views in a decoded message point into the input and live as long as it does.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import {
  type AuthenticationMessage,
  type BackendKeyData,
  decodeAuthentication,
  decodeBackendKeyData,
  decodeNegotiateProtocolVersion,
  type NegotiateProtocolVersion,
  writeAuthentication,
  writeBackendKeyData,
  writeNegotiateProtocolVersion,
} from './backend-auth.ts'
import {
  type CopyResponse,
  decodeCopyResponse,
  decodeDataRow,
  decodeParameterDescription,
  decodeRowDescription,
  type FieldDescription,
  writeCopyResponse,
  writeDataRow,
  writeParameterDescription,
  writeRowDescription,
} from './backend-results.ts'
import {
  ByteReader,
  ByteWriter,
  closeFrame,
  openFrame,
  writeBytes,
  writeCString,
  writeInt32,
  writeNullableBytes,
  writeUint8,
} from './bytes.ts'
import { decodeErrorFields, type ErrorFields, writeReport } from './error-fields.ts'
import { assertNever, ProtocolError } from './errors.ts'
import { BACKEND, typeName } from './frames.ts'
import { MESSAGE_BYTES_MAX } from './limits.ts'

export {
  decodeCopyResponse,
  decodeDataRow,
  decodeParameterDescription,
  decodeRowDescription,
  type FieldDescription,
  type Format,
} from './backend-results.ts'

/** ReadyForQuery's status: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** Messages that are a type byte and nothing else. */
const EMPTY = {
  BindComplete: BACKEND.BIND_COMPLETE,
  CloseComplete: BACKEND.CLOSE_COMPLETE,
  CopyDone: BACKEND.COPY_DONE,
  EmptyQueryResponse: BACKEND.EMPTY_QUERY_RESPONSE,
  NoData: BACKEND.NO_DATA,
  ParseComplete: BACKEND.PARSE_COMPLETE,
  PortalSuspended: BACKEND.PORTAL_SUSPENDED,
} as const

export type BackendMessage =
  | AuthenticationMessage
  | BackendKeyData
  | CopyResponse
  | NegotiateProtocolVersion
  | { readonly kind: keyof typeof EMPTY }
  | { readonly kind: 'CommandComplete'; readonly tag: string }
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'DataRow'; readonly values: readonly (Uint8Array | null)[] }
  | { readonly kind: 'ErrorResponse'; readonly fields: ErrorFields }
  | { readonly kind: 'FunctionCallResponse'; readonly value: Uint8Array | null }
  | { readonly kind: 'NoticeResponse'; readonly fields: ErrorFields }
  | {
      readonly kind: 'NotificationResponse'
      /** Process id of the notifying session, signed. */
      readonly pid: number
      readonly channel: string
      readonly payload: string
    }
  | { readonly kind: 'ParameterDescription'; readonly typeOids: readonly number[] }
  | { readonly kind: 'ParameterStatus'; readonly name: string; readonly value: string }
  | { readonly kind: 'ReadyForQuery'; readonly status: TransactionStatus }
  | { readonly kind: 'RowDescription'; readonly fields: readonly FieldDescription[] }

/** Decodes the message of type byte `type` whose body is `buf[bodyStart, bodyEnd)`. */
export function decodeBackend(
  type: number,
  buf: Uint8Array,
  bodyStart: number,
  bodyEnd: number,
): BackendMessage {
  switch (type) {
    case BACKEND.AUTHENTICATION:
      return decodeAuthentication(buf, bodyStart, bodyEnd)
    case BACKEND.BACKEND_KEY_DATA:
      return decodeBackendKeyData(buf, bodyStart, bodyEnd)
    case BACKEND.NEGOTIATE_PROTOCOL_VERSION:
      return decodeNegotiateProtocolVersion(buf, bodyStart, bodyEnd)
    case BACKEND.COPY_IN_RESPONSE:
      return decodeCopyResponse('CopyInResponse', buf, bodyStart, bodyEnd)
    case BACKEND.COPY_OUT_RESPONSE:
      return decodeCopyResponse('CopyOutResponse', buf, bodyStart, bodyEnd)
    case BACKEND.COPY_BOTH_RESPONSE:
      return decodeCopyResponse('CopyBothResponse', buf, bodyStart, bodyEnd)
    case BACKEND.ROW_DESCRIPTION:
      return { kind: 'RowDescription', fields: decodeRowDescription(buf, bodyStart, bodyEnd) }
    case BACKEND.DATA_ROW:
      return { kind: 'DataRow', values: decodeDataRow(buf, bodyStart, bodyEnd) }
    case BACKEND.PARAMETER_DESCRIPTION:
      return {
        kind: 'ParameterDescription',
        typeOids: decodeParameterDescription(buf, bodyStart, bodyEnd),
      }
    case BACKEND.ERROR_RESPONSE:
      return { kind: 'ErrorResponse', fields: decodeErrorFields(buf, bodyStart, bodyEnd) }
    case BACKEND.NOTICE_RESPONSE:
      return { kind: 'NoticeResponse', fields: decodeErrorFields(buf, bodyStart, bodyEnd) }
    default:
      return decodeSmall(type, new ByteReader(buf, bodyStart, bodyEnd))
  }
}

function decodeSmall(type: number, reader: ByteReader): BackendMessage {
  const message = smallOf(type, reader)
  reader.expectEnd()
  return message
}

function smallOf(type: number, reader: ByteReader): BackendMessage {
  switch (type) {
    case BACKEND.BIND_COMPLETE:
      return { kind: 'BindComplete' }
    case BACKEND.CLOSE_COMPLETE:
      return { kind: 'CloseComplete' }
    case BACKEND.COPY_DONE:
      return { kind: 'CopyDone' }
    case BACKEND.EMPTY_QUERY_RESPONSE:
      return { kind: 'EmptyQueryResponse' }
    case BACKEND.NO_DATA:
      return { kind: 'NoData' }
    case BACKEND.PARSE_COMPLETE:
      return { kind: 'ParseComplete' }
    case BACKEND.PORTAL_SUSPENDED:
      return { kind: 'PortalSuspended' }
    case BACKEND.COMMAND_COMPLETE:
      return { kind: 'CommandComplete', tag: reader.cString() }
    case BACKEND.COPY_DATA:
      return { kind: 'CopyData', data: reader.rest() }
    case BACKEND.FUNCTION_CALL_RESPONSE:
      return { kind: 'FunctionCallResponse', value: reader.nullableBytes() }
    case BACKEND.NOTIFICATION_RESPONSE:
      return {
        kind: 'NotificationResponse',
        pid: reader.int32(),
        channel: reader.cString(),
        payload: reader.cString(),
      }
    case BACKEND.PARAMETER_STATUS:
      return { kind: 'ParameterStatus', name: reader.cString(), value: reader.cString() }
    case BACKEND.READY_FOR_QUERY:
      return { kind: 'ReadyForQuery', status: transactionStatus(reader.uint8()) }
    default:
      throw new ProtocolError('unknown-message', 'remote', `server message \`${typeName(type)}\``)
  }
}

/** Throws 'bad-value' on anything but `I`, `T`, `E`. */
export function transactionStatus(byte: number): TransactionStatus {
  const status = String.fromCharCode(byte)
  if (status === 'I' || status === 'T' || status === 'E') return status
  throw new ProtocolError('bad-value', 'remote', `transaction status \`${typeName(byte)}\``)
}

/** Appends one message as a frame. */
export function writeBackend(out: ByteSink, message: BackendMessage): void {
  switch (message.kind) {
    case 'AuthenticationOk':
    case 'AuthenticationCleartextPassword':
    case 'AuthenticationMD5Password':
    case 'AuthenticationSASL':
    case 'AuthenticationSASLContinue':
    case 'AuthenticationSASLFinal':
    case 'AuthenticationUnsupported':
      return writeAuthentication(out, message)
    case 'BackendKeyData':
      return writeBackendKeyData(out, message)
    case 'NegotiateProtocolVersion':
      return writeNegotiateProtocolVersion(out, message)
    case 'CopyInResponse':
    case 'CopyOutResponse':
    case 'CopyBothResponse':
      return writeCopyResponse(out, message)
    case 'RowDescription':
      return writeRowDescription(out, message.fields)
    case 'DataRow':
      return writeDataRow(out, message.values)
    case 'ParameterDescription':
      return writeParameterDescription(out, message.typeOids)
    case 'ErrorResponse':
      return writeReport(out, 'error', message.fields)
    case 'NoticeResponse':
      return writeReport(out, 'notice', message.fields)
    default:
      return writeSmall(out, message)
  }
}

type SmallMessage = Extract<
  BackendMessage,
  {
    readonly kind:
      | keyof typeof EMPTY
      | 'CommandComplete'
      | 'CopyData'
      | 'FunctionCallResponse'
      | 'NotificationResponse'
      | 'ParameterStatus'
      | 'ReadyForQuery'
  }
>

function writeSmall(out: ByteSink, message: SmallMessage): void {
  switch (message.kind) {
    case 'CommandComplete': {
      const frame = openFrame(out, BACKEND.COMMAND_COMPLETE)
      writeCString(out, message.tag)
      return closeFrame(out, frame)
    }
    case 'CopyData': {
      const frame = openFrame(out, BACKEND.COPY_DATA)
      writeBytes(out, message.data)
      return closeFrame(out, frame)
    }
    case 'FunctionCallResponse': {
      const frame = openFrame(out, BACKEND.FUNCTION_CALL_RESPONSE)
      writeNullableBytes(out, message.value)
      return closeFrame(out, frame)
    }
    case 'NotificationResponse': {
      const frame = openFrame(out, BACKEND.NOTIFICATION_RESPONSE)
      writeInt32(out, message.pid)
      writeCString(out, message.channel)
      writeCString(out, message.payload)
      return closeFrame(out, frame)
    }
    case 'ParameterStatus': {
      const frame = openFrame(out, BACKEND.PARAMETER_STATUS)
      writeCString(out, message.name)
      writeCString(out, message.value)
      return closeFrame(out, frame)
    }
    case 'ReadyForQuery': {
      const frame = openFrame(out, BACKEND.READY_FOR_QUERY)
      writeUint8(out, message.status.charCodeAt(0))
      return closeFrame(out, frame)
    }
    case 'BindComplete':
    case 'CloseComplete':
    case 'CopyDone':
    case 'EmptyQueryResponse':
    case 'NoData':
    case 'ParseComplete':
    case 'PortalSuspended':
      return closeFrame(out, openFrame(out, EMPTY[message.kind]))
    default:
      return assertNever(message)
  }
}

/** The frames of these messages, one after the other, in memory of their own. */
export function encodeBackend(...messages: readonly BackendMessage[]): Buffer {
  const out = new ByteWriter({ bytesMax: MESSAGE_BYTES_MAX })
  for (const message of messages) writeBackend(out, message)
  return out.take()
}
