/**
 * The events of several gateways' approvals, in one PostgreSQL database they share. Appending is one INSERT
 * under a primary key: of two gateways that append the same event number, one has and the other is told.
 * Every gateway keeps a copy of what matters, told of changes by NOTIFY and, where that fails, by asking.
 *
 * Each event is in the audit log of the gateway that appended it, and here for the others.
 */
import type { AuditEvent } from '@sallyport/audit'
import type { SharedStore, Watch } from '../store/shared-store.ts'
import type { ApprovalJournal, Shown } from './journal.ts'
import { CLOSED_KEPT_MAX, LIFETIME_MS_MAX } from './limits.ts'
import { type ApprovalLog, oldestOver } from './local-journal.ts'
import { type Approval, type ApprovalEvent, fold, isOver, next, type Stamped } from './state.ts'

/** A gateway says that it lives this often, and is taken for dead after that long, ms. */
const ALIVE_MS = 2_000
const DEAD_MS = 10_000
/** How often what no longer matters is removed, ms. */
const PURGE_MS = 3_600_000
/** Approvals are kept this long, ms: that of the longest one, and of the longest grant it can begin. */
const KEPT_MS = LIFETIME_MS_MAX + 7 * 24 * 3_600_000
const CHANNEL = 'sallyport_approvals'

/** What is shown is kept until the approval is over. `json`, not `jsonb`, which has no place for U+0000: MySQL's statements may hold it. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_approvals (
  id text PRIMARY KEY, gateway text NOT NULL, mode text NOT NULL, binding text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(), shown json);
CREATE INDEX IF NOT EXISTS sallyport_approvals_binding ON sallyport_approvals (binding);
CREATE INDEX IF NOT EXISTS sallyport_approvals_open ON sallyport_approvals (gateway) WHERE shown IS NOT NULL;
CREATE INDEX IF NOT EXISTS sallyport_approvals_stored ON sallyport_approvals (stored_at);
CREATE TABLE IF NOT EXISTS sallyport_approval_events (
  approval text NOT NULL REFERENCES sallyport_approvals (id) ON DELETE CASCADE, n int NOT NULL,
  at bigint NOT NULL, event json NOT NULL, stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (approval, n));
CREATE INDEX IF NOT EXISTS sallyport_approval_events_stored ON sallyport_approval_events (stored_at);
CREATE TABLE IF NOT EXISTS sallyport_gateways (id text PRIMARY KEY, seen_at timestamptz NOT NULL);
`

export interface PostgresJournalOptions {
  readonly store: SharedStore
  readonly log: ApprovalLog
  /** This gateway, among those that share the store. */
  readonly gateway: string
  readonly onError: (error: unknown) => void
}

interface EventRow {
  readonly approval: string
  readonly n: number
  readonly at: string
  readonly event: ApprovalEvent
}

/** No event has changed: one row without. */
type Changed = { readonly asked: Date } & (EventRow | { readonly approval: null })

/** Approvals that can still matter at a start: open ones, grants, and the latest. */
const AT_START = `
SELECT id FROM sallyport_approvals WHERE shown IS NOT NULL
UNION SELECT approval FROM sallyport_approval_events WHERE n = 1 AND event->>'what' = 'grant'
UNION (SELECT id FROM sallyport_approvals ORDER BY stored_at DESC LIMIT ${CLOSED_KEPT_MAX})`
const SINCE = 'SELECT approval FROM sallyport_approval_events WHERE stored_at > $1'

export class PostgresJournal implements ApprovalJournal {
  readonly #options: PostgresJournalOptions
  readonly #store: SharedStore
  /** In the order they were asked for, as far as this gateway has seen. */
  readonly #entries = new Map<string, Approval>()
  readonly #over: string[] = []
  readonly #listeners = new Set<(approval: string) => void>()
  #timers: NodeJS.Timeout[] = []
  #watch: Watch | null = null

  constructor(options: PostgresJournalOptions) {
    this.#options = options
    this.#store = options.store
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
    this.#install(await this.events(event.approval))
    return true
  }

  async events(approval: string): Promise<readonly Stamped[]> {
    const { rows } = await this.#store.query<EventRow>(
      'SELECT approval, n, at, event FROM sallyport_approval_events WHERE approval = $1 ORDER BY n',
      [approval],
    )
    return rows.map(stampedOf)
  }

  async shown(approval: string): Promise<Shown | null> {
    const { rows } = await this.#store.query<{ shown: Shown | null }>(
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
    const { rows } = await this.#store.query<{ id: string }>(
      'SELECT id FROM sallyport_approvals WHERE binding = $1 ORDER BY stored_at DESC LIMIT 20',
      [binding],
    )
    const folded = await Promise.all(rows.map(async ({ id }) => fold(await this.events(id))))
    return folded.filter((approval) => approval !== null)
  }

  /** Nobody waits for them any more: the gateway whose session did is gone. */
  async orphans(): Promise<readonly string[]> {
    const { rows } = await this.#store.query<{ id: string }>(
      `SELECT a.id FROM sallyport_approvals a LEFT JOIN sallyport_gateways g ON g.id = a.gateway
       WHERE a.shown IS NOT NULL AND a.mode = 'hold'
         AND (g.seen_at IS NULL OR g.seen_at < now() - $1 * interval '1 ms')`,
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
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
    this.#listeners.clear()
    await this.#watch?.end()
  }

  async #start(): Promise<void> {
    await this.#store.create(SCHEMA)
    await this.#live()
    const began = await this.#read(AT_START, [])
    const read = (since: Date): Promise<Date> => this.#read(SINCE, [since])
    this.#watch = this.#store.watch(CHANNEL, began, read)
    const again = (ms: number, work: () => Promise<void>): void => {
      const timer = setInterval(() => void work().catch(this.#options.onError), ms)
      timer.unref()
      this.#timers.push(timer)
    }
    again(ALIVE_MS, () => this.#live())
    again(PURGE_MS, () => this.#purge())
  }

  async #purge(): Promise<void> {
    const old = `now() - $1 * interval '1 ms'`
    await this.#store.query(`DELETE FROM sallyport_approvals WHERE stored_at < ${old}`, [KEPT_MS])
    await this.#store.query(`DELETE FROM sallyport_gateways WHERE seen_at < ${old}`, [KEPT_MS])
  }

  async #live(): Promise<void> {
    await this.#store.query(
      `INSERT INTO sallyport_gateways VALUES ($1, now())
       ON CONFLICT (id) DO UPDATE SET seen_at = now()`,
      [this.#options.gateway],
    )
  }

  async #insertFirst(
    event: ApprovalEvent & { readonly type: 'approval-requested' },
    at: number,
    shown: Shown | null,
  ): Promise<boolean> {
    next(null, event, at)
    const { rowCount } = await this.#store.query(
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
    const { rowCount } = await this.#store.query(
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

  /** Reads the approvals that `which` selects. The store's time of reading. */
  async #read(which: string, values: unknown[]): Promise<Date> {
    const { rows } = await this.#store.query<Changed>(
      `SELECT now() AS asked, approval, n, at, event FROM (SELECT 1) one
       LEFT JOIN sallyport_approval_events ON approval IN (${which})
       ORDER BY min(stored_at) OVER (PARTITION BY approval), approval, n`,
      values,
    )
    const changed = rows.filter((row) => row.approval !== null)
    for (const events of Map.groupBy(changed, ({ approval }) => approval).values()) {
      this.#install(events.map(stampedOf))
    }
    // Safe: the outer join has a row at least.
    return (rows[0] as Changed).asked
  }

  #install(events: readonly Stamped[]): void {
    const approval = fold(events)
    if (approval === null) return
    const { id, version, status } = approval
    if ((this.#entries.get(id)?.version ?? 0) >= version) return
    this.#entries.set(id, approval)
    if (isOver(status) && !this.#over.includes(id)) this.#over.push(id)
    const gone = oldestOver(this.#over, (one) => this.#entries.get(one), approval.requestedAt)
    if (gone !== null) this.#entries.delete(gone)
    for (const listener of [...this.#listeners]) listener(id)
  }

  #isOpen(id: string): boolean {
    const approval = this.#entries.get(id)
    return approval !== undefined && !isOver(approval.status)
  }
}

function stampedOf({ at, event }: EventRow): Stamped {
  return { at: Number(at), event }
}
