/**
 * The relay's questions, answered for one session: decide, record, mask, track.
 *
 * Synchronous; where something must be awaited (schema snapshot, session state, the parser's restart) it
 * answers WAIT and asks its owner to see to it. Every path that is not an explicit allow is a refusal.
 */
import type { AuditLog } from '@sallyport/audit'
import { checkBind, keptAsSent, type MaskKeys, type PrincipalView } from '@sallyport/policy'
import {
  type Admission,
  ALONE,
  type BeyondLimit,
  type CopyRowsRewriter,
  type ExecutionOutcome,
  type FieldDescription,
  type Gatekeeper,
  type NotYet,
  type Portal,
  type PreparedStatement,
  type ProtocolError,
  type Refusal,
  type Relay,
  SETTLE,
  WAIT,
} from '@sallyport/protocol-postgres'
import { type StatementFacts, withoutComments, withoutLiterals } from '@sallyport/sql'
import type { Amount } from '../../budgets/budgets.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import { type CheckOptions, type ProbedValues, SessionChecks } from '../checks.ts'
import { type Decided, DecisionContext, type DecisionContexts } from '../decisions.ts'
import type { Ground } from '../grounds.ts'
import { Hiding } from '../hiding.ts'
import type { SessionHolds } from '../holds.ts'
import { Leave } from '../leave.ts'
import { StatementRecorder, type Via } from '../recorder.ts'
import { Records } from '../records.ts'
import {
  limitReport,
  parametersTooLongReport,
  REPORTS,
  type Report,
  tooLongReport,
  truncationReport,
} from '../reports.ts'
import type { RoleOffers } from '../role-offers.ts'
import { hangingOn } from '../settling.ts'
import { Standing } from '../standing.ts'
import type { SessionWatch } from '../watch.ts'
import { type Admitted, factsOf, hangsOnMore, samePlan } from './admitted.ts'
import { Admitting } from './admitting.ts'
import { readBindParameters, recordedParameters } from './bind-parameters.ts'
import { type Asking, type Planned, postgresEstimating } from './estimating.ts'
import { noticeFrame } from './frames.ts'
import { Holding } from './holding.ts'
import { compileMasks, copyRewriter } from './masking.ts'
import { TrackedNames } from './names.ts'
import { type Previewed, postgresPreviewing } from './previewing.ts'
import { redactReport } from './redaction.ts'
import {
  malformed,
  noSuchPortal,
  noSuchStatement,
  refusal,
  refusalOf,
  tooManyNames,
} from './refusals.ts'
import { Rereading } from './rereading.ts'
import { sentPlanFor } from './sent-plan.ts'
import type { PostgresShown } from './shown.ts'
import type { PostgresTexts } from './texts.ts'

const UNBOUND = { types: null, bind: null }
/** What was not understood may have changed anything. */
const ANYTHING = { kind: 'uncertain', why: 'not understood' } as const
const EXECUTES = /\bexecute\b/i
const TX_IDLE = 0x49
const TX_FAILED = 0x45

export interface GatekeeperOptions extends CheckOptions {
  readonly session: string
  readonly engineUser: string
  readonly audit: AuditLog
  readonly texts: PostgresTexts
  readonly contexts: DecisionContexts
  readonly keys: MaskKeys
  readonly telemetry: Telemetry
  readonly holds: SessionHolds
  readonly offers: RoleOffers
  readonly watch: SessionWatch
  /** Settings of the start-up packet. */
  readonly settings: ReadonlyMap<string, string>
  /** The present ground, or `wait` while a snapshot it needs is being read, or why it cannot be had. */
  readonly ground: () => Ground | 'wait' | 'unavailable'
  /** Called on WAIT: make it possible to decide, then resume the relay. */
  readonly seeTo: (what: 'ground' | 'names' | 'reader') => void
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
  readonly shown: PostgresShown | null
  /** Bound values are recorded, where they cannot be protected. */
  readonly recordsParameters: boolean
  /** False: what the session shows cannot be recorded, so nothing runs. */
  readonly recordable: () => boolean
}

export class SessionGatekeeper implements Gatekeeper {
  readonly #options: GatekeeperOptions
  readonly #recorder: StatementRecorder
  readonly #records: Records<Refusal>
  readonly names: TrackedNames
  readonly #standing: Standing
  readonly #admitting: Admitting
  readonly #checks: SessionChecks
  readonly #holding: Holding
  readonly #hiding = new Hiding()
  readonly #leave: Leave<Planned, Previewed, Refusal>
  #serverVersion = 0
  /** What people, or nobody, said of a result beyond its limit. */
  #beyond: { readonly admission: Admission; readonly report: Report } | null = null
  /** What is said of a result that budgets leave no more for. */
  #spent: ((stands: { readonly stands: boolean }) => Report) | null = null
  #relay: Relay | null = null
  /** The open transaction did not commit, or something in it failed. */
  #undone = false
  /** The server would not say what names mean: decide with them uncertain. */
  #namesAsked = false

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.#recorder = new StatementRecorder({ ...options, withoutLiterals, withoutComments })
    this.#records = new Records(this.#recorder, refusal)
    this.#standing = new Standing(options.contexts)
    this.#checks = new SessionChecks(options)
    this.#holding = new Holding({ ...options, records: this.#records })
    this.#leave = new Leave({
      ...options,
      previewed: (record, binding) => this.#recorder.previewed(record, binding),
      estimating: postgresEstimating({
        ...options,
        relay: () => this.#attached,
        copied: (text) => options.texts.copied(text),
        parts: (text) => options.texts.parts(text),
        unplanned: ({ text, bind }, { sqlstate, error }) => {
          const reason = `the database does not plan it: SQLSTATE ${sqlstate}`
          this.#recorder.refused(bind === null ? 'simple' : 'bind', text, {
            code: 'unplanned',
            reason,
          })
          const said = this.redactReport('error', null, error, 0, error.length)
          return { kind: 'refusal', error: said ?? error }
        },
        failed: () => this.#leave.unneeded(),
      }),
      previewing: postgresPreviewing({
        ...options,
        relay: () => this.#attached,
        textOf: (text, wanted) => options.texts.preview(text, wanted),
        version: () => this.#serverVersion,
      }),
    })
    const rereading = new Rereading({
      standing: this.#standing,
      relay: () => this.#relay,
      read: (text) => this.#factsNow(text),
    })
    this.names = new TrackedNames({
      onWire: (name) => rereading.onWire(name),
      stillMeans: (prepared) => rereading.stillMeans(prepared),
    })
    this.#admitting = new Admitting({
      ...options,
      names: this.names,
      standing: this.#standing,
      records: this.#records,
      rereading,
      described: options.shown !== null,
      settings: () => this.#holding.settings.state,
    })
  }

  attach(relay: Relay): void {
    this.#relay = relay
  }

  get #attached(): Relay {
    if (this.#relay === null) throw new Error('asked before there was a relay')
    return this.#relay
  }

  decideText(
    via: 'query' | 'parse',
    _name: string,
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const recordedVia = via === 'query' ? 'simple' : 'parse'
    const verdict = this.#admitting.decide(context, buf, start, end)
    if (verdict === SETTLE) return SETTLE
    const waiting = this.#viewsMoved(verdict.decided)
    if (waiting !== null) return waiting
    const values = () => ({ sent: [buf.subarray(start, end)], parameters: [] })
    if (via === 'query' && this.#checks.waitsForProbes(verdict.decided, values)) return WAIT
    const over = via === 'query' && !this.#leave.busy ? this.#checks.overspent(context.view) : null
    if (over === 'wait') return WAIT
    if (over !== null) {
      return this.#records.refuse('simple', verdict.text, over.code, over.report)
    }
    const admitted = this.#admitting.admit(recordedVia, context, verdict.decided, verdict.text)
    if (via === 'parse') return admitted
    const spent = this.#probesSpent('simple', admitted, values)
    return spent ?? this.#held('simple', admitted, () => UNBOUND)
  }

  decideBind(
    statement: PreparedStatement,
    _portal: string,
    buf: Buffer,
    start: number,
    end: number,
    partial: boolean,
  ): Admission | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = this.#admitting.renewed(statement.admission as Admitted, 'bind', context)
    if (admitted === SETTLE || admitted.kind === 'refusal') return admitted
    // Decided when all of it is there.
    if (partial && (admitted.masked || admitted.whole)) return admitted
    const waiting = this.#viewsMoved(admitted.decided)
    if (waiting !== null) return waiting
    if (this.#checks.waitsForBudget(context.view)) return WAIT
    if (admitted.masked) {
      const refused = this.#checkParameters(admitted, context.view, buf, start, end)
      if (refused !== null) return refused
      const values = () => ({
        sent: [Buffer.from(admitted.text), buf.subarray(start, end)],
        parameters: readBindParameters(buf, start, end),
      })
      if (this.#checks.waitsForProbes(admitted.decided, values)) return WAIT
      const spent = this.#probesSpent('bind', admitted, values)
      if (spent !== null) return spent
    }
    const bound = this.#options.recordsParameters
      ? { ...admitted, parameters: recordedParameters(admitted.decided, buf, start, end) }
      : admitted
    // Kept: it may be asked about when the Bind is long gone.
    const kept =
      bound.limit?.exceeded === 'hold'
        ? { ...bound, bind: Buffer.from(buf.subarray(start, end)) }
        : bound
    return this.#held('bind', kept, () => ({
      types: statement.types,
      bind: buf.subarray(start, end),
    }))
  }

  decideExecute(portal: Portal): number | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = portal.admission as Admitted
    const { text } = admitted
    if (admitted.checked !== this.#standing.epoch || admitted.volatile) {
      // A utility statement is looked up as it runs: what was bound must still be what it would be.
      const now = this.#admitting.renewed(admitted, 'execute', context)
      if (now === SETTLE || now.kind === 'refusal') return now
      const waiting = admitted.volatile ? this.#viewsMoved(now.decided) : null
      if (waiting !== null) return waiting
      if (now.epoch !== admitted.epoch && !samePlan(admitted, now)) {
        return this.#records.refuse('execute', text, 'meaning-changed', REPORTS.policyMoved)
      }
      if (hangsOnMore(admitted, now)) {
        return this.#records.refuse('execute', text, 'approval-needed', REPORTS.policyMoved)
      }
    }
    const over = this.#checks.overspent(context.view)
    if (over === 'wait') return WAIT
    if (over !== null) return this.#records.refuse('execute', text, over.code, over.report)
    return this.#runs('execute', admitted)
  }

  execution(admission: Admission): number | Refusal {
    return this.#runs('simple', admission as Admitted)
  }

  decideFunctionCall(): Admission | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    // A call by OID has no text to analyse: it passes only where policy names the effect `unknown`.
    const text = '/* fast-path function call */'
    const { decided } = context.decide(this.#options.texts, {
      bytes: `\0${text}`,
      text,
      names: this.names,
      readable: false,
      now: this.#options.now(),
    })
    if (decided.verdict.kind !== 'allow' || context.view.masked) {
      return this.#records.refuse('execute', text, 'function-call', REPORTS.functionCall)
    }
    return this.#admitting.admitted(context, decided, text)
  }

  preparedBySql(name: string): Admission | NotYet | undefined {
    return this.#admitting.ofSqlName(this.#currentContext(), () => this.names.prepared(name))
  }

  declaredBySql(name: string): Admission | NotYet | undefined {
    return this.#admitting.ofSqlName(this.#currentContext(), () => this.names.cursors(name))
  }

  nameTaken(what: 'statement' | 'portal', name: string): void {
    this.names.taken(what, name)
  }

  noSuchStatement(name: string): Refusal {
    return noSuchStatement(name)
  }

  noSuchPortal(name: string): Refusal {
    return noSuchPortal(name)
  }

  tooManyNames(what: 'prepared statements' | 'portals'): Refusal {
    return tooManyNames(what)
  }

  nameTooLong(): Refusal {
    return refusal(REPORTS.nameTooLong)
  }

  malformed(error: ProtocolError): Refusal {
    return malformed(error)
  }

  tooLong(via: 'query' | 'parse' | 'bind', bytes: number): Refusal {
    if (via === 'bind') return refusal(parametersTooLongReport(bytes))
    const text = `/* ${bytes} bytes, not read */`
    return this.#records.refuse(
      via === 'query' ? 'simple' : 'parse',
      text,
      'too-large',
      tooLongReport(bytes),
    )
  }

  beyondLimit(admission: Admission, execution: number, result: number): BeyondLimit {
    const admitted = admission as Admitted
    const { decided, before, text, ground, readUnder, bind = null } = admitted
    const wanted = {
      decided,
      meanings: [decided, ...before],
      text,
      view: ground.view,
      namesKey: this.#namesKeyFor(text),
      readUnder,
      types: null,
      bind,
    }
    const answer = this.#holding.beyond(wanted, { statement: execution, result })
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

  resultCut(admission: Admission, rows: number): Buffer {
    const { view } = (admission as Admitted).ground
    return noticeFrame(truncationReport(view.limits, rows))
  }

  cancel(): void {
    this.#options.cancelUpstream()
  }

  masksFor(
    admission: Admission,
    result: number,
    fields: readonly FieldDescription[],
    formats: readonly number[],
  ): ReturnType<Gatekeeper['masksFor']> {
    const { decided, before, ground } = admission as Admitted
    const { keys, telemetry, catalogDoubted } = this.#options
    const compiled = compileMasks({ decided, before, ground, keys }, result, fields, formats)
    if (compiled.raised > 0) {
      telemetry.witnessDisagreed(compiled.raised)
      catalogDoubted(false)
    }
    return compiled.masks
  }

  copyOut(
    admission: Admission,
    result: number,
    format: 'text' | 'binary',
    columns: number,
  ): CopyRowsRewriter | null {
    const { decided, before, ground } = admission as Admitted
    const { keys } = this.#options
    return copyRewriter({ decided, before, ground, keys }, result, format, columns)
  }

  resultBegins(admission: Admission, portal: Portal | null): void {
    const { shown } = this.#options
    if (shown === null) return
    const { decided } = admission as Admitted
    const relay = this.#relay
    shown.begins({ queued: relay?.toClient.bytes ?? 0, hides: this.#hiding.hides(decided), portal })
  }

  clientDataBegins(
    admission: Admission,
    result: number,
    format: 'text' | 'binary',
    columns: number,
  ): void {
    const plan = sentPlanFor(admission as Admitted, result, format, columns)
    this.#options.shown?.sent.begins(plan)
  }

  clientData(buf: Buffer, start: number, end: number): void {
    this.#options.shown?.sent.take(buf, start, end)
  }

  outcome(outcome: ExecutionOutcome): void {
    const admitted = outcome.admission as Admitted

    if (outcome.status === 'complete') {
      const facts = factsOf(admitted.decided)?.[outcome.result]
      if (facts !== undefined) this.#completed(facts, admitted.text, outcome)
      if (facts?.effects.includes('unknown') !== false) this.#holding.settings.apply(ANYTHING)
    }
    if (outcome.tag === 'ROLLBACK') this.#undone = true
    this.#options.budgets.used(outcome.rows, outcome.bytes)
    this.#spent = null
    if (outcome.execution === 0) return
    this.#recorder.outcome(outcome)
    const { shown } = this.#options
    if (shown !== null && outcome.status !== 'skipped') {
      shown.answered(outcome.execution, this.#relay?.toClient.bytes ?? 0)
    }
  }

  failed(): void {
    this.#undone = true
  }

  redactReport(
    _type: 'error' | 'notice',
    admission: Admission | null,
    buf: Buffer,
    start: number,
    end: number,
  ): Buffer | null {
    if (!this.#standing.masked) return null
    const admitted = admission as Admitted | null
    // A report points into the text that was sent, which need not be the client's.
    const own = admitted === null || admitted.decided.sent !== null ? null : admitted.text
    return redactReport(buf, start, end, own)
  }

  /** Answers to `names.questions`, which `seeTo('names')` asked for. */
  answered(answers: readonly string[] | null): void {
    this.names.answered(answers)
    // Without an answer names stay uncertain; asking again for every statement would not help.
    this.#namesAsked = answers === null
  }

  notification(): 'drop' | null {
    // Another session's payload can hold anything; lineage knows nothing of it.
    return this.#standing.masked ? 'drop' : null
  }

  parameterStatus(name: string, value: string): void {
    this.#holding.settings.reported(name, value)
    if (name === 'server_version') this.#serverVersion = Number.parseInt(value, 10) || 0
    if (name === 'search_path') this.names.reportedPath(value, this.#options.engineUser)
    else this.names.reported(name, value)
  }

  ready(status: number): void {
    this.#checks.pipelineEnded()
    if (status === TX_IDLE) {
      // Read again once it has committed: before, the snapshot could not see it.
      if (this.names.transactionEnded(this.#undone)) this.#options.catalogDoubted(true)
      this.#holding.settings.transactionEnded(this.#undone)
      this.#undone = false
    }
    if (this.#relay?.quiescent !== true) return
    this.#recorder.forget()
    this.#holding.settings.settled()
  }

  // Deciding.

  #currentContext(): DecisionContext | Refusal | NotYet {
    const options = this.#options
    // What an open implicit transaction changed is undone if a later part of it fails.
    if (this.names.pending && this.#relay?.settled === false) return SETTLE
    const ground = options.ground()
    if (ground === 'wait') {
      options.seeTo('ground')
      return WAIT
    }
    if (ground === 'unavailable') return refusal(REPORTS.catalogUnavailable)
    if (this.#mustAskNames(ground)) {
      options.seeTo('names')
      return WAIT
    }
    if (options.texts.ready() !== null) {
      options.seeTo('reader')
      return WAIT
    }
    return this.#standing.contextOn(ground, this.names)
  }

  #mustAskNames(ground: Ground): boolean {
    const relay = this.#relay
    if (ground.catalog === null || this.#namesAsked || relay === null) return false
    if (!relay.quiescent || relay.transaction === TX_FAILED) return false
    return this.names.questions(relay.transaction === TX_IDLE).length > 0
  }

  /** Only with leave: what needs approval waits for it here, and has it once. */
  #held(
    via: 'simple' | 'bind',
    admitted: Admitted | Refusal,
    laidOut: () => Pick<Planned, 'types' | 'bind'>,
  ): Admitted | Refusal | NotYet {
    if (admitted.kind === 'refusal' || hangingOn(admitted.decided) === null) {
      this.#leave.unneeded()
      return admitted
    }
    // What is unanswered may change what it would do.
    if (!this.#attached.settled) return SETTLE
    const { decided, text, ground, before, readUnder } = admitted
    const { view, catalog } = ground
    const planned = { text, decided, namesKey: this.#namesKeyFor(text), ...laidOut() }
    const meanings = [decided, ...before]
    const bindable = { ...planned, meanings, view, readUnder }
    const answer = this.#leave.of({
      decided,
      planned,
      record: (settled) => this.#records.statement(via, settled, text),
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
    if (answer === 'alone') return ALONE
    if (answer.kind === 'refusal') return answer
    return { ...admitted, needsApproval: answer.granted !== null, granted: answer.granted }
  }

  /** What names mean to a text, also those under which only this session has prepared something. */
  #namesKeyFor(text: string): string {
    if (!EXECUTES.test(text)) return this.names.key
    const onWire = [...this.#attached.statements].map(({ name, admission, types }) => {
      const { text: prepared } = admission as Admitted
      return [name, prepared, types?.toString('hex') ?? null]
    })
    return JSON.stringify([this.names.key, this.names.preparedTexts, onWire.sort()])
  }

  #checkParameters(
    admitted: Admitted,
    view: PrincipalView,
    buf: Buffer,
    start: number,
    end: number,
  ): Refusal | null {
    const { analysis } = admitted.decided
    const facts = analysis.kind === 'statements' ? analysis.statements[0] : undefined
    if (facts === undefined || facts.constantWrites.length === 0) return null
    const denied = checkBind(view, facts, readBindParameters(buf, start, end))
    if (denied === null) return null
    this.#recorder.refused('bind', admitted.text, { code: denied.code, reason: denied.message })
    return refusalOf(denied, null)
  }

  /** Null: the views it reads are what the snapshot says, or nothing hangs on it. */
  #viewsMoved(decided: Decided): Refusal | NotYet | null {
    const views = this.#checks.views(decided)
    if (views === 'run') return null
    return views === 'wait' ? WAIT : refusal(REPORTS.catalogUnavailable)
  }

  /** Refuses what compares masked columns with more values than are left. */
  #probesSpent(via: Via, admitted: Admitted | Refusal, values: ProbedValues): Refusal | null {
    if (admitted.kind === 'refusal') return null
    const spent = this.#checks.probesSpent(admitted.decided, values)
    return spent
      ? this.#records.refuse(via, admitted.text, 'probe-budget', REPORTS.probesSpent)
      : null
  }

  /** What a text would mean now. */
  #factsNow(text: string): readonly StatementFacts[] {
    const { ground } = this.#standing
    const analysis = this.#options.texts.analyze(text, ground?.catalog ?? null, this.names)
    if (analysis.kind !== 'statements') return []
    const { statements } = analysis
    return ground === null ? statements : statements.map((one) => keptAsSent(ground.view, one))
  }

  /** The record of an execution; what waited for leave has one already. */
  #runs(via: 'simple' | 'execute', admitted: Admitted): number | Refusal {
    if (admitted.needsApproval && admitted.granted === null) {
      throw new Error('what needs approval was about to run without')
    }
    const { decided, text, parameters } = admitted
    this.#hiding.runs(decided)
    for (const { state } of factsOf(decided) ?? []) this.#holding.settings.begins(state)
    if (via === 'execute' || admitted.granted === null) {
      const recorded = this.#records.statement(via, decided, text, parameters)
      if (typeof recorded === 'number') this.#recorder.begins(recorded)
      return recorded
    }
    this.#recorder.begins(admitted.granted)
    return admitted.granted
  }

  // Tracking.

  #completed(
    facts: StatementFacts,
    text: string,
    { result, tag }: Pick<ExecutionOutcome, 'result' | 'tag'>,
  ): void {
    this.#holding.moment.completed()
    for (const change of facts.state) {
      this.names.apply(change, text, result)
      this.#holding.settings.apply(change)
      switch (change.kind) {
        case 'prepare':
        case 'deallocate':
          this.#relay?.forgetStatement(change.name)
          break
        case 'declare-cursor':
        case 'close-cursor':
          this.#relay?.forgetPortal(change.name)
          break
        case 'commit':
          this.#holding.settings.transactionEnded(tag === 'ROLLBACK')
          break
        case 'rollback':
          this.#holding.settings.transactionEnded(true)
          this.#undone = true
          break
        case 'rollback-to':
          this.#undone = true
          break
        default:
          break
      }
    }
  }
}
