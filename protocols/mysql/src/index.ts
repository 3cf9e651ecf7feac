/** Every public name of the package. */

export { ed25519Answer, ed25519PublicKey } from './auth/ed25519.ts'
export { decryptPassword, encryptPassword } from './auth/rsa.ts'
export { CACHING_SHA2, cachingSha2Answer, nativePasswordAnswer, PLUGIN } from './auth/scramble.ts'
export {
  areUnitColumns,
  BULK_FLAG,
  type BulkHead,
  BulkParameters,
  type BulkValue,
  decodeBulkHead,
  INDICATOR,
  writeBulkExecute,
} from './bulk.ts'
export { ByteReader, ByteWriter, writeLenenc } from './bytes.ts'
export {
  agreed,
  type Capabilities,
  CLIENT,
  has,
  MARIADB_CLIENT,
  type OfferOptions,
  offerTo,
  type RequestOptions,
  requestFor,
} from './capabilities.ts'
export { type ChangeUser, decodeChangeUser } from './change-user.ts'
export {
  type ClientCharset,
  clientCharset,
  isClientCharset,
  UTF8MB4_GENERAL_CI,
} from './charsets.ts'
export { ClientLogin, type ClientLoginOptions } from './client-login.ts'
export type { ClientLoginEvent, Greeting, RsaKey, Startup } from './client-login-events.ts'
export {
  COLUMN_FLAG,
  type ColumnCount,
  type ColumnDefinition,
  decodeColumn,
  decodeColumnCount,
  decodePrepareOk,
  encodeColumn,
  encodeColumnCount,
  encodePrepareOk,
  type PrepareOk,
  TYPE,
} from './columns.ts'
export { COM, commandName, SET_OPTION } from './commands.ts'
export {
  ER,
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorSide,
  type ServerError,
} from './errors.ts'
export {
  type AuthSwitch,
  type ClientHello,
  decodeAuthSwitch,
  decodeClientHello,
  decodeHandshake,
  encodeAuthMoreData,
  encodeAuthSwitch,
  encodeHandshake,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeResponse,
  type HandshakeV10,
  type ResponseHead,
} from './handshake.ts'
export * as limits from './limits.ts'
export { writeMaskedBinaryRow, writeMaskedTextRow } from './masked-row.ts'
export {
  closePacket,
  encodePacket,
  HEADER_BYTES,
  openPacket,
  PayloadCursor,
  type PayloadFound,
  packetLength,
  packetsOf,
  sequenceId,
} from './packets.ts'
export {
  decodeExecuteHead,
  EXECUTE_FLAG,
  type ExecuteHead,
  type ExecuteLayout,
  type LongData,
  type ParameterInit,
  Parameters,
  type ParameterType,
  writeExecute,
  writeParameters,
} from './parameters.ts'
export {
  type Admission,
  type Amount,
  type Answer,
  type BeyondLimit,
  type ExecutionOutcome,
  type Gatekeeper,
  type NotYet,
  type Refusal,
  type RelayRefusal,
  type ResultLimit,
  SETTLE,
  type SessionCommand,
  WAIT,
} from './relay/gatekeeper.ts'
export type { Cursor, PreparedStatement } from './relay/prepared-statement.ts'
export type { ProbeAnswer } from './relay/probe.ts'
export { refusalPayload } from './relay/refusal-text.ts'
export { Relay, type RelayOptions } from './relay/relay.ts'
export {
  decodeEof,
  decodeErr,
  decodeOk,
  type EofPacket,
  type ErrPacket,
  encodeEof,
  encodeErr,
  encodeOk,
  errorPayload,
  HEADER,
  type OkLayout,
  type OkPacket,
  plainOk,
  SESSION_TRACK,
  STATUS,
} from './responses.ts'
export {
  decodeBinaryRow,
  decodeTextRow,
  encodeBinaryRow,
  encodeTextRow,
} from './rows.ts'
export { type Flavour, parseServerVersion, type ServerVersion } from './server-version.ts'
export { decodeSessionState, encodeSessionState, type SessionChange } from './session-state.ts'
export {
  UPSTREAM_METHODS,
  type UpstreamMethod,
} from './upstream-authentication.ts'
export {
  UpstreamLogin,
  type UpstreamLoginEvent,
  type UpstreamLoginOptions,
  type UpstreamSession,
} from './upstream-login.ts'
export { type BinaryValue, decodeValue, isTemporalLength, WIDTH, widthOf } from './values.ts'
