/** The life of a session: who gets in, how it ends, what a cancel does, and what is on record afterwards. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openAuditReader } from '@sallyport/audit'
import { loadConfig, openTokenState } from '@sallyport/gateway'
import { OPERATOR_ISSUER } from '@sallyport/identity'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway, type TokenRequest } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, extended, say, WireClient, WireRefused } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*', unknown], relations: ['*', '@catalog-data'], functions: ['*'], settings: ['*'] } }
`
const FOREVER = 'SELECT pg_sleep(30)'

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int, x text)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { limits: { 'connections-per-subject': 5, 'statement-bytes': 1_000_000 } },
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

async function open(
  request: TokenRequest = {},
  more: { minor?: 0 | 2; at?: TestGateway } = {},
): Promise<WireClient> {
  const at = more.at ?? gateway
  return WireClient.connect({
    host: at.host,
    port: at.plainPort,
    user: 'agent',
    password: await at.token(request),
    database: at.connection,
    minor: more.minor ?? 0,
  })
}

async function runningOf(text: string): Promise<number> {
  const rows = await database.sql(
    `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = $1 AND pid <> pg_backend_pid()`,
    [text],
  )
  return rows.length
}

async function until(condition: () => Promise<boolean>, ms = 5000): Promise<boolean> {
  const deadline = Date.now() + ms
  while (Date.now() < deadline) {
    if (await condition()) return true
    await sleep(25)
  }
  return false
}

async function lastReason(at = gateway): Promise<string | undefined> {
  const reader = await openAuditReader({ directory: at.auditDirectory, update: true })
  try {
    for (const { event } of await reader.tail(50))
      if (event.type === 'session-ended') return String(event['reason'])
  } finally {
    await reader.close()
  }
  return undefined
}

async function refusal(
  opening: Promise<WireClient>,
): Promise<{ sqlstate: string; message: string }> {
  try {
    const wire = await opening
    wire.close()
  } catch (error) {
    if (error instanceof WireRefused) return error.fields
    throw error
  }
  throw new Error('let in')
}

const as = (password: string, database_: string) =>
  WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password,
    database: database_,
  })

describe('logins', () => {
  test('a name that is no connection’s is a database of the one the listener is for', async () => {
    await using own = await startTestGateway({
      upstream: database,
      database: database.database,
      connection: 'crm',
      databases: ['postgres'],
      listenerForConnection: true,
      via: 'tcp',
      policies: [POLICY],
    })
    const password = await own.token()
    const named = (name: string) => {
      const { host, plainPort: port } = own
      return WireClient.connect({ host, port, user: 'agent', password, database: name })
    }
    const currentOf = async (name: string) => {
      await using wire = await named(name)
      const frames = await wire.query('SELECT current_database()')
      return frames.map(({ bytes }) => bytes.toString()).join()
    }
    expect(await currentOf('postgres')).toContain('postgres')
    expect(await currentOf('crm')).toContain(database.database)
    expect((await refusal(named('template1'))).sqlstate).toBe('3D000')
  })

  test('a wrong token, a wrong database and replication are told apart', async () => {
    expect((await refusal(as('nonsense', gateway.connection))).sqlstate).toBe('28P01')
    expect((await refusal(as(await gateway.token(), 'elsewhere'))).sqlstate).toBe('3D000')
    const replication = WireClient.connect({
      host: gateway.host,
      port: gateway.plainPort,
      user: 'a',
      password: await gateway.token(),
      database: gateway.connection,
      parameters: [['replication', 'database']],
    })
    expect((await refusal(replication)).sqlstate).toBe('0A000')
  })

  test('a subject has no more sessions than its cap, however many try at once', async () => {
    const password = await gateway.token({ subject: 'crowd' })
    const tries = await Promise.allSettled(
      Array.from({ length: 15 }, () => as(password, gateway.connection)),
    )
    const inside = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(inside.length).toBe(5)
    for (const wire of inside) wire.close()
  })
})

describe('cancel', () => {
  test.each([0, 2] as const)(
    'our key of protocol 3.%i cancels, another does nothing',
    async (minor) => {
      await using wire = await open({}, { minor })
      const { key } = wire
      if (key === null) throw new Error('no key')
      wire.send({ kind: 'Query', text: FOREVER })
      await until(async () => (await runningOf(FOREVER)) === 1)
      const address = { host: gateway.host, port: gateway.plainPort }
      const wrong = Buffer.from(key.secret)
      wrong[0] = (wrong[0] ?? 0) ^ 1
      await cancelAt(address, { pid: key.pid, secret: wrong })
      await cancelAt(address, { pid: key.pid + 1, secret: key.secret })
      expect(await runningOf(FOREVER)).toBe(1)
      await cancelAt(address, key)
      expect(say(await wire.replies())).toMatch(/E:57014 Z:I$/)
      expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
      expect(key.secret.length).toBe(minor === 2 ? 32 : 4)
    },
  )
})

describe('ends', () => {
  test('revocation ends a running statement at once', async () => {
    const wire = await open({ subject: 'gone' })
    wire.send({ kind: 'Query', text: FOREVER })
    await until(async () => (await runningOf(FOREVER)) === 1)
    const state = await openTokenState(loadConfig(gateway.configFile))
    await state.revoke({
      kind: 'subject',
      issuer: OPERATOR_ISSUER,
      subject: 'gone',
      at: Date.now(),
      issuedBefore: Date.now() + 1000,
      reason: null,
    } as never)
    await state.close()
    const frames = await wire.replies()
    expect(errorsOf(frames).at(-1)?.message).toMatch(/revoked/)
    expect(await until(async () => (await runningOf(FOREVER)) === 0)).toBe(true)
    expect(await lastReason()).toBe('token-revoked')
  })

  test('a client that vanishes mid-query: the query is cancelled, the end recorded', async () => {
    const wire = await open()
    wire.send({ kind: 'Query', text: FOREVER })
    await until(async () => (await runningOf(FOREVER)) === 1)
    wire.close()
    expect(await until(async () => (await runningOf(FOREVER)) === 0)).toBe(true)
    expect(await until(async () => (await lastReason()) === 'client-closed')).toBe(true)
  })

  test('a client that vanishes mid-COPY commits nothing', async () => {
    const wire = await open()
    wire.send({ kind: 'Query', text: 'COPY t FROM STDIN' })
    await wire.until(({ type }) => type === 'G')
    wire.send({ kind: 'CopyData', data: Buffer.from('1\tx\n') })
    await sleep(50)
    wire.close()
    await sleep(300)
    expect(await database.sql('SELECT * FROM t')).toEqual([])
  })

  test('a backend that is terminated: its last words are the last', async () => {
    const wire = await open()
    const pid = wire.key?.pid
    wire.send({ kind: 'Query', text: FOREVER })
    await until(async () => (await runningOf(FOREVER)) === 1)
    await database.sql('SELECT pg_terminate_backend($1)', [pid])
    const frames = await wire.replies()
    expect(errorsOf(frames).map(({ sqlstate }) => sqlstate)).toEqual(['57P01'])
    expect(await until(async () => (await lastReason()) === 'upstream-closed')).toBe(true)
  })

  test('Terminate ends in order', async () => {
    const wire = await open()
    await wire.query('SELECT 1')
    await wire[Symbol.asyncDispose]()
    expect(await until(async () => (await lastReason()) === 'client-terminated')).toBe(true)
  })
})

describe('volume', () => {
  test('large requests are sent once, whatever their size', async () => {
    await using wire = await open()
    for (const size of [100, 8_000, 16_300, 17_000, 70_000, 300_000, 900_000]) {
      const value = 'v'.repeat(size)
      await wire.query(`INSERT INTO t VALUES (${size}, '${value}')`)
      await wire.extended('INSERT INTO t VALUES (-1, $1)', [value])
    }
    await wire.extended('INSERT INTO t VALUES (-2, $1)', ['w'.repeat(20_000_000)])
    const rows = await database.sql(
      'SELECT n, count(*)::int AS c, sum(length(x))::int AS l FROM t GROUP BY n ORDER BY n',
    )
    await database.sql('TRUNCATE t')
    expect(rows).toHaveLength(9)
    expect(rows.filter(({ n }) => (n as number) > 0).every(({ c }) => c === 1)).toBe(true)
    expect(rows[1]).toEqual({
      n: -1,
      c: 7,
      l: 100 + 8_000 + 16_300 + 17_000 + 70_000 + 300_000 + 900_000,
    })
    expect(rows[0]).toEqual({ n: -2, c: 1, l: 20_000_000 })
  })

  test('a pipeline of many large requests, written at once', async () => {
    await using wire = await open()
    const value = 'v'.repeat(5_000)
    for (let i = 0; i < 300; i++) {
      wire.send(...extended('INSERT INTO t VALUES ($1::int, $2)', [String(i), value]))
    }
    await wire.replies(300)
    const [row] = await database.sql(
      'SELECT count(*)::int AS c, count(DISTINCT n)::int AS d FROM t',
    )
    await database.sql('TRUNCATE t')
    expect(row).toEqual({ c: 300, d: 300 })
  })

  test('a statement over the cap is refused and the session goes on', async () => {
    await using wire = await open()
    const [error] = errorsOf(await wire.query(`SELECT '${'x'.repeat(1_100_000)}'`))
    expect(error?.sqlstate).toBe('54000')
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('refusals nobody reads take little memory', async () => {
    const before = process.memoryUsage()
    const flood = await open()
    flood.socket.pause()
    const refused = Buffer.from(
      Buffer.concat([Buffer.from([0x51, 0, 0, 0, 9]), Buffer.from('FROM\0')]),
    )
    const many = Buffer.concat(Array<Buffer>(2000).fill(refused))
    let sent = 0
    for (let i = 0; i < 300; i++) {
      if (!flood.socket.write(many)) await sleep(5)
      sent += 2000
      if (flood.socket.writableLength > 5_000_000) break
    }
    await sleep(300)
    expect(sent).toBeGreaterThan(10_000)
    expect(process.memoryUsage().rss - before.rss).toBeLessThan(120_000_000)
    flood.close()
  }, 60_000)
})

test('closing the gateway lets a running statement finish, and ends the idle', async () => {
  const other = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { limits: { 'drain-seconds': 5 } },
  })
  const idle = await open({}, { at: other })
  const busy = await open({}, { at: other })
  busy.send({ kind: 'Query', text: 'SELECT pg_sleep(1)' })
  await sleep(200)
  const closing = other.running?.close()
  expect(errorsOf(await idle.replies())[0]?.sqlstate).toBe('57P01')
  const frames = await busy.until(({ type }) => type === 'E')
  expect(say(frames)).toMatch(/^T D1 C:SELECT 1 Z:I E:57P01$/)
  await closing
  await other.close()
})
