/** The public names of the PostgreSQL codec. */
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
