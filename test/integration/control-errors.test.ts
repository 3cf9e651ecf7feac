/** Whatever is wrong with a request to the admin address, and whoever finds out, the answer has one shape and repeats nothing. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
grants:
  - { role: writer, who: everyone, approvers: { groups: [dba] } }
rules: []
`
let database: TestDatabase
let gateway: TestGateway
let ann: Control

beforeAll(async () => {
  database = await usePostgres()
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [POLICY],
    identity: { roles: { writer: { groups: ['writers'] } } },
    config: { admin: { port: 0, operators: { groups: ['ops'] }, auditors: { groups: ['ops'] } } },
  })
  ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['ops'] })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

/** Bytes to the admin address, and all that it answers. */
async function raw(bytes: string): Promise<string> {
  const { hostname, port } = new URL(ann.base)
  const socket = connect(Number(port), hostname)
  socket.write(bytes)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}

const SECRET = 'sesame'
const long = (length: number): string => SECRET + 'a'.repeat(length)
const asked = (line: string, headers: readonly string[] = [], body = ''): string =>
  [`${line} HTTP/1.1`, 'host: x', 'connection: close', ...headers, '', body].join('\r\n')
const posted = (type: string, length: number, body: string): string =>
  asked(
    'POST /v1/grants',
    [`authorization: Bearer ${ann.token}`, `content-type: ${type}`, `content-length: ${length}`],
    body,
  )

describe('{ error, message }, with nothing of the request in it', () => {
  test.each([
    ['no such address', () => asked(`GET /${SECRET}`), 404, 'not_found'],
    ['no such method there', () => asked('PUT /v1/approvals'), 404, 'not_found'],
    ['the page that is not on', () => asked('GET /approvals'), 404, 'not_found'],
    ['an id that is too long', () => asked(`GET /v1/approvals/${long(300)}`), 414, 'uri_too_long'],
    ['no address at all', () => asked(`GET /v1/approvals/${SECRET}%zz`), 400, 'bad_request'],
    ['an address beyond all bounds', () => asked(`GET /${long(20_000)}`), 431, 'headers_too_large'],
    ['headers', () => asked('GET /v1/approvals', [`x: ${long(20_000)}`]), 431, 'headers_too_large'],
    ['no HTTP', () => `${SECRET}\r\n\r\n`, 400, 'bad_request'],
    [
      'an expectation',
      () => asked('GET /healthz', [`expect: ${SECRET}`]),
      417,
      'expectation_failed',
    ],
    ['a body', () => posted('application/json', 200_000, '{'), 413, 'too-large'],
    ['a type', () => posted('text/xml', 2, '{}'), 415, 'unsupported_media_type'],
    ['no JSON', () => posted('application/json', 7, `${SECRET}!`), 400, 'bad_request'],
    ['an empty body', () => posted('application/json', 0, ''), 400, 'bad_request'],
    ['no token', () => asked('GET /v1/approvals'), 401, 'no_token'],
  ])('%s', async (_what, request, status, error) => {
    const answer = await raw(request())
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head.toLowerCase()).toContain('content-type: application/json; charset=utf-8')
    expect(head.toLowerCase()).toContain('cache-control: no-store')
    const said = JSON.parse(body)
    expect(said).toEqual({ error, message: expect.stringMatching(/\w/) })
    expect(answer).not.toContain(SECRET)
  })
})

test('one caller does not take all the streams that there are', async () => {
  const eve = await controlOf(gateway, { subject: 'eve', kind: 'machine' })
  const stop = new AbortController()
  const followed = ({ base, token }: Control): Promise<Response> =>
    fetch(`${base}/v1/approvals/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: stop.signal,
    })
  const taken = await Promise.all(Array.from({ length: 11 }, () => followed(eve)))
  expect(taken.map(({ status }) => status).sort()).toEqual([...Array(10).fill(200), 429])
  const refused = taken.find(({ status }) => status === 429)
  expect(await refused?.json()).toMatchObject({ error: 'too_many_followers' })
  expect((await followed(ann)).status).toBe(200)
  // What is given back can be had again.
  await taken.find(({ status }) => status === 200)?.body?.cancel()
  await expect.poll(async () => (await followed(eve)).status).toBe(200)
  stop.abort()
})

const WANTED = { role: 'writer', connection: 'db', seconds: 60, reason: 'why not' }

describe('a body is of the types that it is said to be of', () => {
  test.each([
    ['a number for a text', '/v1/grants', { ...WANTED, reason: 7 }],
    ['a text for a number', '/v1/grants', { ...WANTED, seconds: '60' }],
    ['a text for yes', '/v1/grants', { ...WANTED, breakGlass: 'true' }],
    ['null for a text', '/v1/grants', { ...WANTED, node: null }],
    ['a list of one', '/v1/grants', { ...WANTED, role: ['writer'] }],
    ['one for a list', '/v1/policy/validate', { files: { path: 'p', text: '' } }],
    ['what is not asked for', '/v1/grants', { ...WANTED, brakeGlass: true }],
    ['no object', '/v1/grants', [WANTED]],
    [
      'one for a list, deeper',
      '/v1/policy/explain',
      { sql: 'SELECT 1', connection: 'db', as: { groups: 'ops' } },
    ],
  ])('%s', async (_what, route, body) => {
    expect(await ann.post(route, body)).toMatchObject({
      status: 400,
      body: { error: 'bad_request', message: expect.stringMatching(/^body/) },
    })
  })

  test('as it should be, it is taken', async () => {
    const wanted = { ...WANTED, connection: gateway.connection, breakGlass: false }
    expect(await ann.post('/v1/grants', wanted)).toMatchObject({ status: 201 })
  })

  test('what is in an address is text, and read as what it stands for', async () => {
    expect((await ann.get('/v1/approvals?open=true')).status).toBe(200)
    expect((await ann.get('/v1/audit/records?limit=1')).body.records).toHaveLength(1)
    for (const query of ['open=maybe', 'opne=true', 'open=true&open=false']) {
      expect(await ann.get(`/v1/approvals?${query}`)).toMatchObject({
        status: 400,
        body: { error: 'bad_request', message: expect.stringMatching(/^querystring/) },
      })
    }
  })
})
