import { createHmac, createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digest } from './hmac.ts'

test('a digest is the HMAC-SHA-256 of label and value, whatever their lengths and the key’s', () => {
  const bytes = (minLength: number, maxLength: number) =>
    fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array))
  fc.assert(
    fc.property(bytes(1, 130), bytes(0, 80), bytes(0, 900), (secret, label, value) => {
      const key = createSecretKey(secret)
      const expected = createHmac('sha256', secret).update(label).update(value).digest('hex')
      expect(digest(key, label, value).toString('hex')).toBe(expected)
      // Again: nothing of the first is left in what is reused.
      expect(digest(key, label, value).toString('hex')).toBe(expected)
    }),
  )
})
