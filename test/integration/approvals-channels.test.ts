/** Webhooks and Slack, against a local stand-in of their HTTP side. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
`
const HOOK_SECRET = `whsec_${Buffer.from('a secret of the webhook').toString('base64')}`
const SIGNING_SECRET = 'slack signing secret'

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let database: TestDatabase
let gateway: TestGateway
let outside: Server
let control: Control
let base: string
const received: Received[] = []
/** The webhook fails this many times before it takes anything. */
let failures = 0

beforeAll(async () => {
  outside = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const path = request.url ?? ''
    received.push({ path, headers: request.headers, body })
    const failing = path === '/hook' && failures-- > 0
    response.writeHead(failing ? 503 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ok: true, channel: 'C1', ts: '1.2' }))
  })
  outside.listen(0, '127.0.0.1')
  await once(outside, 'listening')
  base = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: {
      admin: { port: 0 },
      approvals: {
        link: 'https://console/{id}',
        webhooks: [{ url: `${base}/hook`, secret: `plain:${HOOK_SECRET}` }],
        slack: {
          api: `${base}/api`,
          channel: 'C1',
          token: 'plain:xoxb-token',
          'signing-secret': `plain:${SIGNING_SECRET}`,
          people: [
            { user: 'UANN', subject: 'ann', issuer: 'https://login', groups: ['dba'] },
            { user: 'UAGENT', subject: 'agent', issuer: 'https://login', groups: ['dba'] },
            { user: 'UEVE', subject: 'eve', issuer: 'https://login', groups: [] },
          ],
        },
      },
    },
  })
  control = await controlOf(gateway, { subject: 'dora', kind: 'human', groups: ['dba'] })
})
afterAll(async () => {
  await gateway.close()
  outside.close()
  await database.drop()
})

async function held(sql: string) {
  const wire = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token({ subject: 'agent', kind: 'machine' }),
    database: gateway.connection,
  })
  wire.send({ kind: 'Query', text: sql })
  await wire.until(({ type }) => type === 'N')
  return { wire, id: (await pendingApproval(control)).id }
}

async function got(matching: (one: Received) => boolean): Promise<Received> {
  for (let i = 0; i < 200; i++) {
    const found = received.find(matching)
    if (found !== undefined) return found
    await sleep(25)
  }
  throw new Error('nothing came')
}

interface ClickOptions {
  readonly secret?: string
  readonly ageSeconds?: number
}

async function click(user: string, decision: string, id: string, options: ClickOptions = {}) {
  const { secret = SIGNING_SECRET, ageSeconds = 0 } = options
  const payload = {
    type: 'block_actions',
    user: { id: user },
    actions: [{ action_id: decision, value: id }],
    response_url: `${base}/answer/${user}`,
  }
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString()
  const time = String(Math.floor(Date.now() / 1000) - ageSeconds)
  const mac = createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')
  const answer = await fetch(`${control.base}/slack/actions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': time,
      'x-slack-signature': `v0=${mac}`,
    },
    body,
  })
  return answer.status
}

test('a webhook is told, signed, again until it takes it, and never what would run', async () => {
  received.length = 0
  failures = 1
  const { wire, id } = await held("INSERT INTO t VALUES (1) -- 'secret literal'")
  await got(({ path }) => path === '/hook')
  const taken = await got(
    (one) => one.path === '/hook' && one !== received.find(({ path }) => path === '/hook'),
  )
  const { headers, body } = taken
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const key = Buffer.from(HOOK_SECRET.slice('whsec_'.length), 'base64')
  const mac = createHmac('sha256', key).update(signed).digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${mac}`)
  expect(JSON.parse(body)).toMatchObject({
    type: 'approval.requested',
    data: {
      approval: id,
      requester: { subject: 'agent' },
      estimate: { kind: 'estimate', rows: 1 },
      link: `https://console/${id}`,
      text: expect.stringMatching(
        /^agent wants to run a statement on \S+ .*\nThe database expects 1 row, cost [\d.]+\nTo read and decide: https:/,
      ),
    },
  })
  expect(
    received.filter(({ path }) => path === '/hook').every((one) => !one.body.includes('literal')),
  ).toBe(true)
  await control.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  await got((one) => one.body.includes('"approval.denied"'))
  await wire.replies()
  wire.close()
})

test('Slack: a long statement comes broken over lines', async () => {
  received.length = 0
  const { wire } = await held(
    "insert into t (n) select n from generate_series(1, 2) as n where n in (1, 2) and n > 0 and 'a  b' <> 'b'",
  )
  const { body } = await got(({ path }) => path === '/api/chat.postMessage')
  const lines = ['insert into t (n)', 'select n', 'from generate_series(1, 2) as n']
  const condition = "where n in (1, 2) and n &gt; 0 and 'a  b' &lt;&gt; 'b'"
  expect(body).toContain(JSON.stringify([...lines, condition].join('\n')).slice(1, -1))
  wire.close()
})

test('Slack: a message with the statement; a click of an approver releases it; the message says so', async () => {
  received.length = 0
  const { wire, id } = await held('INSERT INTO t VALUES (2) /* <!channel> */')
  const message = await got(({ path }) => path === '/api/chat.postMessage')
  expect(message.headers.authorization).toBe('Bearer xoxb-token')
  expect(message.body).toContain('INSERT INTO t VALUES (2) /* &lt;!channel&gt; */')
  expect(message.body).toContain(`"value":"${id}"`)
  expect(await click('UANN', 'approve', id)).toBe(200)
  expect(say(await wire.replies())).toBe('C:INSERT 0 1 Z:I')
  const update = await got(({ path, body }) => path === '/api/chat.update' && body.includes('used'))
  expect(JSON.parse(update.body)).toMatchObject({ channel: 'C1', ts: '1.2' })
  expect((await got(({ path }) => path === '/answer/UANN')).body).toContain(id)
  wire.close()
})

test('Slack: nothing hides what would run, or looks like it', async () => {
  received.length = 0
  const reason = 'ok `DELETE nothing`'
  const { wire, id } = await held(
    `INSERT INTO t VALUES (5) -- \u202e )6( \u200b\n/*reason='${reason}'*/`,
  )
  const { body } = await got(({ path }) => path === '/api/chat.postMessage')
  expect(body).toContain('INSERT INTO t VALUES (5) -- [U+202E] )6( [U+200B]')
  expect(body).not.toMatch(/[\u202e\u200b]/)
  const [head] = JSON.parse(body).blocks
  expect(head.text.text).toContain("Reason: ok 'DELETE nothing'")
  await control.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  await wire.replies()
  wire.close()
})

test('Slack: a click counts only signed, fresh, and of somebody who may decide', async () => {
  received.length = 0
  const { wire, id } = await held('INSERT INTO t VALUES (3)')
  expect(await click('UANN', 'approve', id, { secret: 'guessed' })).toBe(401)
  expect(await click('UANN', 'approve', id, { ageSeconds: 600 })).toBe(401)
  const answers = [
    ['UEVE', 'not among the approvers'],
    ['UAGENT', 'request of their own'],
    ['UNOBODY', 'not known to the gateway'],
  ] as const
  for (const [user, why] of answers) {
    expect(await click(user, 'approve', id)).toBe(200)
    expect((await got(({ path }) => path === `/answer/${user}`)).body).toContain(why)
  }
  expect(await database.sql('SELECT 1 FROM t WHERE n = 3')).toEqual([])
  expect(await click('UANN', 'deny', id)).toBe(200)
  expect(errorsOf(await wire.replies())[0]?.message).toBe(`approval ${id} was denied by ann`)
  wire.close()
})

test('Slack: a statement too long for a message has no buttons, only the link', async () => {
  received.length = 0
  const { wire, id } = await held(`INSERT INTO t VALUES (4) /* ${'x'.repeat(4_000)} */`)
  const { body } = await got(({ path }) => path === '/api/chat.postMessage')
  expect(body).not.toContain('"actions"')
  expect(body).toContain(`https://console/${id}`)
  await control.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  await wire.replies()
  wire.close()
})
