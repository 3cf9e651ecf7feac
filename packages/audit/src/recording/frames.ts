/**
 * A recording's content: frames, in the order in which things happened. Bytes of the client's protocol are
 * kept as they were sent, behind the masks; what they mean is for whoever knows the protocol.
 *
 *     | kind u8 | at f64, ms since 1970 | length u32 | payload |        big-endian
 */

import { AuditError } from '../errors.ts'

export const FRAME_KIND = {
  /** JSON of RecordingOpen. */
  open: 1,
  /** Bytes sent to the client. */
  output: 2,
  /** Bytes the client sent as data (COPY FROM STDIN), where they are recorded. */
  input: 3,
  /** The output up to here ends the answer to a statement: f64, sequence number of its record in the log. */
  answered: 4,
  /** What was sent to the client here and not kept: f64 rows, f64 bytes. */
  omitted: 5,
  /** JSON of RecordingEnd. */
  end: 6,
  /** JSON of ResultShape: how rows are to be read that come without a description. */
  shape: 7,
  /** Rows follow that have this shape: f64, its id. */
  result: 8,
} as const
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND]

export interface RecordingOpen {
  readonly session: string
  readonly protocol: 'postgres' | 'mysql'
  readonly connection: string
  readonly database: string
  readonly subject: string
}

export interface ResultShape {
  /** From 1, within the recording. */
  readonly id: number
  readonly columns: readonly {
    readonly name: string
    /** The engine's own number of its type. */
    readonly type: number
    readonly format: 'text' | 'binary'
    /** MySQL's own numbers, without which its values cannot be read: of the character set, flags, digits. */
    readonly collation?: number
    readonly flags?: number
    readonly decimals?: number
  }[]
}

export interface RecordingEnd {
  readonly reason: string
}

export type RecordingFrame =
  | { readonly kind: 'open'; readonly at: number; readonly open: RecordingOpen }
  | { readonly kind: 'output' | 'input'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'answered'; readonly at: number; readonly statement: number }
  | {
      readonly kind: 'omitted'
      readonly at: number
      readonly rows: number
      readonly bytes: number
    }
  | { readonly kind: 'end'; readonly at: number; readonly reason: string }
  | { readonly kind: 'shape'; readonly at: number; readonly shape: ResultShape }
  | { readonly kind: 'result'; readonly at: number; readonly shape: number }

export const FRAME_HEAD_BYTES = 13

/** The frames of a whole block. @throws AuditError corrupt */
export function* decodeFrames(block: Buffer): Generator<RecordingFrame> {
  for (let at = 0; at < block.length; ) {
    if (block.length - at < FRAME_HEAD_BYTES) throw broken()
    const length = block.readUInt32BE(at + 9)
    const end = at + FRAME_HEAD_BYTES + length
    if (end > block.length) throw broken()
    const kind = block.readUInt8(at)
    yield decodeFrame(kind, block.readDoubleBE(at + 1), block.subarray(at + FRAME_HEAD_BYTES, end))
    at = end
  }
}

function decodeFrame(kind: number, at: number, payload: Buffer): RecordingFrame {
  switch (kind) {
    case FRAME_KIND.open:
      // Safe: recordings.ts wrote a RecordingOpen.
      return { kind: 'open', at, open: JSON.parse(payload.toString('utf8')) as RecordingOpen }
    case FRAME_KIND.output:
      return { kind: 'output', at, bytes: payload }
    case FRAME_KIND.input:
      return { kind: 'input', at, bytes: payload }
    case FRAME_KIND.answered:
      return { kind: 'answered', at, statement: numberAt(payload, 0) }
    case FRAME_KIND.omitted:
      return { kind: 'omitted', at, rows: numberAt(payload, 0), bytes: numberAt(payload, 8) }
    case FRAME_KIND.end:
      // Safe: recordings.ts wrote a RecordingEnd.
      return { kind: 'end', at, ...(JSON.parse(payload.toString('utf8')) as RecordingEnd) }
    case FRAME_KIND.shape:
      // Safe: recordings.ts wrote a ResultShape.
      return { kind: 'shape', at, shape: JSON.parse(payload.toString('utf8')) as ResultShape }
    case FRAME_KIND.result:
      return { kind: 'result', at, shape: numberAt(payload, 0) }
    default:
      throw broken()
  }
}

function numberAt(payload: Buffer, at: number): number {
  if (payload.length < at + 8) throw broken()
  return payload.readDoubleBE(at)
}

function broken(): AuditError {
  return new AuditError('corrupt', 'a block of the recording does not hold frames')
}
