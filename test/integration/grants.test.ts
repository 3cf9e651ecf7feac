/** Roles for a time: asked for, held, over, revoked, and taken by breaking glass. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, controlOf, narrowed } from '../support/control.ts'
import { startTestGateway, type TestGateway, type TokenRequest } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, say, WireClient, WireRefused } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - { name: writers write, who: { roles: [writer] }, allow: { effects: [write], relations: ['public.*'] } }
  - { name: cleaners clean, who: { roles: [cleaner] }, allow: { effects: [write], commands: [delete], relations: ['public.*'] } }
grants:
  - role: writer
    who: { groups: [developers] }
    approvers: { groups: [dba] }
    max: 1h
    break-glass: { groups: [on-call] }
  - role: cleaner
    who: { groups: [janitors] }
    approvers: { groups: [dba] }
    on-refusal: request
`
let database: TestDatabase
let gateway: TestGateway
let ann: Control

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    identity: {
      roles: {
        writer: { groups: ['writers'] },
        cleaner: { groups: ['cleaners'] },
      },
    },
    config: { admin: { port: 0 } },
  })
  ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

const developer = (subject: string, more: TokenRequest = {}): TokenRequest => ({
  subject,
  kind: 'human',
  groups: ['developers'],
  ...more,
})
const asWriter = (request: TokenRequest): Promise<WireClient> => as('writer', request)
async function as(user: string, request: TokenRequest): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user,
    password: await gateway.token(request),
    database: gateway.connection,
  })
}
const isLetIn = (request: TokenRequest): Promise<boolean> =>
  asWriter(request).then(
    (wire) => {
      wire.close()
      return true
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(WireRefused)
      return false
    },
  )

async function ask(who: TokenRequest, more: object = {}) {
  const control = await controlOf(gateway, who)
  const wanted = { role: 'writer', connection: gateway.connection, seconds: 60, reason: 'ticket 7' }
  return control.post('/v1/grants', { ...wanted, ...more })
}
const approve = (id: string) => ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < 150; i++) {
    if (await condition()) return true
    await sleep(20)
  }
  return false
}

test('is over: the session at the database ends with it', async () => {
  const dev = developer('dev8')
  const { body } = await ask(dev)
  const seen = (await ann.get(`/v1/approvals/${body.id}`)).body
  expect(seen.grant).toEqual({ seconds: 60, breakGlass: false })
  await approve(body.id)
  expect(await until(() => isLetIn(dev))).toBe(true)
  const wire = await asWriter(dev)
  wire.send({
    kind: 'Query',
    text: "SELECT 'of dev8', count(*) FROM generate_series(1, 1000000000000) n",
  })
  const running = async (): Promise<number> =>
    (await database.sql(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT ''of dev8''%'`))
      .length
  expect(await until(async () => (await running()) === 1)).toBe(true)
  await ann.delete(`/v1/grants/${body.id}`)
  expect(errorsOf(await wire.replies()).at(-1)?.message).toMatch(/grant of its role is over/)
  expect(await until(async () => (await running()) === 0)).toBe(true)
})

test('is held once approved, and no longer than asked for; its session ends with it', async () => {
  const dev = developer('dev1')
  expect(await isLetIn(dev)).toBe(false)
  const { status, body } = await ask(dev, { seconds: 3 })
  expect([status, body.status]).toEqual([201, 'pending'])
  expect(await isLetIn(dev)).toBe(false)
  await approve(body.id)
  expect(await until(() => isLetIn(dev))).toBe(true)
  const wire = await asWriter(dev)
  expect(say(await wire.query('INSERT INTO t VALUES (1)'))).toBe('C:INSERT 0 1 Z:I')
  expect(errorsOf(await wire.replies()).map(({ message }) => message)).toEqual([
    'terminating connection: the grant of its role is over',
  ])
  expect(await isLetIn(dev)).toBe(false)
})

test('is not another’s, and not for another role, longer, or without a reason', async () => {
  const dev = developer('dev2')
  const { body } = await ask(dev)
  await approve(body.id)
  expect(await until(() => isLetIn(dev))).toBe(true)
  expect(await isLetIn(developer('dev3'))).toBe(false)
  expect((await ask(dev, { role: 'owner' })).body.error).toBe('not-grantable')
  expect((await ask({ subject: 'eve', kind: 'human' })).body.error).toBe('not-grantable')
  expect((await ask(dev, { seconds: 7200 })).body.error).toBe('too-long')
  expect((await ask(dev, { reason: ' ' })).body.error).toBe('reason-needed')
  const elsewhere = await narrowed(await controlOf(gateway, dev), 'connection:elsewhere')
  const wanted = { role: 'writer', connection: gateway.connection, seconds: 60, reason: 'ticket' }
  expect((await elsewhere.post('/v1/grants', wanted)).body.error).toBe('not-grantable')
})

test('scoped to a run, holds for tokens verified to be of that run', async () => {
  const agent = developer('agent', { kind: 'machine' })
  const { body } = await ask(agent, { run: 'r1' })
  await approve(body.id)
  expect(await until(() => isLetIn({ ...agent, run: 'r1' }))).toBe(true)
  expect(await isLetIn({ ...agent, run: 'r2' })).toBe(false)
  expect(await isLetIn(agent)).toBe(false)
})

test('is revoked by an approver, by its holder, and by nobody else', async () => {
  const dev = developer('dev4')
  const { body } = await ask(dev)
  await approve(body.id)
  expect(await until(() => isLetIn(dev))).toBe(true)
  const wire = await asWriter(dev)
  const eve = await controlOf(gateway, { subject: 'eve', kind: 'human' })
  expect((await eve.delete(`/v1/grants/${body.id}`)).status).toBe(404)
  expect((await ann.delete(`/v1/grants/${body.id}`)).status).toBe(204)
  expect(errorsOf(await wire.replies())[0]?.message).toMatch(/grant of its role is over/)
  expect(await isLetIn(dev)).toBe(false)
  const second = await ask(dev)
  await approve(second.body.id)
  const own = await controlOf(gateway, dev)
  expect(await until(() => isLetIn(dev))).toBe(true)
  expect((await own.delete(`/v1/grants/${second.body.id}`)).status).toBe(204)
  expect(await isLetIn(dev)).toBe(false)
})

test('break-glass: held at once by who is named, seen, and ended by a reviewer who objects', async () => {
  expect((await ask(developer('dev5'), { breakGlass: true })).body.error).toBe('not-grantable')
  const oncall = developer('olaf', { groups: ['developers', 'on-call'] })
  const { body } = await ask(oncall, { breakGlass: true })
  expect(body).toMatchObject({ status: 'held', breakGlass: true, reviewed: false })
  const wire = await asWriter(oncall)
  const own = await controlOf(gateway, oncall)
  const self = await own.post(`/v1/approvals/${body.id}/decision`, { decision: 'approve' })
  expect(self.status).toBe(403)
  const listed = await ann.get('/v1/grants')
  expect(listed.body.grants.find((one: { id: string }) => one.id === body.id)).toMatchObject({
    reviewed: false,
  })
  await ann.post(`/v1/approvals/${body.id}/decision`, { decision: 'deny', reason: 'no incident' })
  expect(errorsOf(await wire.replies())[0]?.message).toMatch(/grant of its role is over/)
})

const hintOf = async (wire: WireClient, text: string): Promise<string> =>
  errorsOf(await wire.query(text))[0]?.hint ?? ''

test('a refused statement says which role would allow it, and how to ask; scoped as the token is', async () => {
  const dev = developer('dev6', { kind: 'machine', graph: 'support desk', node: 'tools' })
  await using wire = await as('anybody', dev)
  const line =
    `sallyport request --role writer --connection ${gateway.connection} ` +
    `--graph 'support desk' --node tools --for 15m --reason '…'`
  const hint = await hintOf(wire, 'INSERT INTO t VALUES (6)')
  expect(hint).toContain(`The role "writer" would allow it. To ask for it: ${line}; then connect`)
  // Nobody was asked, and no role allows this.
  expect((await ann.get('/v1/grants')).body.grants).not.toContainEqual(
    expect.objectContaining({ subject: 'dev6' }),
  )
  expect(await hintOf(wire, 'DROP TABLE t')).not.toContain('role')
  // Whose own role it is takes it; who may not ask for it is not told of it.
  await using writer = await as('other', developer('dev7', { groups: ['writers', 'cleaners'] }))
  expect(await hintOf(writer, 'INSERT INTO t VALUES (7)')).toContain(
    'Your role "writer" would allow it: connect with it as the user name.',
  )
  await using eve = await as('anybody', { subject: 'eve', kind: 'human' })
  expect(await hintOf(eve, 'INSERT INTO t VALUES (8)')).not.toContain('role')
})

test('where policy says so it asks by itself, once, and follows what becomes of it', async () => {
  const jan = { subject: 'jan', kind: 'machine', groups: ['janitors'], run: 'r9' } as const
  const wire = await as('anybody', jan)
  const text = "DELETE FROM t WHERE n = 9 /*reason='ticket 9'*/"
  const id = /has been asked for: (ap_[\w-]+)\./.exec(await hintOf(wire, text))?.[1] ?? ''
  const seen = (await ann.get(`/v1/approvals/${id}`)).body
  expect(seen).toMatchObject({
    what: 'grant',
    status: 'pending',
    reason: 'ticket 9',
    requester: { subject: 'jan', role: 'cleaner', run: 'r9' },
    shown: { sql: text },
  })
  expect(await hintOf(wire, 'DELETE FROM t')).toContain(`waits to be granted: ${id}.`)
  await approve(id)
  expect(await until(async () => (await hintOf(wire, text)).includes('is granted to you'))).toBe(
    true,
  )
  await using cleaner = await as('cleaner', jan)
  expect(say(await cleaner.query(text))).toBe('C:DELETE 0 Z:I')
  // Of another run it is another request; denied, it is not asked for again.
  await using other = await as('anybody', { ...jan, run: 'r10' })
  const next = /has been asked for: (ap_[\w-]+)\./.exec(await hintOf(other, text))?.[1] ?? ''
  expect(next).not.toBe(id)
  const deny = { decision: 'deny', reason: 'not today' }
  expect((await ann.post(`/v1/approvals/${next}/decision`, deny)).status).toBe(200)
  expect(
    await until(async () => (await hintOf(other, text)).includes('denied by ann: not today')),
  ).toBe(true)
  wire.close()
})
