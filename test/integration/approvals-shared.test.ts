/** Two gateways over one store: what is approved at one runs at the other, once, and nobody is left waiting. */
import { execFile } from 'node:child_process'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
  - name: later
    who: everyone
    approve: { effects: [write], relations: [public.later] }
    approvers: { groups: [dba] }
    mode: return
  - name: looked at
    who: everyone
    approve: { effects: [write], relations: [public.seen] }
    approvers: { groups: [dba] }
    preview: { rows: 2 }
`
const AGENT = { subject: 'agent', kind: 'machine' } as const
const ANN = { subject: 'ann', kind: 'human', groups: ['dba'] } as const

let database: TestDatabase
let store: TestDatabase
const gateways: TestGateway[] = []

async function start(url: string = store.url): Promise<TestGateway> {
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { admin: { port: 0 }, store: { url: `plain:${url}` } },
  })
  gateways.push(gateway)
  return gateway
}

beforeAll(async () => {
  database = await usePostgres()
  store = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int); CREATE TABLE public.later (n int)')
  await database.sql("CREATE TABLE public.seen AS SELECT 1 AS n, E'a\\x1b[31m' AS x")
  await Promise.all([start(), start()])
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.close()
  await database.drop()
  await store.drop()
})

/** A way to a database on which everything can stand still, as where its server is stopped by SIGSTOP. */
async function stoppable(to: URL) {
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const target = connect(Number(to.port), to.hostname)
    for (const [one, other] of [
      [from, target],
      [target, from],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      if (stopped) one.pause()
    }
  })
  let stopped = false
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(to)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    stop: () => {
      stopped = true
      for (const socket of sockets) socket.pause()
    },
    go: () => {
      stopped = false
      for (const socket of sockets) socket.resume()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const [first, second] = [() => at(0), () => at(1)]
function at(index: number): TestGateway {
  const gateway = gateways[index]
  if (gateway === undefined) throw new Error('no such gateway')
  return gateway
}
async function open(gateway: TestGateway): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token(AGENT),
    database: gateway.connection,
  })
}
const approve = (by: Control, id: string) =>
  by.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })

test('what is held at one is approved at the other', async () => {
  const ann = await controlOf(second(), ANN)
  await using wire = await open(first())
  wire.send({ kind: 'Query', text: 'INSERT INTO t VALUES (1)' })
  const seen = await wire.until(({ type }) => type === 'N' || type === 'E')
  expect(errorsOf(seen)).toEqual([])
  const { id } = await pendingApproval(ann)
  expect((await ann.get(`/v1/approvals/${id}`)).body.shown.sql).toBe('INSERT INTO t VALUES (1)')
  expect((await approve(ann, id)).status).toBe(200)
  expect(say(await wire.replies())).toBe('C:INSERT 0 1 Z:I')
})

test('a preview made at one is read at the other, with the command line', async () => {
  const ann = await controlOf(second(), ANN)
  await using wire = await open(first())
  wire.send({ kind: 'Query', text: "UPDATE seen SET x = 'b'" })
  await wire.until(({ type }) => type === 'N')
  const { id } = await pendingApproval(ann)
  const cli = join(import.meta.dirname, '../../packages/cli/src/main.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'approvals', 'show', id], {
    env: { ...process.env, SALLYPORT_URL: ann.base, SALLYPORT_TOKEN: ann.token },
  })
  expect(stdout).toMatch(/preview +1 row would change/)
  expect(stdout).toMatch(/^ *\+ +1 +b$/m)
  // What a value holds does not speak to the terminal.
  expect(stdout).not.toContain('\x1b[31m')
  expect(await database.sql('SELECT x FROM seen')).toEqual([{ x: 'a\x1b[31m' }])
  await approve(ann, id)
  expect(say(await wire.replies())).toBe('C:UPDATE 1 Z:I')
})

test('two people at two gateways at once: one decides, the other is told', async () => {
  const ann = await controlOf(first(), ANN)
  const bob = await controlOf(second(), { ...ANN, subject: 'bob' })
  for (let round = 0; round < 5; round++) {
    await using wire = await open(first())
    wire.send({ kind: 'Query', text: `INSERT INTO t VALUES (${100 + round})` })
    await wire.until(({ type }) => type === 'N')
    const { id } = await pendingApproval(bob)
    const answers = await Promise.all([
      approve(ann, id),
      bob.post(`/v1/approvals/${id}/decision`, { decision: 'deny' }),
    ])
    const outcome = say(await wire.replies())
    const ran = await database.sql('SELECT 1 FROM t WHERE n = $1', [100 + round])
    // Approved and used before the denial came, or denied: never both, never neither.
    expect(outcome).toBe(ran.length === 1 ? 'C:INSERT 0 1 Z:I' : 'E:SP002 Z:I')
    expect(answers.map(({ status }) => status)).toContain(200)
  }
})

test('one approval, the same statement at both gateways at once: it runs once', async () => {
  const ann = await controlOf(first(), ANN)
  for (let round = 0; round < 5; round++) {
    const text = `INSERT INTO later VALUES (${round})`
    await using here = await open(first())
    await using there = await open(second())
    const refused = errorsOf(await here.query(text))[0]
    const { approval } = JSON.parse(refused?.detail ?? '')
    await approve(ann, approval)
    const answers = (await Promise.all([here.query(text), there.query(text)])).map(say)
    expect(answers.sort()).toEqual(['C:INSERT 0 1 Z:I', 'E:SP001 Z:I'])
    expect(await database.sql('SELECT 1 FROM later WHERE n = $1', [round])).toHaveLength(1)
  }
})

/** Starts both, lets neither store an event of an approval before the other is about to, too. */
async function atTheSameMoment<R>(works: readonly (() => Promise<R>)[]): Promise<R[]> {
  const keeper = new pg.Client({ connectionString: store.url })
  await keeper.connect()
  try {
    await keeper.query('BEGIN; LOCK TABLE sallyport_approval_events IN EXCLUSIVE MODE')
    const running = works.map((work) => work())
    const waiting =
      "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'sallyport_approval_events'::regclass"
    while ((await store.sql(waiting)).length < works.length) await sleep(2)
    await keeper.query('COMMIT')
    return await Promise.all(running)
  } finally {
    await keeper.end()
  }
}

test('two gateways that have read the same state: of two decisions one is stored, of two uses one', async () => {
  const ann = await controlOf(first(), ANN)
  const bob = await controlOf(second(), { ...ANN, subject: 'bob' })
  const text = 'INSERT INTO later VALUES (50)'
  await using here = await open(first())
  await using there = await open(second())
  const refused = errorsOf(await here.query(text))[0]
  const { approval } = JSON.parse(refused?.detail ?? '')
  const decided = await atTheSameMoment([
    () => approve(ann, approval),
    () => approve(bob, approval),
  ])
  expect(decided.map(({ status }) => status).sort()).toEqual([200, 409])
  const answers = await atTheSameMoment([() => here.query(text), () => there.query(text)])
  expect(answers.map(say).sort()).toEqual(['C:INSERT 0 1 Z:I', 'E:SP001 Z:I'])
  expect(await database.sql('SELECT 1 FROM later WHERE n = 50')).toHaveLength(1)
})

test('what a gateway that is gone was waiting for is cancelled by the other', async () => {
  const ann = await controlOf(first(), ANN)
  // A gateway that dies says nothing: its request is there, and it is not seen any more.
  await store.sql(`INSERT INTO sallyport_gateways VALUES ('dead', now() - interval '1 minute')`)
  const wire = await open(second())
  wire.send({ kind: 'Query', text: 'INSERT INTO t VALUES (2)' })
  await wire.until(({ type }) => type === 'N')
  const { id } = await pendingApproval(ann)
  await store.sql(`UPDATE sallyport_approvals SET gateway = 'dead' WHERE id = $1`, [id])
  await expect
    .poll(async () => (await ann.get(`/v1/approvals/${id}`)).body.status, { timeout: 30_000 })
    .toBe('cancelled')
  expect(errorsOf(await wire.replies())[0]?.sqlstate).toBe('57014')
  wire.close()
})

test('a store that stands still while statements wait: the rest goes on, and what was decided is known afterwards', async () => {
  await using line = await stoppable(new URL(store.url))
  const gateway = await start(line.url)
  await using wire = await open(gateway)
  await using given = await open(gateway)
  const waiting = async (one: WireClient): Promise<string> => {
    one.send({ kind: 'Query', text: 'INSERT INTO t VALUES (77)' })
    await one.until(({ type }) => type === 'N')
    return (await pendingApproval(await controlOf(second(), ANN), seen)).id
  }
  const seen: string[] = []
  const id = await waiting(wire)
  seen.push(id)
  await waiting(given)
  line.stop()
  expect((await approve(await controlOf(second(), ANN), id)).status).toBe(200)
  const { key } = given
  if (key === null) throw new Error('no key')
  await cancelAt({ host: gateway.host, port: gateway.plainPort }, key)
  expect(say(await given.replies())).toBe('E:57014 Z:I')
  expect(say(await given.query('BEGIN'))).toBe('C:BEGIN Z:T')
  line.go()
  expect(say(await wire.replies())).toBe('C:INSERT 0 1 Z:I')
  expect(await database.sql('SELECT 1 FROM t WHERE n = 77')).toHaveLength(1)
  // Before the way to its store is gone.
  gateways.splice(gateways.indexOf(gateway), 1)
  await gateway.close()
})

test('a store that does not answer: statements are refused, and none runs', async () => {
  await store.sql('ALTER TABLE sallyport_approval_events RENAME TO away')
  try {
    await using wire = await open(first())
    const [error] = errorsOf(await wire.query('INSERT INTO t VALUES (3)'))
    expect(error).toMatchObject({ sqlstate: '58000' })
    expect(error?.message).toMatch(/cannot be asked for right now/)
    expect(await database.sql('SELECT 1 FROM t WHERE n = 3')).toEqual([])
  } finally {
    await store.sql('ALTER TABLE away RENAME TO sallyport_approval_events')
  }
})
