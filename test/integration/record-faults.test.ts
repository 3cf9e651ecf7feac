/**
 * A disk that takes no more, and a clock that jumps, under a gateway that works: what cannot be recorded does not
 * run, what ran is in the log, the log verifies, and work goes on when the fault is over.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyLog } from '@sallyport/audit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { debianProgram } from '../support/debian.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { plainMysql, plainPostgres } from '../support/plain-clients.ts'
import { findMysql, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]
record: [{ who: everyone, rows: all }]`
const PRLIMIT = '/usr/bin/prlimit'
const WAIT_MS_MAX = 60_000

/** A gateway in a process of its own before a database with a table of marks. */
async function world(server: 'postgres' | 'mariadb', environment?: Record<string, string>) {
  const database: TestDatabase | TestMysqlDatabase =
    server === 'postgres' ? await usePostgres() : await useMysql(server)
  const sql = (text: string): Promise<{ mark: string }[]> =>
    'flavour' in database ? database.sql(text) : database.sql(text)
  await sql('CREATE TABLE marks (mark varchar(40))')
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    policies: [POLICY],
    spawn: true,
    ...(environment && { environment }),
  })
  onTestFinished(async () => {
    await gateway.close()
    await database.drop()
  })
  return { gateway, sql }
}

interface Client {
  run(sql: string): Promise<unknown>
  end(): Promise<unknown>
}

async function connect(server: 'postgres' | 'mariadb', gateway: TestGateway): Promise<Client> {
  const token = await gateway.token()
  if (server === 'postgres') {
    const client = await plainPostgres(gateway, token)
    return { run: (sql) => client.query(sql), end: () => client.end() }
  }
  const client = await plainMysql(gateway, token)
  return { run: (sql) => client.query(sql), end: async () => client.destroy() }
}

const segments = ({ auditDirectory }: TestGateway): string[] =>
  readdirSync(auditDirectory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .map((name) => join(auditDirectory, name))

const recordsOf = (gateway: TestGateway): { at: number; event: Record<string, unknown> }[] =>
  segments(gateway)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as { at: number; event: Record<string, unknown> })

async function findingsOf(gateway: TestGateway) {
  const { auditDirectory } = gateway
  const key = readdirSync(auditDirectory).find((name) => name.startsWith('public-key-')) ?? ''
  const report = await verifyLog(auditDirectory, {
    publicKeys: [readFileSync(join(auditDirectory, key), 'utf8')],
    recordings: join(auditDirectory, 'recordings'),
    live: true,
  })
  return report.findings
}

describe.skipIf(!existsSync(PRLIMIT))('a disk that takes no more', () => {
  test.for(['postgres', 'mariadb'] as const)('under %s', async (server, { skip }) => {
    const found = server === 'postgres' ? null : await findMysql(server)
    if (found !== null && 'unavailable' in found) return skip(found.unavailable)
    const { gateway, sql } = await world(server)
    const limit = (bytes: number | 'unlimited') =>
      execFileSync(PRLIMIT, ['--pid', String(gateway.pid()), `--fsize=${bytes}:unlimited`])
    const insert = (client: Client, mark: string) =>
      client.run(`INSERT INTO marks VALUES ('${mark}')`)

    const client = await connect(server, gateway)
    await insert(client, 'before')
    const idle = await connect(server, gateway)
    await idle.run('SELECT 1')
    // In the middle of a record, as a disk has it.
    limit(statSync(segments(gateway)[0] ?? '').size + 700)
    let fitted = 0
    let refused: unknown = null
    while (refused === null) {
      refused = await insert(client, `full-${fitted}`).then(
        () => null,
        (error: unknown) => error,
      )
      if (refused === null) fitted++
    }
    // The sessions whose statements were in the very write that failed are ended; others are refused, and stay.
    await expect(insert(idle, 'refused')).rejects.toThrow(/audit|record/i)
    await expect(idle.run('SELECT 1')).rejects.toThrow(/audit|record/i)
    await expect(connect(server, gateway)).rejects.toThrow(/the audit log cannot be written/)
    await client.end()
    const marks = async () => (await sql('SELECT mark FROM marks')).map(({ mark }) => mark)
    expect(await marks()).toHaveLength(1 + fitted)

    limit('unlimited')
    await expect
      .poll(() => idle.run('SELECT 1').then(() => 'runs'), { timeout: WAIT_MS_MAX })
      .toBe('runs')
    await insert(idle, 'after')
    await idle.end()
    const statements = recordsOf(gateway).map(({ event }) => String(event['sql'] ?? ''))
    const unsaid = (await marks()).filter(
      (mark) => !statements.some((one) => one.includes(`'${mark}'`)),
    )
    expect(unsaid).toEqual([])
    expect(await marks()).toContain('after')
    expect(recordsOf(gateway).map(({ event }) => event['type'])).toContain('log-failed')
    expect(await findingsOf(gateway)).toEqual([])
  })
})

/** Of Debian's package `faketime`: the command tells where its library is. */
const FAKETIME = debianProgram('faketime', ['faketime'])
const LIBRARY =
  FAKETIME === null
    ? ''
    : execFileSync(FAKETIME, ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()

describe.skipIf(FAKETIME === null)('a clock that jumps', () => {
  test('back by an hour: what runs is recorded, in order, and the log says so', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-clock-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const clock = join(directory, 'clock')
    const setTo = (offset: string) => writeFileSync(clock, offset)
    setTo('+0')
    const { gateway, sql } = await world('postgres', {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    })
    const client = await connect('postgres', gateway)
    const insert = (mark: string) => client.run(`INSERT INTO marks VALUES ('${mark}')`)
    await insert('before')
    setTo('-1h')
    await insert('back')
    setTo('+0')
    await insert('after')
    await client.end()
    expect(await sql('SELECT mark FROM marks')).toHaveLength(3)
    const records = recordsOf(gateway)
    const times = records.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const texts = records.flatMap(({ event }) =>
      event['type'] === 'statement' ? [event['sql']] : [],
    )
    expect(texts).toEqual(['before', 'back', 'after'].map((one) => expect.stringContaining(one)))
    expect(records.map(({ event }) => event['type'])).toContain('clock-stepped')
    expect(await findingsOf(gateway)).toEqual([])
  })
})
