/**
 * `partial` and `email` over UTF-8 bytes. Characters are code points: a byte that is not a continuation byte
 * starts one. Bytes in, bytes out, no allocation.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { writeBytes } from './sink.ts'
import type { MaskSpec } from './spec.ts'

const isStart = (byte: number): boolean => (byte & 0xc0) !== 0x80

/** Code points in src[start, end); stray continuation bytes at the front count as one. */
function countChars(src: Buffer, start: number, end: number): number {
  let count = start < end && !isStart(src[start] as number) ? 1 : 0
  for (let i = start; i < end; i++) if (isStart(src[i] as number)) count++
  return count
}

/** As many characters as bytes, as most values have? */
function isAscii(src: Buffer, start: number, end: number): boolean {
  let at = start
  while (at < end && (src[at] as number) < 0x80) at++
  return at === end
}

/** Offset just after `count` code points from `start`. */
function skipChars(src: Buffer, start: number, end: number, count: number): number {
  let at = start
  for (let left = count; left > 0 && at < end; left--) {
    at++
    while (at < end && !isStart(src[at] as number)) at++
  }
  return at
}

/** Offset of the last `count` code points. */
function skipBack(src: Buffer, start: number, end: number, count: number): number {
  let at = end
  for (let left = count; left > 0 && at > start; left--) {
    at--
    while (at > start && !isStart(src[at] as number)) at--
  }
  return at
}

/** Characters a mask writes when it hides the length. */
const FIXED_CHARS = 3

/**
 * Keeps the first and last characters, if together they are at most half of the value; otherwise hides it all.
 * An empty value becomes one mask character.
 */
export function partialMask(spec: Extract<MaskSpec, { kind: 'partial' }>): CellMask {
  const char = Buffer.from(spec.char, 'utf8')
  const { keepFirst, keepLast, sameLength } = spec
  return (src, start, end, out) => {
    const ascii = isAscii(src, start, end)
    const chars = ascii ? end - start : countChars(src, start, end)
    let headEnd = start
    let tailStart = end
    const isShown = (keepFirst + keepLast) * 2 <= chars
    if (isShown) {
      headEnd = ascii ? start + keepFirst : skipChars(src, start, end, keepFirst)
      tailStart = ascii ? end - keepLast : skipBack(src, start, end, keepLast)
    }
    const hidden = isShown ? chars - keepFirst - keepLast : chars
    const stars = sameLength ? Math.max(hidden, 1) : FIXED_CHARS
    const length = headEnd - start + stars * char.length + (end - tailStart)
    out.ensure(length)
    let at = copy(src, start, headEnd, out.buf, out.at)
    at = fill(char, stars, out.buf, at)
    copy(src, tailStart, end, out.buf, at)
    out.at += length
    return length
  }
}

function copy(src: Buffer, start: number, end: number, to: Buffer, at: number): number {
  for (let i = start; i < end; i++) to[at++] = src[i] as number
  return at
}

function fill(char: Buffer, count: number, to: Buffer, at: number): number {
  if (char.length === 1) {
    const byte = char[0] as number
    for (let i = 0; i < count; i++) to[at++] = byte
    return at
  }
  for (let i = 0; i < count; i++) for (let j = 0; j < char.length; j++) to[at++] = char[j] as number
  return at
}

const AT = 0x40
const DOT = 0x2e
const STARS = Buffer.from('***@***')
/** Longest top-level domain shown. */
const TLD_BYTES_MAX = 24

/** `jane.doe@example.com` → `j***@***.com`; what is not an address becomes the constant. */
export function emailMask(redacted: Buffer): CellMask {
  return (src, start, end, out) => {
    const at = lastOf(src, AT, start, end)
    if (at < start || at === end - 1) return writeBytes(redacted, out)
    const tld = tldStart(src, at, end)
    // One character in front would be the whole local part.
    const headEnd = skipChars(src, start, at, 1)
    const head = headEnd < at ? headEnd - start : 0
    const length = head + STARS.length + (end - tld)
    out.ensure(length)
    let to = copy(src, start, start + head, out.buf, out.at)
    to = copy(STARS, 0, STARS.length, out.buf, to)
    copy(src, tld, end, out.buf, to)
    out.at += length
    return length
  }
}

/** Where `byte` stands last in src[start, end), which is short; below `start`: nowhere. */
function lastOf(src: Buffer, byte: number, start: number, end: number): number {
  let at = end - 1
  while (at >= start && src[at] !== byte) at--
  return at
}

/** Offset of `.com`, or `end` when the domain ends in anything but a dot and letters. */
function tldStart(src: Buffer, at: number, end: number): number {
  const dot = lastOf(src, DOT, Math.max(at, end - TLD_BYTES_MAX), end)
  if (dot <= at + 1 || end - dot > TLD_BYTES_MAX || end - dot < 3) return end
  for (let i = dot + 1; i < end; i++) {
    const letter = (src[i] as number) | 0x20
    if (letter < 0x61 || letter > 0x7a) return end
  }
  return dot
}
