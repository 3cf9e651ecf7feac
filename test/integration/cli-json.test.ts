/**
 * Every command with `--json` against a real gateway: stdout is JSON, one document or one a line, and nothing else,
 * also when what was asked for is refused; words for people are on stderr.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Output } from '../../packages/cli/src/output.ts'
import { buildProgram } from '../../packages/cli/src/program.ts'
import { type Ran, run } from '../../packages/cli/src/testing.ts'
import { controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
    mode: return
record: [{ who: everyone, rows: all }]
grants:
  - { role: writer, who: everyone, approvers: { groups: [dba] } }
`
const CASES = `version: 1
connection: crm
cases:
  - { name: reads, who: { groups: [x] }, sql: 'SELECT n FROM t', expect: allow }
`

let database: TestDatabase
let gateway: TestGateway
/** What the table's commands name. */
const known = { url: '', person: '', approval: '', session: '', key: '', jwt: '', seq: '' }
const file = (name: string): string => join(gateway.directory, name)

beforeAll(async () => {
  process.env['RECORDINGS_KEY'] = Buffer.alloc(32, 2).toString('base64')
  process.env['EARLIER_KEY'] = Buffer.alloc(32, 1).toString('base64')
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int, email text); INSERT INTO t VALUES (1)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    via: 'tcp',
    policies: [POLICY],
    identity: { roles: { writer: { groups: ['writers'] } } },
    config: {
      audit: {
        directory: 'audit',
        'keep-days': 400,
        recordings: { key: 'env:RECORDINGS_KEY', 'previous-keys': ['env:EARLIER_KEY'] },
      },
      admin: { port: 0, operators: { groups: ['ops'] }, auditors: { groups: ['ops'] } },
    },
  })
  writeFileSync(file('reading.cases.yaml'), CASES)
  const ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba', 'ops'] })
  Object.assign(known, { url: ann.base, person: ann.token })
  const token = await gateway.token({ subject: 'agent', kind: 'machine' })
  writeFileSync(file('token'), token)
  const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
  await client.connect()
  await client.query('SELECT n FROM t')
  const held = await client.query('DELETE FROM t').catch((error: { detail: string }) => error)
  known.approval = JSON.parse((held as { detail: string }).detail).approval
  const { body } = await ann.get('/v1/sessions')
  known.session = body.sessions[0].id
  await client.end()
  const key = readdirSync(gateway.auditDirectory).find((name) => name.startsWith('public-key-'))
  known.key = join(gateway.auditDirectory, key ?? '')
  const found = await sallyport('audit', 'search', 'SELECT', '-d', gateway.auditDirectory, '--json')
  known.seq = String(JSON.parse(found.stdout.split('\n')[0] ?? '').seq)
  await provable(known.seq)
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

/** A record can be proved once a signed head covers it. */
async function provable(seq: string): Promise<void> {
  for (;;) {
    const { exit } = await sallyport('audit', 'prove', seq, ...trail())
    if (exit === 0) return
    await sleep(200)
  }
}

const sallyport = (...args: readonly string[]): Promise<Ran> =>
  run(args, {
    env: { SALLYPORT_URL: known.url, SALLYPORT_TOKEN: known.person, HOME: gateway.directory },
  })

const config = () => ['-c', gateway.configFile]
const trail = () => ['-d', gateway.auditDirectory]
/** Each command's arguments and how it ends. In this order: what is approved is revoked later. */
const COMMANDS: readonly (readonly [words: string, exit: number, args: () => readonly string[]])[] =
  [
    ['token mint', 0, () => [...config(), '--subject', 'bo']],
    ['token exchange', 0, () => ['--url', known.url, '--for', '5m']],
    ['token inspect', 0, () => []],
    ['token list', 0, config],
    ['policy check', 0, () => [file('policies/1.yaml')]],
    ['policy explain', 1, () => ['DROP TABLE t', ...config(), '--connection', 'crm']],
    ['policy test', 0, () => [file('reading.cases.yaml'), ...config()]],
    ['policy suggest', 0, () => [...config(), '--no-samples']],
    ['doctor', 0, config],
    ['audit tail', 0, trail],
    ['audit show', 0, () => [known.seq, ...trail()]],
    ['audit search', 0, () => ['--subject', 'agent', ...trail()]],
    ['audit sessions', 0, trail],
    ['audit verify', 0, () => [gateway.auditDirectory, '--public-key', known.key, '--live']],
    ['audit prove', 0, () => [known.seq, ...trail()]],
    ['replay', 0, () => [known.session, ...config()]],
    ['approvals list', 0, () => []],
    ['approvals show', 0, () => [known.approval]],
    ['approvals approve', 0, () => [known.approval]],
    ['approvals deny', 0, () => [known.approval, '--reason', 'no']],
    ['approvals cancel', 1, () => [known.approval]],
    ['request', 0, () => ['--role', 'writer', '--connection', 'crm', '--reason', 'x']],
    ['grants ls', 0, () => []],
    ['grants revoke', 1, () => [known.approval]],
    ['sessions ls', 0, () => []],
    ['sessions kill', 1, () => [known.session]],
    // The gateway that runs is the one that does these.
    ['audit hold', 0, () => [known.session, ...trail(), '--by', 'counsel', '--reason', 'case']],
    ['audit erase', 1, () => [known.session, ...trail(), '--by', 'dpo', '--reason', 'case']],
    ['audit prune', 0, () => [...config(), '--dry-run']],
    ['audit rotate-key', 0, trail],
    ['audit rewrap', 0, config],
    ['token revoke', 0, () => [...config(), '--subject', 'bo']],
  ]
/** They go on until they are stopped: test/integration/control.test.ts. */
const ENDLESS = ['approvals watch', 'sessions watch']

test('the table has every command that prints JSON', () => {
  const out = new Output({ stdout: process.stdout, stderr: process.stderr, env: {} })
  const stop = new AbortController().signal
  const program = buildProgram(
    { out, env: {}, stdin: process.stdin, now: Date.now, stop },
    () => undefined,
  )
  const found: string[] = []
  const walk = (command: typeof program, words: readonly string[]): void => {
    for (const one of command.createHelp().visibleCommands(command)) {
      walk(one, [...words, one.name()])
    }
    if (command.options.some(({ long }) => long === '--json')) found.push(words.join(' '))
  }
  walk(program, [])
  expect(found.sort()).toEqual([...COMMANDS.map(([words]) => words), ...ENDLESS].sort())
})

test.each(COMMANDS)('%s --json', async (words, exit, args) => {
  const ran = await sallyport(...words.split(' '), ...args(), '--json')
  expect(ran).toMatchObject({ exit })
  // Refused outright, there is no answer.
  if (ran.stdout === '') expect(ran.stderr).toMatch(/^error: /)
  else expect(() => parsed(ran.stdout)).not.toThrow()
})

test.each(COMMANDS)('%s, without a terminal: no colour', async (words, _exit, args) => {
  const { stdout, stderr } = await sallyport(...words.split(' '), ...args())
  expect(stdout + stderr).not.toContain('\u001b')
})

function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch {
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
}

test('a config with a typo is told what was meant', async () => {
  const text = readFileSync(gateway.configFile, 'utf8')
  writeFileSync(file('typo.yaml'), text.replace(/^connections:/m, 'conections:'))
  for (const command of ['doctor', 'serve']) {
    const { exit, stdout, stderr } = await sallyport(command, '-c', file('typo.yaml'))
    expect(exit).toBe(2)
    expect(stdout + stderr).toMatch(/unknown key `conections` \(did you mean `connections`\?\)/)
  }
})

test('a gateway that is not there, and a token that is not good, are said so', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`
  const gone = await run(['sessions', 'ls'], {
    env: { SALLYPORT_URL: nowhere, SALLYPORT_TOKEN: 'x' },
  })
  expect(gone).toMatchObject({ exit: 3, stdout: '' })
  expect(gone.stderr).toBe(`error: \`${nowhere}\` cannot be reached: ECONNREFUSED\n`)
  const bad = await run(['sessions', 'ls'], {
    env: { SALLYPORT_URL: known.url, SALLYPORT_TOKEN: 'spt_none' },
  })
  expect(bad).toMatchObject({ exit: 1, stdout: '' })
  expect(bad.stderr).toMatch(/the gateway refused: .*sallyport login/)
  const none = await run(['sessions', 'ls'], {
    env: { SALLYPORT_URL: known.url, HOME: '/nowhere' },
  })
  expect(none).toMatchObject({ exit: 2, stdout: '' })
  expect(none.stderr).toContain('sallyport login')
})
