/**
 * What one gateway asks the others of its store: to interrupt a session that one of them has, or which sessions they
 * have. A row each, announced by NOTIFY, and a row for each answer. A question that is seconds old is not answered any
 * more: what a late cancel would end is another statement.
 */
import type { SessionView } from '../admin/contract.ts'
import type { Elsewhere, Interrupt, Owner } from '../session/interrupts.ts'
import type { SharedStore, Watch } from './shared-store.ts'

/** How long is waited for answers, ms. */
const ANSWER_MS_MAX = 1_500
/** Questions that are waited for at a time; cancel requests come from anybody. */
const ASKED_MAX = 64
/** Not answered after this long, ms, it is not answered any more. */
const FRESH_MS = 3_000
const KEPT_MS = 60_000
/** A gateway that has not said for this long that it lives is not waited for, ms. */
const SILENT_MS_MAX = 5_000
const CHANNEL = 'sallyport_questions'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_questions (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, gateway text NOT NULL, question json NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX IF NOT EXISTS sallyport_questions_stored ON sallyport_questions (stored_at);
CREATE TABLE IF NOT EXISTS sallyport_answers (
  question bigint NOT NULL REFERENCES sallyport_questions (id) ON DELETE CASCADE, gateway text NOT NULL,
  answer json NOT NULL, PRIMARY KEY (question, gateway));
`

export type Question =
  | Interrupt
  /** `owner`: only sessions of theirs; null: all. */
  | { readonly kind: 'sessions'; readonly owner: Owner | null }

/** Null: this gateway has nothing to say to it. */
export type Respond = (question: Question) => Promise<unknown> | null

export interface OtherGatewaysOptions {
  readonly store: SharedStore
  /** This gateway, among those that share the store. */
  readonly gateway: string
  readonly onError: (error: unknown) => void
}

/** A question that is fresh; of one's own, with an answer to it. */
interface Row {
  readonly id: string
  readonly gateway: string
  readonly question: Question
  readonly answered: string | null
  readonly answer: unknown
}

/** Nothing is fresh: one row without. */
type Fresh = { readonly asked: Date } & (Row | { readonly id: null })

export class OtherGateways implements Elsewhere {
  readonly #options: OtherGatewaysOptions
  /** By the question's id: given the answers so far. */
  readonly #waiting = new Map<string, (answers: readonly unknown[]) => void>()
  #asked = 0
  /** Of others, that this gateway has looked at and may read again. */
  #seen: ReadonlySet<string> = new Set()
  #watch: Watch | null = null

  private constructor(options: OtherGatewaysOptions) {
    this.#options = options
  }

  /** Creates its tables where they are not there. Throws what the database says. */
  static async open(options: OtherGatewaysOptions): Promise<OtherGateways> {
    await options.store.create(SCHEMA)
    return new OtherGateways(options)
  }

  /** From here on, the others' questions are answered. */
  attend(respond: Respond): void {
    this.#watch ??= this.#options.store.watch(CHANNEL, new Date(0), () => this.#read(respond))
  }

  async interrupt(interrupt: Interrupt): Promise<boolean> {
    const { answers } = await this.#ask(interrupt, (given) => given.length > 0)
    return answers.length > 0
  }

  /** `unanswered`: gateways that live and have not said. Never rejects. */
  async sessions(
    owner: Owner | null,
  ): Promise<{ readonly sessions: readonly SessionView[]; readonly unanswered: number }> {
    const { answers, others } = await this.#ask(
      { kind: 'sessions', owner },
      (given, all) => given.length >= all,
    )
    // Safe: what the gateways' own `respond` gives to this question.
    const sessions = (answers as SessionView[][]).flat()
    return { sessions, unanswered: Math.max(0, others - answers.length) }
  }

  async close(): Promise<void> {
    await this.#watch?.end()
  }

  /** Never rejects. */
  async #ask(
    question: Question,
    enough: (answers: readonly unknown[], others: number) => boolean,
  ): Promise<{ readonly answers: readonly unknown[]; readonly others: number }> {
    if (this.#asked >= ASKED_MAX) return { answers: [], others: 0 }
    const { store, gateway, onError } = this.#options
    this.#asked++
    try {
      const { rows } = await store.query<{ id: string; others: number }>(
        `WITH old AS (
           DELETE FROM sallyport_questions WHERE stored_at < now() - $1 * interval '1 ms'
         ), made AS (
           INSERT INTO sallyport_questions (gateway, question) VALUES ($2, $3) RETURNING id
         ), others AS (
           SELECT count(*)::int AS n FROM sallyport_gateways
           WHERE id <> $2 AND seen_at > now() - $4 * interval '1 ms'
         ) SELECT made.id, others.n AS others, pg_notify('${CHANNEL}', '') FROM made, others`,
        [KEPT_MS, gateway, JSON.stringify(question), SILENT_MS_MAX],
      )
      const { id = '', others = 0 } = rows[0] ?? {}
      return { answers: await this.#answers(id, (given) => enough(given, others)), others }
    } catch (error) {
      onError(error)
      return { answers: [], others: 0 }
    } finally {
      this.#asked--
    }
  }

  /** Those that are there when they are enough, or it has taken too long. */
  #answers(
    id: string,
    enough: (answers: readonly unknown[]) => boolean,
  ): Promise<readonly unknown[]> {
    return new Promise((resolve) => {
      let given: readonly unknown[] = []
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(given)
      }
      const timer = setTimeout(settle, ANSWER_MS_MAX)
      const take = (answers: readonly unknown[]): void => {
        given = answers
        if (enough(answers)) settle()
      }
      this.#waiting.set(id, take)
      take([])
    })
  }

  async #read(respond: Respond): Promise<Date> {
    const { gateway } = this.#options
    const { rows } = await this.#options.store.query<Fresh>(
      `SELECT now() AS asked, q.id, q.gateway, q.question, a.gateway AS answered, a.answer FROM (SELECT 1) one
       LEFT JOIN sallyport_questions q ON q.stored_at > now() - $1 * interval '1 ms'
       LEFT JOIN sallyport_answers a ON a.question = q.id AND q.gateway = $2 ORDER BY q.id`,
      [FRESH_MS, gateway],
    )
    const before = this.#seen
    const fresh = rows.filter((row) => row.id !== null)
    this.#seen = new Set(fresh.map(({ id }) => id))
    for (const [id, own] of Map.groupBy(fresh, (row) => row.id)) {
      this.#waiting.get(id)?.(own.flatMap((row) => (row.answered === null ? [] : [row.answer])))
    }
    for (const row of fresh) {
      if (row.gateway !== gateway && !before.has(row.id)) {
        void this.#respond(row, respond).catch(this.#options.onError)
      }
    }
    // Safe: the outer joins have a row at least.
    return (rows[0] as Fresh).asked
  }

  async #respond({ id, question }: Row, respond: Respond): Promise<void> {
    const response = respond(question)
    if (response === null) return
    const answer = await response
    await this.#options.store.query(
      `WITH given AS (
         INSERT INTO sallyport_answers (question, gateway, answer) VALUES ($1, $2, $3) RETURNING question
       ) SELECT pg_notify('${CHANNEL}', '') FROM given`,
      [id, this.#options.gateway, JSON.stringify(answer)],
    )
  }
}
