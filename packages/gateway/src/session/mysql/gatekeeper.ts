/**
 * The relay's questions, answered for one session: decide, record, mask, track.
 *
 * Synchronous; where something must be awaited (schema snapshot, session state, people) it answers WAIT and asks
 * its owner to see to it. Every path that is not an explicit allow is a refusal.
 */
import type { AuditLog } from '@sallyport/audit'
import { type BindParameter, checkBind, type MaskKeys, type PrincipalView } from '@sallyport/policy'
import {
  type Admission,
  type Answer,
  type ColumnDefinition,
  type ExecutionOutcome,
  encodeOk,
  type Gatekeeper,
  HEADER,
  type NotYet,
  type Parameters,
  type PreparedStatement,
  plainOk,
  type Refusal,
  type Relay,
  type RelayRefusal,
  refusalPayload,
  SETTLE,
  type SessionChange,
  type SessionCommand,
  WAIT,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { CatalogRelation, StatementFacts } from '@sallyport/sql'
import type { Telemetry } from '../../telemetry/index.ts'
import {
  type Decided,
  DecisionContext,
  type DecisionContexts,
  SESSION_COMMANDS,
} from '../decisions.ts'
import type { Ground } from '../grounds.ts'
import type { SessionHolds } from '../holds.ts'
import type { ProbeBudgets } from '../probe-budgets.ts'
import type { StatementRates } from '../rates.ts'
import { StatementRecorder, type Via } from '../recorder.ts'
import { limitReport, REPORTS, type Report, refusalReport, tooLongReport } from '../reports.ts'
import { type ViewAnswer, ViewCheck } from '../view-check.ts'
import { type Admitted, limitOf } from './admitted.ts'
import { errorPayloadOf } from './errors.ts'
import { Holding } from './holding.ts'
import { type Killer, type KillRequest, killRequestOf } from './kill.ts'
import { compileMasks } from './masking.ts'
import { MysqlSessionNames, type Prepared, type ServerSide } from './names.ts'
import { parameterTexts, readParameters } from './parameters.ts'
import { redactError } from './redaction.ts'
import { decodeText, encodeText } from './text-encoding.ts'
import type { MysqlTexts } from './texts.ts'

export interface GatekeeperOptions {
  readonly session: string
  readonly audit: AuditLog
  readonly texts: MysqlTexts
  readonly contexts: DecisionContexts
  readonly keys: MaskKeys
  readonly telemetry: Telemetry
  readonly rates: StatementRates
  readonly probes: ProbeBudgets
  readonly holds: SessionHolds
  /** Tells principals apart, for `rates`. */
  readonly principal: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Microseconds, monotonic. */
  readonly micros: () => number
  /** The present ground, or `wait` while a snapshot it needs is being read, or why it cannot be had. */
  readonly ground: () => Ground | 'wait' | 'unavailable'
  /** Called on WAIT: make it possible to decide, then resume the relay. */
  readonly seeTo: (what: 'ground' | 'names' | Promise<void>) => void
  /** Called before WAIT: ask whether these views are what the ground's catalog says, then resume the relay. */
  readonly confirmViews: (
    views: readonly CatalogRelation[],
    answered: (answer: ViewAnswer) => void,
  ) => void
  /** Cancels what the upstream runs, then tells the relay. */
  readonly cancelUpstream: () => void
  /** Lineage and result metadata disagree, or a relation is not in the snapshot. */
  readonly catalogDoubted: (ddl: boolean) => void
  /** Outcomes were appended and wait to be written. */
  readonly recorded: () => void
  readonly kill: Killer
  readonly server: ServerSide
}

/** What a command without text amounts to. */
const COMMAND_TEXTS = {
  'init-db': (database: string) => `USE ${quoted(database)}`,
  'field-list': (table: string) => `SHOW COLUMNS FROM ${quoted(table)}`,
  'process-kill': (id: string) => `KILL ${id}`,
  statistics: () => 'SHOW STATUS',
} as const

export class MysqlGatekeeper implements Gatekeeper {
  readonly #options: GatekeeperOptions
  readonly #recorder: StatementRecorder
  readonly #holding: Holding
  readonly names: MysqlSessionNames
  #relay: Relay | null = null
  #ground: Ground | null = null
  #context: DecisionContext | null = null
  #namesVersion = -1
  #epoch = 0
  #rereading = false
  readonly #viewCheck = new ViewCheck()
  /** A KILL under way; `done`: it may be answered. */
  #killing: { readonly text: string; done: boolean } | null = null

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.names = new MysqlSessionNames(options.server, (prepared) => this.#stillMeans(prepared))
    this.#recorder = new StatementRecorder({
      ...options,
      withoutLiterals: (text) => options.texts.withoutLiterals(text, this.names),
      recordable: () => true,
    })
    this.#holding = new Holding({
      holds: options.holds,
      record: (via, decided, text) => this.#record(via, decided, text),
      refuse: (via, text, code, report) => this.#refuse(via, text, code, report),
    })
  }

  attach(relay: Relay): void {
    this.#relay = relay
  }

  decideText(
    via: 'query' | 'prepare',
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Answer | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const text = decodeText(buf, start, end, this.names.charset)
    const bytes = buf.toString('latin1', start, end)
    const recordedVia = via === 'query' ? 'simple' : 'parse'
    if (via === 'query' && text !== null) {
      const killed = this.#killed(killRequestOf(text), text)
      if (killed !== null) return killed
    }
    const { decided, forward } = this.#decide(context, bytes, text)
    const waiting = this.#viewsMoved(decided)
    if (waiting !== null) return waiting
    const { holds } = this.#options
    if (via === 'query' && !holds.busy && !this.#withinRate(context.view)) {
      return this.#refuse('simple', text, 'rate-limit', REPORTS.tooManyStatements)
    }
    const admitted = this.#admit(recordedVia, decided, { own: text, forward })
    if (via === 'prepare' || admitted.kind === 'refusal') return admitted
    const spent = this.#probesSpent('simple', admitted, null)
    return spent ?? this.#held('simple', admitted, null)
  }

  decideExecute(
    statement: PreparedStatement,
    parameters: Parameters,
  ): Admission | Answer | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const { holds } = this.#options
    const admitted = this.#renewed(statement.admission as Admitted, context)
    if (admitted.kind === 'refusal') return admitted
    const waiting = admitted.decided === null ? null : this.#viewsMoved(admitted.decided)
    if (waiting !== null) return waiting
    if (!holds.busy && !this.#withinRate(context.view)) {
      return this.#refuse('execute', admitted.own, 'rate-limit', REPORTS.tooManyStatements)
    }
    const held = admitted.decided?.verdict.kind === 'approve'
    if (!admitted.masked && !held) return admitted
    const bound = readParameters(parameters)
    if (admitted.masked) {
      const refused = this.#checkParameters(admitted, context.view, bound)
      if (refused !== null) return refused
      const spent = this.#probesSpent('execute', admitted, bound)
      if (spent !== null) return spent
    }
    return this.#held('execute', admitted, parameterTexts(bound))
  }

  decideFetch(statement: PreparedStatement): number | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = (statement.cursor?.admission ?? statement.admission) as Admitted
    const { decided } = admitted
    if (decided === null) return this.#unknown()
    const recorded = this.#record('execute', decided, admitted.own)
    if (typeof recorded === 'number') this.#recorder.begins(recorded)
    return recorded
  }

  decideCommand(command: SessionCommand): Admission | Answer | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    switch (command.kind) {
      case 'reset-connection':
        return this.#free({ barrier: true })
      case 'set-option':
        return this.#free({ barrier: false })
      case 'init-db':
        return this.#decideCommandAs(context, COMMAND_TEXTS['init-db'](command.database))
      case 'field-list':
        return this.#decideCommandAs(context, COMMAND_TEXTS['field-list'](command.table))
      case 'statistics':
        return this.#decideCommandAs(context, COMMAND_TEXTS.statistics())
      case 'process-kill': {
        const { connectionId } = command
        const text = COMMAND_TEXTS['process-kill'](String(connectionId))
        const killed = this.#killed({ connectionId, query: false }, text)
        return killed ?? this.#decideCommandAs(context, text)
      }
      default: {
        const never: never = command
        throw new Error(`unexpected command ${String(never)}`)
      }
    }
  }

  execution(admission: Admission): number | Refusal {
    const admitted = admission as Admitted
    const { decided, own, granted } = admitted
    // Not a statement: nothing to record.
    if (decided === null) return 0
    if (decided.verdict.kind === 'approve' && granted === null) {
      throw new Error('what needs approval was about to run without')
    }
    const recorded = granted ?? this.#record('simple', decided, own)
    if (typeof recorded === 'number') this.#recorder.begins(recorded)
    return recorded
  }

  refusal(reason: RelayRefusal): Refusal {
    if (reason.kind === 'statement-too-long') {
      const text = `/* ${reason.bytes} bytes, not read */`
      return this.#refuse('simple', text, 'too-large', tooLongReport(reason.bytes))
    }
    return { kind: 'refusal', error: refusalPayload(reason) }
  }

  limitExceeded(admission: Admission, stands: boolean): Refusal {
    const { view } = (admission as Admitted).ground
    return refusal(limitReport(view.limits, { stands }))
  }

  cancel(): void {
    this.#options.cancelUpstream()
  }

  masksFor(
    admission: Admission,
    result: number,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): ReturnType<Gatekeeper['masksFor']> {
    const { decided, ground } = admission as Admitted
    if (decided === null || !ground.view.masked) return null
    const { keys, telemetry, catalogDoubted } = this.#options
    const compiled = compileMasks({ decided, ground, keys }, result, columns, format)
    if (compiled.raised > 0) {
      telemetry.witnessDisagreed(compiled.raised)
      catalogDoubted(false)
    }
    return compiled.masks
  }

  outcome(outcome: ExecutionOutcome): void {
    const admitted = outcome.admission as Admitted
    const { decided } = admitted
    if (decided === null) {
      if (outcome.status === 'complete' && admitted.barrier) this.names.reset()
      return
    }
    const facts = factsOf(decided)
    if (outcome.status === 'complete') this.#completed(facts, admitted.own, outcome.result)
    if (outcome.execution === 0) return
    const { execution, rows, bytes, sqlstate } = outcome
    this.#recorder.outcome({
      execution,
      status: outcome.status === 'cursor' ? 'suspended' : outcome.status,
      tag: tagOf(facts?.[outcome.result], outcome),
      sqlstate: INTERRUPTIONS.has(outcome.errno) ? SQLSTATE.QUERY_CANCELED : sqlstate,
      rows,
      bytes,
      admission: admitted,
    })
  }

  prepared(_statement: PreparedStatement): void {
    // What it may do is decided whenever it runs.
  }

  closed(_statement: PreparedStatement): void {
    // Nothing is kept under its id.
  }

  redactError(
    _admission: Admission | null,
    buf: Buffer,
    start: number,
    end: number,
  ): Buffer | null {
    const masked = this.#ground === null || this.#ground.view.masked
    return masked ? redactError(buf, start, end) : null
  }

  sessionChanged(changes: readonly SessionChange[]): void {
    this.names.reported(changes)
  }

  ready(status: number): void {
    this.names.status(status)
    if (this.#relay?.quiescent === true) this.#recorder.forget()
  }

  // Deciding.

  #currentContext(): DecisionContext | Refusal | NotYet {
    const options = this.#options
    const ground = options.ground()
    if (ground === 'wait') {
      options.seeTo('ground')
      return WAIT
    }
    if (ground === 'unavailable') return refusal(REPORTS.catalogUnavailable)
    if (this.names.unsure) {
      // Only between commands: what is unanswered may change it again.
      if (this.#relay?.quiescent !== true) return SETTLE
      options.seeTo('names')
      return WAIT
    }
    const before = this.#ground
    if (
      this.#context === null ||
      before?.view !== ground.view ||
      before.catalog !== ground.catalog ||
      this.#namesVersion !== this.names.version
    ) {
      this.#ground = ground
      this.#namesVersion = this.names.version
      this.#epoch++
      this.#context = options.contexts.of(
        ground.view,
        ground.viewId,
        ground.catalog,
        this.names.key,
      )
    }
    return this.#context
  }

  #decide(
    context: DecisionContext,
    bytes: string,
    text: string | null,
    names = this.names,
  ): { decided: Decided; forward: string | null } {
    const { telemetry, texts } = this.#options
    const known = context.exact(bytes)
    if (known !== undefined) {
      telemetry.decisionCache('exact')
      return { decided: known, forward: forwardOf(known) }
    }
    const { decided, from } = context.decide(texts, {
      bytes,
      text: text ?? '',
      names,
      readable: names.readable && text !== null,
      now: this.#options.now(),
    })
    telemetry.decisionCache(from)
    // A text with a fingerprint is sent as it came; what was decided holds the text of another.
    return { decided, forward: from === 'fingerprint' ? null : forwardOf(decided) }
  }

  #admit(
    via: Via,
    decided: Decided,
    text: { readonly own: string | null; readonly forward: string | null },
  ): Admitted | Refusal {
    const { verdict, analysis } = decided
    const own = text.own ?? '/* not readable */'
    this.#options.telemetry.statement(this.#view.connection, verdict.kind)
    if (verdict.kind === 'deny') {
      const recorded = this.#record(via, decided, own)
      if (typeof recorded !== 'number') return recorded
      this.#options.recorded()
      const position = analysis.kind === 'unparsable' ? analysis.position : null
      return refusal(refusalReport(verdict, position))
    }
    if (via === 'parse') {
      const recorded = this.#record(via, decided, own)
      if (typeof recorded !== 'number') return recorded
    }
    return this.#admitted(decided, own, text.forward)
  }

  #admitted(decided: Decided, own: string, forward: string | null): Admitted {
    const statements = factsOf(decided)
    const { database, sqlMode } = this.names
    const view = this.#view
    return {
      kind: 'admission',
      text: forward === null ? null : encodeText(forward, this.names.charset),
      masked: view.masked,
      limit: limitOf(view, statements),
      barrier: statements === null || statements.some((one) => this.names.isBarrier(one)),
      localInfile: false,
      epoch: this.#epoch,
      decided,
      own,
      ground: this.#standing,
      checked: this.#epoch,
      volatile: isVolatile(statements),
      home: { database, sqlMode },
      granted: null,
    }
  }

  /** Only with leave: what needs approval waits for it here, and has it once. */
  #held(
    via: 'simple' | 'execute',
    admitted: Admitted | Refusal,
    parameters: readonly (string | null)[] | null,
  ): Admitted | Refusal | NotYet {
    if (admitted.kind === 'refusal') return admitted
    const { decided, own, ground } = admitted
    if (decided?.verdict.kind !== 'approve') return admitted
    const granted = this.#holding.ask({
      via,
      verdict: decided.verdict,
      decided,
      text: own,
      view: ground.view,
      namesKey: this.names.key,
      parameters,
    })
    return typeof granted === 'number' ? { ...admitted, granted } : granted
  }

  /** A statement prepared earlier, as it stands now; the server keeps the database and mode it was prepared in. */
  #renewed(admitted: Admitted, context: DecisionContext): Admitted | Refusal {
    if (admitted.checked === this.#epoch && !admitted.volatile) return admitted
    const { own, home, decided } = admitted
    if (decided === null) return this.#unknown()
    const same = home.database === this.names.database && home.sqlMode === this.names.sqlMode
    if (!same) {
      // Read again as it was prepared; not remembered, because the context is another session state's.
      const again = this.#rereadAt(own, home)
      const now = this.#options.now()
      // No statements would need no leave: what cannot be read there is decided as unreadable.
      const decidedAgain =
        again.length > 0
          ? context.decideFacts(again, now)
          : context.decide(this.#options.texts, {
              bytes: `\0${own}`,
              text: own,
              names: this.names,
              readable: false,
              now,
            }).decided
      return this.#renewedAs(admitted, decidedAgain)
    }
    const bytes = encodeText(own, this.names.charset)?.toString('latin1') ?? own
    return this.#renewedAs(admitted, this.#decide(context, bytes, own).decided)
  }

  #renewedAs(admitted: Admitted, decided: Decided): Admitted | Refusal {
    const again = this.#admit('execute', decided, { own: admitted.own, forward: null })
    return again.kind === 'refusal' ? again : { ...again, home: admitted.home }
  }

  #decideCommandAs(context: DecisionContext, text: string): Admitted | Refusal | NotYet {
    if (!this.#options.holds.busy && !this.#withinRate(context.view)) {
      return this.#refuse('simple', text, 'rate-limit', REPORTS.tooManyStatements)
    }
    const { decided } = this.#decide(context, `\0${text}`, text)
    return this.#held('simple', this.#admit('simple', decided, { own: text, forward: null }), null)
  }

  /** For who is in, whatever policy says: it only gives up what the session has. */
  #free({ barrier }: { barrier: boolean }): Admitted {
    const { database, sqlMode } = this.names
    return {
      kind: 'admission',
      text: null,
      masked: this.#view.masked,
      limit: null,
      barrier,
      localInfile: false,
      epoch: this.#epoch,
      decided: null,
      own: '',
      ground: this.#standing,
      checked: this.#epoch,
      volatile: false,
      home: { database, sqlMode },
      granted: null,
    }
  }

  /** Null: not the id of a session of the same principal. */
  #killed(request: KillRequest | null, text: string): Answer | NotYet | null {
    if (request === null) return null
    const under = this.#killing
    if (under?.text === text) {
      if (!under.done) return WAIT
      this.#killing = null
      return { kind: 'answer', ok: encodeOk(plainOk(this.#relay?.status ?? 0), OK_LAYOUT) }
    }
    const done = this.#options.kill(request)
    if (done === null) return null
    const killing = { text, done: false }
    this.#killing = killing
    this.#options.seeTo(
      done.finally(() => {
        killing.done = true
      }),
    )
    return WAIT
  }

  #checkParameters(
    admitted: Admitted,
    view: PrincipalView,
    bound: readonly BindParameter[],
  ): Refusal | null {
    const facts = factsOf(admitted.decided)?.[0]
    if (facts === undefined) return null
    const denied = checkBind(view, facts, bound)
    if (denied === null) return null
    this.#recorder.refused('execute', admitted.own, { code: denied.code, reason: denied.message })
    return refusal(refusalReport(denied, null))
  }

  /** Null: the views it reads are what the snapshot says, or nothing hangs on it. */
  #viewsMoved({ views }: Decided): Refusal | NotYet | null {
    switch (this.#viewCheck.of(views, this.#options.micros() / 1000)) {
      case 'run':
        // Commands are answered one by one: an answer about views holds for the one that asked.
        this.#viewCheck.ended()
        return null
      case 'refuse':
        return refusal(REPORTS.catalogUnavailable)
      case 'ask':
        this.#options.confirmViews(views, (answer) => this.#viewCheck.answered(answer))
        return WAIT
      case 'wait':
        return WAIT
    }
  }

  /** Refuses what compares masked columns with more values than are left. */
  #probesSpent(
    via: Via,
    { decided, own }: Admitted,
    bound: readonly BindParameter[] | null,
  ): Refusal | null {
    if (decided === null || decided.verdict.kind === 'deny') return null
    const { probes } = decided.verdict
    if (probes.length === 0) return null
    const { principal, now } = this.#options
    const parameters = bound ?? []
    const sent = [Buffer.from(own, 'utf8'), Buffer.from(JSON.stringify(parameterTexts(parameters)))]
    const over = this.#options.probes.admit(principal, { probes, sent, parameters }, now())
    return over === null ? null : this.#refuse(via, own, 'probe-budget', REPORTS.probesSpent)
  }

  #withinRate(view: PrincipalView): boolean {
    const max = view.limits.statementsPerMinute
    if (max === null) return true
    const { rates, principal, now } = this.#options
    return rates.admit(principal, max, now())
  }

  #stillMeans({ facts, text, index }: Prepared): boolean {
    const { database, sqlMode } = this.names
    const found = this.#rereadAt(text, { database, sqlMode })[index]?.state.find(
      (change) => change.kind === 'prepare',
    )
    return found?.kind === 'prepare' && JSON.stringify(found.facts) === JSON.stringify(facts)
  }

  /** What a text would mean now, in that database and mode. Texts that lead back to themselves mean nothing. */
  #rereadAt(text: string, home: Admitted['home']): readonly StatementFacts[] {
    if (this.#rereading) return []
    this.#rereading = true
    try {
      const names = this.names.at(home)
      const analysis = this.#options.texts.analyze(text, this.#ground?.catalog ?? null, names)
      return analysis.kind === 'statements' ? analysis.statements : []
    } finally {
      this.#rereading = false
    }
  }

  get #standing(): Ground {
    if (this.#ground === null) throw new Error('admitted without ground')
    return this.#ground
  }

  get #view(): PrincipalView {
    return this.#standing.view
  }

  // Recording.

  #record(via: Via, decided: Decided, text: string): number | Refusal {
    return this.#recorder.statement(via, decided, text) ?? refusal(REPORTS.auditUnavailable)
  }

  /** Refuses what policy would let pass, and records it. */
  #refuse(via: Via, text: string | null, code: string, report: Report): Refusal {
    this.#recorder.refused(via, text ?? '', { code, reason: report.message })
    return refusal(report)
  }

  #unknown(): Refusal {
    return refusal(REPORTS.internal)
  }

  // Tracking.

  #completed(facts: readonly StatementFacts[] | null, own: string, index: number): void {
    // What was not understood may have changed anything.
    if (facts === null) return this.names.doubt()
    for (const change of facts[index]?.state ?? []) {
      this.names.apply(change, own, index)
      this.#holding.apply(change)
      // DDL commits by itself.
      if (change.kind === 'catalog') this.#options.catalogDoubted(true)
    }
  }
}

const OK_LAYOUT = { sessionTrack: false, header: HEADER.OK }
/** ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, MariaDB's ER_STATEMENT_TIMEOUT and ER_CONNECTION_KILLED. */
const INTERRUPTIONS = new Set([1317, 3024, 1969, 1927])

function factsOf(decided: Decided | null): readonly StatementFacts[] | null {
  return decided?.analysis.kind === 'statements' ? decided.analysis.statements : null
}

/** What is sent for its text: what was read, and nothing else. Null: the text as it came. */
function forwardOf({ analysis }: Decided): string | null {
  return analysis.kind === 'statements' ? (analysis.texts?.join('; ') ?? null) : null
}

function isVolatile(statements: readonly StatementFacts[] | null): boolean {
  if (statements === null) return true
  return statements.some((one) => one.commands.some((command) => SESSION_COMMANDS.has(command)))
}

/** As PostgreSQL's command tags, which this protocol does not have: `SELECT 3`. */
function tagOf(facts: StatementFacts | undefined, outcome: ExecutionOutcome): string {
  if (facts === undefined || outcome.status === 'error') return ''
  const { rows, affectedRows } = outcome
  return `${facts.command.toUpperCase()} ${facts.outputs === null ? affectedRows : rows}`
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

function refusal(report: Report): Refusal {
  return { kind: 'refusal', error: errorPayloadOf(report) }
}
