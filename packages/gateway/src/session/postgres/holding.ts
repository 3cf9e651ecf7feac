/**
 * Statements that wait for people, on the PostgreSQL protocol: what an approval of one is bound to, what
 * approvers see of it, and how its answer becomes the relay's.
 *
 * A simple Query is held whole. In the extended protocol a statement is held at Bind: its parameters are
 * known there, and the server has planned nothing with them yet.
 */
import { randomUUID } from 'node:crypto'
import { type Approve, approving, type BindParameter, type PrincipalView } from '@sallyport/policy'
import { type NotYet, type Refusal, WAIT } from '@sallyport/protocol-postgres'
import type { StateChange } from '@sallyport/sql'
import type { Estimated, Shown } from '../../approvals/journal.ts'
import { WORDS_CHARS_MAX } from '../../approvals/limits.ts'
import { commentTags } from '../comment-tags.ts'
import type { Decided } from '../decisions.ts'
import { holdReport, REASON_NEEDED } from '../hold-reports.ts'
import type { SessionHolds } from '../holds.ts'
import type { Report } from '../reports.ts'
import { factsText } from './admitted.ts'
import { readBindParameters } from './bind-parameters.ts'
import { errorFrame } from './frames.ts'
import type { Records } from './records.ts'

/** Settings that change how long, how or for whom something runs, and not what it means. */
const NO_MEANING =
  /^(application_name|client_min_messages|extra_float_digits|statement_timeout|lock_timeout|transaction_timeout|idle_.*|enable_.*|jit.*|work_mem|maintenance_work_mem|synchronous_commit|.*_cost|geqo.*|log_.*|tcp_.*)$/
/** Settings whose values are kept; more make the state unknown, which no other state is equal to. */
const SETTINGS_MAX = 256

export interface HoldingOptions {
  readonly holds: SessionHolds
  /** Settings of the start-up packet. */
  readonly settings: ReadonlyMap<string, string>
  readonly records: Records
}

export interface Wanted {
  readonly via: 'simple' | 'bind'
  readonly verdict: Approve
  readonly decided: Decided
  /** Everything the server may take it to mean. */
  readonly meanings: readonly Decided[]
  readonly text: string
  readonly view: PrincipalView
  /** What names mean; see TrackedNames. */
  readonly namesKey: string
  /** Body of the Bind behind its names; null in the simple protocol. */
  readonly bind: Buffer | null
  readonly estimate: Estimated
}

export class Holding {
  readonly #options: HoldingOptions
  readonly #settings: Map<string, string>

  constructor(options: HoldingOptions) {
    this.#options = options
    this.#settings = new Map()
    for (const [name, value] of options.settings) this.setting(name, value)
  }

  /** Asked again after every change: the record's number once it may run, once. */
  ask(wanted: Wanted): number | Refusal | NotYet {
    const { holds } = this.#options
    const { via, verdict, decided, text, view, bind } = wanted
    const binding = holds.bindingOf({
      engine: 'postgres',
      policyVersion: view.policyVersion,
      statement: Buffer.from(text, 'utf8'),
      parameters: bind,
      state: this.#state(wanted),
    })
    const found = holds.find(binding)
    if (found === null) {
      const reason = commentTags(text).get('reason')?.slice(0, WORDS_CHARS_MAX) ?? null
      if (verdict.reason === 'required' && (reason ?? '').trim() === '') {
        return this.#options.records.refuse(via, text, 'reason-needed', REASON_NEEDED)
      }
      const statement = this.#options.records.statement(via, decided, text)
      if (typeof statement !== 'number') return statement
      holds.begin({
        what: 'statement',
        verdict,
        binding,
        statement,
        shown: shownOf(wanted),
        reason,
      })
      return WAIT
    }
    const { state, statement } = found
    if (state.kind === 'asking' || state.kind === 'waiting') return WAIT
    holds.done()
    if (state.kind === 'granted') return statement
    return { kind: 'refusal', error: errorFrame(holdReport(state.why, holds.link)) }
  }

  /**
   * More of a result than policy's limit: asked for like a statement, with leave for the rest of it. Bound to the
   * statement as it runs and to how much was sent, so that one sent again finds what was decided.
   */
  beyond(
    wanted: Omit<Wanted, 'via' | 'verdict' | 'estimate'>,
    of: { readonly statement: number; readonly result: number },
  ): typeof WAIT | 'go-on' | Report {
    const { holds } = this.#options
    const { text, view, bind } = wanted
    const { rows, bytes, approvers } = view.limits
    const binding = holds.bindingOf({
      engine: 'postgres',
      policyVersion: view.policyVersion,
      statement: Buffer.from(text, 'utf8'),
      parameters: bind,
      state: [...this.#state(wanted), `result ${of.result} beyond ${rows} rows, ${bytes} bytes`],
    })
    const found = holds.find(binding)
    if (found === null) {
      const sent = [
        ...(rows === null ? [] : [`${rows} rows`]),
        ...(bytes === null ? [] : [`${bytes} bytes`]),
      ]
      const estimate = {
        kind: 'none',
        why: `it runs; up to ${sent.join(', ')} have been sent`,
      } as const
      const shown = shownOf({ ...wanted, estimate })
      const verdict = approving(approvers, null)
      const reason = commentTags(text).get('reason')?.slice(0, WORDS_CHARS_MAX) ?? null
      holds.begin({ what: 'result', verdict, binding, statement: of.statement, shown, reason })
      return WAIT
    }
    const { state } = found
    if (state.kind === 'asking' || state.kind === 'waiting') return WAIT
    holds.done()
    return state.kind === 'granted' ? 'go-on' : holdReport(state.why, holds.link)
  }

  /** The server, or a statement that completed, says what a setting is. */
  setting(name: string, value: string): void {
    const key = name.toLowerCase()
    if (NO_MEANING.test(key)) return
    if (this.#settings.size < SETTINGS_MAX || this.#settings.has(key))
      this.#settings.set(key, value)
    else this.#settings.set('…', randomUUID())
  }

  /** A statement completed that changed session state. */
  apply(change: StateChange): void {
    // RESET ALL, DISCARD ALL, a value that is computed: what it is now is not known, and equal to nothing.
    if (change.kind === 'uncertain') this.#settings.set('?', randomUUID())
    if (change.kind !== 'set') return
    const { name, values, computed } = change
    this.setting(name, values === null || computed ? `?${randomUUID()}` : JSON.stringify(values))
  }

  #state({ namesKey, meanings }: Pick<Wanted, 'namesKey' | 'meanings'>): string[] {
    const settings = [...this.#settings].map(([name, value]) => `${name}=${value}`).sort()
    return [namesKey, ...meanings.map(factsText), ...settings]
  }
}

function shownOf({
  text,
  bind,
  decided,
  estimate,
}: Pick<Wanted, 'text' | 'bind' | 'decided' | 'estimate'>): Shown {
  const parameters = bind === null ? [] : readBindParameters(bind, 0, bind.length)
  return {
    sql: text,
    // What a parameter is compared with or written to is not known here: one sensitive, all masked.
    parameters: parameters.map((one) => (decided.sensitive ? '[masked]' : textOf(one))),
    estimate,
    preview: null,
  }
}

function textOf({ value, format }: BindParameter): string | null {
  if (value === null) return null
  const bytes = Buffer.from(value)
  return format === 'text' ? bytes.toString('utf8') : `\\x${bytes.toString('hex')}`
}
