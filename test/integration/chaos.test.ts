/**
 * Clients that hang up and backends that are killed at any moment: no session is left on either side, the
 * gateway goes on for everybody else, and what ran is on record.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FrontendMessage } from '@sallyport/protocol-postgres'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { extended, say, WireClient } from '../support/wire.ts'

/** Masks, so that results are described and rows rewritten: the way with the most state. */
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: [public.people.email], with: redact }
`
const CLIENTS = 8
const LIVES = 12

let database: TestDatabase
let gateway: TestGateway
let token: string

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(`CREATE TABLE public.marks (mark text PRIMARY KEY);
    CREATE TABLE public.people (id int, email text);
    INSERT INTO public.people SELECT g, g || '@example.com' FROM generate_series(1, 20000) g`)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  token = await gateway.token()
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

function connect(): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: token,
    database: gateway.connection,
    parameters: [['application_name', 'chaos']],
  })
}

/** What a life may do; each leaves a mark that says which statement made it. */
const deeds: readonly ((mark: string) => FrontendMessage[])[] = [
  (mark) => [{ kind: 'Query', text: `INSERT INTO public.marks VALUES ('${mark}')` }],
  (mark) => extended(`INSERT INTO public.marks VALUES ('${mark}')`),
  (mark) => [
    { kind: 'Query', text: 'BEGIN' },
    { kind: 'Query', text: `INSERT INTO public.marks VALUES ('${mark}')` },
    { kind: 'Query', text: 'COMMIT' },
  ],
  (mark) => [
    { kind: 'Query', text: `INSERT INTO public.marks VALUES ('${mark}')` },
    { kind: 'Query', text: 'SELECT * FROM public.people' },
  ],
  () => extended('SELECT * FROM public.people'),
  () => [{ kind: 'Query', text: 'SELECT pg_sleep(0.05)' }],
  () => [
    { kind: 'Query', text: 'COPY public.marks FROM STDIN' },
    { kind: 'CopyData', data: Buffer.from('unfinished') },
  ],
  () => [{ kind: 'Query', text: 'COPY public.people TO STDOUT' }],
]

async function life(name: string, random: () => number): Promise<void> {
  // A backend may be killed while it logs in: then the client is told so, and that was this life.
  const wire = await connect().catch(() => null)
  if (wire === null) return
  const count = 1 + Math.floor(random() * 4)
  for (let i = 0; i < count; i++) {
    const deed = deeds[Math.floor(random() * deeds.length)]
    wire.send(...(deed?.(`${name}.${i}`) ?? []))
    if (random() < 0.5) await sleep(random() * 15)
  }
  if (random() < 0.6) wire.close()
  else {
    wire.send({ kind: 'Sync' }, { kind: 'CopyFail', message: 'over' }, { kind: 'Sync' })
    await sleep(random() * 60)
    await wire[Symbol.asyncDispose]()
  }
}

async function killBackends(isOver: () => boolean): Promise<number> {
  let killed = 0
  while (!isOver()) {
    const rows = await database.sql<{ done: boolean }>(
      `SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'chaos' ORDER BY random() LIMIT 1`,
    )
    killed += rows.filter(({ done }) => done).length
    await sleep(10)
  }
  return killed
}

function events(): { type: string; sql?: string; session?: string; verdict?: string }[] {
  return readdirSync(gateway.auditDirectory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .flatMap((name) => readFileSync(join(gateway.auditDirectory, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { event: { type: string } }).event)
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(50)) {
    if (await isSo()) return true
  }
  return false
}

test('whoever dies when, nobody is left behind and nothing ran unrecorded', {
  timeout: 120_000,
}, async () => {
  const [seed = 0] = fc.sample(fc.integer({ min: 1, max: 2 ** 31 - 1 }), 1)
  let state = seed
  const random = (): number => {
    // xorshift32: the seed in a failure's message runs the same lives again, if not the same races.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  let over = false
  const killer = killBackends(() => over)
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let i = 0; i < LIVES; i++) await life(`${client}-${i}`, random)
    }),
  )
  over = true
  expect(await killer, `seed ${seed}`).toBeGreaterThan(0)

  const left = async (): Promise<number> => {
    const rows = await database.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'chaos'`,
    )
    return rows.length
  }
  expect(await until(async () => (await left()) === 0), `seed ${seed}: stuck at the server`).toBe(
    true,
  )
  const sessions = (type: string): number => events().filter((one) => one.type === type).length
  const ended = async (): Promise<boolean> =>
    sessions('session-started') === sessions('session-ended')
  expect(await until(ended), `seed ${seed}: stuck in the gateway`).toBe(true)

  const texts = events().flatMap(({ type, sql }) => (type === 'statement' && sql ? [sql] : []))
  const marks = await database.sql<{ mark: string }>('SELECT mark FROM public.marks')
  expect(marks.length, `seed ${seed}`).toBeGreaterThan(CLIENTS)
  const unrecorded = marks.filter(({ mark }) => !texts.some((sql) => sql.includes(`'${mark}'`)))
  expect(unrecorded, `seed ${seed}`).toEqual([])

  await using wire = await connect()
  expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
})
