/**
 * A session that changed the schema is decided on what it is now: while the snapshot is being taken anew, and where
 * that fails. Each reading of the real server waits here until the test lets it go on.
 */
import { compilePolicy, type Subject } from '@sallyport/policy'
import { buildCatalog } from '@sallyport/sql'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { POSTGRES_CATALOG } from '../../packages/gateway/src/catalog/postgres-source.ts'
import type { CatalogSource } from '../../packages/gateway/src/catalog/source.ts'
import { CatalogStore } from '../../packages/gateway/src/catalog/store.ts'
import { Secret } from '../../packages/gateway/src/secrets/secret.ts'
import { SessionGround, Views } from '../../packages/gateway/src/session/grounds.ts'
import { UpstreamTls } from '../../packages/gateway/src/tls/upstream.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const SUBJECT: Subject = {
  subject: 'ada',
  kind: 'human',
  groups: [],
  allGroups: [],
  role: null,
  graph: null,
  node: null,
  run: null,
  claims: {},
}
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'] } }
masks:
  - { columns: [public.t.secret], with: redact }`
const WAIT_MS = { timeout: 30_000 }

let database: TestDatabase
let made = 0
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await usePostgres()
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => database?.drop())

/** What becomes of readings: told at once, kept until they are let go on, or failed. */
type Manner = 'free' | 'held' | 'failing'

/** A session's ground, and how the schema is read for it. */
async function open() {
  const held: (() => void)[] = []
  let manner: Manner = 'free'
  async function read<T>(reading: Promise<T>): Promise<T> {
    const result = await reading
    if (manner === 'failing') throw new Error('cut')
    return manner === 'free' ? result : new Promise((go) => held.push(() => go(result)))
  }
  const source: CatalogSource = {
    ...POSTGRES_CATALOG,
    async connect(login) {
      const reader = await POSTGRES_CATALOG.connect(login)
      return {
        load: () => read(reader.load()),
        probe: () => read(reader.probe()),
        definitions: (defined) => reader.definitions(defined),
        sample: (relation, columns, rows) => reader.sample(relation, columns, rows),
        onEnd: (ended) => reader.onEnd(ended),
        end: () => reader.end(),
      }
    },
  }
  const { host, port, superuser } = database
  const store = new CatalogStore({
    source,
    login: async () => ({
      host,
      port,
      database: database.database,
      user: superuser.user,
      password: new Secret(superuser.password),
      tls: new UpstreamTls({ mode: 'require' }),
    }),
    build: buildCatalog,
    now: () => performance.now(),
    random: () => 0.5,
    // Nothing is read but what the test asks for.
    intervalMs: 3_600_000,
    staleMs: 3_600_000,
  })
  closers.push(() => store.close())
  const compiled = compilePolicy([{ path: 'policy.yaml', text: POLICY }])
  if (compiled.kind === 'errors') throw new Error(JSON.stringify(compiled.errors))
  const { policy } = compiled
  const ground = new SessionGround({
    views: new Views(),
    policy: () => policy,
    subject: SUBJECT,
    connection: 'crm',
    catalogs: () => store,
  })
  await ground.prepare()
  if (typeof ground.now() === 'string') throw new Error('the schema was not read')
  return {
    ground,
    read: (how: Manner): void => {
      manner = how
      if (how === 'free') for (const go of held.splice(0)) go()
    },
    status: () => store.status().kind,
    /** Readings that are kept. */
    pending: () => held.length,
    go: () => held.shift()?.(),
  }
}

/** Makes a table; whether the ground knows it. */
async function change(ground: SessionGround): Promise<() => boolean> {
  const name = `made_${made++}`
  await database.sql(`CREATE TABLE ${name} (id int)`)
  return () => {
    const now = ground.now()
    return typeof now === 'object' && now.catalog?.relation('public', name) !== undefined
  }
}

test('a reading that began before the change does not end the waiting', async () => {
  const { ground, read, pending, go } = await open()
  read('held')
  ground.doubt(false)
  // The schema, and whether anything has changed meanwhile.
  await expect.poll(pending, WAIT_MS).toBe(1)
  go()
  await expect.poll(pending, WAIT_MS).toBe(1)
  const isKnown = await change(ground)
  ground.doubt(true)
  go()
  // The one before is over when the next has begun.
  await expect.poll(pending, WAIT_MS).toBe(1)
  expect(ground.now()).toBe('wait')
  read('free')
  await expect.poll(isKnown, WAIT_MS).toBe(true)
})

test('where the reading fails nothing is decided on the old schema, until it can be read again', async () => {
  const { ground, read, status } = await open()
  const isKnown = await change(ground)
  read('failing')
  ground.doubt(true)
  await expect.poll(status, WAIT_MS).toBe('stale')
  expect(ground.now()).toBeTypeOf('string')
  read('free')
  await expect
    .poll(async () => {
      await ground.prepare()
      return isKnown()
    }, WAIT_MS)
    .toBe(true)
})
