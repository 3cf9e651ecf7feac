import { expect, test } from 'vitest'
import { commentTags } from './comment-tags.ts'

test.each<[string, Record<string, string>]>([
  ["DELETE FROM t /*reason='month end',run='42'*/", { reason: 'month end', run: '42' }],
  ["/*reason='it%27s%20due'*/ DELETE FROM t;", { reason: "it's due" }],
  ["SELECT 1 /*reason='it\\'s due'*/ ;\n", { reason: "it's due" }],
  ['SELECT 1 /* just words */', {}],
  ["SELECT '/*reason=''no''*/'", {}],
  ["SELECT 1 /*reason='%zz'*/", {}],
  ["SELECT 1 /*a='1', b='2' and more*/", { a: '1' }],
])('%s', (text, tags) => {
  expect(Object.fromEntries(commentTags(text))).toEqual(tags)
})
