import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asBuffer,
  ByteReader,
  ByteWriter,
  closeFrame,
  decodeUtf8,
  openFrame,
  writeBytes,
  writeCString,
  writeInt16,
  writeInt32,
  writeNullableBytes,
  writeUint8,
} from './bytes.ts'
import { ProtocolError } from './errors.ts'

const reader = (...bytes: number[]): ByteReader => new ByteReader(Uint8Array.from(bytes))

describe('ByteReader', () => {
  test('reads big-endian integers, signed and unsigned', () => {
    const r = reader(0xff, 0xff, 0xfe, 0xff, 0xfe, 0x80, 0, 0, 1, 0x80, 0, 0, 1)
    expect([r.uint8(), r.int16(), r.uint16(), r.int32(), r.uint32()]).toEqual([
      255, -2, 65534, -2147483647, 2147483649,
    ])
    r.expectEnd()
  })

  test.each([
    ['uint8', (r: ByteReader) => r.uint8()],
    ['uint16', (r: ByteReader) => r.uint16()],
    ['int16', (r: ByteReader) => r.int16()],
    ['int32', (r: ByteReader) => r.int32()],
    ['uint32', (r: ByteReader) => r.uint32()],
    ['bytes', (r: ByteReader) => r.bytes(1)],
  ])('refuses to read %s past the end', (_name, read) => {
    expect(() => read(reader())).toThrow(expect.objectContaining({ code: 'truncated' }))
  })

  test('never reads past its end, though the buffer goes on', () => {
    const r = new ByteReader(Uint8Array.of(1, 2, 3, 0), 0, 2)
    expect(() => r.cString()).toThrow(expect.objectContaining({ code: 'unterminated-string' }))
  })

  test('finds a NUL beyond the first few bytes', () => {
    const r = new ByteReader(Buffer.from(`${'x'.repeat(500)}\0y`))
    expect(r.cString()).toHaveLength(500)
    expect(r.remaining).toBe(1)
  })

  test.each([-2, -2147483648])('refuses a value length of %i', (length) => {
    const word = Buffer.alloc(4)
    word.writeInt32BE(length)
    expect(() => new ByteReader(word).nullableBytes()).toThrow(
      expect.objectContaining({ code: 'bad-length' }),
    )
  })

  test('refuses to end before its end', () => {
    expect(() => reader(1).expectEnd()).toThrow(expect.objectContaining({ code: 'trailing-bytes' }))
  })

  test('refuses a range outside its bytes as our own mistake', () => {
    expect(() => new ByteReader(Uint8Array.of(1), 0, 2)).toThrow(
      expect.objectContaining({ code: 'illegal-call', side: 'local' }),
    )
  })
})

describe('decodeUtf8', () => {
  const decode = (bytes: Uint8Array): string => decodeUtf8(asBuffer(bytes), 0, bytes.length)

  test('keeps a byte order mark, which is text like any other', () => {
    expect(decode(Buffer.from('\ufeffx'))).toBe('\ufeffx')
  })

  test.each([
    ['a continuation byte alone', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a cut character', [0xe2, 0x82]],
    ['a code point over U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['an invalid byte after 100 good ones', [...Buffer.alloc(100, 0x61), 0xff]],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'invalid-utf8', sqlstate: '22021' }),
    )
  })

  test('agrees with a fatal TextDecoder on any bytes', () => {
    const oracle = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        let expected: string | null = null
        try {
          expected = oracle.decode(bytes)
        } catch {
          expected = null
        }
        let actual: string | null = null
        try {
          actual = decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
        expect(actual).toBe(expected)
      }),
    )
  })
})

describe('ByteWriter', () => {
  test('writes what a reader reads, growing as needed', () => {
    const out = new ByteWriter({ initialBytes: 1 })
    const frame = openFrame(out, 0x51)
    writeUint8(out, 7)
    writeInt16(out, -2)
    writeInt32(out, -3)
    writeCString(out, 'é€😀')
    writeNullableBytes(out, null)
    writeNullableBytes(out, Buffer.from('x'.repeat(1000)))
    writeBytes(out, Uint8Array.of(1, 2))
    closeFrame(out, frame)
    const r = new ByteReader(out.view())
    expect([r.uint8(), r.int32(), r.uint8(), r.int16(), r.int32(), r.cString()]).toEqual([
      0x51,
      out.at - 1,
      7,
      -2,
      -3,
      'é€😀',
    ])
    expect(r.nullableBytes()).toBeNull()
    expect(r.nullableBytes()).toHaveLength(1000)
    expect([...r.rest()]).toEqual([1, 2])
  })

  test('stops at its cap, and holds exactly that much', () => {
    const out = new ByteWriter({ initialBytes: 4, bytesMax: 10 })
    writeBytes(out, Buffer.alloc(10))
    expect(() => writeUint8(out, 0)).toThrow(
      expect.objectContaining({ code: 'too-large', side: 'local' }),
    )
  })

  test.each([
    ['writeInt16', () => writeInt16(new ByteWriter(), 65_536)],
    ['writeInt16', () => writeInt16(new ByteWriter(), -32_769)],
    ['writeInt32', () => writeInt32(new ByteWriter(), 2 ** 32)],
    ['writeInt32', () => writeInt32(new ByteWriter(), 1.5)],
    ['writeInt32', () => writeInt32(new ByteWriter(), Number.NaN)],
    ['writeCString', () => writeCString(new ByteWriter(), 'a\0b')],
  ])('%s refuses what does not fit', (_name, write) => {
    expect(write).toThrow(expect.objectContaining({ code: 'bad-value', side: 'local' }))
  })

  test('takes a copy that later writes do not change', () => {
    const out = new ByteWriter()
    writeUint8(out, 1)
    const taken = out.take()
    writeUint8(out, 2)
    expect([...taken]).toEqual([1])
    expect([...out.view()]).toEqual([2])
  })
})
