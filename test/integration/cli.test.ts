/**
 * The `sallyport` command as people run it: a process of its own against real files, a real database, a
 * real identity provider and a real gateway. Nothing here looks at how it is made.
 *
 * One long file on purpose: its parts share one folder, database and issuer, and each builds on the state
 * directory that the ones before it left.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { DEMO_ROLES } from '../demo/data/load.ts'
import { createCertificateAuthority, createSelfSigned } from '../support/certs.ts'
import { type RunningIssuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NODE = join(ROOT, 'node_modules/.bin/node')
const MAIN = join(ROOT, 'packages/cli/src/main.ts')
const LAUNCHER = join(ROOT, 'packages/cli/bin/sallyport.js')

const POLICY = `version: 1
connections: [crm]
rules:
  - name: analysts read
    who: { groups: [analysts] }
    allow: { effects: [read], relations: [public.customers, public.orders] }
  - name: orders need a human
    who: { groups: [analysts] }
    approve: { effects: [write], relations: [public.orders] }
    approvers: { groups: [dba], count: 1 }
masks:
  - name: addresses
    columns: [public.customers.email]
    with: email
`
const CASES = `version: 1
connection: crm
cases:
  - name: addresses are masked
    who: { groups: [analysts] }
    sql: SELECT id, email FROM customers
    expect: allow
    masks: { id: none, email: email }
  - name: nothing is deleted
    who: { groups: [analysts] }
    sql: DELETE FROM customers
    expect: deny
`

let database: TestDatabase
let issuer: RunningIssuer
let folder: string
let listenerPort: number
let adminPort: number

const file = (name: string): string => join(folder, name)

function write(name: string, text: string, mode = 0o644): string {
  writeFileSync(file(name), text)
  chmodSync(file(name), mode)
  return file(name)
}

function configuration(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    version: 1,
    listeners: [{ protocol: 'postgres', port: listenerPort, tls: { generated: true } }],
    admin: { port: adminPort },
    identity: {
      issuers: [{ issuer: issuer.issuer, audience: 'sallyport' }],
      roles: { analyst: { groups: ['analysts'] } },
    },
    connections: { crm: connection() },
    policies: ['policy.yaml'],
    ...changes,
  }
}

function connection(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    protocol: 'postgres',
    host: 'localhost',
    port: database.port,
    database: database.database,
    tls: { mode: 'verify-full', ca: 'upstream-ca.crt' },
    user: 'app_reader',
    password: `file:${file('reader')}`,
    ...changes,
  }
}

beforeAll(async () => {
  database = await usePostgres({ demo: true })
  issuer = await startIssuer({
    audience: 'sallyport',
    users: [
      { sub: 'ada', groups: ['analysts'] },
      { sub: 'eve', groups: [] },
    ],
  })
  folder = mkdtempSync(join(tmpdir(), 'sp-cli-'))
  listenerPort = await freePort()
  adminPort = await freePort()
  write('policy.yaml', POLICY)
  write('policy.cases.yaml', CASES)
  write('reader', DEMO_ROLES.app_reader, 0o600)
  write('upstream-ca.crt', database.ca ?? '')
  write('sallyport.yaml', stringify(configuration()))
  write('jwt', await issuer.token('ada'), 0o600)
})

afterAll(async () => {
  await issuer?.close()
  await database?.drop()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

interface Ran {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly stdin?: string
  readonly env?: Record<string, string>
  readonly command?: readonly [string, ...string[]]
}

async function sallyport(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { SALLYPORT_TOKEN: _, ...inherited } = process.env
  const [node, ...command] = options.command ?? [NODE, MAIN]
  const child = spawn(node, [...command, ...args], {
    cwd: folder,
    env: { ...inherited, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(options.stdin ?? '')
  const ended = outputOf(child)
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { exit, ...ended }
}

/** Filled while the process runs. */
function outputOf(child: ChildProcess): { stdout: string; stderr: string } {
  const written = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => {
    written.stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    written.stderr += chunk.toString()
  })
  return written
}

interface Serving {
  readonly child: ChildProcess
  readonly written: { readonly stdout: string; readonly stderr: string }
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

async function serve(config = 'sallyport.yaml'): Promise<Serving> {
  const child = spawn(NODE, [MAIN, 'serve', '--config', config], { cwd: folder })
  const written = outputOf(child)
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const deadline = Date.now() + 20_000
  while (!written.stderr.includes('connections: ')) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`it did not start: ${written.stderr}`)
    }
    await pause(25)
  }
  return {
    child,
    written,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return closed
    },
  }
}

describe('tokens without a gateway', () => {
  test('a minted token is alone on stdout, is accepted, and is in the audit log', async () => {
    const minted = await sallyport([
      ...['token', '-c', 'sallyport.yaml', '--subject', 'etl', '--group', 'analysts'],
      ...['--for', '10m', '--connection', 'crm', '--role', 'analyst'],
    ])
    expect(minted).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^spt_\S{38}\n$/) })
    expect(minted.stderr).toMatch(
      /^st_\S+ for etl \(machine; groups: analysts\), expires in 10 min/,
    )
    const token = minted.stdout.trim()
    const seen = await sallyport(['token', 'inspect', '-c', 'sallyport.yaml', '--json'], {
      stdin: token,
    })
    expect(JSON.parse(seen.stdout)).toMatchObject({
      verified: true,
      result: { accepted: true, principal: { subject: 'etl', roles: ['analyst'] } },
    })
    const id = minted.stderr.split(' ')[0] ?? ''
    const audit = await sallyport(['audit', 'search', '-c', 'sallyport.yaml', '--about', id])
    expect(audit.stdout).toContain(`${id} for etl`)
    expect(`${minted.stderr}${seen.stdout}${audit.stdout}`).not.toContain(token)
  })

  test.each([
    { flags: ['--group', 'analysts'], because: '--subject NAME', exit: 2 },
    { flags: ['--subject', 'x', '--kind', 'robot'], because: 'human or machine', exit: 2 },
    { flags: ['--subject', 'x', '--for', 'soon'], because: 'a duration such as', exit: 2 },
    { flags: ['--subject', 'x', '--connection', 'cmr'], because: 'no connection `cmr`', exit: 2 },
    { flags: ['--subject', 'x', '--role', 'analyst'], because: 'have the role `analyst`', exit: 1 },
  ])('minting with $flags is refused', async ({ flags, because, exit }) => {
    const ran = await sallyport(['token', 'mint', '-c', 'sallyport.yaml', ...flags])
    expect(ran.stderr).toContain(because)
    expect(ran).toMatchObject({ exit, stdout: '' })
  })

  test('a decoded token is said not to be verified', async () => {
    const ran = await sallyport(['token', 'inspect', '--token-file', 'jwt'])
    expect(ran.exit).toBe(0)
    expect(ran.stdout).toMatch(/sub +ada/)
    expect(ran.stdout).toContain('NOT VERIFIED')
  })

  test.each([
    {
      overrides: { audience: 'billing' },
      because: 'its audience (aud) is `billing`, expected `sallyport`',
    },
    { overrides: { expiresInSeconds: -180 }, because: 'it expired 3 min' },
    { overrides: { claims: { nbf: Date.now() / 1000 + 600 } }, because: 'it is valid only in' },
  ])(
    'what is wrong with a token is said in plain words: $because',
    async ({ overrides, because }) => {
      const token = await issuer.token('ada', overrides)
      const env = { SALLYPORT_TOKEN: token }
      const ran = await sallyport(['token', 'inspect', '-c', 'sallyport.yaml'], { env })
      expect(ran.stdout).toContain(because)
      expect(ran.exit).toBe(1)
      expect(ran.stdout).not.toContain(token)
    },
  )

  test('a key that the issuer does not publish is named', async () => {
    const stranger = await startIssuer({
      audience: 'sallyport',
      users: [{ sub: 'ada', groups: [] }],
    })
    try {
      const token = await stranger.token('ada', { claims: { iss: issuer.issuer } })
      const ran = await sallyport(['token', 'inspect', '-c', 'sallyport.yaml'], { stdin: token })
      expect(ran).toMatchObject({
        exit: 1,
        stdout: expect.stringContaining('(unknown-key): it is signed with the key'),
      })
    } finally {
      await stranger.close()
    }
  })

  test('minted tokens are listed until they are revoked', async () => {
    const mint = ['token', 'mint', '-c', 'sallyport.yaml', '--subject', 'bob', '--label', 'for bob']
    const { id } = JSON.parse((await sallyport([...mint, '--json'])).stdout)
    const list = ['token', 'list', '-c', 'sallyport.yaml', '--subject', 'bob']
    expect((await sallyport(list)).stdout).toMatch(new RegExp(`${id} .*live.*for bob`))
    const revoke = ['token', 'revoke', '-c', 'sallyport.yaml', '--id', id, '--reason', 'lost']
    expect(await sallyport(revoke)).toMatchObject({ exit: 0, stdout: `revoked ${id}\n` })
    expect((await sallyport(list)).stdout).toBe('')
    expect((await sallyport([...list, '--all'])).stdout).toMatch(new RegExp(`${id} .*revoked`))
    const about = await sallyport(['audit', 'search', '-c', 'sallyport.yaml', '--about', id])
    expect(about.stdout).toMatch(/token-revoked .*operator:.*lost/)
  })

  test('every token of a subject is revoked at once', async () => {
    const mint = ['token', 'mint', '-c', 'sallyport.yaml', '--subject', 'carol']
    const token = (await sallyport(mint)).stdout
    await sallyport(['token', 'revoke', '-c', 'sallyport.yaml', '--subject', 'carol'])
    const seen = await sallyport(['token', 'inspect', '-c', 'sallyport.yaml'], { stdin: token })
    expect(seen).toMatchObject({ exit: 1, stdout: expect.stringContaining('(revoked)') })
  })
})

describe('policies', () => {
  test('a policy in order is counted', async () => {
    const ran = await sallyport(['policy', 'check', 'policy.yaml', 'policy.cases.yaml'])
    expect(ran.exit).toBe(0)
    expect(ran.stdout).toContain('ok: 1 file, 2 rules, 1 mask, 0 limits')
  })

  test('errors come with line and column', async () => {
    write('broken.yaml', POLICY.replace('effects: [read]', 'efects: [read]'))
    const ran = await sallyport(['policy', 'check', 'broken.yaml'])
    expect(ran.exit).toBe(1)
    expect(ran.stdout).toMatch(/^broken\.yaml:6:\d+: .*efects/m)
  })

  test('a statement is explained against the live schema', async () => {
    const sql = 'SELECT id, email, upper(name) AS n FROM customers'
    const flags = ['-c', 'sallyport.yaml', '--group', 'analysts']
    const ran = await sallyport(['policy', 'explain', sql, ...flags])
    expect(ran.exit).toBe(0)
    expect(ran.stdout).toMatch(/^ALLOW {2}by analysts read/)
    expect(ran.stdout).toMatch(/email +masked +email +public\.customers\.email +addresses/)
    expect(ran.stdout).toMatch(/ n +clean +- +computed from public\.customers\.name/)
    expect(ran.stdout).toContain('role analyst')
  })

  test('a token is explained as the principal it brings', async () => {
    const ran = await sallyport([
      ...['policy', 'explain', 'DELETE FROM customers'],
      ...['-c', 'sallyport.yaml', '--token-file', 'jwt', '--json'],
    ])
    expect(ran.exit).toBe(1)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      subject: { subject: 'ada', groups: ['analysts'] },
      verdict: { kind: 'deny', code: 'not-allowed' },
    })
  })

  test('suggested masks are a policy file without any value', async () => {
    const ran = await sallyport(['policy', 'suggest', '-c', 'sallyport.yaml', '--rows', '50'])
    expect(ran.exit, ran.stderr).toBe(0)
    expect(ran.stdout).toContain('columns: [ public.customers.email ], with: email')
    expect(ran.stdout).toMatch(/# .*sampled values have an e-mail address/)
    expect(ran.stdout).not.toMatch(/[a-z]@[a-z]/)
    write('suggested.yaml', ran.stdout)
    expect(await sallyport(['policy', 'check', 'suggested.yaml'])).toMatchObject({ exit: 0 })
    const named = await sallyport(['policy', 'suggest', '-c', 'sallyport.yaml', '--no-samples'])
    expect(named.stdout).not.toContain('sampled')
  })

  test('a snapshot stands in for the database', async () => {
    const snapshot = await sallyport(['policy', 'catalog', '-c', 'sallyport.yaml'])
    expect(snapshot.exit).toBe(0)
    write('snapshot.json', snapshot.stdout)
    const offline = ['-p', 'policy.yaml', '--catalog', 'snapshot.json', '--connection', 'crm']
    const held = await sallyport(['policy', 'explain', '-', ...offline, '--group', 'analysts'], {
      stdin: "UPDATE orders SET status = 'x' WHERE id = 1",
    })
    expect(held).toMatchObject({ exit: 1, stdout: expect.stringMatching(/^APPROVE/) })
    const cases = await sallyport([
      'policy',
      'test',
      'policy.cases.yaml',
      '--catalog',
      'snapshot.json',
    ])
    expect(cases).toMatchObject({ exit: 0, stdout: expect.stringContaining('2 passed') })
  })

  test('a case that fails is shown with its line and fails the command', async () => {
    write('policy.cases.yaml', CASES.replace('email: email', 'email: redact'))
    const ran = await sallyport(['policy', 'test', 'policy.cases.yaml', '-c', 'sallyport.yaml'])
    expect(ran.exit).toBe(1)
    expect(ran.stdout).toContain('FAIL  addresses are masked  policy.cases.yaml:4')
    expect(ran.stdout).toContain('expected the mask `redact`, came `email`')
    write('policy.cases.yaml', CASES)
  })

  test('the schema is a JSON Schema', async () => {
    const ran = await sallyport(['policy', 'schema'])
    expect(JSON.parse(ran.stdout)).toHaveProperty('$schema')
  })
})

describe('a running gateway', () => {
  let serving: Serving
  beforeAll(async () => {
    serving = await serve()
  })
  afterAll(() => serving?.stop('SIGKILL'))

  test('says where it listens, and its logs are JSON', () => {
    expect(serving.written.stderr).toContain(`listening for postgres on 127.0.0.1:${listenerPort}`)
    for (const line of serving.written.stdout.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toHaveProperty('level')
    }
  })

  test('a token is exchanged, used, given back, and then worth nothing', async () => {
    const url = `http://127.0.0.1:${adminPort}`
    const flags = ['--url', url, '--for', '5m', '--connection', 'crm', '--role', 'analyst']
    const given = await sallyport(['token', ...flags, '--token-file', 'jwt'])
    expect(given).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^spt_\S{38}\n$/) })
    expect(given.stderr).toContain('expires in 5 min, only connection:crm role:analyst')
    const token = given.stdout.trim()
    expect(await countCustomers(token)).toBeGreaterThan(0)
    await sallyport(['token', 'revoke', '--url', url], { stdin: token })
    await expect(countCustomers(token)).rejects.toThrow('revoked')
    const again = await sallyport(['token', 'exchange', '--url', url], { stdin: token })
    expect(again).toMatchObject({ exit: 1, stderr: expect.stringContaining('revoked') })
  })

  test('minting beside it works and says that it is not in the audit log', async () => {
    const mint = [
      'token',
      'mint',
      '-c',
      'sallyport.yaml',
      '--subject',
      'etl',
      '--group',
      'analysts',
    ]
    const minted = await sallyport(mint)
    expect(minted.stderr).toContain('a running gateway holds the audit log')
    expect(await countCustomers(minted.stdout.trim())).toBeGreaterThan(0)
    const strict = await sallyport([...mint, '--require-audit'])
    expect(strict).toMatchObject({ exit: 3, stdout: '' })
  })

  test('the trail is read while it is written', async () => {
    const tail = ['audit', 'tail', '-c', 'sallyport.yaml', '-n', '500', '--json']
    const { stdout } = await sallyport(tail)
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const statement = records.find(({ event }) => event.type === 'statement')
    expect(statement.event).toMatchObject({ verdict: 'allow', rule: expect.any(String) })
    const seq = String(statement.seq)
    const shown = await sallyport(['audit', 'show', seq, '-c', 'sallyport.yaml'])
    expect(shown.stdout).toMatch(new RegExp(`^${seq} statement`))
    expect(shown.stdout).toContain('outcome')
    const session = statement.event.session.slice(0, 8)
    const whole = await sallyport(['audit', 'show', session, '-c', 'sallyport.yaml'])
    expect(whole.stdout).toMatch(/connection-opened[\s\S]*authentication[\s\S]*allow/)
    const sessions = await sallyport([
      'audit',
      'sessions',
      '-c',
      'sallyport.yaml',
      '--subject',
      'ada',
    ])
    expect(sessions.stdout).toMatch(/ada +analyst +crm/)
  })

  test('tail goes on with what comes', async () => {
    const child = spawn(
      NODE,
      [MAIN, 'audit', 'tail', '-c', 'sallyport.yaml', '-n', '1', '-f', '--json'],
      {
        cwd: folder,
      },
    )
    try {
      const written = outputOf(child)
      await expect.poll(() => written.stdout, { timeout: 10_000 }).not.toBe('')
      await sallyport(['token', '--url', `http://127.0.0.1:${adminPort}`, '--token-file', 'jwt'])
      await expect.poll(() => written.stdout, { timeout: 10_000 }).toContain('token-minted')
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('the doctor finds it running', async () => {
    const ran = await sallyport(['doctor', '-c', 'sallyport.yaml', '--token-file', 'jwt'])
    expect(ran.stdout).toContain('in use by a gateway with this certificate: it is running')
    expect(ran.stdout).toContain('a gateway is running and ready')
    expect(ran.stdout).toContain('TLSv1.3; its certificate and name verified (verify-full)')
    expect(ran.stdout).toMatch(/app_reader \(the default credential\) logs in; PostgreSQL \d/)
    expect(ran.stdout).toContain('may log in to crm as analyst')
    expect(ran.stdout).not.toContain(DEMO_ROLES.app_reader)
    expect(ran).toMatchObject({ exit: 0, stderr: '' })
  })

  test('another gateway with the same state is refused as busy', async () => {
    const ran = await sallyport(['serve', '-c', 'sallyport.yaml'])
    expect(ran).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining('another process writes'),
    })
  })

  test('SIGHUP takes a new policy and keeps it when the next one is bad', async () => {
    write('policy.yaml', POLICY.replace('connections: [crm]', 'connections: [other]'))
    serving.child.kill('SIGHUP')
    const token = readFileSync(file('jwt'), 'utf8')
    await expect
      .poll(() => countCustomers(token).catch((error: Error) => error.message), { timeout: 10_000 })
      .toContain('does not exist, or this token gives no access')
    write('policy.yaml', POLICY)
    serving.child.kill('SIGHUP')
    await expect
      .poll(() => countCustomers(token).catch(() => 0), { timeout: 10_000 })
      .toBeGreaterThan(0)
  })

  test('SIGTERM stops it in order, and what it wrote verifies with the public key', async () => {
    expect(await serving.stop()).toBe(0)
    const directory = file('.sallyport/audit')
    const key = readdirSync(directory).find((name) => name.startsWith('public-key-')) ?? ''
    const verify = ['audit', 'verify', directory, '--public-key', join(directory, key)]
    const good = await sallyport(verify)
    expect(good).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^VERIFIED/) })
    const segment = join(directory, '00000001.jsonl')
    const before = readFileSync(segment, 'utf8')
    writeFileSync(segment, before.replace('"subject":"ada"', '"subject":"eve"'))
    const bad = await sallyport(verify)
    expect(bad.exit).toBe(1)
    expect(bad.stdout).toMatch(/^NOT VERIFIED/)
    writeFileSync(segment, before)
    const privateKey = [
      'audit',
      'verify',
      directory,
      '--public-key',
      join(directory, 'signing-key.pem'),
    ]
    expect(await sallyport(privateKey)).toMatchObject({ exit: 2, stdout: '' })
  })

  async function countCustomers(token: string): Promise<number> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: listenerPort,
      user: 'analyst-or-anything',
      password: token,
      database: 'crm',
      ssl: { ca: readFileSync(file('.sallyport/tls/server.crt'), 'utf8') },
    })
    client.on('error', () => {})
    await client.connect()
    try {
      const { rows } = await client.query('SELECT count(*)::int AS n FROM public.customers')
      return rows[0].n
    } finally {
      await client.end()
    }
  }
})

describe('the doctor', () => {
  const servers: Server[] = []
  afterAll(() => {
    for (const server of servers) server.close()
  })

  async function examine(changes: Record<string, unknown>, more: readonly string[] = []) {
    write('sick.yaml', stringify(configuration({ state: { directory: 'sick-state' }, ...changes })))
    const ran = await sallyport(['doctor', '-c', 'sick.yaml', '--json', ...more])
    const findings: { area: string; level: string; message: string; fix: string | null }[] =
      JSON.parse(ran.stdout)
    return { exit: ran.exit, bad: findings.filter(({ level }) => level !== 'ok'), findings }
  }

  const upstream = (changes: Record<string, unknown>) => ({
    connections: { crm: connection(changes) },
  })

  test.each([
    ['nobody listens', { port: 1 }, /cannot be reached: ECONNREFUSED/],
    ['the name is unknown', { host: 'no-such-host.invalid' }, /is not found/],
    ['no such database', { database: 'nowhere' }, /3D000.*database "nowhere" does not exist/],
    ['no such socket', { socket: '/nowhere', tls: {} }, /there is no socket/],
    ['the secret is missing', { password: 'env:SALLYPORT_NOT_SET' }, /not in the environment/],
    ['the wrong password', { password: 'plain:wrong-password' }, /28P01/],
    ['an untrusted CA', { tls: { mode: 'verify-full' } }, /not vouched for by the public roots/],
    [
      'another name in the certificate',
      { tls: { mode: 'verify-full', ca: 'upstream-ca.crt', 'server-name': 'db.example' } },
      /not for `db\.example`, but for .*localhost/,
    ],
  ])('tells what is wrong with a database: %s', async (_name, changes, message) => {
    const { exit, bad } = await examine(upstream(changes), ['--connection', 'crm'])
    expect(exit).toBe(1)
    expect(bad).toContainEqual({
      area: 'connection crm',
      level: 'fail',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/\S/),
    })
    expect(JSON.stringify(bad)).not.toContain('wrong-password')
  })

  test('a superuser behind the gateway is a warning', async () => {
    const { user, password } = database.superuser
    write('super', password, 0o644)
    const changes = upstream({ user, password: `file:${file('super')}` })
    const { exit, bad, findings } = await examine(changes, ['--connection', 'crm'])
    expect(exit).toBe(0)
    expect(bad.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('is a superuser'),
        expect.stringContaining('can be read by every account'),
      ]),
    )
    expect(JSON.stringify(findings)).not.toContain(password)
  })

  test('certificates: expired, of another key, readable by all', async () => {
    const authority = await createCertificateAuthority()
    const day = 86_400_000
    const dates = {
      notBefore: new Date(Date.now() - 9 * day),
      notAfter: new Date(Date.now() - day),
    }
    const expired = await authority.server(['localhost'], dates)
    const other = await createSelfSigned(['localhost'])
    write('expired.crt', expired.cert)
    write('expired.key', expired.key, 0o644)
    write('other.key', other.key, 0o600)
    const withTls = (key: string) => ({
      listeners: [{ protocol: 'postgres', port: 0, tls: { certificate: 'expired.crt', key } }],
    })
    const first = await examine(withTls('expired.key'))
    expect(first.bad.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('the certificate expired 1 d'),
        expect.stringContaining('is open to other accounts (mode 644)'),
      ]),
    )
    const second = await examine(withTls('other.key'))
    expect(second.bad.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('is not the key of'),
    )
  })

  test('a port that another program has, an issuer that does not answer', async () => {
    const server = createServer((socket) => socket.end())
    servers.push(server)
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    const silent = await freePort()
    const { bad } = await examine({
      listeners: [{ protocol: 'postgres', port }],
      identity: { issuers: [{ issuer: `http://127.0.0.1:${silent}`, audience: 'sallyport' }] },
    })
    expect(bad).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringContaining('in use by another program'),
      }),
    )
    expect(bad).toContainEqual(
      expect.objectContaining({
        area: `issuer http://127.0.0.1:${silent}`,
        level: 'fail',
        message: expect.stringContaining('ECONNREFUSED'),
      }),
    )
  })

  test('a configuration that cannot be used is the only finding', async () => {
    write('sick.yaml', 'version: 1\nlistners: []\n')
    const ran = await sallyport(['doctor', '-c', 'sick.yaml'])
    expect(ran.exit).toBe(2)
    expect(ran.stdout).toMatch(/fail {2}line 2:\d+: has an unknown key `listners`/)
  })

  test.each([
    [
      'a key that is not there',
      { key: 'env:SALLYPORT_NOT_SET' },
      /^audit\.recordings\.key: .*not in the environment/,
    ],
    [
      'a key that is none',
      { key: 'plain:c2hvcnQ=' },
      /^audit\.recordings\.key: .*must be 32 bytes in base64/,
    ],
  ])('tells what is wrong with %s', async (_name, recordings, message) => {
    const { exit, bad } = await examine({ audit: { directory: 'audit', recordings } })
    expect(exit).toBe(1)
    expect(bad).toContainEqual({
      area: 'secrets',
      level: 'fail',
      message: expect.stringMatching(message),
      fix: expect.any(String),
    })
  })

  test.each([
    [{ recordings: { key: 'file:key' } }, '`audit.recordings.key` `file:` takes an absolute path'],
    [
      { anchors: [{ url: 'http://example.com/' }] },
      '`audit.anchors.0.url` must be https://…, or http://… to this machine',
    ],
    [{ anchors: [{ url: 'https://[' }] }, '`audit.anchors.0.url` must be https://…'],
    [{ anchors: [{ file: '/a', url: 'https://example.com/' }] }, 'must have one of file, url'],
    [{ anchors: [{}] }, 'must have one of file, url'],
  ])('a configuration of which one thing cannot be: %j', async (audit, message) => {
    const { exit, bad } = await examine({ audit: { directory: 'audit', ...audit } })
    expect(exit).toBe(2)
    expect(bad.map((finding) => finding.message).join('\n')).toContain(message)
    expect(bad).toHaveLength(1)
  })

  test('changes nothing on disk', async () => {
    const before = readdirSync(folder)
    await examine({ state: { directory: 'never-made' } })
    expect(readdirSync(folder).sort()).toEqual([...new Set([...before, 'sick.yaml'])].sort())
  })
})

describe('starting', () => {
  test('the launcher runs the command on a new Node', async () => {
    const ran = await sallyport(['--version'], { command: [NODE, LAUNCHER] })
    expect(ran).toMatchObject({ exit: 0, stdout: '0.1.0\n' })
  })

  test('the launcher gives a gateway its young generation, unless told otherwise', async () => {
    const tells = `data:text/javascript,process.on('exit',()=>console.log(...process.execArgv))`
    const started = (...options: string[]): ReturnType<typeof sallyport> =>
      sallyport(['serve', '-c', 'missing.yaml'], {
        command: [NODE, '--import', tells, ...options, LAUNCHER],
      })
    expect(await started()).toMatchObject({
      exit: 2,
      stdout: expect.stringContaining('--min-semi-space-size=8 --max-semi-space-size=8 --import'),
    })
    const own = await started('--max-semi-space-size=4')
    expect(own.stdout).not.toContain('--min-semi-space-size')
    expect(own.stdout).toContain('--max-semi-space-size=4')
  })

  const old = oldNode()
  test.skipIf(old === null)(
    'the launcher finds a newer Node when started by an old one',
    async () => {
      const ran = await sallyport(['polcy'], { command: [old ?? '', LAUNCHER] })
      expect(ran).toMatchObject({
        exit: 2,
        stderr: expect.stringContaining('Did you mean policy?'),
      })
    },
  )

  /** A Node on PATH that is too old for the command; null when this machine has none. */
  function oldNode(): string | null {
    for (const directory of (process.env['PATH'] ?? '').split(':')) {
      const node = join(directory, 'node')
      const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
      const major = Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? 99)
      if (major < 24) return node
    }
    return null
  }
})
