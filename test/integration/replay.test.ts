/** `sallyport replay` on a real session: drawn, as data, against a database, under another policy. */
import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openAuditReader } from '@sallyport/audit'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { debianProgram } from '../support/debian.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MAIN = join(ROOT, 'packages/cli/src/main.ts')
const exec = promisify(execFile)
const ASCIINEMA = debianProgram('asciinema', ['asciinema'])

const POLICY = `version: 1
rules:
  - { name: everything, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }
masks: [{ columns: [public.people.ssn], with: redact, predicates: equality }]
record: [{ who: everyone }]`
const NEXT = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['*'], functions: ['*'] } }
  - { name: no notes, who: everyone, deny: { relations: [public.notes] } }
masks: [{ columns: [public.people.ssn, public.people.name], with: redact }]`

let database: TestDatabase
let gateway: TestGateway
let session: string

async function sallyport(
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await exec(process.execPath, [MAIN, ...args], { timeout: 50_000 })
    return { code: 0, stdout, stderr }
  } catch (error) {
    // Safe: execFile rejects with what the process said and its exit code.
    return error as { code: number; stdout: string; stderr: string }
  }
}

const replay = (...args: string[]) => sallyport('replay', '-c', gateway.configFile, ...args)

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(
    `CREATE TABLE people (id int, name text, ssn text); INSERT INTO people VALUES (1, 'Ann', 'a'), (2, NULL, 'b');
     CREATE TABLE notes (body text)`,
  )
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    policies: [POLICY],
  })
  const client = new pg.Client({
    host: gateway.host,
    port: gateway.port,
    user: 'someone',
    database: 'crm',
    password: await gateway.token({ subject: 'ann', groups: ['analysts'] }),
    ssl: { ca: gateway.ca },
  })
  await client.connect()
  await client.query('SELECT id, name FROM people ORDER BY id')
  await client.query('SELECT ssn FROM people WHERE id = $1', [1])
  await client.query("INSERT INTO notes VALUES ('hello')")
  // Its values are left out of the record: one could be somebody's.
  await client.query("SELECT id FROM people WHERE ssn = 'b' AND id < 9 LIMIT 4")
  await client.query('SELECT count(*) FROM notes')
  await client.query('SELECT 1/0').catch(() => undefined)
  await client.end()
  session = await sealedSession()
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

/** The one session, once its recording is complete. */
async function sealedSession(): Promise<string> {
  for (;;) {
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    const { items } = await reader.search({ type: 'recording-sealed' })
    await reader.close()
    const final = items.find(({ event }) => event['final'] === true)
    if (final !== undefined) return String(final.event['session'])
    await pause(100)
  }
}

test('draws what the client saw', async () => {
  const { code, stdout } = await replay(session.slice(0, 8))
  expect(code).toBe(0)
  expect(stdout).toContain('> SELECT id, name FROM people ORDER BY id')
  expect(stdout).toContain('│ 1  │ Ann  │')
  expect(stdout).toContain('│ 2  │ ∅    │')
  expect(stdout).toContain('│ [redacted] │')
  expect(stdout).toContain('division by zero (22012)')
  expect(stdout.indexOf('> SELECT 1/0')).toBeLessThan(stdout.indexOf('division by zero'))
})

test.runIf(existsSync('/usr/bin/script'))(
  'plays on a terminal: waits, steps, searches, stops where the screen ends, and ends',
  async () => {
    const command = [process.execPath, MAIN, 'replay', '-c', gateway.configFile, session]
    const quoted = [...command, '--speed', '0.001', '--idle', '1h'].map((one) => `'${one}'`)
    const terminal = spawn('script', [
      '-qec',
      `stty rows 6 cols 60; NO_COLOR=1 ${quoted.join(' ')}`,
      '/dev/null',
    ])
    onTestFinished(() => void terminal.kill('SIGHUP'))
    let shown = ''
    terminal.stdout.on('data', (data: Buffer) => (shown += data.toString('utf8')))
    const ended = new Promise((resolve) => terminal.once('close', resolve))
    const until = (text: string) => expect.poll(() => shown, { timeout: 40_000 }).toContain(text)
    // A thousand times slower than it was: without keys the first step would be all there is.
    await until('space pauses')
    await until('connection-opened')
    terminal.stdin.write('n')
    await until('authentication')
    terminal.stdin.write('/people\r')
    await until('> SELECT id, name FROM people')
    terminal.stdin.write('n')
    await until('lines more: space goes on')
    expect(shown).not.toContain('SELECT 2')
    terminal.stdin.write(' ')
    await until('SELECT 2')
    terminal.stdin.write('q')
    await ended
    expect(shown).not.toContain('SELECT ssn')
  },
)

test('gives data: JSON Lines and CSV', async () => {
  const steps = (await replay(session, '--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const results = steps.filter((step) => step['kind'] === 'result')
  expect(results[0]).toMatchObject({
    columns: ['id', 'name'],
    rows: [
      ['1', 'Ann'],
      ['2', null],
    ],
  })
  const asked = steps.find((step) => step['seq'] === results[1]?.['statement'])
  expect(asked).toMatchObject({ sql: 'SELECT ssn FROM people WHERE id = $1', verdict: 'allow' })
  const first = String(results[0]?.['statement'])
  expect((await replay(session, '--csv', '--statement', first)).stdout).toBe(
    'id,name\r\n1,Ann\r\n2,\r\n',
  )
})

test('gives an asciicast with times that do not go back', async () => {
  const [head, ...events] = (await replay(session, '--asciicast')).stdout.trim().split('\n')
  expect(JSON.parse(head ?? '')).toMatchObject({ version: 2, width: 120 })
  expect(JSON.parse(head ?? '')).toMatchObject({ height: 40, timestamp: expect.any(Number) })
  const cast = events.map((line) => JSON.parse(line) as [number, string, string])
  const times = cast.map(([time]) => time)
  expect(times.length).toBeGreaterThan(5)
  expect(times[0]).toBe(0)
  expect(cast.every(([, kind, text]) => kind === 'o' && !/[^\r]\n/.test(text))).toBe(true)
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

test.skipIf(ASCIINEMA === null)('the asciinema player takes it', async () => {
  const { stdout } = await replay(session, '--asciicast')
  const file = join(gateway.stateDirectory, 'session.cast')
  writeFileSync(file, stdout)
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  // It wants a terminal.
  const shown = ['-qec', `${ASCIINEMA} cat ${file}`, '/dev/null']
  const played = await exec('script', shown, { env, timeout: 50_000 })
  const events = stdout.trim().split('\n').slice(1)
  const texts = events.map((line) => (JSON.parse(line) as [number, string, string])[2])
  expect(played.stdout).toContain('Ann')
  const plain = (text: string): string => text.replaceAll('\r', '')
  expect(plain(played.stdout)).toContain(plain(texts.join('')).trim())
})

test('says what differs on another database', async () => {
  const scratch = await usePostgres()
  await scratch.sql(
    `CREATE TABLE people (id int, name text, ssn text); INSERT INTO people VALUES (1, 'Ann', 'a'), (2, 'Bob', 'b');
     CREATE TABLE notes (body text)`,
  )
  const { code, stdout, stderr } = await replay(session, '--against', scratch.url)
  // Without its recording: by what the records say of how each went.
  await scratch.sql("INSERT INTO people VALUES (3, 'Cleo', 'c')")
  const nowhere = join(gateway.directory, 'nowhere')
  const plain = await replay(session, '--against', scratch.url, '--recordings', nowhere)
  await scratch.drop()
  expect(plain.stdout).toContain('3 rows; there were 2')
  expect(plain.stderr).toContain('4 statements as recorded, 1 different, 1 not run')
  const gone = await replay(session, '--against', scratch.url)
  expect(gone).toMatchObject({ code: 3 })
  expect(gone.stderr).toContain('the scratch database cannot be used')
  expect(stdout).toContain('row 2, name: `Bob`; it was `NULL`')
  expect(stderr).toContain('1 different, 1 not run')
  expect(code).toBe(1)
})

test('says what another policy would have decided', async () => {
  const file = join(gateway.directory, 'next.yaml')
  writeFileSync(file, NEXT)
  const { code, stdout, stderr } = await replay(session, '--policy', file)
  expect(code).toBe(1)
  expect(stdout).toContain(
    "INSERT INTO notes VALUES ('hello')\n- allow by everything\n+ deny by no notes",
  )
  expect(stdout).toContain('masks public.people.name')
  expect(stderr).toMatch(/6 statements, \d decided otherwise/)
  const summary = await replay('--policy', file, '--since', '1h')
  expect(summary.stdout).toMatch(/^\d statements? would be refused\n\d statements? would be masked/)
  expect(summary.stdout).toMatch(
    /1× INSERT INTO notes VALUES \('hello'\)\n {3}on crm by \S+, newest #/,
  )
  expect(summary.stdout).toContain('- allow by everything\n+ deny by no notes: ')
  const period = await replay('--policy', file, '--since', '1h', '--json')
  expect(period.stdout.trim().split('\n').length).toBeGreaterThan(3)
})

test('says that the policy it ran under would have decided the same', async () => {
  const file = join(gateway.directory, 'same.yaml')
  writeFileSync(file, POLICY)
  expect(await replay(session, '--policy', file)).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringContaining('6 statements, 0 decided otherwise'),
  })
})

test('says that there is no such session', async () => {
  const { code, stderr } = await replay('00000000-aaaa')
  expect(code).toBe(1)
  expect(stderr).toContain('no session')
})

test('proves one record with the public key alone', async () => {
  const key = readdirSync(gateway.auditDirectory).find((name) => name.startsWith('public-key-'))
  const publicKey = join(gateway.auditDirectory, key ?? '')
  const proof = await sallyport('audit', 'prove', '1', '-c', gateway.configFile)
  const file = join(gateway.directory, 'proof.json')
  writeFileSync(file, proof.stdout)
  const good = await sallyport('audit', 'verify', '--proof', file, '--public-key', publicKey)
  expect(good).toMatchObject({ code: 0 })
  expect(good.stdout).toContain('PROVEN: record 1')
  writeFileSync(file, proof.stdout.replace('log-started', 'log-stopped'))
  const bad = await sallyport('audit', 'verify', '--proof', file, '--public-key', publicKey)
  expect(bad).toMatchObject({ code: 1 })
  expect(bad.stdout).toContain('NOT PROVEN: the record is not the one that was signed')
})
