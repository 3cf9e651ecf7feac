/**
 * The relay's questions, answered for one session: decide, record, mask, track.
 *
 * Synchronous; where something must be awaited (schema snapshot, session state, people) it answers WAIT and asks
 * its owner to see to it. Every path that is not an explicit allow is a refusal.
 */
import type { AuditLog } from '@sallyport/audit'
import {
  type BindParameter,
  bindMatters,
  checkBind,
  type MaskKeys,
  type PrincipalView,
} from '@sallyport/policy'
import {
  type Admission,
  type Answer,
  areUnitColumns,
  type BeyondLimit,
  type BulkParameters,
  type ColumnDefinition,
  type ExecutionOutcome,
  type Gatekeeper,
  type NotYet,
  type Parameters,
  type PreparedStatement,
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
import type { Catalog, StatementFacts } from '@sallyport/sql'
import type { Amount } from '../../budgets/budgets.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import { type CheckOptions, comparedIn, type ProbedValues, SessionChecks } from '../checks.ts'
import { type Decided, DecisionContext, type DecisionContexts } from '../decisions.ts'
import type { Ground } from '../grounds.ts'
import { Hiding } from '../hiding.ts'
import { TOO_LARGE } from '../hold-reports.ts'
import type { SessionHolds } from '../holds.ts'
import { Leave } from '../leave.ts'
import { StatementRecorder, type Via } from '../recorder.ts'
import { Records } from '../records.ts'
import { limitReport, REPORTS, type Report, tooLongReport } from '../reports.ts'
import type { RoleOffers } from '../role-offers.ts'
import { hangingOn } from '../settling.ts'
import { Standing } from '../standing.ts'
import type { SessionWatch } from '../watch.ts'
import { type Admitted, factsOf } from './admitted.ts'
import { Admitting } from './admitting.ts'
import { Afterthoughts } from './afterthoughts.ts'
import { type Asking, mysqlEstimating, type Planned } from './estimating.ts'
import { Holding } from './holding.ts'
import type { Killer, ServerIds } from './kill.ts'
import { Killing } from './killing.ts'
import { compileMasks } from './masking.ts'
import { MysqlSessionNames, type Prepared, type ServerSide } from './names.ts'
import { boundOf, parameterTexts, readParameters, recordedParameters } from './parameters.ts'
import { mysqlPreviewing, type Previewed } from './previewing.ts'
import { redactError } from './redaction.ts'
import { refusal, refusalOf } from './refusals.ts'
import type { MysqlShown } from './shown.ts'
import { readText } from './text-encoding.ts'
import type { MysqlTexts } from './texts.ts'
import { Tracking } from './tracking.ts'

export interface GatekeeperOptions extends CheckOptions {
  readonly session: string
  readonly audit: AuditLog
  readonly texts: MysqlTexts
  readonly contexts: DecisionContexts
  readonly keys: MaskKeys
  readonly telemetry: Telemetry
  readonly holds: SessionHolds
  readonly offers: RoleOffers
  readonly watch: SessionWatch
  /** The present ground, or `wait` while a snapshot it needs is being read, or why it cannot be had. */
  readonly ground: () => Ground | 'wait' | 'unavailable'
  /** Called on WAIT: make it possible to decide, then resume the relay. */
  readonly seeTo: (what: 'ground' | 'names' | Promise<void>) => void
  /** Asks the server, and calls back between two messages of its. */
  readonly ask: Asking
  /** The relay is to ask again. */
  readonly resume: () => void
  /** Cancels what the upstream runs, then tells the relay. */
  readonly cancelUpstream: () => void
  /** Lineage and result metadata disagree, or a relation is not in the snapshot. */
  readonly catalogDoubted: (ddl: boolean) => void
  /** Outcomes were appended and wait to be written. */
  readonly recorded: () => void
  /** Into the session's recording; null: it is not recorded. */
  readonly shown: MysqlShown | null
  /** Bound values are recorded, where they cannot be protected. */
  readonly recordsParameters: boolean
  /** False: what the session shows cannot be recorded, so nothing runs. */
  readonly recordable: () => boolean
  readonly kill: Killer
  readonly serverIds: ServerIds
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
  readonly #records: Records<Refusal>
  readonly names: MysqlSessionNames
  readonly #standing: Standing
  readonly #admitting: Admitting
  readonly #checks: SessionChecks
  readonly #holding: Holding
  readonly #leave: Leave<Planned, Previewed, Refusal>
  readonly #tracking: Tracking
  readonly #killing: Killing
  readonly #hiding = new Hiding()
  readonly #afterthoughts = new Afterthoughts()
  /** What people, or nobody, said of a result beyond its limit. */
  #beyond: { readonly admission: Admission; readonly report: Report } | null = null
  /** What is said of a result that budgets leave no more for. */
  #spent: ((stands: { readonly stands: boolean }) => Report) | null = null
  #relay: Relay | null = null
  #rereading = false

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.names = new MysqlSessionNames(options.server, (prepared) => this.#stillMeans(prepared))
    this.#recorder = new StatementRecorder({
      ...options,
      withoutLiterals: (text) => options.texts.withoutLiterals(text, this.names),
      withoutComments: (text) => options.texts.withoutComments(text, this.names),
    })
    this.#records = new Records(this.#recorder, refusal)
    this.#standing = new Standing(options.contexts)
    this.#checks = new SessionChecks(options)
    this.#holding = new Holding({
      collation: options.server.collation,
      holds: options.holds,
      records: this.#records,
      layOut: (text) => options.texts.layOut(text, this.names),
    })
    this.#tracking = new Tracking({ ...options, names: this.names, holding: this.#holding })
    this.#leave = new Leave<Planned, Previewed, Refusal>({
      ...options,
      previewed: (record, binding) => this.#recorder.previewed(record, binding),
      estimating: mysqlEstimating({
        ...options,
        names: this.names,
        quiescent: () => this.#relay?.quiescent === true,
      }),
      previewing: mysqlPreviewing({
        ...options,
        names: this.names,
        relay: () => this.#attached(),
        engaged: () => this.#tracking.engaged,
        transactionLost: ({ text, parameters }) =>
          this.#records.refuse(
            parameters === null ? 'simple' : 'execute',
            text,
            'transaction-lost',
            REPORTS.transactionLost,
          ),
      }),
    })
    this.#killing = new Killing({
      ...options,
      names: this.names,
      status: () => this.#relay?.status ?? 0,
    })
    this.#admitting = new Admitting({
      ...options,
      names: this.names,
      standing: this.#standing,
      records: this.#records,
      described: options.shown !== null,
      rereadAt: (text, home) => this.#rereadAt(text, home),
      reading: () => this.#holding.reading,
    })
  }

  attach(relay: Relay): void {
    this.#relay = relay
  }

  #attached(): Relay {
    if (this.#relay === null) throw new Error('asked before there was a relay')
    return this.#relay
  }

  decideText(
    via: 'query' | 'prepare',
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Answer | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const { bytes, text } = readText(buf, start, end, this.names.charset)
    const recordedVia = via === 'query' ? 'simple' : 'parse'
    if (via === 'query' && text !== null) {
      const killed = this.#killing.text(text)
      if (killed !== null) return killed
    }
    const { decided, forward } = this.#admitting.decide(context, bytes, text)
    const waiting = this.#viewsMoved(decided)
    if (waiting !== null) return waiting
    if (via === 'query' && this.#checks.waitsForProbes(decided, probedIn(text ?? '', [])))
      return WAIT
    const over = via === 'query' && !this.#leave.busy ? this.#checks.overspent(context.view) : null
    if (over === 'wait') return WAIT
    if (over !== null) return this.#records.refuse('simple', text, over.code, over.report)
    const sent = this.#killing.forwarded(decided, text, this.#catalog) ?? forward
    const admitted = this.#admitting.admit(recordedVia, decided, { own: text, forward: sent })
    if (via === 'prepare' || admitted.kind === 'refusal') return admitted
    const spent = this.#probesSpent('simple', admitted, null)
    return spent ?? this.#held('simple', this.#limited(admitted, null), null)
  }

  decideExecute(
    statement: PreparedStatement,
    parameters: Parameters,
  ): Admission | Answer | Refusal | NotYet {
    const admitted = this.#readmitted(statement, [parameters])
    if (typeof admitted === 'symbol' || admitted.kind === 'refusal') return admitted
    const killed = this.#killing.execution(admitted, parameters)
    if (killed !== null) return killed
    const held = admitted.decided !== null && hangingOn(admitted.decided) !== null
    if (!admitted.masked && !held) return this.#limited(admitted, parameters)
    const refused = admitted.masked ? this.#rowRefused(admitted, parameters) : null
    return refused ?? this.#held('execute', this.#limited(admitted, parameters), parameters)
  }

  decideBulk(
    statement: PreparedStatement,
    rows: BulkParameters,
  ): Admission | Answer | Refusal | NotYet {
    const admitted = this.#readmitted(statement, rows)
    if (typeof admitted === 'symbol' || admitted.kind === 'refusal') return admitted
    const { decided, own } = admitted
    if (decided !== null && hangingOn(decided) !== null) {
      return this.#records.refuse('execute', own, 'needs-approval', REPORTS.batchHeld)
    }
    // Its reply counts the rows that were others, and of the rows it found only those of one execution.
    if (decided?.changesMasked === true) {
      return this.#records.refuse('execute', own, 'masked-catalog', REPORTS.batchTells)
    }
    for (const row of admitted.masked ? rows : []) {
      const refused = this.#rowRefused(admitted, row)
      if (refused !== null) return refused
    }
    const limited = this.#limitedBatch(admitted)
    const answer: Admitted = rows.unitResults ? { ...limited, unitResults: true } : limited
    return answer
  }

  /** A prepared statement that is to run, as it stands now. */
  #readmitted(
    statement: PreparedStatement,
    rows: Iterable<Parameters>,
  ): Admitted | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = this.#admitting.renewed(statement.admission as Admitted, context)
    if (admitted.kind === 'refusal') return admitted
    const waiting = admitted.decided === null ? null : this.#viewsMoved(admitted.decided)
    if (waiting !== null) return waiting
    if (this.#probesUnknown(admitted, rows)) return WAIT
    const over = this.#leave.busy ? null : this.#checks.overspent(context.view)
    if (over === 'wait') return WAIT
    if (over === null) return admitted
    return this.#records.refuse('execute', admitted.own, over.code, over.report)
  }

  /** What the values may not be where columns are masked. */
  #rowRefused(admitted: Admitted, parameters: Parameters): Refusal | null {
    const { decided } = admitted
    const facts = factsOf(decided)?.[0]
    const isAsked = facts !== undefined && bindMatters(facts)
    if (!isAsked && (decided === null || comparedIn(decided).length === 0)) return null
    const bound = readParameters(parameters)
    const refused = this.#checkParameters(admitted, this.#standing.view, bound)
    return refused ?? this.#probesSpent('execute', admitted, bound)
  }

  decideFetch(statement: PreparedStatement): number | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = (statement.cursor?.admission ?? statement.admission) as Admitted
    const { decided } = admitted
    if (decided === null) return refusal(REPORTS.internal)
    const recorded = this.#records.statement('execute', decided, admitted.own)
    if (typeof recorded === 'number') this.#recorder.begins(recorded)
    return recorded
  }

  decideCommand(command: SessionCommand): Admission | Answer | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    switch (command.kind) {
      case 'reset-connection':
        return this.#admitting.free({ barrier: true })
      case 'set-option':
        return this.#admitting.free({ barrier: false })
      case 'init-db':
        return this.#decideCommandAs(context, COMMAND_TEXTS['init-db'](command.database))
      case 'field-list':
        return this.#decideCommandAs(context, COMMAND_TEXTS['field-list'](command.table))
      case 'statistics':
        return this.#decideCommandAs(context, COMMAND_TEXTS.statistics())
      case 'process-kill': {
        const text = COMMAND_TEXTS['process-kill'](String(command.connectionId))
        return this.#killing.text(text) ?? this.#decideCommandAs(context, text)
      }
      default: {
        const never: never = command
        throw new Error(`unexpected command ${String(never)}`)
      }
    }
  }

  execution(
    admission: Admission,
    parameters: Parameters | BulkParameters | null,
  ): number | Refusal {
    const admitted = admission as Admitted
    const { decided, own, granted, needsApproval } = admitted
    // Not a statement: nothing to record.
    if (decided === null) return 0
    if (needsApproval && granted === null) {
      throw new Error('what needs approval was about to run without')
    }
    const via = parameters === null ? 'simple' : 'execute'
    if (this.#afterthoughts.wouldTell(decided)) {
      return this.#records.refuse(via, own, 'masked-catalog', REPORTS.diagnosticsWithheld)
    }
    const recorded = granted ?? this.#record(via, decided, own, parameters)
    if (typeof recorded !== 'number') return recorded
    this.#recorder.begins(recorded)
    this.#hiding.runs(decided)
    this.#afterthoughts.runs(decided)
    return recorded
  }

  refusal(reason: RelayRefusal): Refusal {
    if (reason.kind === 'statement-too-long') {
      const text = `/* ${reason.bytes} bytes, not read */`
      return this.#records.refuse('simple', text, 'too-large', tooLongReport(reason.bytes))
    }
    return { kind: 'refusal', error: refusalPayload(reason, this.names.flavour) }
  }

  beyondLimit(admission: Admission, execution: number, result: number): BeyondLimit {
    const { decided, own, ground, bound, readUnder } = admission as Admitted
    if (decided === null) return 'refuse'
    const wanted = {
      decided,
      text: own,
      view: ground.view,
      namesKey: this.names.keyFor(own),
      readUnder,
      bound,
    }
    const answer =
      bound?.exact === null
        ? TOO_LARGE
        : this.#holding.beyond(wanted, { statement: execution, result })
    if (answer === WAIT || answer === 'go-on') return answer
    this.#beyond = { admission, report: answer }
    return 'refuse'
  }

  limitExceeded(admission: Admission, stands: boolean): Refusal {
    if (this.#beyond?.admission === admission) return refusal(this.#beyond.report)
    if (this.#spent !== null) return refusal(this.#spent({ stands }))
    const { view } = (admission as Admitted).ground
    return refusal(limitReport(view.limits, { stands }))
  }

  meter(admission: Admission, wanted: Amount): Amount | typeof WAIT | 'refuse' {
    const answer = this.#checks.meter((admission as Admitted).ground.view, wanted)
    if (answer === 'wait') return WAIT
    if (typeof answer !== 'function') return answer
    this.#spent = answer
    return 'refuse'
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
    const admitted = admission as Admitted
    const { decided, ground } = admitted
    if (decided === null || !ground.view.masked) return null
    // As single executions are answered; lineage knows no such result.
    if (isOfUnits(admitted, result) && areUnitColumns(columns)) return null
    const { keys, telemetry, catalogDoubted } = this.#options
    const compiled = compileMasks({ decided, ground, keys }, result, columns, format)
    if (compiled.raised > 0) {
      telemetry.witnessDisagreed(compiled.raised)
      catalogDoubted(false)
    }
    return compiled.masks
  }

  resultBegins(
    admission: Admission,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
    earlier: { readonly rows: number; readonly bytes: number },
  ): void {
    const { decided } = admission as Admitted
    const queued = this.#relay?.toClient.bytes ?? 0
    const hides = this.#hiding.hides(decided)
    this.#options.shown?.begins({ queued, hides, columns, format, earlier })
  }

  clientDataBegins(admission: Admission): void {
    const { decided } = admission as Admitted
    // Its fields are not told apart: with one that goes into a protected column, none is kept.
    const kept = decided !== null && decided.leftOut !== 'values'
    this.#options.shown?.sent.begins(kept ? { mask: null, binary: false } : null)
  }

  clientData(buf: Buffer, start: number, end: number): void {
    this.#options.shown?.sent.take(buf, start, end)
  }

  outcome(outcome: ExecutionOutcome): void {
    const admitted = outcome.admission as Admitted
    const { decided } = admitted
    if (decided === null) {
      if (outcome.status === 'complete' && admitted.barrier) {
        this.#tracking.reset()
      }
      return
    }
    const facts = factsOf(decided)
    if (outcome.status === 'complete') {
      this.#tracking.completed(facts, { own: admitted.own, index: outcome.result }, this.#catalog)
    }
    const { execution, rows, bytes, sqlstate } = outcome
    this.#options.budgets.used(rows, bytes)
    this.#spent = null
    if (execution === 0) return
    this.#recorder.outcome({
      execution,
      status: outcome.status === 'cursor' ? 'suspended' : outcome.status,
      tag: tagOf(facts?.[outcome.result], outcome),
      sqlstate: INTERRUPTIONS.has(outcome.errno) ? SQLSTATE.QUERY_CANCELED : sqlstate,
      rows,
      bytes,
      admission: admitted,
    })
    this.#options.shown?.answered(execution, this.#relay?.toClient.bytes ?? 0)
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
    return this.#standing.masked ? redactError(buf, start, end) : null
  }

  sessionChanged(changes: readonly SessionChange[]): void {
    this.names.reported(changes)
  }

  ready(status: number): void {
    this.names.status(status)
    if (this.#relay?.quiescent === true) this.#recorder.forget()
  }

  // Deciding.

  get #catalog(): Catalog | null {
    return this.#standing.ground?.catalog ?? null
  }

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
    return this.#standing.contextOn(ground, this.names)
  }

  /** What it may be asked about later is kept. */
  #limited(admitted: Admitted, parameters: Parameters | null): Admitted {
    if (parameters === null || admitted.limit?.exceeded !== 'hold') return admitted
    return { ...admitted, bound: boundOf(parameters) }
  }

  #limitedBatch(admitted: Admitted): Admitted {
    return admitted.limit?.exceeded === 'hold' ? { ...admitted, bound: NOT_KEPT } : admitted
  }

  /** Only with leave: what needs approval waits for it here, and has it once. */
  #held(
    via: 'simple' | 'execute',
    admitted: Admitted | Refusal,
    parameters: Parameters | null,
  ): Admitted | Refusal | NotYet {
    const decided = admitted.kind === 'refusal' ? null : admitted.decided
    if (admitted.kind === 'refusal' || decided === null || hangingOn(decided) === null) {
      this.#leave.unneeded()
      return admitted
    }
    // What is unanswered may change what it would do.
    if (this.#relay?.quiescent !== true) return SETTLE
    const { own, ground, readUnder } = admitted
    const { view, catalog } = ground
    const bound = parameters === null ? null : boundOf(parameters)
    const named = { text: own, namesKey: this.names.keyFor(own) }
    const planned = { ...named, decided, parameters: bound?.parameters ?? null }
    const bindable = { ...named, view, readUnder, bound }
    const answer = this.#leave.of({
      decided,
      planned,
      record: (settled) => this.#record(via, settled, own, parameters),
      refusal: (verdict) => refusalOf(verdict, null),
      bindingOf: (settled) => this.#holding.bindingOf({ ...bindable, decided: settled }),
      toPreview: (request, settled) => ({
        ...planned,
        ...request,
        decided: settled,
        view,
        catalog,
      }),
      ask: (asked) => this.#holding.ask({ ...bindable, ...asked, via }),
    })
    if (answer === 'wait') return WAIT
    if (answer === 'alone') return SETTLE
    if (answer.kind === 'refusal') return answer
    return { ...admitted, needsApproval: answer.granted !== null, granted: answer.granted }
  }

  #decideCommandAs(context: DecisionContext, text: string): Admitted | Refusal | NotYet {
    const over = this.#leave.busy ? null : this.#checks.overspent(context.view)
    if (over === 'wait') return WAIT
    if (over !== null) return this.#records.refuse('simple', text, over.code, over.report)
    const { decided } = this.#admitting.decide(context, `\0${text}`, text)
    return this.#held(
      'simple',
      this.#admitting.admit('simple', decided, { own: text, forward: null }),
      null,
    )
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
    return refusalOf(denied, null)
  }

  /** Null: the views it reads are what the snapshot says, or nothing hangs on it. */
  #viewsMoved(decided: Decided): Refusal | NotYet | null {
    const views = this.#checks.views(decided)
    if (views === 'wait') return WAIT
    if (views === 'refuse') return refusal(REPORTS.catalogUnavailable)
    // Commands are answered one by one: an answer about views holds for the one that asked.
    this.#checks.pipelineEnded()
    return null
  }

  /** Refuses what compares masked columns with more values than are left. */
  #probesSpent(
    via: Via,
    { decided, own }: Admitted,
    bound: readonly BindParameter[] | null,
  ): Refusal | null {
    if (decided === null) return null
    const spent = this.#checks.probesSpent(decided, probedIn(own, bound ?? []))
    return spent ? this.#records.refuse(via, own, 'probe-budget', REPORTS.probesSpent) : null
  }

  #probesUnknown({ decided, own }: Admitted, rows: Iterable<Parameters>): boolean {
    if (decided === null || comparedIn(decided).length === 0) return false
    return [...rows].some((row) =>
      this.#checks.waitsForProbes(decided, probedIn(own, readParameters(row))),
    )
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
      const analysis = this.#options.texts.analyze(text, this.#catalog, names)
      return analysis.kind === 'statements' ? analysis.statements : []
    } finally {
      this.#rereading = false
    }
  }

  #record(
    via: 'simple' | 'execute',
    decided: Decided,
    own: string,
    parameters: Parameters | BulkParameters | null,
  ): number | Refusal {
    const kept = parameters !== null && this.#options.recordsParameters
    const bound = kept ? recordedParameters(decided, parameters) : undefined
    return this.#records.statement(via, decided, own, bound)
  }
}

/** What a text's values are in. */
const probedIn =
  (own: string, parameters: readonly BindParameter[]): ProbedValues =>
  () => ({
    sent: [Buffer.from(own, 'utf8'), Buffer.from(JSON.stringify(parameterTexts(parameters)))],
    parameters,
  })

/** Of a batch: nobody can say what its values are to whoever is asked for the rest of its result. */
const NOT_KEPT = { parameters: [], exact: null }

/** INVARIANT: what RETURNING gives comes first. */
function isOfUnits({ unitResults, decided }: Admitted, result: number): boolean {
  return unitResults && result === (factsOf(decided)?.[0]?.outputs === null ? 0 : 1)
}

/** ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, MariaDB's ER_STATEMENT_TIMEOUT and ER_CONNECTION_KILLED. */
const INTERRUPTIONS = new Set([1317, 3024, 1969, 1927])

/** As PostgreSQL's command tags, which this protocol does not have: `SELECT 3`. */
function tagOf(facts: StatementFacts | undefined, outcome: ExecutionOutcome): string {
  if (facts === undefined || outcome.status === 'error') return ''
  const { rows, affectedRows } = outcome
  const { command, outputs } = facts
  const word = command === 'select' ? 'SELECT' : command.toUpperCase()
  return `${word} ${outputs === null ? affectedRows : rows}`
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
