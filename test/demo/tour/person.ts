/**
 * Somebody connected with the `pg` driver: asks, prints what a user would see, and notes what was asked,
 * so that the audit log can be held against it.
 */
import pg from 'pg'
import { formatError, formatResult } from '../table.ts'
import type { Narrator } from './narrator.ts'

export interface Answer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly tag: string
  readonly error: AnswerError | null
}

export interface AnswerError {
  readonly code: string
  readonly message: string
  readonly detail: string | undefined
  readonly hint: string | undefined
}

/** One statement as it was sent, for the audit chapter. */
export interface Sent {
  readonly sql: string
  readonly role: string
  readonly verdict: 'allow' | 'deny' | 'approve'
}

export interface PersonOptions {
  readonly role: string
  readonly config: pg.ClientConfig
  readonly narrator: Narrator
  readonly sent: Sent[]
}

/** An answer that takes longer is a broken promise. */
const ANSWER_MS_MAX = 15_000

/** Errors that the gateway gives for its own refusals; the server gives the others. */
const REFUSED = /^(denied by|no rule|this statement|the masked|result column|syntax error)/

export class Person {
  readonly role: string
  readonly #client: pg.Client
  readonly #narrator: Narrator
  readonly #sent: Sent[]
  #ending: AnswerError | null = null
  readonly #ended: Promise<void>

  constructor({ role, config, narrator, sent }: PersonOptions) {
    this.role = role
    this.#narrator = narrator
    this.#sent = sent
    this.#client = new pg.Client({
      ...config,
      types: { getTypeParser: () => asText },
      connectionTimeoutMillis: ANSWER_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
    })
    this.#ended = new Promise((resolve) => this.#client.once('end', () => resolve()))
    // A session that is ended from outside says why here.
    this.#client.on('error', (error) => {
      this.#ending ??= answerError(error)
    })
  }

  connect(): Promise<void> {
    // pg's own promise resolves to the client.
    return this.#client.connect().then(() => undefined)
  }

  /** Keys for a CancelRequest; pg keeps them, its types do not say so. */
  get cancelKey(): { processID: number; secretKey: number } {
    return this.#client as unknown as { processID: number; secretKey: number }
  }

  /** Resolves when the connection is over, with the FATAL error that ended it. */
  async ended(): Promise<AnswerError | null> {
    await this.#ended
    return this.#ending
  }

  /** Sends and prints. `parameters` or `name`: by the extended protocol. */
  async ask(sql: string, options: AskOptions = {}): Promise<Answer> {
    if (options.quiet !== true) this.#narrator.command(this.role, sql)
    const answer = await this.#run(sql, options)
    this.#sent.push({ sql, role: this.role, verdict: options.verdict ?? verdictOf(answer) })
    if (options.quiet !== true) {
      const { error } = answer
      this.#narrator.output(error === null ? formatResult(answer) : formatError(error))
    }
    return answer
  }

  async #run(sql: string, { parameters, name }: AskOptions): Promise<Answer> {
    try {
      const raw: pg.QueryArrayResult | pg.QueryArrayResult[] = await this.#client.query({
        text: sql,
        rowMode: 'array',
        ...(parameters && { values: [...parameters] }),
        ...(name && { name }),
      })
      // pg gives an array of results for several statements, which its types leave out.
      const result = Array.isArray(raw) ? raw.at(-1) : raw
      if (result === undefined) throw new Error('no result')
      const tag = [result.command, result.rowCount].filter((part) => part !== null).join(' ')
      const columns = result.fields.map((field: pg.FieldDef) => field.name)
      return { columns, rows: result.rows as (string | null)[][], tag, error: null }
    } catch (error) {
      return { columns: [], rows: [], tag: '', error: answerError(error) }
    }
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined)
  }
}

export interface AskOptions {
  readonly parameters?: readonly (string | number | null)[]
  /** Prepare under this name and use it from then on. */
  readonly name?: string
  readonly quiet?: boolean
  /** What the audit log will say, where the answer alone does not tell. */
  readonly verdict?: Sent['verdict']
}

/** Every value as the server wrote it; binary ones as latin1. */
const asText = (value: string | Buffer): string =>
  typeof value === 'string' ? value : value.toString('latin1')

export function answerError(error: unknown): AnswerError {
  if (!(error instanceof Error)) return { code: '', message: String(error), ...NO_MORE }
  const { code = '', detail, hint } = error as Partial<pg.DatabaseError>
  return { code, message: error.message, detail, hint }
}

const NO_MORE = { detail: undefined, hint: undefined }

function verdictOf({ error }: Answer): Sent['verdict'] {
  if (error === null) return 'allow'
  if (error.code === 'SP001') return 'approve'
  return ['42501', '42601'].includes(error.code) && REFUSED.test(error.message) ? 'deny' : 'allow'
}

/** Empty when there is none. */
export function firstRow(answer: Answer): readonly (string | null)[] {
  return answer.rows[0] ?? []
}
