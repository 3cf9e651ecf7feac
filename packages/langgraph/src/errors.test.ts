import { expect, test } from 'vitest'
import { SallyportError, sallyportError } from './errors.ts'

const DETAIL = {
  approval: 'ap_1',
  status: 'pending',
  rule: 'writes',
  decideBy: '2026-01-01T00:00:00.000Z',
  useWithinSeconds: 600,
  link: 'https://console/ap_1',
}

const driverError = (fields: object, message = 'approval ap_1 is needed') =>
  Object.assign(new Error(message), fields)

test('pg: the detail says what is to be approved', () => {
  const error = sallyportError(
    driverError({ code: 'SP001', detail: JSON.stringify(DETAIL), hint: 'Send it again.' }),
  )
  expect(error?.kind).toBe('approval-needed')
  expect(error?.approval).toEqual({
    id: 'ap_1',
    rule: 'writes',
    decideBy: DETAIL.decideBy,
    useWithinSeconds: 600,
    link: 'https://console/ap_1',
  })
  expect(error?.message).toBe('approval ap_1 is needed\nSend it again.')
})

test('mysql2: the message ends in what is to be approved', () => {
  const message = `approval ap_1 is needed ${JSON.stringify({ ...DETAIL, link: undefined })}`
  const error = sallyportError(driverError({ code: 'ER_UNKNOWN', sqlState: 'SP001' }, message))
  expect(error?.approval).toMatchObject({ id: 'ap_1', link: null })
})

test.each([
  ['SP002', 'approval-denied'],
  ['SP003', 'approval-expired'],
  ['42501', 'denied'],
  ['53400', 'limit'],
  ['42601', 'syntax'],
  ['28P01', 'token'],
])('%s is %s', (code, kind) => {
  const error = sallyportError(driverError({ code, detail: 'why', hint: 'what then' }))
  expect(error?.kind).toBe(kind)
  expect(error?.message).toBe('approval ap_1 is needed\nwhy\nwhat then')
  expect(error?.approval).toBeNull()
})

test('the database’s own errors and others are none of the gateway’s', () => {
  expect(sallyportError(driverError({ code: '23505' }))).toBeNull()
  expect(sallyportError(driverError({ code: 'ECONNREFUSED' }))).toBeNull()
  expect(sallyportError('SP001')).toBeNull()
})

test('a detail that is not what it should be leaves an error without approval', () => {
  for (const detail of ['', '{', '{"approval":7}', 'null']) {
    expect(sallyportError(driverError({ code: 'SP001', detail }))?.approval).toBeNull()
  }
  const once = sallyportError(driverError({ code: 'SP002' }))
  expect(once).toBeInstanceOf(SallyportError)
  expect(sallyportError(once)).toBe(once)
})
