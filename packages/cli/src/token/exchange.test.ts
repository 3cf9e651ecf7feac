import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NOT_NARROWED } from '@sallyport/identity'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchangeToken } from './exchange.ts'

const TOKEN = 'the-token-itself'
let answer = { status: 200, body: '{}', headers: {} as Record<string, string> }
let seen = ''
const server = createServer((request, response) => {
  request.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk
  })
  request.on('end', () => {
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
})
let url = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server has an AddressInfo.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
})

const exchange = (to: string) =>
  exchangeToken({ url: to, token: TOKEN, narrowed: NOT_NARROWED, lifetimeSeconds: 60 })

test('sends the token in the body and takes the one that is given', async () => {
  seen = ''
  answer = { status: 200, body: '{"access_token":"spt_x","expires_in":60}', headers: {} }
  expect(await exchange(`${url}/`)).toEqual({ token: 'spt_x', expiresInSeconds: 60, scope: '' })
  expect(new URLSearchParams(seen).get('subject_token')).toBe(TOKEN)
  expect(new URLSearchParams(seen).get('lifetime')).toBe('60')
})

test.each([
  [400, '{"error":"invalid_scope","error_description":"not that"}', 'not-ok'],
  [429, '{}', 'unavailable'],
  [503, 'not json', 'unavailable'],
  [404, '', 'usage'],
  [200, '{}', 'unavailable'],
])('the status %d is %s', async (status, body, code) => {
  answer = { status, body, headers: {} }
  await expect(exchange(url)).rejects.toMatchObject({ code })
})

test('does not follow a redirect with the token', async () => {
  seen = ''
  answer = { status: 307, body: '', headers: { location: `${url}/elsewhere` } }
  await expect(exchange(url)).rejects.toMatchObject({ code: 'unavailable' })
  expect(seen.split(TOKEN).length - 1).toBe(1)
})

test.each([
  'http://gateway.example:9090',
  'http://127.0.0.1.example.com',
  'http://user:secret@127.0.0.1',
  'ftp://127.0.0.1',
  'gateway',
])('does not send a token to %s', async (to) => {
  const error = await exchange(to).catch((one: unknown) => one)
  expect(error).toMatchObject({ code: 'usage' })
  expect(String(error)).not.toContain(TOKEN)
})
