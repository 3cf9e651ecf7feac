/**
 * Bounded little-endian reading and growable writing. Reads past the end throw ProtocolError, never
 * return undefined; a writer never grows past its cap. Knows nothing of packets.
 *
 *     lenenc integer   0x00…0xfa  that value         0xfb  NULL (only where a value may be NULL)
 *                      0xfc uint16   0xfd uint24   0xfe uint64   0xff  never
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html
 */

import { isUtf8 } from 'node:buffer'
import type { ByteSink } from '@sallyport/protocol-wire'
import { ProtocolError } from './errors.ts'
import { SINK_BYTES_MAX } from './limits.ts'

/** First bytes of a length-encoded integer that are not its value. */
export const LENENC = { NULL: 0xfb, UINT16: 0xfc, UINT24: 0xfd, UINT64: 0xfe } as const

/** The same memory as a Buffer; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Little-endian uint24 at `at`; the caller has checked the bounds. */
export function uint24At(buf: Uint8Array, at: number): number {
  return buf[at]! | (buf[at + 1]! << 8) | (buf[at + 2]! << 16)
}

/** Little-endian uint16 at `at`; the caller has checked the bounds. */
export function uint16At(buf: Uint8Array, at: number): number {
  return buf[at]! | (buf[at + 1]! << 8)
}

/** Little-endian uint32 at `at`; the caller has checked the bounds. */
export function uint32At(buf: Uint8Array, at: number): number {
  return (uint24At(buf, at) | (buf[at + 3]! << 24)) >>> 0
}

/** Writes a little-endian uint24 at `at`; the caller has made room. */
export function putUint24(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value
  buf[at + 1] = value >>> 8
  buf[at + 2] = value >>> 16
}

/** `buf[start, end)` as UTF-8 text. Throws 'invalid-utf8'. */
export function decodeUtf8(buf: Buffer, start: number, end: number): string {
  if (!isUtf8(buf.subarray(start, end))) {
    const what = `a string of ${end - start} bytes is not utf-8`
    throw new ProtocolError('invalid-utf8', 'remote', what)
  }
  return buf.toString('utf8', start, end)
}

/** A cursor over `buf[start, end)`; every read checks the end first. */
export class ByteReader {
  readonly #buf: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) {
      const what = `range ${start}..${end} of ${bytes.length} bytes`
      throw new ProtocolError('illegal-call', 'local', what)
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
      const what = `${length} bytes wanted, ${this.#end - this.#at} left in the payload`
      throw new ProtocolError('truncated', 'remote', what)
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

  uint24(): number {
    return uint24At(this.#buf, this.#take(3))
  }

  uint32(): number {
    return uint32At(this.#buf, this.#take(4))
  }

  uint64(): bigint {
    return this.#buf.readBigUInt64LE(this.#take(8))
  }

  /** The next byte without taking it; -1 at the end. */
  peek(): number {
    return this.#at < this.#end ? this.#buf[this.#at]! : -1
  }

  skip(length: number): void {
    this.#take(length)
  }

  /**
   * A length-encoded integer that is a length or a count: below 2^53. Throws 'bad-value' on NULL, on 0xff
   * and above, 'truncated' inside it.
   */
  lenenc(): number {
    const first = this.uint8()
    if (first < LENENC.NULL) return first
    if (first === LENENC.UINT16) return this.uint16()
    if (first === LENENC.UINT24) return this.uint24()
    const value = first === LENENC.UINT64 ? this.uint64() : null
    if (value === null || value > BigInt(Number.MAX_SAFE_INTEGER)) throw badInteger()
    return Number(value)
  }

  /** A length-encoded integer of up to 64 bits. Throws as `lenenc` does. */
  lenencBig(): bigint {
    const first = this.uint8()
    if (first < LENENC.NULL) return BigInt(first)
    if (first === LENENC.UINT16) return BigInt(this.uint16())
    if (first === LENENC.UINT24) return BigInt(this.uint24())
    if (first === LENENC.UINT64) return this.uint64()
    throw badInteger()
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

  /** A view of a length-encoded string. */
  lenencBytes(): Buffer {
    return this.bytes(this.lenenc())
  }

  /** A length-encoded string, or null for the NULL byte. */
  nullableBytes(): Buffer | null {
    if (this.peek() !== LENENC.NULL) return this.lenencBytes()
    this.skip(1)
    return null
  }

  /** A length-encoded UTF-8 string. Throws 'invalid-utf8'. */
  lenencString(): string {
    const length = this.lenenc()
    const at = this.#take(length)
    return decodeUtf8(this.#buf, at, at + length)
  }

  /** A view of a NUL-terminated string without its NUL. Throws 'unterminated-string'. */
  nulBytes(): Buffer {
    const start = this.#at
    const nul = this.#buf.indexOf(0, start)
    if (nul < 0 || nul >= this.#end) {
      const what = `no NUL in the last ${this.#end - start} bytes of a payload`
      throw new ProtocolError('unterminated-string', 'remote', what)
    }
    this.#at = nul + 1
    return this.#buf.subarray(start, nul)
  }

  /** Up to the next NUL, which is taken too, or to the end. */
  nulOrRest(): Buffer {
    const nul = this.#buf.indexOf(0, this.#at)
    return nul < 0 || nul >= this.#end ? this.rest() : this.nulBytes()
  }

  /** A NUL-terminated UTF-8 string. Throws 'unterminated-string' or 'invalid-utf8'. */
  nulString(): string {
    const bytes = this.nulBytes()
    return decodeUtf8(bytes, 0, bytes.length)
  }

  /** Throws 'trailing-bytes' unless everything has been read. */
  expectEnd(): void {
    if (this.#at !== this.#end) {
      const what = `${this.#end - this.#at} bytes after the last field of a payload`
      throw new ProtocolError('trailing-bytes', 'remote', what)
    }
  }
}

function badInteger(): ProtocolError {
  return new ProtocolError('bad-value', 'remote', 'not a length-encoded integer')
}

/** A growable ByteSink. `bytesMax` is the size it may reach. */
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
      const what = `an output of ${wanted} bytes, the cap is ${this.#bytesMax}`
      throw new ProtocolError('too-large', 'local', what)
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

/** Appends an unsigned integer of `bytes` (1 to 4) bytes. Throws 'bad-value' (local) out of range. */
function writeUint(out: ByteSink, value: number, bytes: 1 | 2 | 3 | 4): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes)) {
    throw new ProtocolError('bad-value', 'local', `${value} does not fit ${8 * bytes} bits`)
  }
  out.ensure(bytes)
  out.at = out.buf.writeUIntLE(value, out.at, bytes)
}

export function writeUint8(out: ByteSink, value: number): void {
  writeUint(out, value, 1)
}
export function writeUint16(out: ByteSink, value: number): void {
  writeUint(out, value, 2)
}
export function writeUint32(out: ByteSink, value: number): void {
  writeUint(out, value, 4)
}

/** Appends a uint64. Throws 'bad-value' (local) out of range. */
export function writeUint64(out: ByteSink, value: bigint): void {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
    throw new ProtocolError('bad-value', 'local', `${value} does not fit 64 bits`)
  }
  out.ensure(8)
  out.at = out.buf.writeBigUInt64LE(value, out.at)
}

/** Appends a length-encoded integer in its shortest form. */
export function writeLenenc(out: ByteSink, value: number | bigint): void {
  if (value < LENENC.NULL) return writeUint8(out, Number(value))
  if (value < 0x1_0000) {
    writeUint8(out, LENENC.UINT16)
    writeUint16(out, Number(value))
  } else if (value < 0x100_0000) {
    writeUint8(out, LENENC.UINT24)
    writeUint(out, Number(value), 3)
  } else {
    writeUint8(out, LENENC.UINT64)
    writeUint64(out, BigInt(value))
  }
}

/** Bytes a length-encoded integer takes in its shortest form. */
export function lenencBytesOf(value: number): number {
  if (value < LENENC.NULL) return 1
  return value < 0x1_0000 ? 3 : value < 0x100_0000 ? 4 : 9
}

/** Appends bytes as they are. */
export function writeBytes(out: ByteSink, bytes: Uint8Array): void {
  out.ensure(bytes.length)
  out.buf.set(bytes, out.at)
  out.at += bytes.length
}

/** Appends `count` zero bytes. */
export function writeZeros(out: ByteSink, count: number): void {
  out.ensure(count)
  out.buf.fill(0, out.at, out.at + count)
  out.at += count
}

/** Appends a length and the bytes. */
export function writeLenencBytes(out: ByteSink, bytes: Uint8Array): void {
  writeLenenc(out, bytes.length)
  writeBytes(out, bytes)
}

/** Appends a length and the text as UTF-8. */
export function writeLenencString(out: ByteSink, text: string): void {
  writeLenencBytes(out, Buffer.from(text, 'utf8'))
}

/** Appends bytes and a NUL. Throws 'bad-value' (local) where they hold one. */
export function writeNulBytes(out: ByteSink, bytes: Uint8Array): void {
  if (bytes.includes(0)) throw new ProtocolError('bad-value', 'local', 'a string with a NUL inside')
  writeBytes(out, bytes)
  writeUint8(out, 0)
}

/** Appends text as UTF-8 and a NUL. Throws 'bad-value' (local) where it holds one. */
export function writeNulString(out: ByteSink, text: string): void {
  writeNulBytes(out, Buffer.from(text, 'utf8'))
}

/** Appends `buf[start, end)`; the caller has checked the range. */
export function writeRange(out: ByteSink, buf: Buffer, start: number, end: number): void {
  out.ensure(end - start)
  buf.copy(out.buf, out.at, start, end)
  out.at += end - start
}
