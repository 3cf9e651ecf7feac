/**
 * Interrupts for sessions that are at another gateway: a row each, announced by NOTIFY; whoever has the session does
 * it and says so in the row. One that nobody has done in a moment is nobody's, or comes too late: what would be
 * cancelled then is another statement.
 */
import type { Elsewhere, Interrupt } from '../session/interrupts.ts'
import type { SharedStore, Watch } from './shared-store.ts'

/** How long is waited for a gateway that has done it, ms. */
const ANSWER_MS_MAX = 1_500
/** Interrupts that are waited for at a time; cancel requests come from anybody. */
const ASKED_MAX = 64
/** Not done after this long, ms, it is not done any more. */
const FRESH_MS = 3_000
const KEPT_MS = 60_000
const CHANNEL = 'sallyport_interrupts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_interrupts (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, gateway text NOT NULL, interrupt json NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT clock_timestamp(), done_at timestamptz);
CREATE INDEX IF NOT EXISTS sallyport_interrupts_stored ON sallyport_interrupts (stored_at);
`

export interface SharedInterruptsOptions {
  readonly store: SharedStore
  /** This gateway, among those that share the store. */
  readonly gateway: string
  readonly onError: (error: unknown) => void
}

interface Row {
  readonly id: string
  readonly gateway: string
  readonly interrupt: Interrupt
  readonly done: boolean
}

/** Nothing is fresh: one row without. */
type Fresh = { readonly asked: Date } & (Row | { readonly id: null })

export class SharedInterrupts implements Elsewhere {
  readonly #options: SharedInterruptsOptions
  /** By the row's id: called when a gateway has done it. */
  readonly #waiting = new Map<string, () => void>()
  #asked = 0
  /** Of others, that this gateway has looked at and may read again. */
  #seen: ReadonlySet<string> = new Set()
  #watch: Watch | null = null

  private constructor(options: SharedInterruptsOptions) {
    this.#options = options
  }

  /** Creates its table where it is not there. Throws what the database says. */
  static async open(options: SharedInterruptsOptions): Promise<SharedInterrupts> {
    await options.store.create(SCHEMA)
    return new SharedInterrupts(options)
  }

  /** `act`: as Interrupts.here, for what others ask. */
  attend(act: (interrupt: Interrupt) => Promise<void> | null): void {
    this.#watch ??= this.#options.store.watch(CHANNEL, new Date(0), () => this.#read(act))
  }

  async ask(interrupt: Interrupt): Promise<boolean> {
    if (this.#asked >= ASKED_MAX) return false
    const { store, gateway, onError } = this.#options
    this.#asked++
    try {
      const { rows } = await store.query<{ id: string }>(
        `WITH old AS (
           DELETE FROM sallyport_interrupts WHERE stored_at < now() - $1 * interval '1 ms'
         ), made AS (
           INSERT INTO sallyport_interrupts (gateway, interrupt) VALUES ($2, $3) RETURNING id
         ) SELECT id, pg_notify('${CHANNEL}', '') FROM made`,
        [KEPT_MS, gateway, JSON.stringify(interrupt)],
      )
      return await this.#answer(rows[0]?.id ?? '')
    } catch (error) {
      onError(error)
      return false
    } finally {
      this.#asked--
    }
  }

  async close(): Promise<void> {
    await this.#watch?.end()
  }

  #answer(id: string): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (done: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(done)
      }
      const timer = setTimeout(() => settle(false), ANSWER_MS_MAX)
      this.#waiting.set(id, () => settle(true))
    })
  }

  async #read(act: (interrupt: Interrupt) => Promise<void> | null): Promise<Date> {
    const { rows } = await this.#options.store.query<Fresh>(
      `SELECT now() AS asked, id, gateway, interrupt, done_at IS NOT NULL AS done FROM (SELECT 1) one
       LEFT JOIN sallyport_interrupts ON stored_at > now() - $1 * interval '1 ms' ORDER BY id`,
      [FRESH_MS],
    )
    const before = this.#seen
    const fresh = rows.filter((row) => row.id !== null)
    this.#seen = new Set(fresh.map(({ id }) => id))
    for (const row of fresh) {
      if (row.done) this.#waiting.get(row.id)?.()
      else if (row.gateway !== this.#options.gateway && !before.has(row.id)) {
        void this.#do(row, act).catch(this.#options.onError)
      }
    }
    // Safe: the outer join has a row at least.
    return (rows[0] as Fresh).asked
  }

  async #do(
    { id, interrupt }: Row,
    act: (interrupt: Interrupt) => Promise<void> | null,
  ): Promise<void> {
    const acted = act(interrupt)
    if (acted === null) return
    await acted
    await this.#options.store.query(
      `WITH done AS (
         UPDATE sallyport_interrupts SET done_at = now() WHERE id = $1 RETURNING id
       ) SELECT pg_notify('${CHANNEL}', '') FROM done`,
      [id],
    )
  }
}
