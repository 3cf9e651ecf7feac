/**
 * Statements that wait for people, on the MySQL protocol: what an approval of one is bound to, what approvers see
 * of it, and how its answer becomes the relay's. A COM_QUERY is held whole, a COM_STMT_EXECUTE with its
 * parameters. The client waits: the protocol has nothing to tell it before the answer.
 */
import { randomUUID } from 'node:crypto'
import type { PrincipalView } from '@sallyport/policy'
import { type Refusal, WAIT } from '@sallyport/protocol-mysql'
import type { StateChange } from '@sallyport/sql'
import type { Shown } from '../../approvals/journal.ts'
import { askForRest, askForStatement } from '../asking.ts'
import type { Decided } from '../decisions.ts'
import { TOO_LARGE } from '../hold-reports.ts'
import type { Held, SessionHolds } from '../holds.ts'
import type { Asked } from '../leave.ts'
import { Moment } from '../moment.ts'
import type { Records } from '../records.ts'
import type { Report } from '../reports.ts'
import { type Bound, parameterTexts } from './parameters.ts'
import { refusal } from './refusals.ts'

/** Settings whose values are kept; more make the state unknown, which no other state is equal to. */
const SETTINGS_MAX = 256

/** Settings that say what a literal is. */
const READING = /^(\?|…|names|character_set|charset|character set|collation|default_collation)/
/** May read user variables, by itself or by what it executes. */
const READS_VARIABLES = /@|\b(?:execute|call)\b/i

export interface HoldingOptions {
  readonly holds: SessionHolds
  readonly records: Records<Refusal>
  /** Number of the collation that the client logged in with: its literals are compared by it. */
  readonly collation: number
  /** A statement broken over lines; null: it cannot be. */
  readonly layOut: (text: string) => string | null
}

/** What an approval is bound to. */
export interface Bindable {
  readonly decided: Decided
  readonly text: string
  readonly view: PrincipalView
  /** What names mean; see MysqlSessionNames. */
  readonly namesKey: string
  /** See Admitted. */
  readonly readUnder: string
  /** Null where there are none to bind. */
  readonly bound: Bound | null
}

export interface Wanted extends Bindable, Asked<Refusal> {
  readonly via: 'simple' | 'execute'
}

export class Holding {
  readonly #options: HoldingOptions
  readonly #settings: Map<string, string>
  /** User variables may have been assigned by what nobody has read; null: they have not. */
  #assigned: string | null = null
  readonly moment = new Moment()

  constructor(options: HoldingOptions) {
    this.#options = options
    this.#settings = new Map([['names', `collation ${options.collation}`]])
  }

  /** Under which a text is read now: what its literals are. */
  get reading(): string {
    return this.#sorted(([name]) => READING.test(name)).join('\0')
  }

  /** Asked again after every change: the record's number once it may run, once. */
  ask(wanted: Wanted): number | Refusal | 'wait' {
    const { holds, records } = this.#options
    const { via, verdict, text, bound, record } = wanted
    if (bound?.exact === null) return records.refuse(via, text, 'too-large', TOO_LARGE)
    return askForStatement<Refusal>(holds, {
      held: this.#heldAs(wanted),
      text,
      verdict,
      shown: () => this.#shown(wanted),
      record,
      refuse: (code, report) => records.refuse(via, text, code, report),
      refusal,
    })
  }

  /** What an approval of it would be bound to. */
  bindingOf(wanted: Bindable): string {
    return this.#options.holds.bindingOf(this.#heldAs(wanted))
  }

  /** More of a result than policy's limit. */
  beyond(
    wanted: Bindable,
    of: { readonly statement: number; readonly result: number },
  ): typeof WAIT | 'go-on' | Report {
    const answer = askForRest(this.#options.holds, {
      held: this.#heldAs(wanted),
      text: wanted.text,
      limits: wanted.view.limits,
      shown: (estimate) => this.#shown({ ...wanted, estimate, preview: null }),
      of,
    })
    return answer === 'wait' ? WAIT : answer
  }

  /** A statement completed that changed session state. */
  apply(change: StateChange): void {
    // What it is now is not known, and equal to nothing.
    if (change.kind === 'uncertain') this.#settings.set('?', randomUUID())
    if (change.kind === 'set-variable') this.#set(`@${change.name}`, change.value)
    if (change.kind !== 'set') return
    const { name, values, computed } = change
    const known = values !== null && computed !== true
    this.#set(name, known ? JSON.stringify(values) : null)
  }

  /** A trigger or routine may have assigned user variables. */
  assigned(): void {
    this.#assigned = randomUUID()
  }

  /** COM_RESET_CONNECTION: settings and variables are as after the login, but for its character set. */
  reset(): void {
    this.#settings.clear()
    this.#settings.set('names', 'of the server')
    this.#assigned = null
  }

  /** Null: its value is not known, and equal to nothing. */
  #set(name: string, value: string | null): void {
    const isRoom = this.#settings.size < SETTINGS_MAX || this.#settings.has(name)
    this.#settings.set(isRoom ? name : '…', isRoom && value !== null ? value : randomUUID())
  }

  #heldAs(wanted: Bindable): Held {
    return {
      engine: 'mysql',
      policyVersion: wanted.view.policyVersion,
      statement: Buffer.from(wanted.text, 'utf8'),
      parameters: wanted.bound?.exact ?? null,
      state: this.#state(wanted),
    }
  }

  #shown({
    text,
    decided,
    bound,
    estimate,
    preview,
  }: Pick<Wanted, 'text' | 'decided' | 'bound' | 'estimate' | 'preview'>): Shown {
    // What a parameter is compared with or written to is not known here: one withheld, all masked.
    const parameters = parameterTexts(bound?.parameters ?? []).map((one) =>
      decided.leftOut === 'values' ? '[masked]' : one,
    )
    return { sql: text, layout: this.#options.layOut(text), parameters, estimate, preview }
  }

  #state({
    text,
    namesKey,
    readUnder,
    decided: { analysis },
  }: Pick<Wanted, 'text' | 'namesKey' | 'readUnder' | 'decided'>): string[] {
    const moment = this.moment.of(text) ?? ''
    const variables = READS_VARIABLES.test(text) ? (this.#assigned ?? '') : ''
    const facts = analysis.kind === 'statements' ? analysis.statements : analysis.kind
    const all = this.#sorted(() => true)
    return [namesKey, moment, readUnder, variables, JSON.stringify(facts), ...all]
  }

  #sorted(wanted: (entry: readonly [string, string]) => boolean): string[] {
    return [...this.#settings]
      .filter(wanted)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
  }
}
