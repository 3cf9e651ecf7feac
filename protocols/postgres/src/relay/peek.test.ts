import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../errors.ts'
import { readCString } from './peek.ts'

describe('the end of a string', () => {
  test('is its first NUL inside the bounds, however long it is', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.nat({ max: 5 }),
        fc.nat({ max: 110 }),
        fc.nat({ max: 40 }),
        (bytes, start, length, behind) => {
          const end = start + length
          const buf = Buffer.concat([bytes, Buffer.alloc(behind, 1)])
          const bounds = Math.min(end, buf.length)
          const found = buf.subarray(0, bounds).indexOf(0, start)
          if (found < 0 || start >= bounds) {
            expect(() => readCString(buf, start, bounds)).toThrow(ProtocolError)
          } else {
            expect(readCString(buf, start, bounds)).toBe(found)
          }
        },
      ),
    )
  })

  test.each([0, 1, 31, 32, 33, 200])('is found after %i bytes', (length) => {
    const buf = Buffer.from(`${'x'.repeat(length)}\0y\0`)
    expect(readCString(buf, 0, buf.length)).toBe(length)
  })

  test.each([0, 1, 31, 32, 33, 200])(
    'is not looked for past %i bytes that are its all',
    (length) => {
      const buf = Buffer.from(`${'x'.repeat(length)}\0`)
      expect(() => readCString(buf, 0, length)).toThrow('string without its NUL')
    },
  )
})
