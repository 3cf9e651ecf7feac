/**
 * Clients that hang up and backends that are killed at any moment: no session is left on either side, the
 * gateway goes on for everybody else, and what ran is on record.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLIENT, COM, encodePacket } from '@sallyport/protocol-mysql'
import { encodeFrontend, type FrontendMessage } from '@sallyport/protocol-postgres'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { MysqlWire } from '../support/mysql-wire.ts'
import { onMysqlServers, useMysql } from '../support/use-mysql.ts'
import { usePostgres } from '../support/use-postgres.ts'
import { extended, WireClient } from '../support/wire.ts'

/** Masks, so that results are described and rows rewritten: the way with the most state. */
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.email'], with: redact }
`
const CLIENTS = 8
const LIVES = 12

/** One connection of one client. */
interface Life {
  write(bytes: Uint8Array): void
  /** As drivers hang up, after what is no command here. */
  leave(): Promise<void>
  /** As the network does. */
  vanish(): void
  /** The reply to `SELECT 1`. */
  answers(): Promise<boolean>
}

/** What is told of a server: how its clients live, and how its sessions are seen and killed. */
interface Engine {
  readonly gateway: TestGateway
  connect(): Promise<Life>
  /** What a life may do, as bytes; each leaves a mark that says which statement made it. `nth` prepared statement. */
  readonly deeds: readonly ((mark: string, nth: number) => Uint8Array)[]
  /** Ends a session at the server, whichever; resolves to how many it was. */
  kill(): Promise<number>
  left(): Promise<number>
  marks(): Promise<readonly { readonly mark: string }[]>
  drop(): Promise<void>
}

async function onPostgres(): Promise<Engine> {
  const database = await usePostgres()
  await database.sql(`CREATE TABLE public.marks (mark text PRIMARY KEY);
    CREATE TABLE public.people (id int, email text);
    INSERT INTO public.people SELECT g, g || '@example.com' FROM generate_series(1, 20000) g`)
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  const password = await gateway.token()
  const deeds: readonly ((mark: string) => FrontendMessage[])[] = [
    (mark) => [{ kind: 'Query', text: insert(mark) }],
    (mark) => extended(insert(mark)),
    (mark) => [
      { kind: 'Query', text: 'BEGIN' },
      { kind: 'Query', text: insert(mark) },
      { kind: 'Query', text: 'COMMIT' },
    ],
    (mark) => [
      { kind: 'Query', text: insert(mark) },
      { kind: 'Query', text: 'SELECT * FROM people' },
    ],
    () => extended('SELECT * FROM people'),
    () => [{ kind: 'Query', text: 'SELECT pg_sleep(0.05)' }],
    () => [
      { kind: 'Query', text: 'COPY marks FROM STDIN' },
      { kind: 'CopyData', data: Buffer.from('unfinished') },
    ],
    () => [{ kind: 'Query', text: 'COPY people TO STDOUT' }],
  ]
  const ours = `datname = current_database() AND application_name = 'chaos'`
  return {
    gateway,
    deeds: deeds.map((deed) => (mark) => encodeFrontend(...deed(mark))),
    async connect() {
      const wire = await WireClient.connect({
        host: gateway.host,
        port: gateway.plainPort,
        user: 'agent',
        password,
        database: gateway.connection,
        parameters: [['application_name', 'chaos']],
      })
      return {
        write: (bytes) => wire.write(bytes),
        vanish: () => wire.close(),
        async leave() {
          wire.send({ kind: 'Sync' }, { kind: 'CopyFail', message: 'over' }, { kind: 'Sync' })
          await sleep(20)
          await wire[Symbol.asyncDispose]()
        },
        answers: async () => (await wire.query('SELECT 1')).some(({ type }) => type === 'D'),
      }
    },
    async kill() {
      const rows = await database.sql<{ done: boolean }>(
        `SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE ${ours} ORDER BY random() LIMIT 1`,
      )
      return rows.filter(({ done }) => done).length
    },
    left: async () => (await database.sql(`SELECT 1 FROM pg_stat_activity WHERE ${ours}`)).length,
    marks: () => database.sql('SELECT mark FROM public.marks'),
    drop: () => database.drop(),
  }
}

async function onMysql(flavour: 'mysql' | 'mariadb'): Promise<Engine> {
  const database = await useMysql(flavour)
  // A user of its own, by which its sessions are told from those that read the schema.
  const user = `chaos_${database.database.slice(-8)}`
  await database.sql(`CREATE TABLE marks (mark varchar(40) PRIMARY KEY);
    CREATE TABLE people (id int, email varchar(40));
    INSERT INTO people VALUES ${Array.from({ length: 1000 }, (_, i) => `(${i}, '${i}@example.com')`).join(', ')};
    INSERT INTO people SELECT a.id, a.email FROM people a CROSS JOIN people b WHERE b.id < 19;
    CREATE USER ${user} IDENTIFIED BY '${user}'; GRANT ALL ON *.* TO ${user}`)
  const { superuser } = database
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    credential: { user, password: user },
    connectionOptions: {
      'local-infile': true,
      catalog: { user: superuser.user, password: `plain:${superuser.password}` },
    },
    policies: [POLICY],
  })
  const password = await gateway.token()
  const query = (text: string): Buffer => encodePacket(0, command(COM.QUERY, Buffer.from(text)))
  const execute = (text: string, nth: number): Buffer => {
    // Without flags, once; the server numbers its statements from 1.
    const head = Buffer.of(0, 0, 0, 0, 0, 1, 0, 0, 0)
    head.writeUInt32LE(nth)
    const prepare = encodePacket(0, command(COM.STMT_PREPARE, Buffer.from(text)))
    return Buffer.concat([prepare, encodePacket(0, command(COM.STMT_EXECUTE, head))])
  }
  return {
    gateway,
    deeds: [
      (mark) => query(insert(mark)),
      (mark, nth) => execute(insert(mark), nth),
      (mark) => Buffer.concat([query('BEGIN'), query(insert(mark)), query('COMMIT')]),
      (mark) => Buffer.concat([query(`${insert(mark)}; DO 1`), query('SELECT * FROM people')]),
      (_, nth) => execute('SELECT * FROM people', nth),
      () => query('SELECT SLEEP(0.05)'),
      // The file that the server asks for never comes; what does come is taken for it.
      () => query(`LOAD DATA LOCAL INFILE 'people.txt' INTO TABLE people`),
    ],
    async connect() {
      const { host, plainPort: port, connection } = gateway
      const capabilities = CLIENT.LOCAL_FILES
      const login = { host, port, user: 'agent', password, database: connection, capabilities }
      const wire = await MysqlWire.connect(login)
      return {
        write: (bytes) => wire.socket.write(bytes),
        vanish: () => wire.close(),
        async leave() {
          wire.socket.end(encodePacket(0, Buffer.of(COM.QUIT)))
          await sleep(20)
          wire.close()
        },
        answers: async () => (await wire.query('SELECT 1')).rows.length === 1,
      }
    },
    async kill() {
      const [one] = await database.sql<{ id: number }>(
        `SELECT id FROM information_schema.processlist WHERE user = '${user}' ORDER BY RAND() LIMIT 1`,
      )
      // It may have gone by itself meanwhile.
      const killed = one && database.sql(`KILL ${one.id}`).catch(() => null)
      return (await killed) ? 1 : 0
    },
    left: async () =>
      (await database.sql(`SELECT 1 FROM information_schema.processlist WHERE user = '${user}'`))
        .length,
    marks: () => database.sql('SELECT mark FROM marks'),
    async drop() {
      await database.sql(`DROP USER ${user}`)
      await database.drop()
    },
  }
}

const command = (code: number, body: Buffer): Buffer => Buffer.concat([Buffer.of(code), body])
const insert = (mark: string): string => `INSERT INTO marks VALUES ('${mark}')`

async function live({ connect, deeds }: Engine, name: string, random: () => number): Promise<void> {
  // A session may be killed while it logs in: then the client is told so, and that was this life.
  const life = await connect().catch(() => null)
  if (life === null) return
  const count = 1 + Math.floor(random() * 4)
  let prepared = 0
  for (let i = 0; i < count; i++) {
    const deed = deeds[Math.floor(random() * deeds.length)]
    life.write(deed?.(`${name}.${i}`, ++prepared) ?? Buffer.alloc(0))
    if (random() < 0.5) await sleep(random() * 15)
  }
  if (random() < 0.6) life.vanish()
  else await life.leave()
}

function eventsOf({
  auditDirectory,
}: TestGateway): { type: string; sql?: string; session?: string; verdict?: string }[] {
  return readdirSync(auditDirectory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .flatMap((name) => readFileSync(join(auditDirectory, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { event: { type: string } }).event)
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(50)) {
    if (await isSo()) return true
  }
  return false
}

function whoeverDies(start: () => Promise<Engine>): void {
  let engine: Engine

  beforeAll(async () => {
    engine = await start()
  })
  afterAll(async () => {
    await engine?.gateway.close()
    await engine?.drop()
  })

  test('whoever dies when, nobody is left behind and nothing ran unrecorded', {
    timeout: 120_000,
  }, async () => {
    const [seed = 0] = fc.sample(fc.integer({ min: 1, max: 2 ** 31 - 1 }), 1)
    const random = randomFrom(seed)
    let over = false
    const killer = (async () => {
      let killed = 0
      for (; !over; await sleep(10)) killed += await engine.kill()
      return killed
    })()
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        for (let i = 0; i < LIVES; i++) await live(engine, `${client}-${i}`, random)
      }),
    )
    over = true
    expect(await killer, `seed ${seed}`).toBeGreaterThan(0)

    const nobody = async (): Promise<boolean> => (await engine.left()) === 0
    expect(await until(nobody), `seed ${seed}: stuck at the server`).toBe(true)
    const events = () => eventsOf(engine.gateway)
    const sessions = (type: string): number => events().filter((one) => one.type === type).length
    const ended = async (): Promise<boolean> =>
      sessions('session-started') === sessions('session-ended')
    expect(await until(ended), `seed ${seed}: stuck in the gateway`).toBe(true)

    const texts = events().flatMap(({ type, sql }) => (type === 'statement' && sql ? [sql] : []))
    const marks = await engine.marks()
    expect(marks.length, `seed ${seed}`).toBeGreaterThan(CLIENTS)
    const unrecorded = marks.filter(({ mark }) => !texts.some((sql) => sql.includes(`'${mark}'`)))
    expect(unrecorded, `seed ${seed}`).toEqual([])

    const life = await engine.connect()
    expect(await life.answers()).toBe(true)
    await life.leave()
  })
}

/** xorshift32: the seed in a failure's message runs the same lives again, if not the same races. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

describe('before postgres', () => whoeverDies(onPostgres))
onMysqlServers('before %s', (flavour) => whoeverDies(() => onMysql(flavour)))
