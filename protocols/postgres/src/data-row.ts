/**
 * The hot path: copies a DataRow frame into an output sink with some of its values replaced by masks.
 * Allocates nothing per row and decodes nothing: a value is a range of bytes, a mask writes another.
 * What a mask means, and which column gets one, is decided elsewhere, once per result.
 *
 *     | D | length | Int16 n | n times: Int32 length or -1, that many bytes |
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html (DataRow)
 */

import { type ByteSink, putInt32 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND, HEADER_BYTES } from './frames.ts'

export type { ByteSink } from './bytes.ts'

/**
 * Writes the masked form of the value `src[start, end)` to `out` at `out.at` (after `out.ensure`),
 * advances `out.at`, and returns the bytes written, or -1 for NULL (nothing written). The value is in
 * the column's text or binary representation, and the mask's output must be in the same. NULL values
 * are passed (as an empty range) only where `masksNull`. `src` is only to be read, and not to be kept.
 */
export interface CellMask {
  (src: Buffer, start: number, end: number, out: ByteSink): number
  /** What it writes is the same for every value and for NULL: that there is none must not show. */
  readonly masksNull?: boolean
}

/** Up to this many bytes, eight at a time beats the call into native code; measured on Node 24. */
const WORD_COPY_BYTES_MAX = 128

/** A buffer that had to grow for a larger row than this is not kept alive by the views below. */
const VIEWED_FRAME_BYTES_MAX = 65_536

const NOTHING: Buffer = Buffer.alloc(0)

// Views of the buffer last read and of the one last written: rows come from, and go to, the same two
// buffers many times over. Only speed depends on them; both are checked before each use.
let source = NOTHING
let sourceView = viewOf(NOTHING)
let target = NOTHING
let targetView = sourceView

function viewOf(buf: Buffer): DataView {
  return new DataView(buf.buffer, buf.byteOffset, buf.length)
}

/** Copies `src[start, end)` to `out`; `from` is a view of `src`. Not the same memory as `out.buf`. */
function copy(src: Buffer, from: DataView, start: number, end: number, out: ByteSink): void {
  const length = end - start
  out.ensure(length)
  const { buf, at } = out
  if (length <= WORD_COPY_BYTES_MAX) {
    if (target !== buf) {
      target = buf
      targetView = viewOf(buf)
    }
    const to = targetView
    const words = length & ~7
    let i = 0
    // The compiler keeps these 64 bits in a register: no BigInt is made.
    for (; i < words; i += 8) to.setBigInt64(at + i, from.getBigInt64(start + i))
    for (; i < length; i++) buf[at + i] = src[start + i]!
  } else {
    src.copy(buf, at, start, end)
  }
  out.at = at + length
}

function forgetViews(): void {
  source = NOTHING
  sourceView = viewOf(NOTHING)
  target = NOTHING
  targetView = sourceView
}

/**
 * Appends to `out` the DataRow frame `buf[frameStart, frameEnd)` with each non-null value of a column
 * that has a mask replaced by what the mask writes. Throws ProtocolError where the frame is not a
 * DataRow of exactly `masks.length` columns ('unexpected-message', 'bad-count', 'truncated',
 * 'bad-length', 'trailing-bytes') or a mask breaks its contract ('mask-contract', side local); whatever
 * is thrown, by a mask too, `out.at` is back where it was, so no part of a row ever leaves.
 */
export function rewriteDataRow(
  buf: Buffer,
  frameStart: number,
  frameEnd: number,
  masks: readonly (CellMask | null)[],
  out: ByteSink,
): void {
  const begin = out.at
  try {
    rewrite(buf, frameStart, frameEnd, masks, out)
  } catch (error) {
    out.at = begin
    throw error
  }
  if (frameEnd - frameStart > VIEWED_FRAME_BYTES_MAX) forgetViews()
}

function rewrite(
  buf: Buffer,
  frameStart: number,
  frameEnd: number,
  masks: readonly (CellMask | null)[],
  out: ByteSink,
): void {
  if (source !== buf) {
    source = buf
    sourceView = viewOf(buf)
  }
  const view = sourceView
  checkHead(view, frameStart, frameEnd, masks.length)
  const begin = out.at
  // Bytes [from, at) are copied as they are: frame head, unmasked values, NULLs, length words.
  let from = frameStart
  let at = frameStart + HEADER_BYTES + 2
  for (let column = 0; column < masks.length; column++) {
    if (frameEnd - at < 4) throw cut(column)
    let length = view.getInt32(at)
    at += 4
    if (length < 0) {
      if (length !== -1) throw badLength(column, length)
      if (masks[column]?.masksNull !== true) continue
      length = 0
    }
    const start = at
    at += length
    if (at > frameEnd) throw cut(column)
    const mask = masks[column]!
    if (mask === null) continue
    copy(buf, view, from, start, out)
    from = at
    const valueAt = out.at
    const written = mask(buf, start, at, out)
    if (written === -1 ? out.at !== valueAt : written < 0 || out.at !== valueAt + written) {
      throw brokenMask(column)
    }
    putInt32(out.buf, valueAt - 4, written)
  }
  if (at !== frameEnd) throw trailing(frameEnd - at)
  copy(buf, view, from, frameEnd, out)
  putInt32(out.buf, begin + 1, out.at - begin - 1)
}

function checkHead(view: DataView, frameStart: number, frameEnd: number, columns: number): void {
  const body = frameStart + HEADER_BYTES
  if (frameEnd - body < 2 || frameEnd > view.byteLength) {
    throw new ProtocolError('truncated', 'remote', 'DataRow without a column count')
  }
  if (view.getUint8(frameStart) !== BACKEND.DATA_ROW) {
    throw new ProtocolError('unexpected-message', 'local', 'the frame is not a DataRow')
  }
  if (view.getInt32(frameStart + 1) !== frameEnd - frameStart - 1) {
    throw new ProtocolError('bad-length', 'local', 'DataRow length does not match its frame')
  }
  const count = view.getUint16(body)
  if (count !== columns) {
    throw new ProtocolError(
      'bad-count',
      'remote',
      `DataRow of ${count} columns, ${columns} were described`,
    )
  }
}

function cut(column: number): ProtocolError {
  return new ProtocolError('truncated', 'remote', `DataRow ends inside column ${column}`)
}

function badLength(column: number, length: number): ProtocolError {
  return new ProtocolError('bad-length', 'remote', `DataRow column ${column} of length ${length}`)
}

function trailing(bytes: number): ProtocolError {
  return new ProtocolError('trailing-bytes', 'remote', `${bytes} bytes after the last column`)
}

function brokenMask(column: number): ProtocolError {
  return new ProtocolError(
    'mask-contract',
    'local',
    `the mask of column ${column} did not write the length it returned`,
  )
}
