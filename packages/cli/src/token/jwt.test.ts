import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeToken, sayClaim, timeClaim } from './jwt.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

test('shows header and claims of a JWT, signed or not', () => {
  expect(decodeToken(`${part({ alg: 'none' })}.${part({ sub: 'ada' })}.`)).toEqual({
    kind: 'jwt',
    header: { alg: 'none' },
    claims: { sub: 'ada' },
  })
})

test('knows a session token by its form', () => {
  expect(decodeToken(`spt_${'a'.repeat(38)}`)).toEqual({ kind: 'session' })
})

test.each([
  ['spt_short', 'not 42 characters'],
  ['Bearer a.b.c', 'has `Bearer` before it'],
  ['a.b.c.d.e', 'encrypted'],
  ['a.b.c', 'not JSON'],
  [`${part([1])}.${part({})}.x`, 'not JSON'],
  ['hunter2', 'neither a JWT'],
  ['x'.repeat(20_000), 'longer than'],
])('says why `%s` is no token', (token, why) => {
  expect(decodeToken(token)).toEqual({ kind: 'neither', why: expect.stringContaining(why) })
})

test('never throws and never repeats what is no token', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), (text) => {
      const decoded = decodeToken(text)
      if (decoded.kind === 'neither') expect(decoded.why).not.toContain(text)
    }),
  )
})

test('a time claim that is no number is none', () => {
  expect(timeClaim({ exp: 5 }, 'exp')).toBe(5000)
  expect(timeClaim({ exp: '5' }, 'exp')).toBeNull()
})

test('says one claim or several', () => {
  expect([sayClaim('a'), sayClaim(['a', 'b']), sayClaim(undefined), sayClaim(5)]).toEqual([
    '`a`',
    '`a`, `b`',
    'nothing',
    '`5`',
  ])
})
