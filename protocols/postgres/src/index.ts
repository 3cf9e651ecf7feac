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
  type ByteSink,
  ByteWriter,
  cStringEnd,
  decodeUtf8,
  int32At,
  putInt16,
  putInt32,
  uint16At,
} from './bytes.ts'
export {
  type BinaryCopyOptions,
  type CopyRowsOptions,
  CopyRowsRewriter,
  type CsvCopyOptions,
  copyEncodingIsSafe,
  type TextCopyOptions,
} from './copy-rows.ts'
export { type CellMask, rewriteDataRow } from './data-row.ts'
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
export * as limits from './limits.ts'
