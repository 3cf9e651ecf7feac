import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from './errors.ts'
import { BACKEND, FRONTEND, FrameCursor, frameLength, frameTable, frameType } from './frames.ts'
import { MESSAGE_BYTES_MAX, SHORT_REPLY_BYTES_MAX, SMALL_MESSAGE_BYTES_MAX } from './limits.ts'

const frontend = (): FrameCursor => new FrameCursor(frameTable('frontend'))

function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes[0] = type
  bytes.writeInt32BE(length, 1)
  return bytes
}

describe('FrameCursor', () => {
  test('finds a frame at any offset of a buffer', () => {
    const bytes = Buffer.concat([
      Buffer.from('junk'),
      header(FRONTEND.QUERY, 7),
      Buffer.from('abc'),
    ])
    const cursor = frontend()
    expect(cursor.next(bytes, 4, bytes.length)).toBe('frame')
    expect(cursor).toMatchObject({ type: 0x51, start: 4, bodyStart: 9, frameEnd: 12, wanted: 8 })
    expect([frameType(bytes, 4), frameLength(bytes, 4)]).toEqual([0x51, 7])
  })

  test('takes a frame one byte at a time', () => {
    const bytes = Buffer.concat([header(FRONTEND.QUERY, 7), Buffer.from('ab\0')])
    const found = Array.from(bytes, (_, end) => frontend().next(bytes, 0, end))
    expect(found).toEqual([...Array(5).fill('short'), ...Array(3).fill('partial')])
    expect(frontend().next(bytes, 0, bytes.length)).toBe('frame')
  })

  test('says how much is wanted as soon as the header is there', () => {
    const cursor = frontend()
    expect(cursor.next(header(FRONTEND.COPY_DATA, 1004), 0, 5)).toBe('partial')
    expect(cursor).toMatchObject({ wanted: 1005, frameEnd: 1005 })
    expect(cursor.next(header(FRONTEND.COPY_DATA, 1004), 0, 3)).toBe('short')
    expect(cursor.wanted).toBe(5)
  })

  test.each([3, 0, -1, -2147483648])('refuses a length of %i', (length) => {
    expect(() => frontend().next(header(FRONTEND.SYNC, length), 0, 5)).toThrow(
      expect.objectContaining({ code: 'bad-length' }),
    )
  })

  test.each([
    ['frontend', FRONTEND.SYNC, SMALL_MESSAGE_BYTES_MAX],
    ['frontend', FRONTEND.DESCRIBE, SMALL_MESSAGE_BYTES_MAX],
    ['frontend', FRONTEND.QUERY, MESSAGE_BYTES_MAX],
    ['frontend', FRONTEND.COPY_DATA, MESSAGE_BYTES_MAX],
    ['backend', BACKEND.READY_FOR_QUERY, SHORT_REPLY_BYTES_MAX],
    ['backend', BACKEND.COMMAND_COMPLETE, SHORT_REPLY_BYTES_MAX],
    ['backend', BACKEND.DATA_ROW, MESSAGE_BYTES_MAX],
  ] as const)('takes a %s message %i up to its cap and not one byte more', (side, type, cap) => {
    const cursor = new FrameCursor(frameTable(side))
    expect(cursor.next(header(type, cap), 0, 5)).toBe('partial')
    expect(() => cursor.next(header(type, cap + 1), 0, 5)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('takes the cap of its caller where that is lower', () => {
    const cursor = new FrameCursor(frameTable('frontend', 100))
    expect(cursor.next(header(FRONTEND.QUERY, 100), 0, 5)).toBe('partial')
    expect(() => cursor.next(header(FRONTEND.QUERY, 101), 0, 5)).toThrow(ProtocolError)
  })

  test('refuses every type byte that is not listed, at its first byte', () => {
    for (const [direction, types] of [
      ['frontend', Object.values(FRONTEND)],
      ['backend', Object.values(BACKEND)],
    ] as const) {
      const cursor = new FrameCursor(frameTable(direction))
      const listed = new Set<number>(types)
      for (let type = 0; type < 256; type++) {
        if (listed.has(type)) expect(cursor.next(Buffer.of(type), 0, 1)).toBe('short')
        else {
          expect(() => cursor.next(Buffer.of(type), 0, 1)).toThrow(
            expect.objectContaining({ code: 'unknown-message' }),
          )
        }
      }
    }
  })

  test('gives progress or a ProtocolError on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const cursor = frontend()
        let at = 0
        try {
          while (at < bytes.length && cursor.next(bytes, at, bytes.length) === 'frame') {
            expect(cursor.frameEnd).toBeGreaterThan(at + 4)
            at = cursor.frameEnd
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
        expect(at).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })
})
