/**
 * Statements that wait for people, on the MySQL protocol: what an approval of one is bound to, what approvers see
 * of it, and how its answer becomes the relay's. A COM_QUERY is held whole, a COM_STMT_EXECUTE with its
 * parameters. The client waits: the protocol has nothing to tell it before the answer.
 */
import { randomUUID } from 'node:crypto'
import { type Approve, approving, type BindParameter, type PrincipalView } from '@sallyport/policy'
import { type NotYet, type Refusal, WAIT } from '@sallyport/protocol-mysql'
import type { StateChange } from '@sallyport/sql'
import type { Estimated, Shown } from '../../approvals/journal.ts'
import { WORDS_CHARS_MAX } from '../../approvals/limits.ts'
import { commentTags } from '../comment-tags.ts'
import type { Decided } from '../decisions.ts'
import { holdReport, REASON_NEEDED, TOO_LARGE } from '../hold-reports.ts'
import type { SessionHolds } from '../holds.ts'
import type { Report } from '../reports.ts'
import { errorPayloadOf } from './errors.ts'
import { parameterTexts } from './parameters.ts'
import type { Records } from './records.ts'

/** Settings whose values are kept; more make the state unknown, which no other state is equal to. */
const SETTINGS_MAX = 256

type HeldVia = 'simple' | 'execute'

export interface HoldingOptions {
  readonly holds: SessionHolds
  readonly records: Records
}

/** Parameters as approvers may read them, and as they are. */
export interface Bound {
  readonly parameters: readonly BindParameter[]
  /** Null: one is not known whole. */
  readonly exact: Buffer | null
}

export interface Wanted {
  readonly via: HeldVia
  readonly verdict: Approve
  readonly decided: Decided
  readonly text: string
  readonly view: PrincipalView
  /** What names mean; see MysqlSessionNames. */
  readonly namesKey: string
  /** Null where there are none to bind. */
  readonly bound: Bound | null
  readonly estimate: Estimated
  /** Records it as what is held: the record's number. */
  readonly record: () => number | Refusal
}

export class Holding {
  readonly #options: HoldingOptions
  readonly #settings = new Map<string, string>()

  constructor(options: HoldingOptions) {
    this.#options = options
  }

  /** Asked again after every change: the record's number once it may run, once. */
  ask(wanted: Wanted): number | Refusal | NotYet {
    const { holds } = this.#options
    const { via, verdict, decided, text, view, bound, estimate } = wanted
    if (bound?.exact === null)
      return this.#options.records.refuse(via, text, 'too-large', TOO_LARGE)
    const binding = holds.bindingOf({
      engine: 'mysql',
      policyVersion: view.policyVersion,
      statement: Buffer.from(text, 'utf8'),
      parameters: bound?.exact ?? null,
      state: this.#state(wanted),
    })
    const found = holds.find(binding)
    if (found === null) {
      const reason = commentTags(text).get('reason')?.slice(0, WORDS_CHARS_MAX) ?? null
      if (verdict.reason === 'required' && (reason ?? '').trim() === '') {
        return this.#options.records.refuse(via, text, 'reason-needed', REASON_NEEDED)
      }
      const statement = wanted.record()
      if (typeof statement !== 'number') return statement
      const shown = shownOf({ text, decided, bound, estimate })
      holds.begin({ what: 'statement', verdict, binding, statement, shown, reason })
      return WAIT
    }
    const { state, statement } = found
    if (state.kind === 'asking' || state.kind === 'waiting') return WAIT
    holds.done()
    if (state.kind === 'granted') return statement
    return { kind: 'refusal', error: errorPayloadOf(holdReport(state.why, holds.link)) }
  }

  /**
   * More of a result than policy's limit: asked for like a statement, with leave for the rest of it. Bound to the
   * statement as it runs and to how much was sent, so that one sent again finds what was decided.
   */
  beyond(
    wanted: Omit<Wanted, 'via' | 'verdict' | 'estimate' | 'record'>,
    of: { readonly statement: number; readonly result: number },
  ): typeof WAIT | 'go-on' | Report {
    const { holds } = this.#options
    const { text, view, bound } = wanted
    const { rows, bytes, approvers } = view.limits
    const binding = holds.bindingOf({
      engine: 'mysql',
      policyVersion: view.policyVersion,
      statement: Buffer.from(text, 'utf8'),
      parameters: bound?.exact ?? null,
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

  /** A statement completed that changed session state. */
  apply(change: StateChange): void {
    // What it is now is not known, and equal to nothing.
    if (change.kind === 'uncertain') this.#settings.set('?', randomUUID())
    if (change.kind !== 'set') return
    const { name, values, computed } = change
    if (this.#settings.size < SETTINGS_MAX || this.#settings.has(name)) {
      const known = values !== null && computed !== true
      this.#settings.set(name, known ? JSON.stringify(values) : randomUUID())
    } else this.#settings.set('…', randomUUID())
  }

  #state({ namesKey, decided: { analysis } }: Pick<Wanted, 'namesKey' | 'decided'>): string[] {
    const settings = [...this.#settings].map(([name, value]) => `${name}=${value}`).sort()
    const facts = analysis.kind === 'statements' ? analysis.statements : analysis.kind
    return [namesKey, JSON.stringify(facts), ...settings]
  }
}

function shownOf({
  text,
  decided,
  bound,
  estimate,
}: Pick<Wanted, 'text' | 'decided' | 'bound' | 'estimate'>): Shown {
  // What a parameter is compared with or written to is not known here: one sensitive, all masked.
  const parameters = parameterTexts(bound?.parameters ?? []).map((one) =>
    decided.sensitive ? '[masked]' : one,
  )
  return { sql: text, parameters, estimate, preview: null }
}
