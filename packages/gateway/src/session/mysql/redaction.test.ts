import { expect, test } from 'vitest'
import { redactErr } from './redaction.ts'

const shown = (errno: number, message: string, sqlstate = 'HY000'): string =>
  redactErr({ errno, sqlstate, message }).message

test.each([
  [1062, "Duplicate entry '111-11-1111' for key 't.PRIMARY'"],
  [1366, "Incorrect integer value: '111-11-1111' for column `d`.`t`.`a` at row 1"],
  [1292, "Truncated incorrect DOUBLE value: '111-11-1111'"],
  [1690, "BIGINT value is out of range in '(111111111 + 1)'"],
  [1644, '111-11-1111 is too much'],
])('error %i loses what may be a value', (errno, message) => {
  expect(shown(errno, message)).not.toMatch(/111/)
})

test.each([
  [1146, "Table 'd.t' doesn't exist"],
  [1054, "Unknown column 'nope' in 'field list'"],
  [1451, 'Cannot delete or update a parent row: a foreign key constraint fails (`d`.`s`)'],
])('error %i keeps the names in it', (errno, message) => {
  expect(shown(errno, message)).toBe(message)
})

test('which row it was is not told', () => {
  expect(shown(1264, "Out of range value for column 'n' at row 17")).not.toContain('17')
})

test('what a routine signals is not shown, under any number', () => {
  expect(shown(5000, 'secret', '45000')).not.toContain('secret')
})
