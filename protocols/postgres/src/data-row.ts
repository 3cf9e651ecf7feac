/**
 * The hot path: copies a DataRow frame into an output sink with some of its values replaced by masks.
 * Allocates nothing per row and decodes nothing: a value is a range of bytes, a mask writes another.
 * What a mask means, and which column gets one, is decided elsewhere, once per result.
 *
 *     | D | length | Int16 n | n times: Int32 length or -1, that many bytes |
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html (DataRow)
 */

import {
  type ByteSink,
  type CellMask,
  copyRange,
  forgetViews,
  viewOfSource,
} from '@sallyport/protocol-wire'
import { putInt32 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND, HEADER_BYTES } from './frames.ts'

/** A buffer that had to grow for a larger row than this is not kept alive by what copies it. */
const VIEWED_FRAME_BYTES_MAX = 65_536

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
  const view = viewOfSource(buf)
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
    copyRange(buf, view, from, start, out)
    from = at
    const valueAt = out.at
    const written = mask(buf, start, at, out)
    if (written === -1 ? out.at !== valueAt : written < 0 || out.at !== valueAt + written) {
      throw brokenMask(column)
    }
    putInt32(out.buf, valueAt - 4, written)
  }
  if (at !== frameEnd) throw trailing(frameEnd - at)
  copyRange(buf, view, from, frameEnd, out)
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
