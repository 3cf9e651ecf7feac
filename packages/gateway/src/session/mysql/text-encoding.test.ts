import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeText, encodeText } from './text-encoding.ts'

const CHARSETS = [
  ...(['utf8mb4', 'utf8mb3', 'ascii', 'latin1', 'latin2', 'latin5', 'latin7', 'cp1250'] as const),
  ...(['cp1251', 'cp1256', 'cp1257', 'cp866', 'koi8r', 'koi8u', 'macroman'] as const),
]

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
  ['cp1251', Buffer.from([0x98])],
] as const)('bytes that are not %s are no text', (charset, bytes) => {
  expect(decodeText(bytes, 0, bytes.length, charset)).toBeNull()
})

test('characters are those of the character set', () => {
  const bytes = Buffer.from([0x61, 0xef, 0xf0])
  expect(decodeText(bytes, 0, 3, 'cp1251')).toBe('aпр')
  expect(decodeText(bytes, 0, 3, 'koi8r')).toBe('aОП')
})

test('a character that the character set has not is an error', () => {
  expect(() => encodeText('п', 'latin1')).toThrow(/has not/)
})

test('a character set that cannot be read by its bytes gives no text', () => {
  expect(decodeText(Buffer.from('SELECT 1'), 0, 8, null)).toBeNull()
})
