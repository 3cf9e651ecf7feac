/** From a text to its admission, and from an earlier admission to what it would be now. */
import type { Refusal } from '@sallyport/protocol-mysql'
import type { StatementFacts } from '@sallyport/sql'
import type { Telemetry } from '../../telemetry/index.ts'
import { type Decided, type DecisionContext, SESSION_COMMANDS } from '../decisions.ts'
import type { Via } from '../recorder.ts'
import type { Records } from '../records.ts'
import { REPORTS } from '../reports.ts'
import type { RoleOffers } from '../role-offers.ts'
import { hangingOn } from '../settling.ts'
import type { Standing } from '../standing.ts'
import { type Admitted, factsOf, limitOf } from './admitted.ts'
import type { MysqlSessionNames } from './names.ts'
import { refusal, refusalOf } from './refusals.ts'
import { encodeText } from './text-encoding.ts'
import type { MysqlTexts } from './texts.ts'

export interface AdmittingOptions {
  readonly standing: Standing
  readonly names: MysqlSessionNames
  readonly records: Records<Refusal>
  readonly texts: MysqlTexts
  readonly telemetry: Telemetry
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Results are described, because they are recorded. */
  readonly described: boolean
  readonly offers: RoleOffers
  /** See Holding. */
  readonly reading: () => string
  /** Refusals were appended to the record and wait to be written. */
  readonly recorded: () => void
  /** Facts of a text as it means now in that database and mode; none where it cannot be read. */
  readonly rereadAt: (text: string, home: Admitted['home']) => readonly StatementFacts[]
}

/** A text as the client sent it (null: it is no text), and as it is forwarded (null: as it came). */
interface Texts {
  readonly own: string | null
  readonly forward: string | null
}

export class Admitting {
  readonly #options: AdmittingOptions
  /** The newest that may be had again: most texts are decided as the one before them. */
  #latest: Admitted | null = null

  constructor(options: AdmittingOptions) {
    this.#options = options
  }

  /** `bytes`: the text as latin1, one character per byte; `text`: null where it cannot be decoded. */
  decide(
    context: DecisionContext,
    bytes: string,
    text: string | null,
  ): { decided: Decided; forward: string | null } {
    const { telemetry, texts, names, now } = this.#options
    const known = context.exact(bytes)
    if (known !== undefined) {
      telemetry.decisionCache('exact')
      return { decided: known, forward: forwardOf(known, text) }
    }
    const { decided, from } = context.decide(texts, {
      bytes,
      text: text ?? '',
      names,
      readable: names.readable && text !== null,
      now: now(),
    })
    telemetry.decisionCache(from)
    // A text with a fingerprint is sent as it came; what was decided holds the text of another.
    return { decided, forward: from === 'fingerprint' ? null : forwardOf(decided, text) }
  }

  /** Denials are recorded, and what is prepared; other texts when they run. */
  admit(via: Via, decided: Decided, texts: Texts): Admitted | Refusal {
    const { verdict, analysis } = decided
    const { telemetry, records, recorded, standing, offers } = this.#options
    const own = texts.own ?? '/* not readable */'
    telemetry.statement(standing.view.connection, verdict.kind)
    if (verdict.kind === 'deny' || via === 'parse') {
      const seq = records.statement(via, decided, own)
      if (typeof seq !== 'number') return seq
    }
    if (verdict.kind === 'deny') {
      recorded()
      const position = analysis.kind === 'unparsable' ? analysis.position : null
      const { catalog } = standing.admitting
      return refusalOf(verdict, position, offers.hintFor(decided, verdict, catalog, own))
    }
    const latest = this.#latest
    if (
      latest?.decided === decided &&
      latest.checked === standing.epoch &&
      texts.forward === null
    ) {
      return latest.own === own ? latest : { ...latest, own }
    }
    const admitted = this.#admitting(decided, texts.forward, own)
    const again = admitted.text === null && admitted.limit === null && !admitted.needsApproval
    this.#latest = again && !admitted.volatile ? admitted : null
    return admitted
  }

  #admitting(decided: Decided, forward: string | null, own: string): Admitted {
    const { names, standing } = this.#options
    const statements = factsOf(decided)
    return {
      ...this.#admitted(),
      text: forward === null ? null : encodeText(forward, names.charset),
      quiet: decided.touchesMasked,
      localFiles: localFilesOf(statements, names.charset),
      limit: limitOf(standing.view, statements),
      barrier: statements === null || statements.some((one) => names.isBarrier(one)),
      decided,
      own,
      volatile: isVolatile(statements),
      needsApproval: hangingOn(decided) !== null,
    }
  }

  /** For who is in, whatever policy says: it only gives up what the session has. */
  free({ barrier }: { readonly barrier: boolean }): Admitted {
    return { ...this.#admitted(), barrier }
  }

  /** A statement prepared earlier, as it stands now; the server keeps the database and mode it was prepared in. */
  renewed(admitted: Admitted, context: DecisionContext): Admitted | Refusal {
    const { standing, names } = this.#options
    if (admitted.checked === standing.epoch && !admitted.volatile) return admitted
    const { own, home, readUnder } = admitted
    if (admitted.decided === null) return refusal(REPORTS.internal)
    const same = home.database === names.database && home.sqlMode === names.sqlMode
    const bytes = encodeText(own, names.charset)?.toString('latin1') ?? own
    const decided = same
      ? this.decide(context, bytes, own).decided
      : this.#decideAt(home, context, admitted.decided, own)
    // The server has another text than would be sent now.
    if (decided.sent !== admitted.decided.sent)
      return this.#options.records.refuse('execute', own, 'meaning-changed', REPORTS.policyMoved)
    const again = this.admit('execute', decided, { own, forward: null })
    return again.kind === 'refusal' ? again : { ...again, home, readUnder }
  }

  /** Not remembered, because the context is another session state's. */
  #decideAt(
    home: Admitted['home'],
    context: DecisionContext,
    earlier: Decided,
    own: string,
  ): Decided {
    const { rereadAt, texts, names, now } = this.#options
    const again = rereadAt(own, home)
    if (again.length > 0)
      return context.decideFacts(again, now(), { fingerprint: earlier.fingerprint, earlier })
    // No statements would need no leave: what cannot be read there is decided as unreadable.
    const unreadable = { bytes: `\0${own}`, text: own, names, readable: false, now: now() }
    return context.decide(texts, unreadable).decided
  }

  /** As the session stands; nothing in it is a statement's yet. */
  #admitted(): Admitted {
    const { standing, names, described, reading } = this.#options
    const { database, sqlMode } = names
    return {
      kind: 'admission',
      text: null,
      masked: standing.view.masked,
      quiet: false,
      described,
      limit: null,
      barrier: false,
      localFiles: [],
      epoch: standing.epoch,
      decided: null,
      own: '',
      ground: standing.admitting,
      checked: standing.epoch,
      volatile: false,
      home: { database, sqlMode },
      unitResults: false,
      readUnder: reading(),
      bound: null,
      needsApproval: false,
      granted: null,
    }
  }
}

/** What is sent for its text: what was read, and nothing else. Null: the text as it came. */
function forwardOf({ analysis, sent }: Decided, text: string | null): string | null {
  if (sent !== null) return sent
  if (analysis.kind !== 'statements' || analysis.texts === undefined) return null
  const [first = ''] = analysis.texts
  const read = analysis.texts.length === 1 ? first : analysis.texts.join('; ')
  return read === text ? null : read
}

/** Of what was not read, none. */
function localFilesOf(
  statements: readonly StatementFacts[] | null,
  charset: MysqlSessionNames['charset'],
): readonly Uint8Array[] {
  return (statements ?? []).flatMap(({ localFile }) => {
    const name = localFile === undefined ? null : encodeText(localFile, charset)
    return name === null ? [] : [name]
  })
}

function isVolatile(statements: readonly StatementFacts[] | null): boolean {
  if (statements === null) return true
  return statements.some((one) => one.commands.some((command) => SESSION_COMMANDS.has(command)))
}
