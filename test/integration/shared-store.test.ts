/**
 * What several gateways share: notifications that are enough without polling, polling that is enough without
 * notifications, tokens and revocations that all agree on, and a gateway that dies and leaves nothing behind.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Approvals } from '../../packages/gateway/src/approvals/approvals.ts'
import { PostgresJournal } from '../../packages/gateway/src/approvals/postgres-journal.ts'
import { newApprovalId } from '../../packages/gateway/src/approvals/recover.ts'
import { MemoryLog, request, SHOWN } from '../../packages/gateway/src/approvals/testing.ts'
import { Hold, type HoldState } from '../../packages/gateway/src/approvals/wait.ts'
import { PostgresState } from '../../packages/gateway/src/state/postgres-store.ts'
import { SharedStore } from '../../packages/gateway/src/store/shared-store.ts'
import { controlAt, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, say, WireClient, WireRefused } from '../support/wire.ts'

let database: TestDatabase
let shared: TestDatabase

beforeAll(async () => {
  database = await usePostgres()
  shared = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int)')
})
afterAll(async () => {
  await database.drop()
  await shared.drop()
})

describe('the store', () => {
  const opened: { close(): void | Promise<void> }[] = []
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
  })
  const errors: unknown[] = []
  function open(pollMs: number | null): SharedStore {
    const connection = { connectionString: shared.url }
    const store = new SharedStore({ connection, onError: (error) => errors.push(error), pollMs })
    opened.push(store)
    return store
  }
  async function approvalsOver(store: SharedStore): Promise<Approvals> {
    const log = new MemoryLog(Date.now)
    const fail = (error: unknown): void => void errors.push(error)
    const of = { store, log, gateway: randomUUID(), onError: fail }
    const journal = await PostgresJournal.open(of)
    const approvals = new Approvals({
      journal,
      now: Date.now,
      newId: newApprovalId,
      onError: fail,
    })
    opened.push(approvals)
    return approvals
  }
  function holdAt(approvals: Approvals): {
    hold: Hold
    until: (kind: string) => Promise<HoldState>
  } {
    const waiting = new Set<() => void>()
    const hold = new Hold(
      approvals,
      request({ withinMs: 60_000, useMs: 60_000 }),
      SHOWN_WITH_NUL,
      () => {
        for (const look of waiting) look()
      },
    )
    const until = (kind: string): Promise<HoldState> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (hold.state.kind === kind) resolve(hold.state)
        }
        waiting.add(look)
        look()
      })
    return { hold, until }
  }
  const ANN = {
    by: 'ann',
    issuer: 'https://login',
    kind: 'human',
    groups: ['dba'],
    decision: 'approve',
    reason: '',
  } as const
  /** MySQL's statements may hold it. */
  const SHOWN_WITH_NUL = { ...SHOWN, sql: "INSERT INTO t VALUES ('a\0b')" }

  test('without polling, a decision given elsewhere releases what is held here', async () => {
    const [here, there] = await Promise.all([approvalsOver(open(null)), approvalsOver(open(null))])
    const { until } = holdAt(here)
    const { approval } = (await until('waiting')) as HoldState & { kind: 'waiting' }
    expect(await there.shown(approval.id)).toEqual(SHOWN_WITH_NUL)
    await there.decide(approval.id, ANN)
    await until('granted')
    expect((await there.get(approval.id))?.status.kind).toBe('used')
  })

  test('without notifications, polling releases it', async () => {
    const polled = open(20)
    const here = await approvalsOver(polled)
    const there = await approvalsOver(open(null))
    const { until } = holdAt(here)
    const { approval } = (await until('waiting')) as HoldState & { kind: 'waiting' }
    // As by somebody who writes and does not notify.
    await shared.sql(
      `INSERT INTO sallyport_approval_events (approval, n, at, event) VALUES ($1, 2, $2, $3)`,
      [
        approval.id,
        Date.now(),
        JSON.stringify({ type: 'approval-decided', v: 1, approval: approval.id, ...ANN }),
      ],
    )
    await until('granted')
    expect((await there.get(approval.id))?.status.kind).toBe('used')
  })

  test('without polling, a revocation made elsewhere is told here', async () => {
    const [here, there] = await Promise.all([
      PostgresState.open(open(null)),
      PostgresState.open(open(null)),
    ])
    opened.push(here, there)
    const told = new Promise((resolve) => here.subscribe(resolve))
    const revocation = { kind: 'token', tokenId: 't1', at: 1, until: null, reason: null } as const
    await there.revoke(revocation)
    expect(await told).toEqual(revocation)
  })

  test('what was written while the store could not be read is read afterwards', async () => {
    const store = open(5)
    const asked: Date[] = []
    let answer: Date | null = new Date('2026-01-01T00:01:00Z')
    const three = new Promise<void>((resolve) => {
      store.watch('sallyport_nothing', new Date('2026-01-01T00:00:00Z'), async (since) => {
        asked.push(since)
        if (asked.length >= 6) resolve()
        const now = answer
        answer = null
        if (now === null) throw new Error('away')
        return now
      })
    })
    await three
    expect(new Set(asked.slice(1).map((date) => date.toISOString()))).toEqual(
      new Set(['2026-01-01T00:00:50.000Z']),
    )
  })

  test('a listening connection that is lost is made anew', async () => {
    const store = open(20)
    const here = await PostgresState.open(store)
    opened.push(here)
    const told: string[] = []
    let heard = (): void => undefined
    here.subscribe((revocation) => {
      told.push(revocation.kind === 'token' ? revocation.tokenId : '')
      heard()
    })
    const listeners = () =>
      shared.sql<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE application_name = 'sallyport listening' AND datname = current_database()`,
      )
    const first = await eventually(listeners, (rows) => rows.length === 1)
    await shared.sql('SELECT pg_terminate_backend($1)', [first[0]?.pid])
    const next = await eventually(
      listeners,
      (rows) => rows.length === 1 && rows[0]?.pid !== first[0]?.pid,
    )
    expect(next).toHaveLength(1)
    const once = new Promise<void>((resolve) => {
      heard = () => {
        if (told.includes('anew')) resolve()
      }
    })
    await here.revoke({ kind: 'token', tokenId: 'anew', at: 1, until: null, reason: null })
    await once
    // One of a moment before may be told again; nobody is left who has it.
    expect(told).toContain('anew')
  })
})

describe('gateways', () => {
  const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
`
  const AGENT = { subject: 'agent', kind: 'machine' } as const
  const ANN = { subject: 'ann', kind: 'human', groups: ['dba'] } as const
  let doomed: TestGateway
  let doomedAdmin: string
  let gateway: TestGateway

  beforeAll(async () => {
    const port = await freePort()
    doomedAdmin = `http://127.0.0.1:${port}`
    const options = {
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [POLICY],
    } as const
    const store = { url: `plain:${shared.url}` }
    ;[doomed, gateway] = await Promise.all([
      startTestGateway({ ...options, spawn: true, config: { store, admin: { port } } }),
      startTestGateway({ ...options, config: { store, admin: { port: 0 } } }),
    ])
    // It accepts clients before callers of its API.
    const isUp = (): Promise<boolean> =>
      fetch(`${doomedAdmin}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      )
    await eventually(isUp, (up) => up)
  })
  afterAll(async () => {
    await doomed.close()
    await gateway.close()
  })
  const openAt = (at: TestGateway, password: string): Promise<WireClient> =>
    WireClient.connect({
      host: at.host,
      port: at.plainPort,
      user: 'agent',
      password,
      database: at.connection,
      parameters: [['application_name', 'wire']],
    })
  /** The first statements of a process may come before its parser has started. */
  const warm = (wire: WireClient): Promise<unknown> =>
    eventually(
      () => wire.query('SELECT 1'),
      (frames) => errorsOf(frames).length === 0,
    )

  test('a token made by exchange at one is good at the other; revoked at one, it ends its sessions at the other', async () => {
    const own = await doomed.token(AGENT)
    const answer = await fetch(`${doomedAdmin}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: own,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    await using wire = await openAt(gateway, token)
    await warm(wire)
    const revoked = await fetch(`${doomedAdmin}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
    })
    expect(revoked.status).toBe(200)
    expect(errorsOf(await wire.replies())[0]?.message).toMatch(/has been revoked/)
    await expect(openAt(gateway, token)).rejects.toBeInstanceOf(WireRefused)
    // What it was made from is not.
    await using still = await openAt(gateway, own)
    await warm(still)
  })

  test('a gateway killed with SIGKILL leaves no orphan: what it held is cancelled, its session ended', async () => {
    const ann = await controlOf(gateway, ANN)
    const wire = await openAt(doomed, await doomed.token(AGENT))
    await warm(wire)
    wire.send({ kind: 'Query', text: 'INSERT INTO t VALUES (1)' })
    await wire.until(({ type }) => type === 'N')
    const { id } = await pendingApproval(ann)
    expect(await upstreamSessions()).toBe(1)
    await doomed.crash()
    const { body } = await eventually(
      () => ann.get(`/v1/approvals/${id}`),
      (seen) => seen.body.status !== 'pending',
    )
    expect(body).toMatchObject({ status: 'cancelled', ended: 'the gateway that held it is gone' })
    const late = await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
    expect(late.status).toBe(409)
    await eventually(upstreamSessions, (count) => count === 0)
    expect(await database.sql('SELECT n FROM t')).toEqual([])
    wire.close()
    // It comes back, and takes part again.
    await doomed.revive()
    const again = await openAt(gateway, await doomed.token(AGENT))
    await warm(again)
    again.send({ kind: 'Query', text: 'INSERT INTO t VALUES (2)' })
    await again.until(({ type }) => type === 'N')
    const there = controlAt(doomedAdmin, await doomed.token(ANN))
    // Clients are let in before its control API listens.
    await eventually(
      () => there.get('/v1/approvals').catch(() => null),
      (seen) => seen !== null,
    )
    const next = await pendingApproval(there)
    expect(
      (await there.post(`/v1/approvals/${next.id}/decision`, { decision: 'approve' })).status,
    ).toBe(200)
    expect(say(await again.replies())).toBe('C:INSERT 0 1 Z:I')
    again.close()
  })

  test('without the store nobody is let in', async () => {
    const token = await gateway.token(AGENT)
    await shared.sql('ALTER TABLE sallyport_revocations RENAME TO away')
    try {
      await expect(openAt(gateway, token)).rejects.toThrow(/cannot be checked/)
    } finally {
      await shared.sql('ALTER TABLE away RENAME TO sallyport_revocations')
    }
    const wire = await openAt(gateway, token)
    wire.close()
  })

  /** Sessions of clients at the database; the schema is read by another name. */
  async function upstreamSessions(): Promise<number> {
    const [row] = await database.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'wire'`,
    )
    return row?.n ?? 0
  }
})

/** Asks until it is so. */
async function eventually<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 45_000
  for (;;) {
    const answer = await ask()
    if (isSo(answer) || Date.now() > deadline) return answer
    await sleep(20)
  }
}
