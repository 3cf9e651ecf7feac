import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { literalsAlike, withoutComments, withoutLiterals } from './without-literals.ts'

describe('text without literals', () => {
  test.each([
    [
      `SELECT id FROM customers WHERE email = 'a@b.c'`,
      `SELECT id FROM customers WHERE email = '…'`,
    ],
    [
      `INSERT INTO t VALUES (42, 1.5e3, $1, 'it''s', E'\\'x')`,
      `INSERT INTO t VALUES (…, …, $1, '…', …`,
    ],
    [`SELECT "a 'b" /* secret */ -- secret`, `SELECT "a 'b" /*…*/ /*…*/`],
    [`SELECT $$secret$$, $t$secret$t$`, `SELECT '…', '…'`],
    [`SELECT x'ff', U&'d'`, `SELECT '…', U&'…'`],
    [`SELECT 'never ends`, 'SELECT …'],
    [`SELECT 'a\\' , secret --'`, 'SELECT …'],
    [`SELECT .5, a.b`, 'SELECT …, a.b'],
    ['', ''],
  ])('%s', (sql, shown) => {
    expect(withoutLiterals(sql)).toBe(shown)
  })

  test('alike it has numbers, so that it parses', () => {
    expect(literalsAlike(`SELECT 4.2, 'a' LIMIT 3`)).toBe(`SELECT 0, '…' LIMIT 0`)
  })

  test.each([
    [`SELECT 'a--b', 4 /* secret */ -- secret`, `SELECT 'a--b', 4 /*…*/ /*…*/`],
    [
      `SELECT $$/* kept */$$, E'\\n' FROM t LIMIT 3`,
      `SELECT $$/* kept */$$, E'\\n' FROM t LIMIT 3`,
    ],
    [`SELECT 'never ends /* secret */`, 'SELECT …'],
  ])('without comments: %s', (sql, shown) => {
    expect(withoutComments(sql)).toBe(shown)
  })

  test('a value in a string, dollar string or comment never shows, whatever surrounds it', () => {
    const secret = 'Zq9Zq9'
    const wrapped = fc.constantFrom(
      `'${secret}'`,
      `E'${secret}'`,
      `$a$${secret}$a$`,
      `/*${secret}*/`,
      `--${secret}\n`,
    )
    const around = fc.string({
      unit: fc.constantFrom(' ', 'a', '(', ',', '"', '=', '1', '$', '\n'),
    })
    fc.assert(
      fc.property(around, wrapped, around, (before, value, after) => {
        // Unless a quoted name began before it: then it is a name, and the text does not parse as it looks.
        fc.pre(!/["$]/.test(before))
        fc.pre(!/[\w$]$/.test(before))
        expect(withoutLiterals(`${before}${value}${after}`)).not.toContain(secret)
      }),
      { numRuns: 2000 },
    )
  })
})
