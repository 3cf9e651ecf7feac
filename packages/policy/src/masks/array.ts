/**
 * Arrays, element by element, in both formats. NULL elements stay NULL. What does not parse becomes `{}`.
 *
 * Binary: int32 dimensions | int32 has-null | uint32 element OID | (int32 size, int32 lower bound)… |
 *         (int32 length or -1, bytes)…          Source: array_send, utils/adt/arrayfuncs.c.
 * Text:   [lower:upper]…= prefix where bounds are not 1, then nested braces; elements quoted as array_out does.
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { ARRAY_DIMENSIONS_MAX } from '../limits.ts'
import { Scratch, writeBytes, writeText } from './sink.ts'

export function binaryArrayMask(element: CellMask, elementId: number, empty: Buffer): CellMask {
  return (src, start, end, out) => {
    const before = out.at
    if (maskBinary(element, elementId, src, { start, end }, out)) return out.at - before
    out.at = before
    return writeBytes(empty, out)
  }
}

function maskBinary(
  element: CellMask,
  elementId: number,
  src: Buffer,
  range: { readonly start: number; readonly end: number },
  out: ByteSink,
): boolean {
  const { start, end } = range
  if (end - start < 12) return false
  const dimensions = src.readInt32BE(start)
  if (
    dimensions < 0 ||
    dimensions > ARRAY_DIMENSIONS_MAX ||
    src.readUInt32BE(start + 8) !== elementId
  )
    return false
  let at = start + 12 + dimensions * 8
  if (at > end) return false
  let count = dimensions === 0 ? 0 : 1
  for (let i = 0; i < dimensions; i++) count *= src.readInt32BE(start + 12 + i * 8)
  if (count < 0 || count > (end - at) / 4) return false
  const header = out.at
  out.ensure(at - start)
  src.copy(out.buf, header, start, at)
  out.at += at - start
  let hasNull = false
  for (let i = 0; i < count; i++) {
    if (at + 4 > end) return false
    const length = src.readInt32BE(at)
    at += 4
    if (length < -1 || at + Math.max(length, 0) > end) return false
    const slot = out.at
    out.ensure(4)
    out.at += 4
    const written = length < 0 ? -1 : element(src, at, at + length, out)
    if (written < 0) hasNull = true
    out.buf.writeInt32BE(written, slot)
    at += Math.max(length, 0)
  }
  out.buf.writeInt32BE(hasNull ? 1 : 0, header + 4)
  return at === end
}

const BOUNDS = /^(\[-?\d{1,10}:-?\d{1,10}\]){1,6}=$/

export function textArrayMask(element: CellMask, delimiter: string, empty: Buffer): CellMask {
  const walk = new TextArray(element, delimiter.charCodeAt(0))
  return (src, start, end, out) => {
    const before = out.at
    if (walk.run(src, start, end, out)) return out.at - before
    out.at = before
    return writeBytes(empty, out)
  }
}

const OPEN = 0x7b
const CLOSE = 0x7d
const QUOTE = 0x22
const BACKSLASH = 0x5c

class TextArray {
  readonly #element: CellMask
  readonly #delimiter: number
  readonly #plain = new Scratch()
  readonly #masked = new Scratch()

  constructor(element: CellMask, delimiter: number) {
    this.#element = element
    this.#delimiter = delimiter
  }

  /** False: not an array literal; what was written is to be discarded. */
  run(src: Buffer, start: number, end: number, out: ByteSink): boolean {
    const open = src.indexOf(OPEN, start)
    if (open < 0 || open >= end || open - start > 128) return false
    if (open > start) {
      const bounds = src.toString('latin1', start, open)
      if (!BOUNDS.test(bounds)) return false
      writeText(bounds, out)
    }
    let depth = 0
    let at = open
    // True where an element or an opening brace may come.
    let expects = true
    while (at < end) {
      const byte = src[at] as number
      if (byte === OPEN) {
        if (!expects || ++depth > ARRAY_DIMENSIONS_MAX) return false
        putByte(byte, out)
        at++
      } else if (byte === CLOSE) {
        const isEmpty = depth === 1 && src[at - 1] === OPEN
        if (--depth < 0 || (expects && !isEmpty)) return false
        putByte(byte, out)
        at++
        expects = false
        if (depth === 0) return at === end
      } else if (byte === this.#delimiter) {
        if (expects) return false
        putByte(byte, out)
        at++
        expects = true
      } else {
        if (!expects || depth === 0) return false
        at = this.#item(src, at, end, out)
        if (at < 0) return false
        expects = false
      }
    }
    return false
  }

  /** Masks the element at `at`; the offset behind it, or -1. */
  #item(src: Buffer, at: number, end: number, out: ByteSink): number {
    this.#plain.at = 0
    const isQuoted = src[at] === QUOTE
    const next = isQuoted ? this.#quoted(src, at + 1, end) : this.#bare(src, at, end)
    if (next < 0) return -1
    const content = this.#plain.buf
    const length = this.#plain.at
    const isNull =
      !isQuoted && length === 4 && content.toString('latin1', 0, 4).toUpperCase() === 'NULL'
    this.#masked.at = 0
    const written = isNull ? -1 : this.#element(content, 0, length, this.#masked)
    if (written < 0) writeText('NULL', out)
    else putQuoted(this.#masked.buf, written, out)
    return next
  }

  #quoted(src: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = src[at] as number
      if (byte === QUOTE) return at + 1
      if (byte === BACKSLASH && ++at >= end) return -1
      putByte(src[at] as number, this.#plain)
    }
    return -1
  }

  #bare(src: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = src[at] as number
      if (byte === this.#delimiter || byte === CLOSE) return at
      if (byte === OPEN || byte === QUOTE) return -1
      if (byte === BACKSLASH && ++at >= end) return -1
      putByte(src[at] as number, this.#plain)
    }
    return -1
  }
}

function putByte(byte: number, out: ByteSink): void {
  out.ensure(1)
  out.buf[out.at++] = byte
}

/** Quotes always: valid for every element type. */
function putQuoted(bytes: Buffer, length: number, out: ByteSink): void {
  out.ensure(length * 2 + 2)
  const { buf } = out
  let { at } = out
  buf[at++] = QUOTE
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number
    if (byte === QUOTE || byte === BACKSLASH) buf[at++] = BACKSLASH
    buf[at++] = byte
  }
  buf[at++] = QUOTE
  out.at = at
}
