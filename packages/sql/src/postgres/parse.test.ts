import { expect, test } from 'vitest'
import { Parser } from './parse.ts'

test('instances made at the same time share nothing', async () => {
  const parsers = await Promise.all(Array.from({ length: 4 }, () => Parser.create()))
  for (let i = 0; i < 20; i++) {
    for (const [index, parser] of parsers.entries()) {
      const found = parser.parse(`SELECT ${i}, 'of ${index}'`)
      expect(found.kind).toBe('tree')
      expect(JSON.stringify(found)).toContain(`of ${index}`)
    }
  }
})
