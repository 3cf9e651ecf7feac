/**
 * Statements that wait for people, on the PostgreSQL protocol: what an approval of one is bound to, what
 * approvers see of it, and how its answer becomes the relay's.
 *
 * A simple Query is held whole. In the extended protocol a statement is held at Bind: its parameters are
 * known there, and the server has planned nothing with them yet.
 */
import type { BindParameter, PrincipalView } from '@sallyport/policy'
import { type Refusal, WAIT } from '@sallyport/protocol-postgres'
import { layOutPostgres } from '@sallyport/sql'
import type { Shown } from '../../approvals/journal.ts'
import { askForRest, askForStatement } from '../asking.ts'
import type { Decided } from '../decisions.ts'
import type { Held, SessionHolds } from '../holds.ts'
import type { Asked } from '../leave.ts'
import { Moment } from '../moment.ts'
import type { Records } from '../records.ts'
import type { Report } from '../reports.ts'
import { factsText } from './admitted.ts'
import { readBindParameters } from './bind-parameters.ts'
import { KnownSettings } from './known-settings.ts'
import { refusal } from './refusals.ts'

export interface HoldingOptions {
  readonly holds: SessionHolds
  /** Settings of the start-up packet. */
  readonly settings: ReadonlyMap<string, string>
  readonly records: Records<Refusal>
}

/** What an approval is bound to. */
export interface Bindable {
  readonly decided: Decided
  /** Everything the server may take it to mean. */
  readonly meanings: readonly Decided[]
  readonly text: string
  readonly view: PrincipalView
  /** What names mean; see TrackedNames. */
  readonly namesKey: string
  /** See Admitted. */
  readonly readUnder: string
  /** Parameter types of its Parse; null: none, or the simple protocol. */
  readonly types: Buffer | null
  /** Body of the Bind behind its names; null in the simple protocol. */
  readonly bind: Buffer | null
}

export interface Wanted extends Bindable, Asked<Refusal> {
  readonly via: 'simple' | 'bind'
}

export class Holding {
  readonly #options: HoldingOptions
  readonly settings: KnownSettings
  readonly moment = new Moment()

  constructor(options: HoldingOptions) {
    this.#options = options
    this.settings = new KnownSettings(options.settings)
  }

  /** Asked again after every change: the record's number once it may run, once. */
  ask(wanted: Wanted): number | Refusal | 'wait' {
    const { holds, records } = this.#options
    const { via, verdict, text, record } = wanted
    return askForStatement<Refusal>(holds, {
      held: this.#heldAs(wanted),
      text,
      verdict,
      shown: () => shownOf(wanted),
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
      shown: (estimate) => shownOf({ ...wanted, estimate, preview: null }),
      of,
    })
    return answer === 'wait' ? WAIT : answer
  }

  #heldAs(wanted: Bindable): Held {
    return {
      engine: 'postgres',
      policyVersion: wanted.view.policyVersion,
      statement: Buffer.from(wanted.text, 'utf8'),
      parameters: wanted.bind,
      state: this.#state(wanted),
    }
  }

  #state({ text, namesKey, meanings, readUnder, types }: Bindable): string[] {
    const moment = this.moment.of(text) ?? ''
    const typed = types?.toString('hex') ?? ''
    return [namesKey, moment, typed, readUnder, this.settings.state, ...meanings.map(factsText)]
  }
}

function shownOf({
  text,
  bind,
  decided,
  estimate,
  preview,
}: Pick<Wanted, 'text' | 'bind' | 'decided' | 'estimate' | 'preview'>): Shown {
  const parameters = bind === null ? [] : readBindParameters(bind, 0, bind.length)
  return {
    sql: text,
    layout: layOutPostgres(text),
    // What a parameter is compared with or written to is not known here: one withheld, all masked.
    parameters: parameters.map((one) => (decided.leftOut === 'values' ? '[masked]' : textOf(one))),
    estimate,
    preview,
  }
}

function textOf({ value, format }: BindParameter): string | null {
  if (value === null) return null
  const bytes = Buffer.from(value)
  return format === 'text' ? bytes.toString('utf8') : `\\x${bytes.toString('hex')}`
}
