/**
 * The hot path: writes the payload of a row with some of its values replaced by masks. Allocates nothing per
 * row and decodes nothing: a value is a range of bytes, a mask writes another. What a mask means, and which
 * column gets one, is decided elsewhere, once per result.
 *
 * The layouts are drawn in `rows.ts` and `values.ts`.
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { type CellMask, copyRange, forgetViews, viewOfSource } from '@sallyport/protocol-wire'
import { LENENC, lenencBytesOf, uint16At, uint24At, uint32At } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { NULL_BITMAP_OFFSET, nullBitmapBytes } from './rows.ts'
import { isTemporalLength, WIDTH, widthOf } from './values.ts'

/** A buffer that had to grow for a larger row than this is not kept alive by what copies it. */
const VIEWED_ROW_BYTES_MAX = 65_536

/** Where the length-encoded integer that `readLength` read ends. */
let lengthEnd = 0

/** The length-encoded length at `at`, -1 for NULL; sets `lengthEnd`. */
function readLength(src: Buffer, at: number, end: number, column: number): number {
  if (at >= end) throw cut(column)
  const first = src[at]!
  lengthEnd = at + 1
  if (first < LENENC.NULL) return first
  if (first === LENENC.NULL) return -1
  const bytes = first === LENENC.UINT16 ? 2 : first === LENENC.UINT24 ? 3 : 8
  lengthEnd = at + 1 + bytes
  if (first > LENENC.UINT64 || lengthEnd > end) throw cut(column)
  if (bytes === 2) return uint16At(src, at + 1)
  if (bytes === 3) return uint24At(src, at + 1)
  if (uint32At(src, at + 5) !== 0) throw cut(column)
  return uint32At(src, at + 1)
}

/**
 * Appends the text row `src[start, end)` with each value of a column that has a mask replaced. Throws
 * ProtocolError where it is not a row of exactly `masks.length` columns, or a mask breaks its contract
 * ('mask-contract', side local); whatever is thrown, by a mask too, `out.at` is back where it was.
 */
export function writeMaskedTextRow(
  src: Buffer,
  start: number,
  end: number,
  masks: readonly (CellMask | null)[],
  out: ByteSink,
): void {
  const begin = out.at
  try {
    textRow(src, start, end, masks, out)
  } catch (error) {
    out.at = begin
    throw error
  }
  if (end - start > VIEWED_ROW_BYTES_MAX) forgetViews()
}

function textRow(
  src: Buffer,
  start: number,
  end: number,
  masks: readonly (CellMask | null)[],
  out: ByteSink,
): void {
  const view = viewOfSource(src)
  // Bytes [from, at) are copied as they are: unmasked values and NULLs.
  let from = start
  let at = start
  for (let column = 0; column < masks.length; column++) {
    const valueStart = at
    const length = readLength(src, at, end, column)
    const bodyStart = lengthEnd
    at = length < 0 ? bodyStart : bodyStart + length
    if (at > end) throw cut(column)
    const mask = masks[column]!
    if (mask === null || (length < 0 && mask.masksNull !== true)) continue
    copyRange(src, view, from, valueStart, out)
    from = at
    if (writeString(mask, src, bodyStart, at, out, column) < 0) {
      out.ensure(1)
      out.buf[out.at++] = LENENC.NULL
    }
  }
  if (at !== end) throw trailing(end - at)
  copyRange(src, view, from, end, out)
}

/**
 * Appends the binary row `src[start, end)` with each value of a column that has a mask replaced. `types`: one
 * of TYPE per column. Throws as `writeMaskedTextRow` does.
 */
export function writeMaskedBinaryRow(
  src: Buffer,
  start: number,
  end: number,
  plan: { readonly masks: readonly (CellMask | null)[]; readonly types: Uint8Array },
  out: ByteSink,
): void {
  const begin = out.at
  try {
    binaryRow(src, start, end, plan.masks, plan.types, out)
  } catch (error) {
    out.at = begin
    throw error
  }
  if (end - start > VIEWED_ROW_BYTES_MAX) forgetViews()
}

function binaryRow(
  src: Buffer,
  start: number,
  end: number,
  masks: readonly (CellMask | null)[],
  types: Uint8Array,
  out: ByteSink,
): void {
  const view = viewOfSource(src)
  const bitmap = start + 1
  let at = bitmap + nullBitmapBytes(masks.length)
  if (at > end) throw cut(0)
  if (src[start] !== 0) throw new ProtocolError('bad-value', 'remote', 'not a binary row')
  const madeBitmap = out.at + 1
  copyRange(src, view, start, at, out)
  let from = at
  for (let column = 0; column < masks.length; column++) {
    const bit = column + NULL_BITMAP_OFFSET
    const isNull = (src[bitmap + (bit >> 3)]! & (1 << (bit & 7))) !== 0
    const type = types[column]!
    const valueStart = at
    const bodyStart = isNull ? at : bodyOf(src, at, end, type, column)
    if (!isNull) at = bodyEnd
    const mask = masks[column]!
    if (mask === null || (isNull && mask.masksNull !== true)) continue
    copyRange(src, view, from, valueStart, out)
    from = at
    const written = writeCell(mask, src, bodyStart, at, out, type, column)
    if (written < 0 !== isNull) out.buf[madeBitmap + (bit >> 3)]! ^= 1 << (bit & 7)
  }
  if (at !== end) throw trailing(end - at)
  copyRange(src, view, from, end, out)
}

/** Where the value `bodyOf` found ends. */
let bodyEnd = 0

/** Where the bytes of the value at `at` start, behind its length if it has one; sets `bodyEnd`. */
function bodyOf(src: Buffer, at: number, end: number, type: number, column: number): number {
  const width = widthOf(type)
  let start = at
  let length = width
  if (width === WIDTH.LENENC) {
    length = readLength(src, at, end, column)
    start = lengthEnd
    if (length < 0) throw cut(column)
  } else if (width === WIDTH.TEMPORAL) {
    if (at >= end) throw cut(column)
    length = src[at]!
    start = at + 1
    if (!isTemporalLength(type, length)) throw cut(column)
  }
  bodyEnd = start + length
  if (bodyEnd > end) throw cut(column)
  return start
}

/** Appends what the mask writes with the length its type needs; -1 for NULL, which appends nothing. */
function writeCell(
  mask: CellMask,
  src: Buffer,
  start: number,
  end: number,
  out: ByteSink,
  type: number,
  column: number,
): number {
  const width = widthOf(type)
  if (width === WIDTH.LENENC) return writeString(mask, src, start, end, out, column)
  if (width !== WIDTH.TEMPORAL) {
    const written = writeBody(mask, src, start, end, out, column)
    if (written >= 0 && written !== width) throw brokenMask(column)
    return written
  }
  out.ensure(1)
  const lengthAt = out.at++
  const written = writeBody(mask, src, start, end, out, column)
  if (written < 0) out.at = lengthAt
  else if (isTemporalLength(type, written)) out.buf[lengthAt] = written
  else throw brokenMask(column)
  return written
}

/** Appends a length-encoded string; -1 for NULL, which appends nothing. */
function writeString(
  mask: CellMask,
  src: Buffer,
  start: number,
  end: number,
  out: ByteSink,
  column: number,
): number {
  out.ensure(1)
  const lengthAt = out.at++
  const written = writeBody(mask, src, start, end, out, column)
  if (written < 0) out.at = lengthAt
  else if (written < LENENC.NULL) out.buf[lengthAt] = written
  else widenLength(out, lengthAt, written)
  return written
}

/** Moves a string whose length does not fit the byte that was left for it. */
function widenLength(out: ByteSink, lengthAt: number, length: number): void {
  const extra = lenencBytesOf(length) - 1
  out.ensure(extra)
  const { buf } = out
  buf.copyWithin(lengthAt + 1 + extra, lengthAt + 1, lengthAt + 1 + length)
  buf[lengthAt] = extra === 2 ? LENENC.UINT16 : extra === 3 ? LENENC.UINT24 : LENENC.UINT64
  if (extra <= 3) buf.writeUIntLE(length, lengthAt + 1, extra)
  else buf.writeBigUInt64LE(BigInt(length), lengthAt + 1)
  out.at += extra
}

function writeBody(
  mask: CellMask,
  src: Buffer,
  start: number,
  end: number,
  out: ByteSink,
  column: number,
): number {
  const bodyAt = out.at
  const written = mask(src, start, end, out)
  if (written === -1 ? out.at !== bodyAt : written < 0 || out.at !== bodyAt + written) {
    throw brokenMask(column)
  }
  return written
}

function cut(column: number): ProtocolError {
  return new ProtocolError('truncated', 'remote', `a row ends inside column ${column}`)
}

function trailing(bytes: number): ProtocolError {
  return new ProtocolError('trailing-bytes', 'remote', `${bytes} bytes after the last column`)
}

function brokenMask(column: number): ProtocolError {
  const what = `the mask of column ${column} did not write what it said, or its type can hold`
  return new ProtocolError('mask-contract', 'local', what)
}
