import { AuditError } from '@sallyport/audit'
import { IdentityError } from '@sallyport/identity'
import { expect, test } from 'vitest'
import { CliError, EXIT, failureOf, systemCodeOf } from './errors.ts'

const withCode = (message: string, more: Record<string, unknown>): Error =>
  Object.assign(new Error(message), more)

test.each([
  [new CliError('not-ok', 'no'), EXIT.notOk],
  [new CliError('usage', 'no'), EXIT.usage],
  [new CliError('unavailable', 'no'), EXIT.unavailable],
  [new IdentityError('role-not-allowed', 'no'), EXIT.notOk],
  [new IdentityError('issuer-unavailable', 'no'), EXIT.unavailable],
  [new AuditError('locked', 'no'), EXIT.unavailable],
  [new AuditError('not-found', 'no'), EXIT.notOk],
  [withCode('no', { code: 'ECONNREFUSED' }), EXIT.unavailable],
  [new TypeError('a bug'), EXIT.internal],
  ['a string', EXIT.internal],
])('%s ends with the exit code %d', (error, exit) => {
  expect(failureOf(error).exit).toBe(exit)
})

test('a missing file is named in words', () => {
  const error = withCode("ENOENT: no such file or directory, open 'x.yaml'", {
    code: 'ENOENT',
    path: 'x.yaml',
  })
  expect(failureOf(error)).toEqual({ message: '`x.yaml` does not exist', exit: EXIT.usage })
})

test('a message of several lines becomes one', () => {
  expect(failureOf(new CliError('config', 'a\nb')).message).toBe('a\nb'.replace('\n', '; '))
})

test('finds the code that a wrapped network error hides', () => {
  const inner = withCode('refused', { code: 'ECONNREFUSED' })
  expect(systemCodeOf(new TypeError('fetch failed', { cause: inner }))).toBe('ECONNREFUSED')
  expect(systemCodeOf(new TypeError('x', { cause: new AggregateError([inner]) }))).toBe(
    'ECONNREFUSED',
  )
  expect(systemCodeOf(new Error('x'))).toBeNull()
})
