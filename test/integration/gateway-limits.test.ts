/** Limits of policy on what a result may hold: rows and bytes, refused or cut, in every transaction state. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import {
  cancelAt,
  cells,
  errorsOf,
  extended,
  type Frame,
  say,
  WireClient,
} from '../support/wire.ts'

const policy = (limits: string): string => `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
limits:
  - { who: { groups: [limited] }, ${limits} }
`
const MANY = 'SELECT g FROM generate_series(1, 300000) g'
const FEW = 'SELECT g FROM generate_series(1, 10) g'
const REFUSED = '53400'

let database: TestDatabase
const gateways = new Map<string, TestGateway>()

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE public.log (n int)')
  for (const [name, limits] of Object.entries({
    deny: 'rows: 10, on-exceed: deny',
    approve: 'rows: 10, on-exceed: approve, approvers: { groups: [dba] }',
    truncate: 'rows: 10, on-exceed: truncate',
    bytes: 'bytes: 10KiB, on-exceed: deny',
  })) {
    const gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [policy(limits)],
      config: { admin: { port: 0 } },
    })
    gateways.set(name, gateway)
  }
})
afterAll(async () => {
  for (const gateway of gateways.values()) await gateway.close()
  await database.drop()
})

async function open(name: string, approvals?: 'return'): Promise<WireClient> {
  const gateway = gateways.get(name) as TestGateway
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token({ groups: ['limited'] }),
    database: gateway.connection,
    ...(approvals && { parameters: [['sallyport.approvals', approvals]] as const }),
  })
}

/** `D` runs and codes without the number of rows, which the race with the cancel does not decide. */
const shape = (frames: readonly Frame[]): string => say(frames)

describe('deny', () => {
  test('a result within the limit passes', async () => {
    await using wire = await open('deny')
    expect(shape(await wire.query(FEW))).toBe('T D10 C:SELECT 10 Z:I')
    expect(shape(await wire.extended(FEW))).toBe('1 2 T D10 C:SELECT 10 Z:I')
  })

  test.each([
    ['a result that is long when it is stopped', MANY],
    ['a result that is over before it can be cancelled', 'SELECT g FROM generate_series(1, 11) g'],
  ])('%s ends in an error, and the session goes on', async (_, text) => {
    await using wire = await open('deny')
    for (let round = 0; round < 20; round++) {
      expect(shape(await wire.query(text))).toBe(`T D10 E:${REFUSED} Z:I`)
      expect(shape(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
      expect(shape(await wire.extended(text))).toBe(`1 2 T D10 E:${REFUSED} Z:I`)
      expect(shape(await wire.extended('SELECT 1'))).toBe('1 2 T D1 C:SELECT 1 Z:I')
    }
  })

  test.each([
    ['long', MANY],
    ['short', 'SELECT g FROM generate_series(1, 11) g'],
  ])('a %s one inside a block fails the block', async (_, text) => {
    await using wire = await open('deny')
    for (const ask of [(t: string) => wire.query(t), (t: string) => wire.extended(t)]) {
      await wire.query('BEGIN')
      await wire.query('INSERT INTO log VALUES (1)')
      expect(shape(await ask(text))).toMatch(/E:53400 Z:E$/)
      expect(shape(await wire.query('SELECT 1'))).toBe('E:25P02 Z:E')
      expect(shape(await wire.query('COMMIT'))).toBe('C:ROLLBACK Z:I')
    }
    expect(await database.sql('SELECT * FROM log')).toEqual([])
  })

  test('the rest of a pipeline is skipped, and what came before does not commit', async () => {
    await using wire = await open('deny')
    const [parse, bind, , execute] = extended('INSERT INTO log VALUES (2)')
    for (const text of [MANY, 'SELECT g FROM generate_series(1, 11) g']) {
      const asked = extended(text).slice(0, 4)
      wire.send(
        ...([parse, bind, execute] as never[]),
        ...asked,
        ...([parse, bind, execute] as never[]),
      )
      wire.send({ kind: 'Sync' }, { kind: 'Query', text: 'SELECT 1' })
      expect(shape(await wire.replies(2))).toBe(
        `1 2 C:INSERT 0 1 1 2 T D10 E:${REFUSED} Z:I T D1 C:SELECT 1 Z:I`,
      )
    }
    expect(await database.sql('SELECT * FROM log')).toEqual([])
  })

  test('rows of a portal count over all its executions', async () => {
    await using wire = await open('deny')
    wire.send(
      { kind: 'Parse', statement: '', text: MANY, parameterTypes: [] },
      {
        kind: 'Bind',
        portal: 'p',
        statement: '',
        parameterFormats: [],
        values: [],
        resultFormats: [],
      },
      { kind: 'Execute', portal: 'p', maxRows: 6 },
      { kind: 'Execute', portal: 'p', maxRows: 6 },
      { kind: 'Execute', portal: 'p', maxRows: 6 },
      { kind: 'Sync' },
    )
    expect(shape(await wire.replies())).toBe(`1 2 D6 s D4 E:${REFUSED} Z:I`)
  })

  test('COPY TO STDOUT counts as rows', async () => {
    await using wire = await open('deny')
    const frames = await wire.query(`COPY (${MANY}) TO STDOUT`)
    expect(frames.filter(({ type }) => type === 'd')).toHaveLength(10)
    expect(errorsOf(frames)[0]?.sqlstate).toBe(REFUSED)
    expect(shape(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('a COPY FROM after it in one text does not hang', async () => {
    await using wire = await open('deny')
    const text = 'SELECT g FROM generate_series(1, 11) g; COPY log FROM STDIN'
    expect(shape(await wire.query(text))).toBe(`T D10 E:${REFUSED} Z:I`)
  })

  test('a change that had committed says so', async () => {
    await using wire = await open('deny')
    const frames = await wire.query(
      'INSERT INTO log SELECT g FROM generate_series(1, 11) g RETURNING n',
    )
    const [error] = errorsOf(frames)
    const [{ count } = { count: '0' }] = await database.sql<{ count: string }>(
      'SELECT count(*) FROM log',
    )
    await database.sql('TRUNCATE log')
    expect(error?.sqlstate).toBe(REFUSED)
    // Which of the two won the race: the cancel, or the commit.
    expect(error?.detail?.includes('what it changed stands')).toBe(count === '11')
  })

  test('in the extended protocol nothing of it stands', async () => {
    await using wire = await open('deny')
    const text = 'INSERT INTO log SELECT g FROM generate_series(1, 11) g RETURNING n'
    expect(shape(await wire.extended(text))).toBe(`1 2 T D10 E:${REFUSED} Z:I`)
    expect(await database.sql('SELECT * FROM log')).toEqual([])
  })
})

describe('approve', () => {
  const noticeOf = (wire: WireClient): Promise<Frame[]> => wire.until(({ type }) => type === 'N')
  let ann: Control
  beforeAll(async () => {
    const gateway = gateways.get('approve') as TestGateway
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  })
  const decide = (id: string, decision: 'approve' | 'deny', reason = '') =>
    ann.post(`/v1/approvals/${id}/decision`, { decision, reason })

  test.each([
    ['a simple query', (wire: WireClient, text: string) => wire.send({ kind: 'Query', text })],
    ['the extended protocol', (wire: WireClient, text: string) => wire.send(...extended(text))],
  ])('the rest waits, and comes with leave: %s', async (_, send) => {
    await using wire = await open('approve')
    send(wire, MANY)
    const first = await noticeOf(wire)
    expect(shape(first)).toMatch(/T D10 N:SP001$/)
    const { id, what } = await pendingApproval(ann)
    expect(what).toBe('result')
    const { body } = await ann.get(`/v1/approvals/${id}`)
    expect(body.shown).toMatchObject({
      sql: MANY,
      estimate: { kind: 'none', why: 'it runs; up to 10 rows have been sent' },
    })
    await decide(id, 'approve')
    expect(shape(await wire.replies())).toBe('D299990 C:SELECT 300000 Z:I')
    expect(shape(await wire.query(FEW))).toBe('T D10 C:SELECT 10 Z:I')
  })

  test('denied, it ends in an error and the session goes on', async () => {
    await using wire = await open('approve')
    wire.send({ kind: 'Query', text: MANY })
    await noticeOf(wire)
    await decide((await pendingApproval(ann)).id, 'deny', 'too much')
    const frames = await wire.replies()
    expect(shape(frames)).toBe('E:SP002 Z:I')
    expect(errorsOf(frames)[0]?.detail).toContain('too much')
    expect(shape(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('denied inside a block, it fails the block', async () => {
    await using wire = await open('approve')
    await wire.query('BEGIN')
    wire.send({ kind: 'Query', text: MANY })
    await noticeOf(wire)
    await decide((await pendingApproval(ann)).id, 'deny')
    expect(shape(await wire.replies())).toBe('E:SP002 Z:E')
    expect(shape(await wire.query('ROLLBACK'))).toBe('C:ROLLBACK Z:I')
  })

  test('COPY TO STDOUT waits, too', async () => {
    await using wire = await open('approve')
    wire.send({ kind: 'Query', text: `COPY (${MANY}) TO STDOUT` })
    await noticeOf(wire)
    await decide((await pendingApproval(ann)).id, 'approve')
    const frames = await wire.replies()
    expect(frames.filter(({ type }) => type === 'd')).toHaveLength(299_990)
    expect(shape(frames)).toMatch(/c C:COPY 300000 Z:I$/)
  })

  test('the server waits with it: what it has not sent is not kept here', async () => {
    await using wire = await open('approve')
    wire.send({ kind: 'Query', text: "SELECT repeat('x', 10000) FROM generate_series(1, 100000)" })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
    for (let i = 0; i < 500 && (await database.sql(waiting)).length === 0; i++) await sleep(20)
    expect(await database.sql(waiting)).toHaveLength(1)
    await decide(id, 'deny')
    expect(shape(await wire.replies())).toBe('E:SP002 Z:I')
  })

  test('a cancel request ends the wait and the statement', async () => {
    await using wire = await open('approve')
    const { key } = wire
    if (key === null) throw new Error('no key')
    wire.send({ kind: 'Query', text: MANY })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    const gateway = gateways.get('approve') as TestGateway
    await cancelAt({ host: gateway.host, port: gateway.plainPort }, key)
    expect(shape(await wire.replies())).toBe('E:57014 Z:I')
    expect((await decide(id, 'approve')).status).toBe(409)
    expect(shape(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('a client that leaves withdraws its request, and the statement ends', async () => {
    const wire = await open('approve')
    wire.send({ kind: 'Query', text: MANY })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    wire.close()
    const status = async () => (await ann.get(`/v1/approvals/${id}`)).body.status
    for (let i = 0; i < 250 && (await status()) !== 'cancelled'; i++) await sleep(20)
    expect(await status()).toBe('cancelled')
  })

  test('mode: return comes back for all of it, once', async () => {
    await using wire = await open('approve', 'return')
    const [refused] = errorsOf(await wire.query(MANY))
    expect(refused?.sqlstate).toBe('SP001')
    await decide(JSON.parse(refused?.detail ?? '').approval, 'approve')
    expect(shape(await wire.query(MANY))).toBe('T D300000 C:SELECT 300000 Z:I')
    expect(errorsOf(await wire.query(MANY))[0]?.sqlstate).toBe('SP001')
  })
})

test('bytes are counted', async () => {
  await using wire = await open('bytes')
  expect(shape(await wire.query(`SELECT repeat('x', 10000)`))).toBe('T D1 C:SELECT 1 Z:I')
  expect(shape(await wire.query(`SELECT repeat('x', 11000)`))).toBe(`T E:${REFUSED} Z:I`)
  expect(shape(await wire.query(`SELECT repeat('x', 1000000)`))).toBe(`T E:${REFUSED} Z:I`)
  const copied = await wire.query(`COPY (SELECT repeat('x', 1000000)) TO STDOUT`)
  expect(shape(copied)).toBe(`H E:${REFUSED} Z:I`)
})

describe('truncate', () => {
  test('the first rows come, then a warning and a completion that fits', async () => {
    await using wire = await open('truncate')
    expect(shape(await wire.query(MANY))).toBe('T D10 N:01000 C:SELECT 10 Z:I')
    expect(shape(await wire.extended(MANY))).toBe('1 2 T D10 N:01000 C:SELECT 10 Z:I')
    expect(shape(await wire.query(`${FEW}; ${MANY}; ${FEW}`))).toBe(
      'T D10 C:SELECT 10 T D10 N:01000 C:SELECT 10 T D10 C:SELECT 10 Z:I',
    )
  })

  test('the block goes on', async () => {
    await using wire = await open('truncate')
    await wire.query('BEGIN')
    expect(shape(await wire.query(MANY))).toBe('T D10 N:01000 C:SELECT 10 Z:T')
    expect(shape(await wire.query('COMMIT'))).toBe('C:COMMIT Z:I')
  })

  test('a change keeps the count of what it changed', async () => {
    await using wire = await open('truncate')
    const text = 'INSERT INTO log SELECT g FROM generate_series(1, 20) g RETURNING n'
    expect(shape(await wire.query(text))).toBe('T D10 N:01000 C:INSERT 0 20 Z:I')
    await database.sql('TRUNCATE log')
  })

  test('a portal ends instead of being suspended again', async () => {
    await using wire = await open('truncate')
    wire.send(
      { kind: 'Parse', statement: '', text: MANY, parameterTypes: [] },
      {
        kind: 'Bind',
        portal: 'p',
        statement: '',
        parameterFormats: [],
        values: [],
        resultFormats: [],
      },
      { kind: 'Execute', portal: 'p', maxRows: 8 },
      { kind: 'Execute', portal: 'p', maxRows: 8 },
      { kind: 'Sync' },
    )
    expect(shape(await wire.replies())).toBe('1 2 D8 s D2 N:01000 C:SELECT 2 Z:I')
  })

  test('COPY in text is cut, in binary refused', async () => {
    await using wire = await open('truncate')
    const text = await wire.query(`COPY (${MANY}) TO STDOUT`)
    expect(text.filter(({ type }) => type === 'd')).toHaveLength(10)
    expect(shape(text)).toMatch(/c N:01000 C:COPY 10 Z:I$/)
    const binary = await wire.query(`COPY (${MANY}) TO STDOUT (FORMAT binary)`)
    expect(shape(binary)).toMatch(/E:53400 Z:I$/)
  })
})

test('who is not limited gets everything', async () => {
  const gateway = gateways.get('deny') as TestGateway
  await using wire = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token(),
    database: gateway.connection,
  })
  expect(cells(await wire.query(MANY))).toHaveLength(300_000)
})
