/**
 * Bounded big-endian reading and growable writing. Reads past the end throw ProtocolError, never
 * return undefined; a writer never grows past its cap. Knows nothing of messages.
 *
 * Integers are network byte order; strings end in NUL (§54.6).
 * https://www.postgresql.org/docs/18/protocol-message-types.html
 */

import { isUtf8 } from 'node:buffer'
import type { ByteSink } from '@sallyport/protocol-wire'
import { ProtocolError } from './errors.ts'
import { SINK_BYTES_MAX } from './limits.ts'

/** The same memory as a Buffer; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Bytes [start, end), one character each; `known` where it is the same again: comparing costs less than making it. */
export function latin1At(buf: Buffer, start: number, end: number, known: string): string {
  const length = end - start
  if (known.length !== length) return buf.toString('latin1', start, end)
  for (let i = 0; i < length; i++) {
    if (known.charCodeAt(i) !== buf[start + i]) return buf.toString('latin1', start, end)
  }
  return known
}

/** Big-endian uint16 at `at`; the caller has checked the bounds. */
export function uint16At(buf: Uint8Array, at: number): number {
  // biome-ignore format: one line per integer
  return (buf[at]! << 8) | buf[at + 1]!
}

/** Big-endian int32 at `at`; the caller has checked the bounds. */
export function int32At(buf: Uint8Array, at: number): number {
  // biome-ignore format: one line per integer
  return (buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!
}

/** Writes a big-endian int32 at `at`; the caller has made room. */
export function putInt32(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 24
  buf[at + 1] = value >>> 16
  buf[at + 2] = value >>> 8
  buf[at + 3] = value
}

/** Writes a big-endian int16 at `at`; the caller has made room. */
export function putInt16(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 8
  buf[at + 1] = value
}

const ASCII_SCAN_BYTES = 64

/**
 * `buf[start, end)` as UTF-8 text; short ASCII (names, tags) takes a fast path.
 * A byte order mark is text like any other. Throws 'invalid-utf8'.
 */
export function decodeUtf8(buf: Buffer, start: number, end: number): string {
  if (start === end) return ''
  if (end - start <= ASCII_SCAN_BYTES) {
    let at = start
    while (at < end && buf[at]! < 0x80) at++
    if (at === end) return buf.toString('latin1', start, end)
  }
  if (!isUtf8(buf.subarray(start, end))) {
    throw new ProtocolError(
      'invalid-utf8',
      'remote',
      `a string of ${end - start} bytes is not utf-8`,
    )
  }
  return buf.toString('utf8', start, end)
}

/** Index of the NUL that ends the C string at `start`. Throws 'unterminated-string'. */
export function cStringEnd(buf: Buffer, start: number, end: number): number {
  // Names are a few bytes: a loop beats the call into native code for them.
  const near = Math.min(end, start + 16)
  for (let at = start; at < near; at++) if (buf[at] === 0) return at
  const nul = near < end ? buf.indexOf(0, near) : -1
  if (nul < 0 || nul >= end) {
    throw new ProtocolError(
      'unterminated-string',
      'remote',
      `no NUL in the last ${end - start} bytes of a body`,
    )
  }
  return nul
}

/** A cursor over `buf[start, end)`; every read checks the end first. */
export class ByteReader {
  readonly #buf: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) {
      throw new ProtocolError(
        'illegal-call',
        'local',
        `range ${start}..${end} of ${bytes.length} bytes`,
      )
    }
    this.#buf = asBuffer(bytes)
    this.#at = start
    this.#end = end
  }

  /** Index into the underlying bytes. */
  get at(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#end - this.#at
  }

  #take(length: number): number {
    if (length < 0 || length > this.#end - this.#at) {
      throw new ProtocolError(
        'truncated',
        'remote',
        `${length} bytes wanted, ${this.#end - this.#at} left in the body`,
      )
    }
    const at = this.#at
    this.#at += length
    return at
  }

  uint8(): number {
    return this.#buf[this.#take(1)]!
  }

  uint16(): number {
    return uint16At(this.#buf, this.#take(2))
  }

  int16(): number {
    return (uint16At(this.#buf, this.#take(2)) << 16) >> 16
  }

  int32(): number {
    return int32At(this.#buf, this.#take(4))
  }

  uint32(): number {
    return int32At(this.#buf, this.#take(4)) >>> 0
  }

  /** A view of the next `length` bytes, valid as long as the underlying memory is. */
  bytes(length: number): Buffer {
    const at = this.#take(length)
    return this.#buf.subarray(at, at + length)
  }

  /** A view of everything left. */
  rest(): Buffer {
    return this.bytes(this.#end - this.#at)
  }

  /** Int32 length then that many bytes; -1 is null. Throws 'bad-length' on -2 and below. */
  nullableBytes(): Buffer | null {
    const length = this.int32()
    if (length === -1) return null
    if (length < 0) throw new ProtocolError('bad-length', 'remote', `value length ${length}`)
    return this.bytes(length)
  }

  /** A view of a NUL-terminated string without its NUL. */
  cStringBytes(): Buffer {
    const start = this.#at
    const nul = cStringEnd(this.#buf, start, this.#end)
    this.#at = nul + 1
    return this.#buf.subarray(start, nul)
  }

  /** A NUL-terminated UTF-8 string. Throws 'unterminated-string' or 'invalid-utf8'. */
  cString(): string {
    const start = this.#at
    const nul = cStringEnd(this.#buf, start, this.#end)
    this.#at = nul + 1
    return decodeUtf8(this.#buf, start, nul)
  }

  /** Throws 'trailing-bytes' unless everything has been read. */
  expectEnd(): void {
    if (this.#at !== this.#end) {
      throw new ProtocolError(
        'trailing-bytes',
        'remote',
        `${this.#end - this.#at} bytes after the last field of a body`,
      )
    }
  }
}

/** A growable ByteSink with big-endian helpers. `bytesMax` is the size it may reach. */
export class ByteWriter implements ByteSink {
  buf: Buffer
  at = 0
  readonly #bytesMax: number

  constructor(options: { initialBytes?: number; bytesMax?: number } = {}) {
    this.#bytesMax = options.bytesMax ?? SINK_BYTES_MAX
    this.buf = Buffer.alloc(Math.min(options.initialBytes ?? 256, this.#bytesMax))
  }

  /** Throws 'too-large' (side local) where the sink would pass its cap. */
  ensure(extra: number): void {
    const wanted = this.at + extra
    if (wanted <= this.buf.length) return
    if (wanted > this.#bytesMax) {
      throw new ProtocolError(
        'too-large',
        'local',
        `an output of ${wanted} bytes, the cap is ${this.#bytesMax}`,
      )
    }
    const grown = Buffer.alloc(Math.min(this.#bytesMax, Math.max(wanted, this.buf.length * 2)))
    this.buf.copy(grown, 0, 0, this.at)
    this.buf = grown
  }

  /** A copy of what has been written, and starts over. */
  take(): Buffer {
    const taken = Buffer.from(this.buf.subarray(0, this.at))
    this.at = 0
    return taken
  }

  /** A view of what has been written, valid until the next write. */
  view(): Buffer {
    return this.buf.subarray(0, this.at)
  }
}

/** Appends one byte. */
export function writeUint8(out: ByteSink, value: number): void {
  out.ensure(1)
  out.buf[out.at++] = value
}

/** Appends a big-endian Int16 (or the same bits unsigned). Throws 'bad-value' (local) out of range. */
export function writeInt16(out: ByteSink, value: number): void {
  if (!Number.isInteger(value) || value < -0x8000 || value > 0xffff) throw unfit(value, 16)
  out.ensure(2)
  putInt16(out.buf, out.at, value)
  out.at += 2
}

/** Appends a big-endian Int32 (or the same bits unsigned). Throws 'bad-value' (local) out of range. */
export function writeInt32(out: ByteSink, value: number): void {
  if (!Number.isInteger(value) || value < -0x8000_0000 || value > 0xffff_ffff) {
    throw unfit(value, 32)
  }
  out.ensure(4)
  putInt32(out.buf, out.at, value)
  out.at += 4
}

function unfit(value: number, bits: number): ProtocolError {
  return new ProtocolError('bad-value', 'local', `${value} does not fit ${bits} bits`)
}

/** Appends bytes as they are. */
export function writeBytes(out: ByteSink, bytes: Uint8Array): void {
  out.ensure(bytes.length)
  out.buf.set(bytes, out.at)
  out.at += bytes.length
}

/** Appends `buf[start, end)`; the caller has checked the range. */
export function writeRange(out: ByteSink, buf: Buffer, start: number, end: number): void {
  out.ensure(end - start)
  buf.copy(out.buf, out.at, start, end)
  out.at += end - start
}

/** Appends text as UTF-8 and a NUL. Throws 'bad-value' (local) where the text holds a NUL. */
export function writeCString(out: ByteSink, text: string): void {
  if (text.includes('\0')) {
    throw new ProtocolError('bad-value', 'local', 'a string with a NUL inside')
  }
  const length = Buffer.byteLength(text, 'utf8')
  out.ensure(length + 1)
  out.buf.write(text, out.at, length, 'utf8')
  out.buf[out.at + length] = 0
  out.at += length + 1
}

/** Appends an Int32 length and the bytes, or -1 for null. */
export function writeNullableBytes(out: ByteSink, bytes: Uint8Array | null): void {
  writeInt32(out, bytes === null ? -1 : bytes.length)
  if (bytes !== null) writeBytes(out, bytes)
}

/** Appends a frame's type byte and room for its length; returns what `closeFrame` needs. */
export function openFrame(out: ByteSink, type: number): number {
  const start = out.at
  out.ensure(5)
  out.buf[out.at] = type
  out.at += 5
  return start
}

/** Fills in the length word of the frame opened at `start`. */
export function closeFrame(out: ByteSink, start: number): void {
  putInt32(out.buf, start + 1, out.at - start - 1)
}
