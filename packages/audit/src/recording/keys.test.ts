import { expect, test } from 'vitest'
import { NONCE_BYTES, newDataKey, seal, unseal } from './keys.ts'

test('no two blocks have one nonce', () => {
  const key = newDataKey()
  const blocks = Array.from({ length: 2_000 }, () => seal(key, [Buffer.from('rows')], 'journal 1'))
  const nonces = blocks.map((block) => block.toString('hex', 0, NONCE_BYTES))
  expect(new Set(nonces).size).toBe(nonces.length)
  // Each keeps its own, however many came after it.
  for (const block of blocks) expect(unseal(key, block, 'journal 1').toString()).toBe('rows')
})

test('a block says nothing under another key, or about something else', () => {
  const key = newDataKey()
  const block = seal(key, [Buffer.from('rows')], 'journal 1')
  const corrupt = expect.objectContaining({ code: 'corrupt' })
  expect(() => unseal(newDataKey(), block, 'journal 1')).toThrow(corrupt)
  expect(() => unseal(key, block, 'journal 2')).toThrow(corrupt)
  block[NONCE_BYTES] = (block[NONCE_BYTES] ?? 0) ^ 1
  expect(() => unseal(key, block, 'journal 1')).toThrow(corrupt)
})
