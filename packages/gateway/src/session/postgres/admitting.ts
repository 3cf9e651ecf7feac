/** From a text to its admission, and from an earlier admission to what it would be now. */
import { type NotYet, type Refusal, SETTLE, WAIT } from '@sallyport/protocol-postgres'
import type { StatementFacts } from '@sallyport/sql'
import type { Telemetry } from '../../telemetry/index.ts'
import { type Decided, DecisionContext, SESSION_COMMANDS } from '../decisions.ts'
import type { Via } from '../recorder.ts'
import type { Records } from '../records.ts'
import { REPORTS } from '../reports.ts'
import type { RoleOffers } from '../role-offers.ts'
import { hangingOn } from '../settling.ts'
import type { Standing } from '../standing.ts'
import { type Admitted, limitOf, sameMeaning } from './admitted.ts'
import type { TrackedNames } from './names.ts'
import { refusalOf } from './refusals.ts'
import type { Rereading } from './rereading.ts'
import { type PostgresTexts, readsAlike } from './texts.ts'

/** Meanings one prepared statement may have had; more, and it must be prepared again. */
const MEANINGS_MAX = 8

export interface AdmittingOptions {
  readonly standing: Standing
  readonly names: TrackedNames
  readonly rereading: Rereading
  readonly records: Records<Refusal>
  readonly texts: PostgresTexts
  readonly telemetry: Telemetry
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly offers: RoleOffers
  /** Refusals were appended to the record and wait to be written. */
  readonly recorded: () => void
  /** Results are asked for their description, because they are recorded. */
  readonly described: boolean
  /** See KnownSettings. */
  readonly settings: () => string
}

export class Admitting {
  readonly #options: AdmittingOptions

  constructor(options: AdmittingOptions) {
    this.#options = options
  }

  /** `start`, `end`: where the text lies in `buf`. */
  decide(
    context: DecisionContext,
    buf: Buffer,
    start: number,
    end: number,
  ): { decided: Decided; text: string } | typeof SETTLE {
    const { telemetry, texts, names, rereading, now } = this.#options
    const bytes = buf.toString('latin1', start, end)
    const text = utf8(bytes, buf, start, end)
    const known = context.exact(bytes)
    if (known !== undefined) {
      telemetry.decisionCache('exact')
      return { decided: known, text }
    }
    rereading.unsettled = false
    const { decided, from } = context.decide(texts, {
      bytes,
      text,
      names,
      readable: (names.readable || readsAlike(text)) && !text.includes('\ufffd'),
      now: now(),
    })
    if (rereading.unsettled) return SETTLE
    telemetry.decisionCache(from)
    return { decided, text }
  }

  /** Denials are recorded, and what a Parse prepares; other texts when they run. */
  admit(via: Via, context: DecisionContext, decided: Decided, text: string): Admitted | Refusal {
    const { verdict, analysis } = decided
    const { telemetry, records, recorded, offers } = this.#options
    telemetry.statement(context.view.connection, verdict.kind)
    if (verdict.kind === 'deny' || via === 'parse') {
      const seq = records.statement(via, decided, text)
      if (typeof seq !== 'number') return seq
    }
    if (verdict.kind === 'deny') {
      recorded()
      const position = analysis.kind === 'unparsable' ? analysis.position : null
      return refusalOf(verdict, position, offers.hintFor(decided, verdict, context.catalog, text))
    }
    return this.admitted(context, decided, text)
  }

  admitted({ view }: DecisionContext, decided: Decided, text: string): Admitted {
    const { analysis } = decided
    const statements = analysis.kind === 'statements' ? analysis.statements : null
    const { standing, names, described } = this.#options
    const hangs = hangingOn(decided) !== null
    return {
      kind: 'admission',
      masked: view.masked,
      whole: hangs,
      described,
      returnsRows: statements === null || statements.some((one) => one.outputs !== null),
      limit: limitOf(view, statements),
      barrier: statements === null || statements.some((one) => names.isBarrier(one)),
      epoch: standing.epoch,
      decided,
      text,
      ...(decided.sent !== null && { sent: Buffer.from(decided.sent, 'utf8') }),
      ground: standing.admitting,
      before: [],
      checked: standing.epoch,
      volatile:
        statements === null ||
        statements.some((one) => one.commands.some((command) => SESSION_COMMANDS.has(command))),
      needsApproval: hangs,
      granted: null,
      readUnder: this.#options.settings(),
    }
  }

  /**
   * A statement prepared earlier, as it stands now. What it meant before is kept beside what it means: the
   * server may go on with the plan it has, or make another, and either must be allowed and masked.
   */
  renewed(
    admitted: Admitted,
    via: Via,
    context: DecisionContext,
  ): Admitted | Refusal | typeof SETTLE {
    const { standing, records } = this.#options
    if (admitted.checked === standing.epoch && !admitted.volatile) return admitted
    const bytes = Buffer.from(admitted.text, 'utf8')
    const verdict = this.decide(context, bytes, 0, bytes.length)
    if (verdict === SETTLE) return SETTLE
    const again = this.admit(via, context, verdict.decided, verdict.text)
    if (again.kind === 'refusal') return again
    // The server has another text than would be sent now: it computes too much, or too little.
    if (again.decided.sent !== admitted.decided.sent) {
      return records.refuse(via, again.text, 'meaning-changed', REPORTS.policyMoved)
    }
    const before: Decided[] = []
    for (const one of [...admitted.before, admitted.decided]) {
      if (sameMeaning(one, again.decided) || before.some((kept) => sameMeaning(kept, one))) continue
      const decided = this.#decidedNow(context, one)
      if (decided.verdict.kind === 'deny')
        return this.admit(via, context, decided, again.text) as Refusal
      if (decided.verdict.kind === 'approve' && again.decided.verdict.kind !== 'approve')
        return records.refuse(via, again.text, 'approval-needed', REPORTS.policyMoved)
      before.push(decided)
    }
    if (before.length >= MEANINGS_MAX) {
      return records.refuse(via, again.text, 'meaning-changed', REPORTS.policyMoved)
    }
    const moved = !sameMeaning(admitted.decided, again.decided)
    const { readUnder } = admitted
    return { ...again, readUnder, before, epoch: moved ? standing.epoch : admitted.epoch }
  }

  /** For a name that SQL defined: its text was decided there; results still need their plan. */
  ofSqlName(
    context: DecisionContext | Refusal | NotYet,
    factsOf: () => StatementFacts | undefined,
  ): Admitted | NotYet | undefined {
    if (context === WAIT || context === SETTLE) return context
    if (!(context instanceof DecisionContext)) return undefined
    const facts = factsOf()
    if (facts === undefined) return undefined
    const decided = context.decideFacts([facts], this.#options.now())
    if (decided.verdict.kind !== 'allow') return undefined
    // A cursor was estimated when it was declared; what is bound is held at its Bind.
    return { ...this.admitted(context, decided, ''), needsApproval: false }
  }

  /** An earlier meaning under the present policy. */
  #decidedNow(context: DecisionContext, earlier: Decided): Decided {
    const { analysis, fingerprint } = earlier
    const facts = analysis.kind === 'statements' ? analysis.statements : []
    return context.decideFacts(facts, this.#options.now(), { fingerprint, earlier })
  }
}

/** ASCII texts are their own UTF-8; others are decoded, U+FFFD standing for what is not UTF-8. */
function utf8(bytes: string, buf: Buffer, start: number, end: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is what is asked
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : buf.toString('utf8', start, end)
}
