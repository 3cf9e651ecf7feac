/**
 * The events of several gateways' approvals, in one PostgreSQL database they share. Appending is one INSERT
 * under a primary key: of two gateways that append the same event number, one has and the other is told.
 * Every gateway keeps a copy of what matters, told of changes by NOTIFY and, where that fails, by asking.
 *
 * Each event is in the audit log of the gateway that appended it, and here for the others.
 */
import type { AuditEvent } from '@sallyport/audit'
import pg from 'pg'
import type { ApprovalJournal, Shown } from './journal.ts'
import { LIFETIME_MS_MAX } from './limits.ts'
import type { ApprovalLog } from './local-journal.ts'
import { type Approval, type ApprovalEvent, fold, isOver, next, type Stamped } from './state.ts'

/** How often it is asked what is new, ms: how late a change is seen when no notification comes. */
const POLL_MS = 400
/** Events younger than this are read again: an INSERT can become visible after a later one, ms. */
const OVERLAP_MS = 10_000
/** A gateway says that it lives this often, and is taken for dead after that long, ms. */
const ALIVE_MS = 2_000
const DEAD_MS = 10_000
const CONNECT_MS_MAX = 5_000
const QUERY_MS_MAX = 5_000
const CHANNEL = 'sallyport_approvals'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_approvals (
  id text PRIMARY KEY, gateway text NOT NULL, mode text NOT NULL, binding text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), shown jsonb);
CREATE INDEX IF NOT EXISTS sallyport_approvals_binding ON sallyport_approvals (binding);
CREATE TABLE IF NOT EXISTS sallyport_approval_events (
  approval text NOT NULL REFERENCES sallyport_approvals (id) ON DELETE CASCADE, n int NOT NULL,
  at bigint NOT NULL, event jsonb NOT NULL, stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (approval, n));
CREATE INDEX IF NOT EXISTS sallyport_approval_events_stored ON sallyport_approval_events (stored_at);
CREATE TABLE IF NOT EXISTS sallyport_gateways (id text PRIMARY KEY, seen_at timestamptz NOT NULL);
`
/** Two gateways that start together must not both create the tables. */
const SCHEMA_LOCK = 7_264_310_221

export interface PostgresJournalOptions {
  readonly connection: pg.ClientConfig
  readonly log: ApprovalLog
  /** This gateway, among those that share the store. */
  readonly gateway: string
  /** The store does not answer; it is asked again. */
  readonly onError: (error: unknown) => void
}

interface EventRow {
  readonly approval: string
  readonly n: number
  readonly at: string
  readonly event: ApprovalEvent
}

export class PostgresJournal implements ApprovalJournal {
  readonly #options: PostgresJournalOptions
  readonly #pool: pg.Pool
  /** In the order they were asked for, as far as this gateway has seen. */
  readonly #entries = new Map<string, Approval>()
  readonly #listeners = new Set<(approval: string) => void>()
  #timers: NodeJS.Timeout[] = []
  #listening: pg.Client | null = null
  #refreshing: Promise<void> | null = null
  #closed = false

  constructor(options: PostgresJournalOptions) {
    this.#options = options
    this.#pool = new pg.Pool({
      ...options.connection,
      max: 4,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: QUERY_MS_MAX,
      application_name: 'sallyport',
    })
    this.#pool.on('error', options.onError)
  }

  /** Creates its tables where they are not there. Throws what the database says. */
  static async open(options: PostgresJournalOptions): Promise<PostgresJournal> {
    const journal = new PostgresJournal(options)
    try {
      await journal.#start()
      return journal
    } catch (error) {
      await journal.close()
      throw error
    }
  }

  async append(
    { at, event }: Stamped<ApprovalEvent>,
    after: number,
    shown: Shown | null,
  ): Promise<boolean> {
    const stored =
      event.type === 'approval-requested'
        ? after === 0 && (await this.#insertFirst(event, at, shown))
        : await this.#insertNext(event, at, after)
    if (!stored) return false
    // Not in the audit log: whoever asked must not go on, though the others see it as done.
    this.#record(event)
    await this.#reread(event.approval)
    return true
  }

  async events(approval: string): Promise<readonly Stamped[]> {
    const { rows } = await this.#pool.query<EventRow>(
      'SELECT approval, n, at, event FROM sallyport_approval_events WHERE approval = $1 ORDER BY n',
      [approval],
    )
    return rows.map(stampedOf)
  }

  async shown(approval: string): Promise<Shown | null> {
    const { rows } = await this.#pool.query<{ shown: Shown | null }>(
      'SELECT shown FROM sallyport_approvals WHERE id = $1',
      [approval],
    )
    return rows[0]?.shown ?? null
  }

  async list(): Promise<readonly Approval[]> {
    return [...this.#entries.values()]
  }

  /** Asked of the store: a decision given elsewhere a moment ago counts. */
  async bound(binding: string): Promise<readonly Approval[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      'SELECT id FROM sallyport_approvals WHERE binding = $1 ORDER BY stored_at DESC LIMIT 20',
      [binding],
    )
    const folded = await Promise.all(rows.map(async ({ id }) => fold(await this.events(id))))
    return folded.filter((approval) => approval !== null)
  }

  /** Nobody waits for them any more: the gateway whose session did is gone. */
  async orphans(): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      `SELECT a.id FROM sallyport_approvals a LEFT JOIN sallyport_gateways g ON g.id = a.gateway
       WHERE a.mode = 'hold' AND (g.seen_at IS NULL OR g.seen_at < now() - $1 * interval '1 ms')`,
      [DEAD_MS],
    )
    return rows.map(({ id }) => id).filter((id) => this.#isOpen(id))
  }

  subscribe(listener: (approval: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
    this.#listeners.clear()
    await this.#refreshing?.catch(() => undefined)
    await this.#listening?.end().catch(() => undefined)
    if (!this.#pool.ended) await this.#pool.end()
  }

  async #start(): Promise<void> {
    const client = await this.#pool.connect()
    try {
      await client.query('SELECT pg_advisory_lock($1)', [SCHEMA_LOCK])
      try {
        await client.query(SCHEMA)
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [SCHEMA_LOCK])
      }
    } finally {
      client.release()
    }
    await this.#live()
    await this.#refresh(LIFETIME_MS_MAX)
    await this.#listen()
    const again = (ms: number, work: () => Promise<void>): void => {
      const timer = setInterval(() => void work().catch(this.#options.onError), ms)
      timer.unref()
      this.#timers.push(timer)
    }
    again(POLL_MS, () => this.#refreshSoon())
    again(ALIVE_MS, () => this.#live())
  }

  async #live(): Promise<void> {
    await this.#pool.query(
      `INSERT INTO sallyport_gateways VALUES ($1, now())
       ON CONFLICT (id) DO UPDATE SET seen_at = now()`,
      [this.#options.gateway],
    )
  }

  /** A lost connection is made anew by the next poll. */
  async #listen(): Promise<void> {
    if (this.#closed || this.#listening !== null) return
    const client = new pg.Client(this.#options.connection)
    const lost = (): void => {
      if (this.#listening === client) this.#listening = null
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', () => void this.#refreshSoon().catch(this.#options.onError))
    await client.connect()
    await client.query(`LISTEN ${CHANNEL}`)
    this.#listening = client
  }

  async #insertFirst(
    event: ApprovalEvent & { readonly type: 'approval-requested' },
    at: number,
    shown: Shown | null,
  ): Promise<boolean> {
    next(null, event, at)
    const { rowCount } = await this.#pool.query(
      `WITH made AS (
         INSERT INTO sallyport_approvals (id, gateway, mode, binding, shown) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING RETURNING id
       ), first AS (
         INSERT INTO sallyport_approval_events (approval, n, at, event) SELECT id, 1, $6, $7 FROM made RETURNING n
       ) SELECT pg_notify('${CHANNEL}', $1) FROM first`,
      [
        event.approval,
        this.#options.gateway,
        event.mode,
        event.binding,
        JSON.stringify(shown),
        at,
        JSON.stringify(event),
      ],
    )
    return rowCount === 1
  }

  async #insertNext(event: ApprovalEvent, at: number, after: number): Promise<boolean> {
    const before = fold(await this.events(event.approval))
    if (before?.version !== after) return false
    const { status } = next(before, event, at)
    const { rowCount } = await this.#pool.query(
      `WITH following AS (
         INSERT INTO sallyport_approval_events (approval, n, at, event) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING n
       ), forgotten AS (
         UPDATE sallyport_approvals SET shown = NULL WHERE id = $1 AND $5 AND EXISTS (SELECT 1 FROM following)
       ) SELECT pg_notify('${CHANNEL}', $1) FROM following`,
      [event.approval, after + 1, at, JSON.stringify(event), isOver(status)],
    )
    return rowCount === 1
  }

  #record(event: AuditEvent): void {
    this.#options.log.append(event)
    this.#options.log.flush()
  }

  /** At most one at a time; one that comes meanwhile is served by the next. */
  async #refreshSoon(): Promise<void> {
    if (this.#closed) return
    if (this.#refreshing !== null) return this.#refreshing
    const refreshing = (async () => {
      await this.#listen()
      await this.#refresh(OVERLAP_MS)
    })().finally(() => {
      this.#refreshing = null
    })
    this.#refreshing = refreshing
    return refreshing
  }

  async #refresh(backMs: number): Promise<void> {
    const { rows } = await this.#pool.query<{ approval: string; n: number }>(
      `SELECT approval, max(n) AS n FROM sallyport_approval_events
       WHERE stored_at > now() - $1 * interval '1 ms' GROUP BY approval`,
      [backMs],
    )
    for (const { approval, n } of rows) {
      if ((this.#entries.get(approval)?.version ?? 0) < n) await this.#reread(approval)
    }
  }

  async #reread(id: string): Promise<void> {
    const approval = fold(await this.events(id))
    const known = this.#entries.get(id)
    if (approval === null || (known?.version ?? 0) >= approval.version) return
    this.#entries.set(id, approval)
    this.#forgetOld(approval.requestedAt)
    for (const listener of [...this.#listeners]) listener(id)
  }

  /** The copy holds what can still matter; the store holds the rest. */
  #forgetOld(now: number): void {
    const [oldest] = this.#entries
    if (oldest === undefined || oldest[1].requestedAt > now - LIFETIME_MS_MAX) return
    this.#entries.delete(oldest[0])
  }

  #isOpen(id: string): boolean {
    const approval = this.#entries.get(id)
    return approval !== undefined && !isOver(approval.status)
  }
}

function stampedOf({ at, event }: EventRow): Stamped {
  return { at: Number(at), event }
}
