import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ByteReader,
  ByteWriter,
  decodeUtf8,
  lenencBytesOf,
  writeBytes,
  writeLenenc,
  writeLenencString,
  writeNulString,
  writeUint8,
  writeUint16,
  writeUint32,
  writeUint64,
} from './bytes.ts'

const code = (name: string): unknown => expect.objectContaining({ code: name })

describe('length-encoded integers', () => {
  test.each([
    [0, '00'],
    [250, 'fa'],
    [251, 'fcfb00'],
    [0xffff, 'fcffff'],
    [0x1_0000, 'fd000001'],
    [0xff_ffff, 'fdffffff'],
    [0x100_0000, 'fe0000000100000000'],
  ])('%i is %s', (value, hex) => {
    const out = new ByteWriter()
    writeLenenc(out, value)
    expect(out.view().toString('hex')).toBe(hex)
    expect(lenencBytesOf(value)).toBe(hex.length / 2)
    expect(new ByteReader(out.view()).lenenc()).toBe(value)
  })

  test('round trip up to 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const out = new ByteWriter()
        writeLenenc(out, value)
        expect(new ByteReader(out.view()).lenencBig()).toBe(value)
      }),
    )
  })

  test.each(['fb', 'ff', 'fe0000000000002000'])('%s is no length', (hex) => {
    expect(() => new ByteReader(Buffer.from(hex, 'hex')).lenenc()).toThrow(code('bad-value'))
  })

  test.each(['fc', 'fc01', 'fd0102', 'fe01020304050607'])('%s ends inside one', (hex) => {
    expect(() => new ByteReader(Buffer.from(hex, 'hex')).lenenc()).toThrow(code('truncated'))
  })
})

describe('reading', () => {
  test('is little-endian', () => {
    const reader = new ByteReader(Buffer.from('0102030405060708090a0b0c0d0e0f101112', 'hex'))
    expect([reader.uint8(), reader.uint16(), reader.uint24(), reader.uint32()]).toEqual([
      0x01, 0x0302, 0x060504, 0x0a090807,
    ])
    expect(reader.uint64()).toBe(0x1211100f0e0d0c0bn)
    reader.expectEnd()
  })

  test('does not pass the end, nor leave anything', () => {
    const reader = new ByteReader(Buffer.from('ab\0c'), 0, 3)
    expect(() => new ByteReader(Buffer.of(5, 1)).lenencBytes()).toThrow(code('truncated'))
    expect(() => reader.bytes(4)).toThrow(code('truncated'))
    expect(() => reader.expectEnd()).toThrow(code('trailing-bytes'))
    expect(reader.nulString()).toBe('ab')
    expect(reader.peek()).toBe(-1)
    expect(() => reader.nulBytes()).toThrow(code('unterminated-string'))
    expect(() => new ByteReader(Buffer.of(1), 0, 2)).toThrow(code('illegal-call'))
  })

  test('a NUL behind the end ends no string', () => {
    expect(() => new ByteReader(Buffer.from('ab\0'), 0, 2).nulBytes()).toThrow(
      code('unterminated-string'),
    )
    expect(new ByteReader(Buffer.from('ab\0'), 0, 2).nulOrRest().toString()).toBe('ab')
  })

  test('NULL is told from an empty string', () => {
    expect(new ByteReader(Buffer.of(0xfb)).nullableBytes()).toBeNull()
    expect(new ByteReader(Buffer.of(0)).nullableBytes()).toHaveLength(0)
  })

  test('text is UTF-8 or an error', () => {
    expect(() => decodeUtf8(Buffer.of(0xc3, 0x28), 0, 2)).toThrow(code('invalid-utf8'))
    expect(decodeUtf8(Buffer.from('żółw'), 0, 7)).toBe('żółw')
  })
})

describe('writing', () => {
  test('what does not fit is an error', () => {
    const out = new ByteWriter({ bytesMax: 8 })
    expect(() => writeUint8(out, 256)).toThrow(code('bad-value'))
    expect(() => writeUint16(out, -1)).toThrow(code('bad-value'))
    expect(() => writeUint32(out, 2 ** 32)).toThrow(code('bad-value'))
    expect(() => writeUint64(out, 2n ** 64n)).toThrow(code('bad-value'))
    expect(() => writeNulString(out, 'a\0b')).toThrow(code('bad-value'))
    writeBytes(out, Buffer.alloc(8))
    expect(() => writeUint8(out, 1)).toThrow(code('too-large'))
  })

  test('text is as long as its bytes', () => {
    const out = new ByteWriter()
    writeLenencString(out, 'é')
    expect(out.take()).toEqual(Buffer.of(2, 0xc3, 0xa9))
    expect(out.at).toBe(0)
  })
})
