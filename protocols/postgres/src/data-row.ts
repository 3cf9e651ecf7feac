/**
 * The hot path: copies a DataRow frame into an output sink with some of its values replaced by masks.
 * Allocates nothing per row and decodes nothing: a value is a range of bytes, a mask writes another.
 * What a mask means, and which column gets one, is decided elsewhere, once per result.
 *
 *     | D | length | Int16 n | n times: Int32 length or -1, that many bytes |
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html (DataRow)
 */

import { type ByteSink, int32At, putInt32, uint16At } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND, HEADER_BYTES } from './frames.ts'

export type { ByteSink } from './bytes.ts'

/**
 * Writes the masked form of the value `src[start, end)` to `out` at `out.at` (after `out.ensure`),
 * advances `out.at`, and returns the bytes written, or -1 for NULL (nothing written). The value is in
 * the column's text or binary representation, and the mask's output must be in the same. NULL values
 * are never passed. `src` is only to be read, and not to be kept.
 */
export type CellMask = (src: Buffer, start: number, end: number, out: ByteSink) => number

/** Up to this many bytes a loop beats the call into native code; measured on Node 24. */
const LOOP_COPY_BYTES_MAX = 64

function copy(src: Buffer, start: number, end: number, out: ByteSink): void {
  const length = end - start
  out.ensure(length)
  const { buf, at } = out
  if (length <= LOOP_COPY_BYTES_MAX) {
    for (let i = 0; i < length; i++) buf[at + i] = src[start + i]!
  } else {
    src.copy(buf, at, start, end)
  }
  out.at = at + length
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
}

function rewrite(
  buf: Buffer,
  frameStart: number,
  frameEnd: number,
  masks: readonly (CellMask | null)[],
  out: ByteSink,
): void {
  checkHead(buf, frameStart, frameEnd, masks.length)
  const begin = out.at
  // Bytes [from, at) are copied as they are: frame head, unmasked values, NULLs.
  let from = frameStart
  let at = frameStart + HEADER_BYTES + 2
  for (let column = 0; column < masks.length; column++) {
    if (frameEnd - at < 4) throw cut(column)
    const length = int32At(buf, at)
    if (length < 0) {
      if (length !== -1) throw badLength(column, length)
      at += 4
      continue
    }
    const start = at + 4
    const end = start + length
    if (end > frameEnd) throw cut(column)
    const mask = masks[column]
    at = end
    if (mask === null) continue
    copy(buf, from, start, out)
    from = end
    const valueAt = out.at
    const written = mask!(buf, start, end, out)
    if (written === -1 ? out.at !== valueAt : written < 0 || out.at !== valueAt + written) {
      throw brokenMask(column)
    }
    putInt32(out.buf, valueAt - 4, written)
  }
  if (at !== frameEnd) throw trailing(frameEnd - at)
  copy(buf, from, frameEnd, out)
  putInt32(out.buf, begin + 1, out.at - begin - 1)
}

function checkHead(buf: Buffer, frameStart: number, frameEnd: number, columns: number): void {
  const body = frameStart + HEADER_BYTES
  if (frameEnd - body < 2 || frameEnd > buf.length) {
    throw new ProtocolError('truncated', 'remote', 'DataRow without a column count')
  }
  if (buf[frameStart] !== BACKEND.DATA_ROW) {
    throw new ProtocolError('unexpected-message', 'local', 'the frame is not a DataRow')
  }
  if (int32At(buf, frameStart + 1) !== frameEnd - frameStart - 1) {
    throw new ProtocolError('bad-length', 'local', 'DataRow length does not match its frame')
  }
  const count = uint16At(buf, body)
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
