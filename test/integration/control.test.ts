/** The command line against a running gateway: logging in, deciding approvals, ending sessions, and psql itself. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, run } from '../../packages/cli/src/testing.ts'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba], ticket: 'CHG-[0-9]+' }
`
const AGENT = { subject: 'agent', kind: 'machine' } as const

let database: TestDatabase
let gateway: TestGateway
let ann: Control
let url: string
const home = mkdtempSync(join(tmpdir(), 'sp-home-'))
const hasPsql = spawnSync('psql', ['--version']).status === 0

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { admin: { port: 0, operators: { groups: ['ops'] }, auditors: { groups: ['audit'] } } },
  })
  ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  url = ann.base
})
afterAll(async () => {
  rmSync(home, { recursive: true, force: true })
  await gateway.close()
  await database.drop()
})

const sallyport = (token: string, ...args: readonly string[]): Promise<Ran> =>
  run(args, { env: { SALLYPORT_URL: url, SALLYPORT_TOKEN: token, HOME: home } })

interface Psql {
  readonly child: ChildProcess
  readonly done: Promise<{ readonly code: number | null; readonly out: string }>
}

function psql(token: string, sql: string): Psql {
  const child = spawn('psql', ['-X', '-A', '-t', '-v', 'VERBOSITY=verbose', '-c', sql], {
    env: {
      ...process.env,
      PGHOST: 'localhost',
      PGPORT: String(gateway.port),
      PGDATABASE: gateway.connection,
      PGUSER: 'agent',
      PGPASSWORD: token,
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: gateway.caFile,
    },
  })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    out += chunk
  })
  const done = once(child, 'close').then(([code]) => ({ code, out }))
  return { child, done }
}

describe.runIf(hasPsql)('psql', () => {
  test('waits, is approved by the command line, and gets its rows', async () => {
    const held = psql(await gateway.token(AGENT), 'INSERT INTO t VALUES (1) RETURNING n')
    const { id } = await pendingApproval(ann)
    const listed = await sallyport(ann.token, 'approvals', 'list')
    expect(listed.stdout).toContain(id)
    const shown = await sallyport(ann.token, 'approvals', 'show', id)
    expect(shown.stdout).toContain('  INSERT INTO t VALUES (1) RETURNING n')
    const without = await sallyport(ann.token, 'approvals', 'approve', id)
    expect([without.exit, without.stderr]).toEqual([1, expect.stringContaining('ticket')])
    const approved = await sallyport(ann.token, 'approvals', 'approve', id, '--ticket', 'CHG-7')
    expect(approved).toMatchObject({ exit: 0, stdout: expect.stringMatching(/(approved|used)\n$/) })
    const { code, out } = await held.done
    expect(code).toBe(0)
    expect(out).toContain(`NOTICE:  SP001: approval ${id} is needed by the rule "writes"`)
    expect(out).toMatch(/^1$/m)
  })

  test('is told why when it is denied', async () => {
    const held = psql(await gateway.token(AGENT), 'INSERT INTO t VALUES (2)')
    const { id } = await pendingApproval(ann)
    await sallyport(ann.token, 'approvals', 'deny', id, '--reason', 'not in this week')
    const { code, out } = await held.done
    expect(code).toBe(1)
    expect(out).toContain(`ERROR:  SP002: approval ${id} was denied by ann`)
    expect(out).toContain('not in this week')
  })

  test('Ctrl-C ends the wait', async () => {
    const held = psql(await gateway.token(AGENT), 'INSERT INTO t VALUES (3)')
    const { id } = await pendingApproval(ann)
    held.child.kill('SIGINT')
    const { out } = await held.done
    expect(out).toContain('57014')
    expect((await ann.get(`/v1/approvals/${id}`)).body.status).toBe('cancelled')
    expect(await database.sql('SELECT n FROM t WHERE n IN (2, 3)')).toEqual([])
  })

  test('`sallyport psql` fills in address, token and TLS', async () => {
    const token = await gateway.token(AGENT)
    const args = ['psql', gateway.connection, '--host', 'localhost', '--ca', gateway.caFile]
    const client = spawn(
      join(import.meta.dirname, '../../node_modules/.bin/node'),
      [
        join(import.meta.dirname, '../../packages/cli/src/main.ts'),
        ...args,
        '--',
        '-XAtc',
        'SELECT 41 + 1',
      ],
      { env: { ...process.env, SALLYPORT_URL: url, SALLYPORT_TOKEN: token, HOME: home } },
    )
    let out = ''
    client.stdout.on('data', (chunk) => {
      out += chunk
    })
    const [code] = await once(client, 'close')
    expect({ code, out }).toEqual({ code: 0, out: '42\n' })
  })

  test('`sallyport psql` says what to do where the system does not know the authority', async () => {
    const token = await gateway.token(AGENT)
    const client = spawn(
      join(import.meta.dirname, '../../node_modules/.bin/node'),
      [
        join(import.meta.dirname, '../../packages/cli/src/main.ts'),
        ...['psql', gateway.connection, '--host', 'localhost', '--', '-XAtc', 'SELECT 1'],
      ],
      { env: { ...process.env, SALLYPORT_URL: url, SALLYPORT_TOKEN: token, HOME: home } },
    )
    let said = ''
    client.stderr.on('data', (chunk) => {
      said += chunk
    })
    const [code] = await once(client, 'close')
    expect({ code, said }).toEqual({
      code: 1,
      said: expect.stringMatching(/certificate.*--ca FILE/s),
    })
  })
})

test('operators see and end sessions of others; others do not', async () => {
  const { default: pg } = await import('pg')
  const db = new pg.Client({
    connectionString: gateway.url(await gateway.token(AGENT), { plain: true }),
  })
  const ended = new Promise<string>((resolve) => db.on('error', ({ message }) => resolve(message)))
  await db.connect()
  const operator = { subject: 'olga', kind: 'human', groups: ['ops'] } as const
  const list = await sallyport(await gateway.token(operator), 'sessions', 'ls', '--json')
  const session = JSON.parse(list.stdout).find(
    (one: { subject: string }) => one.subject === 'agent',
  )
  expect(session).toMatchObject({ state: 'idle', connection: gateway.connection })
  const stranger = await gateway.token({ subject: 'eve', kind: 'human' })
  expect(JSON.parse((await sallyport(stranger, 'sessions', 'ls', '--json')).stdout)).toEqual([])
  expect((await sallyport(stranger, 'sessions', 'kill', session.id)).exit).toBe(1)
  expect(
    (await sallyport(await gateway.token(operator), 'sessions', 'kill', session.id)).exit,
  ).toBe(0)
  expect(await ended).toMatch(/administrator command/)
})

test('a session is watched: statements as they are decided, how they ended, and its end', async () => {
  const { default: pg } = await import('pg')
  const db = new pg.Client({
    connectionString: gateway.url(await gateway.token(AGENT), { plain: true }),
  })
  await db.connect()
  const operator = await gateway.token({ subject: 'olga', kind: 'human', groups: ['ops'] })
  const list = await sallyport(operator, 'sessions', 'ls', '--json')
  const own = JSON.parse(list.stdout).filter((one: { subject: string }) => one.subject === 'agent')
  const { id } = own.at(-1)
  const stranger = await gateway.token({ subject: 'eve', kind: 'human' })
  expect((await sallyport(stranger, 'sessions', 'watch', id)).exit).toBe(1)
  const events = await fetch(`${url}/v1/sessions/${id}/events`, {
    headers: { authorization: `Bearer ${operator}` },
  })
  const reader = (events.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader()
  expect((await reader.read()).value).toBe(': following\n\n')
  const watching = sallyport(operator, 'sessions', 'watch', id, '--json')
  await db.query('SELECT n FROM t')
  await db.query('DROP TABLE t').catch(() => undefined)
  let seen = ''
  for (let i = 0; i < 50 && !seen.includes('"deny"'); i++) seen += (await reader.read()).value
  await db.end()
  for (let i = 0; i < 50 && !seen.includes('event: ended'); i++) seen += (await reader.read()).value
  const told = [...seen.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => ({
    event,
    ...JSON.parse(data ?? ''),
  }))
  expect(told).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ event: 'statement', sql: 'SELECT n FROM t', verdict: 'allow' }),
      expect.objectContaining({ event: 'outcome', status: 'ok', sqlstate: null }),
      expect.objectContaining({ event: 'statement', sql: 'DROP TABLE t', verdict: 'deny' }),
    ]),
  )
  // The command may have begun later; it ends with the session, or finds it gone.
  const { exit, stdout } = await watching
  if (exit === 0) expect(stdout).toContain(`{"session":"${id}"}`)
  else expect(exit).toBe(1)
})

test('a statement is explained: one’s own, and for operators anybody’s with the rules', async () => {
  const olga = await controlOf(gateway, { subject: 'olga', kind: 'human', groups: ['ops'] })
  const agent = await controlOf(gateway, AGENT)
  const connection = gateway.connection
  const read = await agent.post('/v1/policy/explain', { sql: 'SELECT n FROM t', connection })
  expect(read).toMatchObject({
    status: 200,
    body: { verdict: { kind: 'allow' }, columns: [{ name: 'n', outcome: 'clean', mask: null }] },
  })
  const drop = await agent.post('/v1/policy/explain', { sql: 'DROP TABLE t', connection })
  expect(drop.body.verdict).toMatchObject({ kind: 'deny', code: 'not-allowed' })
  expect(drop.body.statements).toBeUndefined()
  const as = { subject: 'someone', groups: ['dba'] }
  const of = { sql: 'INSERT INTO t VALUES (1)', connection, as }
  expect((await agent.post('/v1/policy/explain', of)).status).toBe(403)
  expect((await olga.post('/v1/policy/explain', of)).body).toMatchObject({
    subject: { subject: 'someone', groups: ['dba'] },
    verdict: { kind: 'approve', rule: 'writes' },
    statements: [{ effects: ['write'] }],
  })
  for (const place of ['elsewhere', `${connection}/other`]) {
    const gone = await agent.post('/v1/policy/explain', { sql: 'SELECT 1', connection: place })
    expect(gone.status).toBe(404)
  }
  const bad = await agent.post('/v1/policy/explain', { sql: 'SELEC 1', connection })
  expect(bad.body.verdict).toMatchObject({ kind: 'deny', code: 'unparsable', sqlstate: '42601' })
})

test('operators see, check and reload policy; auditors read the trail, and that is on record', async () => {
  const olga = await controlOf(gateway, { subject: 'olga', kind: 'human', groups: ['ops'] })
  const otto = await controlOf(gateway, { subject: 'otto', kind: 'human', groups: ['audit'] })
  expect((await olga.get('/v1/policy')).body).toMatchObject({ rules: 2 })
  const bad = { files: [{ path: 'p.yaml', text: 'version: 1\nrulez: []' }] }
  expect((await olga.post('/v1/policy/validate', bad)).body).toMatchObject({
    valid: false,
    errors: [expect.stringContaining('p.yaml:2:1')],
  })
  expect((await olga.post('/v1/policy/reload')).status).toBe(200)
  for (const path of ['/v1/policy/validate', '/v1/policy/reload']) {
    expect((await otto.post(path, bad)).status).toBe(403)
  }
  expect((await olga.get('/v1/audit/records')).status).toBe(403)
  const { status, body } = await otto.get('/v1/audit/records?type=trail-read&limit=5')
  expect(status).toBe(200)
  type Read = { readonly event: { readonly actor: string } }
  let found: Read[] = body.records
  for (let i = 0; i < 150 && !found.some(({ event }) => event.actor === 'otto'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    found = (await otto.get('/v1/audit/records?type=trail-read&limit=5')).body.records
  }
  expect(found.map(({ event }) => event.actor)).toContain('otto')
  expect((await otto.get('/v1/audit/records?limit=100000')).status).toBe(400)
})

test('the document describes every route', async () => {
  const answer = await fetch(`${url}/openapi.json`)
  const { paths } = (await answer.json()) as { paths: object }
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/v1/approvals/{id}/decision', '/v1/sessions/{id}', '/v1/listeners']),
  )
})

describe('login', () => {
  let provider: Server
  let issuer: string
  const grants: URLSearchParams[] = []
  let hasDeviceFlow = true

  /** As an identity provider answers a public client: discovery, device authorization, tokens. */
  beforeAll(async () => {
    provider = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const answer = (status: number, json: object): void => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(json))
      }
      if (request.url === '/.well-known/openid-configuration') {
        return answer(200, {
          issuer,
          token_endpoint: `${issuer}/token`,
          ...(hasDeviceFlow && { device_authorization_endpoint: `${issuer}/device` }),
          authorization_endpoint: `${issuer}/auth`,
        })
      }
      if (request.url === '/device') {
        return answer(200, {
          device_code: 'dc',
          user_code: 'WDJB-MJHT',
          verification_uri: `${issuer}/confirm`,
          expires_in: 60,
          interval: 1,
        })
      }
      grants.push(new URLSearchParams(body))
      if (grants.length === 1) return answer(400, { error: 'authorization_pending' })
      answer(200, {
        access_token: `${'e30'}.${Buffer.from(JSON.stringify({ n: grants.length })).toString('base64url')}.x`,
        token_type: 'Bearer',
        expires_in: 60,
        refresh_token: `r${grants.length}`,
      })
    })
    provider.listen(0, '127.0.0.1')
    await once(provider, 'listening')
    issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  })
  afterAll(() => {
    provider.close()
  })

  test('by the device flow: kept for its owner alone, refreshed, forgotten', async () => {
    const env = { HOME: home }
    const login = await run(['login', '--url', url, '--issuer', issuer], { env })
    expect(login).toMatchObject({ exit: 0, stderr: expect.stringContaining('WDJB-MJHT') })
    const file = join(home, '.config', 'sallyport', 'login.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    // The gateway does not know this issuer: that it says so shows that the kept token was sent.
    const used = await run(['approvals', 'list'], { env })
    expect([used.exit, used.stderr]).toEqual([1, expect.stringContaining('refused')])
    expect(grants.at(-1)?.get('grant_type')).toMatch(/device_code$/)
    await run(['approvals', 'list'], { env, now: Date.now() + 45_000 })
    expect(grants.at(-1)?.get('grant_type')).toBe('refresh_token')
    expect(
      (await run(['approvals', 'list', '--url', 'http://127.0.0.1:1'], { env })).stderr,
    ).toMatch(/logged in at/)
    await run(['logout'], { env })
    expect((await run(['approvals', 'list'], { env })).exit).toBe(2)
  })

  test('a provider without the device flow: says what there is', async () => {
    hasDeviceFlow = false
    const login = await run(['login', '--url', url, '--issuer', issuer], { env: { HOME: home } })
    expect([login.exit, login.stderr]).toEqual([2, expect.stringContaining('--browser')])
  })
})
