import { expect, test } from 'vitest'
import { MYSQL } from './fixtures.ts'
import { withoutMysqlSettings } from './without-settings.ts'

const without = (sql: string) => withoutMysqlSettings(sql, ['max_join_size'], MYSQL)

test.each([
  [
    'SET sql_safe_updates=1,sql_select_limit=1000, max_join_size=1000000;',
    'SET sql_safe_updates=1, sql_select_limit=1000',
  ],
  ['set @@session.MAX_JOIN_SIZE = 5, names utf8mb4', 'SET names utf8mb4'],
  [
    'set /* x */ max_join_size = 1 + 1, @a = "max_join_size = 1, b"',
    'SET @a = "max_join_size = 1, b"',
  ],
])('%s', (sql, sent) => {
  expect(without(sql)).toBe(sent)
})

test('nothing is made of what would be nothing, or something else', () => {
  expect(without('SET max_join_size = 5')).toBeNull()
  expect(without('SET max_join_size = 5, local max_join_size = 6')).toBeNull()
  expect(without('SELECT 1')).toBeNull()
  expect(without('SET a = 1; SET max_join_size = 5')).toBeNull()
  expect(without('SET max_join_size')).toBeNull()
  expect(without('SET global max_join_size = 5, a = 1')).toBeNull()
})
