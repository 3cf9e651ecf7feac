/** A session's statements and their outcomes in the audit log. */
import {
  type AuditLog,
  type Statement,
  type StatementFields,
  StatementForm,
} from '@sallyport/audit'
import type { Telemetry } from '../telemetry/index.ts'
import type { Decided } from './decisions.ts'
import type { SessionWatch } from './watch.ts'

/** A recorded value may be this long, bytes; more is cut. */
const RECORDED_VALUE_BYTES_MAX = 4096
/** Stands for a value that may be of a column that is masked for somebody. */
const WITHHELD = '[withheld]'

/** A bound value of so many bytes as it is recorded. `text`: of its first so many. */
export function recordedValue(
  { leftOut }: Decided,
  bytes: number,
  text: (bytes: number) => string,
): string {
  if (leftOut === 'values') return WITHHELD
  return text(Math.min(bytes, RECORDED_VALUE_BYTES_MAX))
}

export type Via = 'simple' | 'parse' | 'bind' | 'execute'

/** How an execution ended, as a protocol's relay says it. */
export interface Outcome {
  /** The record's number. */
  readonly execution: number
  readonly status: 'complete' | 'empty' | 'suspended' | 'error' | 'skipped'
  /** The server's word of what was done, as `SELECT 3`; empty where it says none. */
  readonly tag: string
  /** SQLSTATE of an error; empty otherwise. */
  readonly sqlstate: string
  readonly rows: number
  /** Of rows and copied data, as sent to the client. */
  readonly bytes: number
  readonly admission: { readonly masked: boolean }
}

export interface RecorderOptions {
  readonly session: string
  readonly audit: AuditLog
  readonly telemetry: Telemetry
  readonly watch: SessionWatch
  /** The text as it may be recorded where its literals may be protected values, and where its comments may. */
  readonly withoutLiterals: (text: string) => string
  readonly withoutComments: (text: string) => string
  /** Microseconds, monotonic. */
  readonly micros: () => number
  /** Outcomes were appended and wait to be written. */
  readonly recorded: () => void
  /** False: what the session shows cannot be recorded, so nothing runs. */
  readonly recordable: () => boolean
}

export class StatementRecorder {
  readonly #options: RecorderOptions
  /** What runs, and since when; 0: nothing. Mostly it is one at a time: */
  #running = 0
  #since = 0
  /** and these are the others of a pipeline. */
  readonly #started = new Map<number, number>()
  #ordinal = 0

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** The record's number; null: the log cannot be written, so nothing may run. */
  statement(
    via: Via,
    decided: Decided,
    text: string,
    parameters?: readonly (string | null)[],
  ): number | null {
    if (!this.#options.recordable()) return null
    const { audit, session, watch } = this.#options
    const known = knownOf(decided)
    const sql = decided.leftOut === 'nothing' ? text : this.#without(decided.leftOut, known, text)
    try {
      if (!watch.watches(session)) {
        const form = formOf(known, via, decided)
        if (form !== null) {
          const ordinal = ++this.#ordinal
          const of = { session, ordinal, sql }
          return audit.appendForm(form, parameters === undefined ? of : { ...of, parameters })
        }
      }
    } catch {
      return null
    }
    const fields = { ...fieldsOf(via, decided), sql }
    return this.#append(parameters === undefined ? fields : { ...fields, parameters })
  }

  #without(leftOut: 'comments' | 'values', known: Known, text: string): string {
    if (known.latest?.text !== text) {
      const { withoutLiterals, withoutComments } = this.#options
      const sql = leftOut === 'values' ? withoutLiterals(text) : withoutComments(text)
      known.latest = { text, sql }
    }
    return known.latest.sql
  }

  /** It is about to be run, and rolled back; false: that cannot be recorded, so it is not. */
  previewed(statement: number, binding: string): boolean {
    const { audit, session } = this.#options
    try {
      audit.append({ type: 'statement-previewed', v: 1, session, statement, binding })
      return true
    } catch {
      return false
    }
  }

  /** What was recorded runs from now on. */
  begins(seq: number): void {
    const now = this.#options.micros()
    if (this.#running !== 0) this.#started.set(seq, now)
    else {
      this.#running = seq
      this.#since = now
    }
  }

  /** A statement the gateway itself refuses, whatever policy says of it. */
  refused(via: Via, text: string, why: { readonly code: string; readonly reason: string }): void {
    const none = { rule: null, relations: [], effects: [], masks: [] }
    // Not every such text has been decided: what is in it is not known.
    const known = { sql: this.#options.withoutLiterals(text), withheld: 'values' } as const
    const fields = {
      type: 'statement',
      v: 1,
      via,
      verdict: 'deny',
      ...known,
      ...why,
      ...none,
    } as const
    if (this.#append(fields) !== null) this.#options.recorded()
  }

  #append(fields: Omit<Statement, 'session' | 'ordinal'>): number | null {
    const { audit, session, watch } = this.#options
    try {
      const event: Statement = { ...fields, session, ordinal: ++this.#ordinal }
      const seq = audit.append(event)
      watch.tell(seq, event)
      return seq
    } catch {
      return null
    }
  }

  outcome(outcome: Outcome): void {
    const { audit, session, telemetry, recorded, watch } = this.#options
    const { execution } = outcome
    const started = execution === this.#running ? this.#since : this.#started.get(execution)
    const took = started === undefined ? 0 : this.#options.micros() - started
    telemetry.executed(took, outcome.rows, outcome.admission.masked)
    try {
      const { rows, bytes, sqlstate, tag } = outcome
      const status = STATUS[outcome.status] ?? (sqlstate === '57014' ? 'cancelled' : 'error')
      const micros = Math.round(took)
      // Not spread: this runs for every statement.
      const ended: Ended = {
        type: 'outcome',
        v: 1,
        session,
        statement: execution,
        status,
        rows,
        bytes,
        micros,
      }
      if (sqlstate !== '') ended.sqlstate = sqlstate
      if (tag !== '') ended.commandTag = tag
      watch.tell(audit.append(ended), ended)
      recorded()
    } catch {
      // The log has failed and refuses statements from here on; that this outcome is missing shows in it.
    }
  }

  /** Nothing runs any more. */
  forget(): void {
    this.#running = 0
    if (this.#started.size > 0) this.#started.clear()
  }
}

/** What is kept of a decision: most are recorded again and again. */
interface Known {
  /** Its records, but for what differs, once there has been one; null where it is too long to be kept. */
  readonly forms: Partial<Record<Via, StatementForm | 'once' | null>>
  /** The newest text that is recorded with something left out. */
  latest: { readonly text: string; readonly sql: string } | null
}

const KNOWN = new WeakMap<Decided, Known>()

function knownOf(decided: Decided): Known {
  let known = KNOWN.get(decided)
  if (known === undefined) {
    known = { forms: {}, latest: null }
    KNOWN.set(decided, known)
  }
  return known
}

function formOf(known: Known, via: Via, decided: Decided): StatementForm | null {
  const form = known.forms[via]
  if (form === undefined) {
    known.forms[via] = 'once'
    return null
  }
  if (form !== 'once') return form
  const made = StatementForm.of(fieldsOf(via, decided))
  known.forms[via] = made
  return made
}

function fieldsOf(via: Via, decided: Decided): StatementFields {
  const { verdict, relations, effects, masks, fingerprint, leftOut } = decided
  const { kind, rule } = verdict
  const known = fingerprint === undefined ? undefined : { fingerprint }
  const fields = { type: 'statement', v: 1, via, verdict: kind, rule } as const
  const refused =
    verdict.kind === 'deny' ? { code: verdict.code, reason: verdict.message } : undefined
  const left = leftOut === 'nothing' ? undefined : { withheld: leftOut }
  return { ...fields, ...known, ...refused, ...left, relations, effects, masks }
}

type Ended = { -readonly [K in keyof OutcomeEvent]: OutcomeEvent[K] }
type OutcomeEvent = Extract<Parameters<AuditLog['append']>[0], { readonly type: 'outcome' }>

const STATUS: Readonly<Record<string, 'ok' | 'refused'>> = {
  complete: 'ok',
  empty: 'ok',
  suspended: 'ok',
  skipped: 'refused',
}
