/** Statements that wait for people, from the wire to the control API and back. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf, narrowed, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway, type TokenRequest } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, extended, type Frame, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba], within: 30s, use-within: 20s }
  - name: soon
    who: everyone
    approve: { effects: [write], relations: [public.soon] }
    approvers: { groups: [dba], within: 1s }
  - name: later
    who: everyone
    approve: { effects: [write], relations: [public.later] }
    approvers: { groups: [dba], count: 2, within: 30s, use-within: 20s }
    reason: required
    mode: return
`
const AGENT = { subject: 'agent', kind: 'machine' } as const
const DELETE = 'DELETE FROM t WHERE n = 1'

let database: TestDatabase
let gateway: TestGateway
let ann: Control
let bob: Control
let agent: Control

beforeAll(async () => {
  database = await usePostgres()
  for (const name of ['t', 'soon', 'later']) {
    await database.sql(`CREATE TABLE public.${name} (n int, x text)`)
    await database.sql(`INSERT INTO public.${name} SELECT i, 'x' FROM generate_series(1, 100) i`)
  }
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { admin: { port: 0 }, approvals: { link: 'https://console/approvals/{id}' } },
  })
  ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  bob = await controlOf(gateway, { subject: 'bob', kind: 'human', groups: ['dba'] })
  agent = await controlOf(gateway, AGENT)
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

async function open(request: TokenRequest = AGENT, at = gateway): Promise<WireClient> {
  return WireClient.connect({
    host: at.host,
    port: at.plainPort,
    user: 'agent',
    password: await at.token(request),
    database: at.connection,
  })
}

const rows = async (table: string): Promise<number> =>
  Number((await database.sql<{ n: string }>(`SELECT count(*) n FROM public.${table}`))[0]?.n)
const approve = (by: Control, id: string, more: object = {}) =>
  by.post(`/v1/approvals/${id}/decision`, { decision: 'approve', ...more })
const deny = (by: Control, id: string, reason: string) =>
  by.post(`/v1/approvals/${id}/decision`, { decision: 'deny', reason })
const status = async (id: string): Promise<string> =>
  (await ann.get(`/v1/approvals/${id}`)).body.status

/** The control API knows an approval as over within this time of the wire. */
async function ends(id: string, as: string): Promise<void> {
  for (let i = 0; i < 100 && (await status(id)) !== as; i++) await sleep(20)
  expect(await status(id)).toBe(as)
}

/** The frame that says what is waited for. */
const noticeOf = (wire: WireClient): Promise<Frame[]> => wire.until(({ type }) => type === 'N')

describe('a held statement', () => {
  test('waits with a notice, runs when it is approved, and is on record as one story', async () => {
    await using wire = await open()
    const before = await rows('t')
    wire.send({ kind: 'Query', text: DELETE })
    const [notice] = await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    expect(notice?.message).toMatchObject({
      fields: {
        sqlstate: 'SP001',
        message: `approval ${id} is needed by the rule "writes"; the statement waits for it`,
        hint: `To decide: sallyport approvals approve ${id}, or https://console/approvals/${id}`,
      },
    })
    expect(await rows('t')).toBe(before)
    const { body } = await ann.get(`/v1/approvals/${id}`)
    expect(body).toMatchObject({
      status: 'pending',
      requester: { subject: 'agent' },
      rule: 'writes',
      mayDecide: true,
      mayApprove: true,
      shown: { sql: DELETE, layout: DELETE, parameters: [] },
    })
    expect((await approve(ann, id)).status).toBe(200)
    expect(say(await wire.replies())).toBe('C:DELETE 1 Z:I')
    expect(await rows('t')).toBe(before - 1)
    await ends(id, 'used')
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('extended protocol: waits at Bind, with its parameters', async () => {
    await using wire = await open()
    wire.send(...extended('DELETE FROM t WHERE n = $1', ['2']))
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const { body } = await ann.get(`/v1/approvals/${id}`)
    expect(body.shown).toMatchObject({ sql: 'DELETE FROM t WHERE n = $1', parameters: ['2'] })
    await approve(ann, id)
    expect(say(await wire.replies())).toMatch(/C:DELETE 1 Z:I$/)
    expect(await database.sql('SELECT 1 FROM t WHERE n = 2')).toEqual([])
  })

  test('a prepared statement asks for each of its executions', async () => {
    await using wire = await open()
    wire.send({
      kind: 'Parse',
      statement: 's',
      text: 'DELETE FROM t WHERE n = $1',
      parameterTypes: [],
    })
    wire.send({ kind: 'Sync' })
    expect(say(await wire.replies())).toBe('1 Z:I')
    const seen: string[] = []
    for (const n of ['3', '4']) {
      const [, bind, describe, execute, sync] = extended('', [n])
      if (!bind || !describe || !execute || !sync) throw new Error('five messages')
      wire.send({ ...bind, statement: 's' } as typeof bind, execute, sync)
      await noticeOf(wire)
      const { id } = await pendingApproval(ann, seen)
      seen.push(id)
      await approve(ann, id)
      expect(say(await wire.replies())).toMatch(/C:DELETE 1 Z:I$/)
    }
    expect(new Set(seen).size).toBe(2)
  })

  test('is refused with the comment when denied; the connection goes on', async () => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    await deny(ann, id, 'not on Friday')
    const frames = await wire.replies()
    expect(errorsOf(frames)).toMatchObject([
      { sqlstate: 'SP002', message: `approval ${id} was denied by ann`, detail: 'not on Friday' },
    ])
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('denied inside a transaction, aborts it as a server error would', async () => {
    await using wire = await open()
    await wire.query('BEGIN')
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    await deny(ann, (await pendingApproval(ann)).id, '')
    expect(say(await wire.replies())).toMatch(/E:SP002 Z:E$/)
    expect(say(await wire.query('ROLLBACK'))).toBe('C:ROLLBACK Z:I')
  })

  test('denied in the middle of a pipeline, the rest is skipped to Sync and nothing commits', async () => {
    await using wire = await open({ ...AGENT })
    const before = await rows('t')
    const [parse, bind, , execute, sync] = extended('SELECT 1', [])
    if (!parse || !bind || !execute || !sync) throw new Error('five messages')
    const held = extended('DELETE FROM t WHERE n = 50', [])
    wire.send(parse, bind, execute, ...held.slice(0, 4), parse, bind, execute, sync)
    await noticeOf(wire)
    await deny(ann, (await pendingApproval(ann)).id, '')
    expect(errorsOf(await wire.replies()).length).toBe(1)
    expect(await rows('t')).toBe(before)
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('expires', async () => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: 'DELETE FROM soon' })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const frames = await wire.replies()
    expect(errorsOf(frames)[0]).toMatchObject({
      sqlstate: 'SP003',
      message: `approval ${id} expired before it was decided`,
    })
    expect((await approve(ann, id)).status).toBe(409)
    expect(await rows('soon')).toBe(100)
  })

  test('a cancel request ends the wait, and is not passed on to the server', async () => {
    await using wire = await open()
    const { key } = wire
    if (key === null) throw new Error('no key')
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    await cancelAt({ host: gateway.host, port: gateway.plainPort }, key)
    expect(say(await wire.replies())).toBe('E:57014 Z:I')
    await ends(id, 'cancelled')
    expect((await approve(ann, id)).status).toBe(409)
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test.each([
    ['hangs up', (wire: WireClient) => wire.close()],
    ['says Terminate', (wire: WireClient) => wire.socket.end(Buffer.from([0x58, 0, 0, 0, 4]))],
  ])('a client that %s withdraws its request', async (_how, leave) => {
    const wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    leave(wire)
    await ends(id, 'cancelled')
  })

  test('a client that hangs up behind a pipeline is seen to', async () => {
    const wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    for (let i = 0; i < 50; i++) wire.send({ kind: 'Query', text: `SELECT ${i}` })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    wire.close()
    await ends(id, 'cancelled')
  })

  test('goes on with what was sent behind it', async () => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: 'DELETE FROM t WHERE n = 5' })
    for (let i = 0; i < 50; i++) wire.send({ kind: 'Query', text: `SELECT ${i}` })
    await noticeOf(wire)
    await approve(ann, (await pendingApproval(ann)).id)
    expect(say(await wire.replies())).toBe('C:DELETE 1 Z:I')
    expect(say(await wire.replies(50))).toMatch(/^(T D1 C:SELECT 1 Z:I ?){50}$/)
  })

  test('an operator who kills the session ends it', async () => {
    const boss = await controlOf(gateway, { subject: 'agent', kind: 'machine' })
    const wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const { body } = await boss.get('/v1/sessions')
    const held = body.sessions.find(
      (one: { state: string }) => one.state === 'waiting-for-approval',
    )
    expect((await boss.delete(`/v1/sessions/${held.id}`)).status).toBe(204)
    expect(say(await wire.replies())).toMatch(/E:57P01$/)
    await ends(id, 'cancelled')
  })

  test('policy that moves decides anew: another request, or none', async () => {
    const file = join(gateway.directory, 'policies/1.yaml')
    const before = await readFile(file, 'utf8')
    await using wire = await open()
    try {
      wire.send({ kind: 'Query', text: 'DELETE FROM t WHERE n = 60' })
      await noticeOf(wire)
      const first = (await pendingApproval(ann)).id
      await writeFile(file, before.replace('within: 30s, use', 'within: 29s, use'))
      await gateway.running?.reload()
      await noticeOf(wire)
      await ends(first, 'cancelled')
      expect((await pendingApproval(ann)).id).not.toBe(first)
      const free = 'allow: { effects: [write], relations: [public.t] }'
      await writeFile(file, before.replace(/approve: .*public.t\] }\n.*use-within: 20s }/, free))
      await gateway.running?.reload()
      expect(say(await wire.replies())).toBe('C:DELETE 1 Z:I')
    } finally {
      await writeFile(file, before)
      await gateway.running?.reload()
    }
  })

  test('others are served meanwhile', async () => {
    await using held = await open()
    await using other = await open()
    held.send({ kind: 'Query', text: DELETE })
    await noticeOf(held)
    expect(say(await other.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
    await deny(ann, (await pendingApproval(ann)).id, '')
    await held.replies()
  })

  test('two approvers at the same moment: both are answered, it runs once', async () => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: "INSERT INTO t VALUES (777, 'once')" })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const answers = await Promise.all([approve(ann, id), approve(bob, id)])
    expect(answers.map((one) => one.status).sort()).toEqual([200, 409])
    expect(say(await wire.replies())).toBe('C:INSERT 0 1 Z:I')
    expect(await database.sql('SELECT 1 FROM t WHERE n = 777')).toHaveLength(1)
  })
})

describe('who decides', () => {
  test.each<[string, TokenRequest, number, string]>([
    ['a machine', { subject: 'robot', kind: 'machine', groups: ['dba'] }, 404, 'unknown-approval'],
    ['the requester', { subject: 'agent', kind: 'human', groups: ['dba'] }, 403, 'own-request'],
    ['a stranger', { subject: 'eve', kind: 'human', groups: ['sales'] }, 404, 'unknown-approval'],
    [
      'a token made for a graph',
      { subject: 'ann', kind: 'human', groups: ['dba'], graph: 'g' },
      404,
      'unknown-approval',
    ],
  ])('not %s', async (_who, request, code, error) => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const caller = await controlOf(gateway, request)
    const answer = await approve(caller, id)
    expect([answer.status, answer.body.error]).toEqual([code, error])
    expect(await status(id)).toBe('pending')
    await deny(ann, id, '')
    await wire.replies()
  })

  test('not a token of an approver’s that is narrowed to a connection', async () => {
    await using wire = await open()
    wire.send({ kind: 'Query', text: DELETE })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const handed = await narrowed(ann, `connection:${gateway.connection}`)
    expect((await approve(handed, id)).body.error).toBe('unknown-approval')
    await deny(ann, id, '')
    await wire.replies()
  })

  test('nobody without a token, and no page of another origin', async () => {
    const path = `${ann.base}/v1/approvals`
    expect((await fetch(path)).status).toBe(401)
    expect((await fetch(path, { headers: { authorization: 'Bearer nonsense' } })).status).toBe(401)
    const headers = { authorization: `Bearer ${ann.token}`, origin: 'https://evil.example' }
    expect((await fetch(path, { headers })).status).toBe(403)
  })
})

describe('mode: return', () => {
  const TEXT = "DELETE FROM later WHERE n = 1 /*reason='clean-up'*/"

  test('asks for a reason where policy does', async () => {
    await using wire = await open()
    const [error] = errorsOf(await wire.query('DELETE FROM later'))
    expect(error).toMatchObject({ sqlstate: '42501' })
    expect(error?.message).toMatch(/asks for a reason/)
  })

  test('is refused with SP001 until enough people agree; the same statement then runs, once', async () => {
    await using wire = await open()
    const [refused] = errorsOf(await wire.query(TEXT))
    expect(refused?.sqlstate).toBe('SP001')
    const detail = JSON.parse(refused?.detail ?? '')
    expect(detail).toMatchObject({ status: 'pending', rule: 'later' })
    const id: string = detail.approval
    const again = errorsOf(await wire.query(TEXT))[0]
    expect(JSON.parse(again?.detail ?? '').approval).toBe(id)
    expect((await ann.get(`/v1/approvals/${id}`)).body).toMatchObject({ reason: 'clean-up' })
    expect((await approve(ann, id)).body.status).toBe('pending')
    expect((await approve(ann, id)).body.error).toBe('decided-already')
    expect((await approve(bob, id)).body.status).toBe('approved')
    const other = errorsOf(await wire.query(`${TEXT} `))[0]
    expect(JSON.parse(other?.detail ?? '').approval).not.toBe(id)
    // Another connection of the same principal is as good.
    await using second = await open()
    expect(say(await second.query(TEXT))).toBe('C:DELETE 1 Z:I')
    await ends(id, 'used')
    const third = errorsOf(await second.query(TEXT))[0]
    expect(JSON.parse(third?.detail ?? '').approval).not.toBe(id)
  })

  test('other parameters, another principal or another search_path are something else', async () => {
    await using wire = await open()
    const text = "DELETE FROM later WHERE n = $1 /*reason='x'*/"
    const idOf = (frames: Frame[]) => JSON.parse(errorsOf(frames)[0]?.detail ?? '').approval
    const id = idOf(await wire.extended(text, ['10']))
    await approve(ann, id)
    await approve(bob, id)
    expect(idOf(await wire.extended(text, ['11']))).not.toBe(id)
    await using stranger = await open({ subject: 'agent2', kind: 'machine' })
    expect(idOf(await stranger.extended(text, ['10']))).not.toBe(id)
    await wire.query('SET search_path = public, pg_temp')
    expect(idOf(await wire.extended(text, ['10']))).not.toBe(id)
    await using fresh = await open()
    expect(say(await fresh.extended(text, ['10']))).toMatch(/C:DELETE 1 Z:I$/)
  })

  test('a denial stands for as long as the question would have', async () => {
    await using wire = await open()
    const text = "DELETE FROM later WHERE n = 20 /*reason='x'*/"
    const { approval } = JSON.parse(errorsOf(await wire.query(text))[0]?.detail ?? '')
    await deny(ann, approval, 'no')
    const [error] = errorsOf(await wire.query(text))
    expect(error).toMatchObject({ sqlstate: 'SP002', detail: 'no' })
  })

  test('the requester takes a request back', async () => {
    await using wire = await open()
    const text = "DELETE FROM later WHERE n = 21 /*reason='x'*/"
    const { approval } = JSON.parse(errorsOf(await wire.query(text))[0]?.detail ?? '')
    expect((await ann.post(`/v1/approvals/${approval}/cancel`)).status).toBe(403)
    expect((await agent.post(`/v1/approvals/${approval}/cancel`)).body.status).toBe('cancelled')
  })
})
