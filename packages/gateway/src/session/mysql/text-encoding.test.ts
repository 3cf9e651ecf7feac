import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeText, encodeText } from './text-encoding.ts'

const CHARSETS = ['utf8mb4', 'utf8mb3', 'ascii', 'latin1'] as const

test('any bytes are the same bytes again, or no text', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CHARSETS), fc.uint8Array({ maxLength: 64 }), (charset, raw) => {
      const bytes = Buffer.from(raw)
      const text = decodeText(bytes, 0, bytes.length, charset)
      if (text !== null) expect(encodeText(text, charset)).toEqual(bytes)
    }),
  )
})

test.each([
  ['utf8mb4', Buffer.from([0x27, 0xc0, 0xa7])],
  ['utf8mb4', Buffer.from([0xff])],
  ['ascii', Buffer.from([0x61, 0xe9])],
] as const)('bytes that are not %s are no text', (charset, bytes) => {
  expect(decodeText(bytes, 0, bytes.length, charset)).toBeNull()
})

test('a character set that cannot be read by its bytes gives no text', () => {
  expect(decodeText(Buffer.from('SELECT 1'), 0, 8, null)).toBeNull()
})
