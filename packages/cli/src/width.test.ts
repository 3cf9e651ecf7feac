import { expect, test } from 'vitest'
import { fitting, widthOf } from './width.ts'

test.each([
  ['abc', 3],
  ['日本', 4],
  ['e\u0301', 1],
  ['👩‍👩‍👧', 2],
  ['ﾊﾝ', 2],
  ['…', 1],
])('%s takes %i columns', (text, width) => {
  expect(widthOf(text)).toBe(width)
})

test('what does not fit is left out, and no character is cut in two', () => {
  expect(fitting('日本語', 5)).toBe('日本')
  expect(fitting('ab', 5)).toBe('ab')
  expect(fitting('abc', 0)).toBe('')
  expect(fitting('e\u0301x', 1)).toBe('e\u0301')
})
