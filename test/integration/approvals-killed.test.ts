/**
 * Two gateways in processes of their own on one store: statements, retries and long results that need people, people
 * who decide at either one, withdrawals, and SIGKILL at random moments. What ran is taken from the database and from
 * what clients were shown, what it had leave for from the store's events: nothing runs without a valid, unused,
 * matching approval, nothing twice on one, and nobody is asked about what a dead gateway held.
 *
 * A round here; more by SALLYPORT_APPROVAL_ROUNDS=20.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, controlAt } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const ROUNDS = Number(process.env['SALLYPORT_APPROVAL_ROUNDS'] ?? 1)
const ROUND_MS_MAX = 240_000
/** How long a client goes on coming back. */
const COMING_BACK_MS_MAX = 20_000
/** Rows sent before people are asked, and rows there are. */
const SENT = 2
const ROWS = 5

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: [public.long] } }
  - name: held
    who: everyone
    approve: { effects: [write], relations: [public.held] }
    approvers: { groups: [dba], count: 2, within: 60s }
  - name: soon
    who: everyone
    approve: { effects: [write], relations: [public.soon] }
    approvers: { groups: [dba], within: 1s }
  - name: later
    who: everyone
    approve: { effects: [write], relations: [public.later] }
    approvers: { groups: [dba], within: 60s, use-within: 2s }
    mode: return
limits:
  - { name: long results, who: everyone, rows: ${SENT}, on-exceed: approve, approvers: { groups: [dba] } }
`
const PEOPLE = [
  { subject: 'ann', kind: 'human', groups: ['dba'] },
  { subject: 'bob', kind: 'human', groups: ['dba'] },
  { subject: 'ann', kind: 'human', groups: ['dba'] },
  { subject: 'bob', kind: 'human', groups: ['dba'] },
  { subject: 'eve', kind: 'human', groups: ['sales'] },
  { subject: 'robot', kind: 'machine', groups: ['dba'] },
] as const

type Table = 'held' | 'soon' | 'later' | 'long'
type Action =
  | { readonly kind: 'send'; readonly table: Table; readonly at: number; readonly leaves: boolean }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'kill'; readonly at: number }

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      table: fc.constantFrom<Table[]>('held', 'soon', 'later', 'later', 'long'),
      at: fc.nat(1),
      leaves: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.nat(400) }) },
)
const kill = fc.record({ kind: fc.constant('kill' as const), at: fc.nat(1) })
const plan = fc
  .tuple(
    fc.array(action, { minLength: 14, maxLength: 18 }),
    kill,
    fc.array(action, { minLength: 8, maxLength: 10 }),
  )
  .map(([before, dies, after]) => [...before, dies, ...after])

let database: TestDatabase
let store: TestDatabase
const gateways: TestGateway[] = []
const bases: string[] = []
/** By gateway, as in PEOPLE. */
const people: Control[][] = []

beforeAll(async () => {
  database = await usePostgres()
  store = await usePostgres()
  for (const table of ['held', 'soon', 'later']) {
    await database.sql(`CREATE TABLE ${table} (mark text)`)
  }
  await database.sql(`CREATE TABLE long AS SELECT n FROM generate_series(1, ${ROWS}) n`)
  const start = async (): Promise<void> => {
    const admin = await freePort()
    const gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      connection: 'crm',
      via: 'tcp',
      policies: [POLICY],
      config: { admin: { port: admin }, store: { url: `plain:${store.url}` } },
      spawn: true,
    })
    gateways.push(gateway)
    bases.push(`http://127.0.0.1:${admin}`)
  }
  await Promise.all([start(), start()])
  const tokens = await Promise.all(PEOPLE.map((one) => at(0).token(one)))
  for (const base of bases) people.push(tokens.map((token) => controlAt(base, token)))
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.close()
  await database?.drop()
  await store?.drop()
})

function at(index: number): TestGateway {
  const gateway = gateways[index]
  if (gateway === undefined) throw new Error('no such gateway')
  return gateway
}
const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T

/** What one client was shown: rows of a long result, by its mark. */
const shown = new Map<string, number>()

interface Sent {
  readonly sqlstate: string | null
  readonly rows: number
}

/**
 * Sends one statement on a connection of its own, when `ready` says so. `leaves`: hangs up after a while.
 */
async function send(
  gateway: TestGateway,
  token: string,
  sql: string,
  { leaves, ready }: { leaves: boolean; ready?: () => Promise<void> },
): Promise<Sent> {
  const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
  client.on('error', () => undefined)
  let rows = 0
  const run = async (): Promise<void> => {
    await client.connect().finally(() => ready?.())
    const query = new pg.Query(sql)
    query.on('row', () => {
      rows++
    })
    await new Promise<void>((resolve, reject) => {
      query.on('end', () => resolve())
      query.on('error', reject)
      client.once('end', () => reject(new Error('hung up')))
      client.query(query)
    })
  }
  const left = leaves ? sleep(Math.random() * 1_000).then(() => Promise.reject(GONE)) : NEVER
  try {
    await Promise.race([run(), left])
    return { sqlstate: '00000', rows }
  } catch (error) {
    return { sqlstate: (error as { code?: string }).code ?? null, rows }
  } finally {
    void client.end().catch(() => undefined)
  }
}
const NEVER = new Promise<never>(() => undefined)
const GONE = new Error('the client left')

/** Lets nobody on before everybody is there. */
function barrier(count: number): () => Promise<void> {
  let missing = count
  const all = Promise.withResolvers<void>()
  return () => {
    if (--missing === 0) all.resolve()
    return all.promise
  }
}

/** One piece of work of one agent: comes back as long as it is told to, at both gateways at once. */
async function work(mark: string, { table, at: where, leaves }: Action & { kind: 'send' }) {
  const token = await at(0).token({ subject: mark, kind: 'machine' })
  if (table === 'long') {
    const { rows } = await send(at(where), token, `SELECT n, '${mark}' FROM long`, { leaves })
    shown.set(mark, rows)
    return
  }
  const sql = `INSERT INTO ${table} VALUES ('${mark}')`
  if (table !== 'later') return void (await send(at(where), token, sql, { leaves }))
  const deadline = Date.now() + COMING_BACK_MS_MAX
  while (Date.now() < deadline) {
    const all = [...gateways, ...gateways]
    const ready = barrier(all.length)
    const answers = await Promise.all(all.map((one) => send(one, token, sql, { leaves, ready })))
    if (answers.some(({ sqlstate }) => sqlstate === '00000' || sqlstate === 'SP002')) break
    // Something close to what has been asked for.
    await send(at(where), token, `INSERT INTO later VALUES ('${mark} too')`, { leaves: false })
    await sleep(400)
  }
}

/** People look at what is open at one gateway, and decide at any, sometimes two at once, until everybody is done. */
async function decideUntil(over: AbortSignal, others: ReadonlyMap<string, string>): Promise<void> {
  while (!over.aborted) {
    await sleep(200)
    const looking = pick(people)[0] as Control
    const open = await looking.get('/v1/approvals?open=true').catch(() => null)
    for (const { id, requester } of open?.body?.approvals ?? []) {
      if (Math.random() < 0.4) continue
      const deciders = Array.from({ length: pick([1, 2, 2]) }, () => pick(pick(people)))
      // Now and then the requester, as a person of the right group.
      const own = others.get(requester.subject)
      if (own !== undefined && Math.random() < 0.1) deciders.push(controlAt(pick(bases), own))
      const decision = Math.random() < 0.93 ? 'approve' : 'deny'
      const path = `/v1/approvals/${id}/decision`
      await Promise.all(
        deciders.map((one) => one.post(path, { decision, reason: 'x' }).catch(() => null)),
      )
    }
  }
}

async function round(number: number, actions: readonly Action[]): Promise<void> {
  const over = new AbortController()
  const own = new Map<string, string>()
  const deciding = decideUntil(over.signal, own)
  const working: Promise<void>[] = []
  try {
    for (const [i, one] of actions.entries()) {
      if (one.kind === 'pause') await sleep(one.ms)
      else if (one.kind === 'kill') {
        await at(one.at).crash()
        await at(one.at).revive()
      } else {
        const mark = `r${number}w${i}`
        own.set(mark, await at(0).token({ subject: mark, kind: 'human', groups: ['dba'] }))
        working.push(work(mark, one))
      }
    }
    await Promise.all(working)
  } finally {
    over.abort()
    await deciding
  }
}

interface Approval {
  readonly id: string
  readonly request: {
    readonly what: 'statement' | 'result'
    readonly subject: string
    readonly session: string
    readonly statement: number
    readonly decideBy: number
    readonly useMs: number
    readonly approvers: readonly { readonly count: number }[]
  }
  // biome-ignore lint/suspicious/noExplicitAny: events as JSON; the oracle owes nothing to the gateway's types
  readonly events: readonly { at: number; event: any }[]
}

async function approvals(): Promise<Approval[]> {
  const rows = await store.sql<{ approval: string; at: string; event: Approval['request'] }>(
    'SELECT approval, at, event FROM sallyport_approval_events ORDER BY approval, n',
  )
  return [...Map.groupBy(rows, ({ approval }) => approval)].map(([id, events]) => ({
    id,
    request: (events[0] as (typeof events)[0]).event,
    events: events.map((one) => ({ at: Number(one.at), event: one.event })),
  }))
}

/** Was it used, and rightly? Throws what is wrong with it. */
function wasUsed({ id, request, events }: Approval): boolean {
  const uses = events.filter(({ event }) => event.outcome === 'used')
  if (uses.length === 0) return false
  expect(uses, `${id} is used once`).toHaveLength(1)
  const before = events.slice(1, events.indexOf(uses[0] as (typeof uses)[0]))
  const said = before.map(({ event }) => `${event.type} ${event.decision ?? event.outcome}`)
  expect(new Set(said), `${id} is used after approvals alone`).toEqual(
    new Set(['approval-decided approve']),
  )
  const needed = request.approvers[0]?.count ?? Number.NaN
  expect(new Set(before.map(({ event }) => event.by)).size, id).toBe(needed)
  for (const { at, event } of before) {
    expect(event).toMatchObject({ kind: 'human', by: expect.stringMatching(/^(ann|bob)$/) })
    expect(at, id).toBeLessThan(request.decideBy)
  }
  expect(uses[0]?.at, id).toBeLessThan((before.at(-1)?.at ?? Number.NaN) + request.useMs)
  return true
}

/** Texts of statements, by session and record, from the audit logs of both gateways. */
function texts(): Map<string, string> {
  const found = new Map<string, string>()
  for (const { auditDirectory } of gateways) {
    for (const name of readdirSync(auditDirectory).filter((one) => /^\d+\.jsonl$/.test(one))) {
      const lines = readFileSync(join(auditDirectory, name), 'utf8').split('\n')
      for (const line of lines.filter((one) => one.includes('"type":"statement"'))) {
        const { seq, event } = JSON.parse(line)
        found.set(`${event.session} ${seq}`, event.sql)
      }
    }
  }
  return found
}

test(
  `nothing runs without leave, and nothing twice on one, in ${ROUNDS} rounds`,
  async () => {
    let rounds = 0
    await fc.assert(
      fc.asyncProperty(plan, (actions) => round(++rounds, actions)),
      { numRuns: ROUNDS, endOnFailure: true },
    )
    const ann = await at(0).token(PEOPLE[0])
    // Nobody waits any more, so nobody is asked: also about what the killed one held.
    const open = async () => {
      const { body } = await controlAt(pick(bases), ann).get('/v1/approvals?open=true')
      return body.approvals.filter(({ mode }: { mode: string }) => mode === 'hold')
    }
    await expect.poll(open, { timeout: 60_000, interval: 500 }).toEqual([])

    const known = texts()
    const leave = new Map<string, number>()
    for (const approval of await approvals()) {
      if (!wasUsed(approval)) continue
      const { what, subject, session, statement } = approval.request
      const text = known.get(`${session} ${statement}`)
      expect(text, `the record of ${approval.id}`).toContain(`'${subject}`)
      const key = `${what} ${text}`
      leave.set(key, (leave.get(key) ?? 0) + 1)
    }
    const excess: string[] = []
    let ran = 0
    for (const table of ['held', 'soon', 'later']) {
      const rows = await database.sql<{ mark: string; times: number }>(
        `SELECT mark, count(*)::int AS times FROM ${table} GROUP BY mark`,
      )
      for (const { mark, times } of rows) {
        ran += times
        const had = leave.get(`statement INSERT INTO ${table} VALUES ('${mark}')`) ?? 0
        if (times > had) excess.push(`${table} ${mark} ran ${times} times, ${had} had leave`)
      }
    }
    let whole = 0
    for (const [mark, rows] of shown) {
      if (rows > SENT) whole++
      if (rows > SENT && !leave.has(`result SELECT n, '${mark}' FROM long`))
        excess.push(`long ${mark}`)
    }
    expect(excess).toEqual([])
    // It would be easy to run nothing wrongly by running nothing.
    expect(ran).toBeGreaterThan(0)
    if (ROUNDS > 3) expect(whole).toBeGreaterThan(0)
  },
  ROUNDS * ROUND_MS_MAX,
)
