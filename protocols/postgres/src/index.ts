/** The public names of the PostgreSQL codec. */
export {
  type BackendMessage,
  decodeBackend,
  encodeBackend,
  type TransactionStatus,
  transactionStatus,
  writeBackend,
} from './backend.ts'
export {
  type AuthenticationMessage,
  type BackendKeyData,
  decodeAuthentication,
  decodeBackendKeyData,
  decodeNegotiateProtocolVersion,
  type NegotiateProtocolVersion,
} from './backend-auth.ts'
export {
  type CopyResponse,
  decodeCopyResponse,
  decodeDataRow,
  decodeParameterDescription,
  decodeRowDescription,
  type FieldDescription,
  type Format,
  writeDataRow,
  writeRowDescription,
} from './backend-results.ts'
export {
  asBuffer,
  ByteReader,
  ByteWriter,
  cStringEnd,
  decodeUtf8,
  int32At,
  putInt16,
  putInt32,
  uint16At,
} from './bytes.ts'
export { ClientLogin } from './client-login.ts'
export type { Acceptance, ClientLoginEvent } from './client-login-events.ts'
export {
  type BinaryCopyOptions,
  type CopyRowsOptions,
  CopyRowsRewriter,
  type CsvCopyOptions,
  copyEncodingIsSafe,
  type TextCopyOptions,
} from './copy-rows.ts'
export { rewriteDataRow } from './data-row.ts'
export {
  decodeErrorFields,
  type ErrorFields,
  rewriteErrorResponse,
  sqlstateOf,
  writeReport,
} from './error-fields.ts'
export {
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorSide,
  SQLSTATE,
} from './errors.ts'
export {
  BACKEND,
  type Direction,
  FRONTEND,
  FrameCursor,
  type FrameFound,
  type FrameTable,
  frameLength,
  frameTable,
  frameType,
  HEADER_BYTES,
  typeName,
} from './frames.ts'
export {
  type Bind,
  decodeFrontend,
  encodeFrontend,
  type FrontendDecodeOptions,
  type FrontendMessage,
  type FunctionCall,
  type Parse,
  parameterFormat,
  type Target,
  writeFrontend,
} from './frontend.ts'
export {
  type ByteRange,
  bindNames,
  closeTarget,
  describeTarget,
  executeTarget,
  parseHead,
  queryText,
} from './frontend-heads.ts'
export * as limits from './limits.ts'
export {
  type BearerFailure,
  decodeBearer,
  encodeBearerFailure,
  OAUTHBEARER,
} from './oauth-bearer.ts'
export {
  type Admission,
  ALONE,
  type Amount,
  type BeyondLimit,
  type ExecutionOutcome,
  type Gatekeeper,
  type NotYet,
  type Refusal,
  type ResultLimit,
  SETTLE,
  WAIT,
} from './relay/gatekeeper.ts'
export { formatOf, type Portal, type PreparedStatement } from './relay/named.ts'
export { Relay, type RelayOptions } from './relay/relay.ts'
export type { Question } from './relay/requests.ts'
export type { ProbeAnswer } from './relay/state.ts'
export {
  decodePasswordMessage,
  decodeSaslInitialResponse,
  decodeSaslResponse,
  type SaslInitialResponse,
  writePasswordMessage,
  writeSaslInitialResponse,
  writeSaslResponse,
} from './sasl-messages.ts'
export { saslprep } from './saslprep.ts'
export {
  type ChannelBinding,
  encodeScramVerifier,
  parseScramVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type ScramChallenge,
  ScramClient,
  ScramServer,
  type ScramVerifier,
  saltPassword,
  scramVerifierFor,
} from './scram.ts'
export {
  type CancelRequest,
  decodeOpening,
  encodeCancelRequest,
  encodeSslRequest,
  NEWEST_MINOR,
  type Opening,
  parseStartupOptions,
  REQUEST_CODE,
  type Replication,
  type Startup,
  type StartupOption,
  settingFor,
  writeStartupMessage,
} from './startup.ts'
export {
  md5Password,
  UPSTREAM_METHODS,
  UpstreamAuthentication,
  type UpstreamMethod,
} from './upstream-authentication.ts'
export {
  UpstreamLogin,
  type UpstreamLoginEvent,
  type UpstreamLoginOptions,
  type UpstreamSession,
} from './upstream-login.ts'
