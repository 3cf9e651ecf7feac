/** The index that several gateways share, in a PostgreSQL server: the same answers, and those of all of them. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { AuditEvent } from '../../packages/audit/src/event.ts'
import { Indexer } from '../../packages/audit/src/index/indexer.ts'
import {
  checkVersion,
  MIGRATIONS,
  migrate,
} from '../../packages/audit/src/index/postgres-schema.ts'
import { PostgresLogIndex } from '../../packages/audit/src/index/postgres-store.ts'
import { type AuditReader, openSharedReader } from '../../packages/audit/src/index/reader.ts'
import { describeReader, sampleLog, seqsOf } from '../../packages/audit/src/index/testing-reader.ts'
import { logIdentity } from '../../packages/audit/src/log-identity.ts'
import { openAuditLog } from '../../packages/audit/src/open.ts'
import { pruneLog } from '../../packages/audit/src/retention/prune.ts'
import { clockAt, temporaryDirectory } from '../../packages/audit/src/testing.ts'
import { opening, statement } from '../../packages/audit/src/testing-events.ts'
import { run } from '../../packages/cli/src/testing.ts'
import { controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await usePostgres()
})
afterAll(() => database?.drop())

/** As it was before the first gateway came. */
async function emptied(): Promise<void> {
  await database.sql(`DO $$ DECLARE t text; BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE tablename LIKE 'sallyport_audit_%' LOOP
      EXECUTE 'DROP TABLE ' || t;
    END LOOP; END $$`)
}

const shared = () => ({ connectionString: database.url })

async function indexed(directory: string, gateway = 'eu-1'): Promise<void> {
  const identity = logIdentity(directory) ?? ''
  const store = await PostgresLogIndex.open(shared(), { identity, gateway })
  const indexer = await Indexer.open(directory, store)
  await indexer.catchUp()
  await indexer.close()
}

async function reading(): Promise<AuditReader> {
  const reader = await openSharedReader(shared())
  onTestFinished(() => reader.close())
  return reader
}

/** A log with one session and these statements. */
async function logOf(subject: string, session: string, texts: readonly string[]): Promise<string> {
  const directory = temporaryDirectory()
  const log = await openAuditLog({ directory, now: clockAt().now, index: false })
  for (const event of opening(session, subject)) log.append(event)
  for (const sql of texts) log.append(statement({ session, sql }))
  await log.close()
  return directory
}

describe('the index of one log', () => {
  beforeEach(emptied)
  describeReader(async (directory) => {
    await indexed(directory)
    return openSharedReader(shared())
  })
})

describe('the index of several logs', () => {
  beforeEach(emptied)

  test('finds what any of them holds, and says whose it is', async () => {
    await indexed(await logOf('ann', 's1', ['SELECT 1']), 'eu-1')
    await indexed(await logOf('bob', 's2', ['SELECT 2']), 'us-1')
    const reader = await reading()
    const { items } = await reader.search({ type: 'statement' })
    expect(items.map(({ gateway, seq }) => [gateway, seq])).toEqual([
      ['us-1', 5],
      ['eu-1', 5],
    ])
    const only = await reader.search({ type: 'statement', gateway: 'eu-1' })
    expect(only.items.map(({ gateway }) => gateway)).toEqual(['eu-1'])
    const sessions = await reader.sessions({})
    expect(sessions.items.map(({ session, gateway }) => [session, gateway])).toEqual([
      ['s2', 'us-1'],
      ['s1', 'eu-1'],
    ])
    expect((await reader.sessions({ gateway: 'eu-1', subject: 'ann' })).items).toHaveLength(1)
    expect((await reader.sessions({ gateway: 'us-1', subject: 'ann' })).items).toHaveLength(0)
  })

  test('asks whose record is meant when several have one of that number', async () => {
    await indexed(await logOf('ann', 's1', ['SELECT 1']), 'eu-1')
    await indexed(await logOf('bob', 's2', ['SELECT 2']), 'us-1')
    const reader = await reading()
    await expect(reader.show(5)).rejects.toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
    const [record] = await reader.show(5, { gateway: 'us-1' })
    expect(record?.event['sql']).toBe('SELECT 2')
  })

  test('drops what retention removed of one of them, and of no other', async () => {
    const directory = temporaryDirectory()
    const clock = clockAt()
    const { now } = clock
    const log = await openAuditLog({
      directory,
      now,
      index: false,
      keepDays: 10,
      segmentBytes: 600,
    })
    const write = (event: AuditEvent): void => {
      log.append(event)
      log.flush()
    }
    for (const event of opening('s1', 'ann')) write(event)
    for (const n of [1, 2, 3]) write(statement({ session: 's1', sql: `SELECT zebra${n} FROM old` }))
    clock.ms += 20 * 86_400_000
    for (const event of opening('s2', 'bob')) write(event)
    await indexed(await logOf('ann', 's9', ['SELECT zebra1 FROM old']), 'us-1')
    await indexed(directory, 'eu-1')
    const reader = await reading()
    const found = async () => {
      const { items } = await reader.search({ text: 'zebra1' })
      const sessions = (await reader.sessions({})).items.map(({ session }) => session)
      return [items.map(({ gateway }) => gateway), sessions.sort()]
    }
    expect(await found()).toEqual([
      ['eu-1', 'us-1'],
      ['s1', 's2', 's9'],
    ])
    const recordings = join(directory, 'recordings')
    const pruning = { log, recordings, now: clock.ms, by: 'retention', inThread: false }
    const { removed } = await pruneLog(pruning)
    await indexed(directory, 'eu-1')
    expect(await found()).toEqual([['us-1'], ['s2', 's9']])
    const records = removed.reduce((sum, one) => sum + one.records, 0)
    const [since, until] = [removed[0]?.since, removed.at(-1)?.until]
    const gone = { gateway: 'eu-1', segments: removed.length, records, first: 1, last: records }
    const told = { ...gone, since, until, by: 'retention', at: clock.ms, keepDays: 10 }
    expect(await reader.removed()).toEqual([told])
    expect(await reader.removed({ since: clock.ms })).toEqual([])
    expect(await reader.removed({ gateway: 'us-1' })).toEqual([])
    await expect(reader.show(2, { gateway: 'eu-1' })).rejects.toThrow('was removed')
    for (const table of ['block_terms', 'block_sessions']) {
      const left = await database.sql<{ n: string }>(
        `SELECT count(*) AS n FROM sallyport_audit_${table} WHERE block NOT IN (SELECT first FROM sallyport_audit_blocks)`,
      )
      expect(left.map(({ n }) => Number(n))).toEqual([0])
    }
    // A gateway that comes to it only now finds no more of it.
    await emptied()
    await indexed(directory, 'eu-1')
    expect(await (await reading()).removed()).toEqual([told])
    await log.close()
  })

  test('takes them side by side, each record once', async () => {
    const texts = Array.from({ length: 300 }, (_, n) => `SELECT ${n} FROM t${n}`)
    const logs = await Promise.all(['a', 'b', 'c'].map((who) => logOf(who, `s-${who}`, texts)))
    await Promise.all(logs.flatMap((log) => [indexed(log, log), indexed(log, log)]))
    const reader = await reading()
    for (const who of ['a', 'b', 'c']) {
      const { items } = await reader.search({ subject: who, type: 'statement', limit: 1_000 })
      expect(items.map(({ event }) => event['sql']).reverse()).toEqual(texts)
    }
    expect((await reader.sessions({})).items.map((one) => one.statements)).toEqual([300, 300, 300])
  })

  test('takes what PostgreSQL has no room for: NUL, half characters, words without end', async () => {
    const directory = temporaryDirectory()
    const log = await openAuditLog({ directory, now: clockAt().now, index: false })
    const session = 's\u0000\ud800'
    for (const event of opening(session, 'a\u0000b')) log.append(event)
    const long = `w${'x'.repeat(5_000)}`
    log.append(statement({ session, sql: `SELECT '\u0000' AS "${long}"` }))
    // More different words than a tsvector holds.
    for (let n = 0; n < 40; n++) {
      const words = Array.from({ length: 3_000 }, (_, k) => `n${n}k${k}xxxxxxxx`).join(' ')
      log.append(statement({ session, sql: words }))
    }
    await log.close()
    await indexed(directory)
    const reader = await reading()
    expect(await seqsOf(reader, { text: long })).toEqual([5])
    expect(await seqsOf(reader, { text: 'n7k2999xxxxxxxx' })).toEqual([13])
    expect(await seqsOf(reader, { text: 'n7k3000xxxxxxxx' })).toEqual([])
    expect((await reader.showSession(session)).items.length).toBeGreaterThan(0)
  })

  test('is built again for a log whose records it does not have right', async () => {
    const directory = await logOf('ann', 's1', ['SELECT 1'])
    const other = await logOf('bob', 's2', ['SELECT 2'])
    await indexed(directory, 'eu-1')
    await indexed(other, 'us-1')
    await database.sql(`UPDATE sallyport_audit_logs SET last_hash = 'ff' WHERE gateway = 'eu-1'`)
    await indexed(directory, 'eu-1')
    const reader = await reading()
    expect(await seqsOf(reader, { subject: 'ann', type: 'statement' })).toEqual([5])
    expect(await seqsOf(reader, { subject: 'bob', type: 'statement' })).toEqual([5])
  })
})

describe('the tables of the shared index', () => {
  beforeEach(emptied)

  async function client(): Promise<pg.Client> {
    const one = new pg.Client(shared())
    await one.connect()
    onTestFinished(() => one.end())
    return one
  }

  test('are made once, however many gateways start together', async () => {
    const clients = await Promise.all([client(), client(), client()])
    await Promise.all(clients.map((one) => migrate(one)))
    expect(await checkVersion(await client(), MIGRATIONS.length)).toBe(MIGRATIONS.length)
  })

  test('are brought forward from every version before, with what they hold', async () => {
    for (let version = 1; version <= MIGRATIONS.length; version++) {
      await emptied()
      const one = await client()
      await migrate(one, version)
      await one.query(`UPDATE sallyport_audit_places SET next = 7`)
      await migrate(one)
      expect(await checkVersion(one, MIGRATIONS.length)).toBe(MIGRATIONS.length)
      const { rows } = await one.query('SELECT next FROM sallyport_audit_places')
      expect(rows).toEqual([{ next: '7' }])
    }
  })

  test('of a later release are left alone', async () => {
    const one = await client()
    await migrate(one)
    await one.query('UPDATE sallyport_audit_version SET version = version + 1')
    const refused = expect.objectContaining({ code: 'index-unavailable' })
    await expect(openSharedReader(shared())).rejects.toThrow(refused)
    await expect(PostgresLogIndex.open(shared(), { identity: 'x', gateway: 'y' })).rejects.toThrow(
      refused,
    )
  })
})

test('a gateway’s log reaches the index while it is written', async () => {
  await emptied()
  const directory = temporaryDirectory()
  const log = await openAuditLog({
    directory,
    now: Date.now,
    shared: { database: shared(), gateway: 'eu-1' },
  })
  log.append(statement())
  log.flush()
  // The first batch makes the tables.
  await expect
    .poll(
      async () => {
        const reader = await openSharedReader(shared()).catch(() => null)
        const found = await reader?.search({ type: 'statement' })
        await reader?.close()
        return found?.items.length ?? 0
      },
      { timeout: 30_000 },
    )
    .toBe(1)
  await log.close()
  await expect(seqsOf(await reading(), { type: 'log-stopped' })).resolves.toHaveLength(1)
})

test('a sample log is the same sample in either index', async () => {
  await emptied()
  const directory = temporaryDirectory()
  await sampleLog(directory, clockAt(1_000_000))
  await indexed(directory)
  const { items } = await (await reading()).search({ limit: 1_000 })
  expect(items.length).toBeGreaterThan(16)
})

describe('two gateways over one store', () => {
  const gateways: TestGateway[] = []

  beforeAll(async () => {
    await emptied()
    for (const gateway of ['eu-1', 'us-1']) {
      const one = await startTestGateway({
        upstream: database,
        database: database.database,
        connection: 'crm',
        policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
        config: {
          admin: { port: 0, auditors: { groups: ['auditors'] } },
          store: { url: `plain:${database.url}`, gateway },
        },
      })
      gateways.push(one)
      const client = new pg.Client(one.url(await one.token(), { plain: true }))
      await client.connect()
      await client.query(`SELECT 'run on ${gateway}'`)
      await client.end()
    }
  })
  afterAll(async () => {
    for (const gateway of gateways) await gateway.close()
  })

  test('are searched at either, by command and by the control API', async () => {
    const [first, second] = gateways
    if (first === undefined || second === undefined) throw new Error('no gateways')
    const search = async (...flags: readonly string[]): Promise<string[]> => {
      const at = ['--config', first.configFile, '--shared', '--type', 'statement', '--json']
      const { stdout } = await run(['audit', 'search', ...at, ...flags])
      const lines = stdout.split('\n').filter((line) => line.includes('run on'))
      return lines.map((line) => String(JSON.parse(line).gateway))
    }
    await vi.waitFor(async () => expect(await search()).toEqual(['us-1', 'eu-1']), {
      timeout: 30_000,
      interval: 200,
    })
    expect(await search('--gateway', 'us-1')).toEqual(['us-1'])
    const auditor = await controlOf(second, { subject: 'ann', kind: 'human', groups: ['auditors'] })
    const { body } = await auditor.get('/v1/audit/records?shared=true&gateway=eu-1&text=run')
    expect(body.records.map((one: { gateway: string }) => one.gateway)).toEqual(['eu-1'])
  })
})

describe('a store that does not answer', () => {
  beforeEach(emptied)

  /** In front of the store's server; while `stalled`, what either side says stays here. */
  async function proxied(): Promise<{ url: string; stall(on: boolean): void }> {
    const target = new URL(database.url)
    const sockets = new Set<Socket>()
    let stalled = false
    const server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname)
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from)
        from.on('data', (chunk) => to.write(chunk))
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
        if (stalled) from.pause()
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const url = new URL(database.url)
    url.hostname = '127.0.0.1'
    url.port = String((server.address() as AddressInfo).port)
    return {
      url: url.href,
      stall: (on) => {
        stalled = on
        for (const socket of sockets) on ? socket.pause() : socket.resume()
      },
    }
  }

  test('holds up no record, and has them all when it answers again', async () => {
    const store = await proxied()
    const directory = temporaryDirectory()
    const failures: string[] = []
    const log = await openAuditLog({
      directory,
      now: Date.now,
      index: false,
      shared: { database: { connectionString: store.url }, gateway: 'eu-1' },
      onIndexFailure: ({ code }) => failures.push(code),
    })
    const found = async (): Promise<number> => {
      const reader = await openSharedReader(shared()).catch(() => null)
      const page = await reader?.search({ type: 'statement', limit: 1_000 })
      await reader?.close()
      return page?.items.length ?? 0
    }
    log.append(statement())
    log.flush()
    await vi.waitFor(async () => expect(await found()).toBe(1), { timeout: 30_000 })
    store.stall(true)
    for (let n = 0; n < 500; n++) {
      log.append(statement())
      log.flush()
    }
    expect(log.state).toBe('open')
    await vi.waitFor(() => expect(failures).not.toEqual([]), { timeout: 40_000 })
    store.stall(false)
    await vi.waitFor(async () => expect(await found()).toBe(501), { timeout: 40_000 })
    await log.close()
  }, 120_000)
})
