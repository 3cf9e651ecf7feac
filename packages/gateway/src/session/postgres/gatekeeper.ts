/**
 * The relay's questions, answered for one session: decide, record, mask, track.
 *
 * Synchronous; where something must be awaited (schema snapshot, session state, the parser's restart) it
 * answers WAIT and asks its owner to see to it. Every path that is not an explicit allow is a refusal.
 */
import type { AuditLog } from '@sallyport/audit'
import { checkBind, type MaskKeys, type PrincipalView } from '@sallyport/policy'
import {
  type Admission,
  type CopyRowsRewriter,
  type ExecutionOutcome,
  type FieldDescription,
  type Gatekeeper,
  type NotYet,
  type Portal,
  type PreparedStatement,
  type Refusal,
  type Relay,
  SETTLE,
  SQLSTATE,
  WAIT,
} from '@sallyport/protocol-postgres'
import { type CatalogRelation, type StatementFacts, withoutLiterals } from '@sallyport/sql'
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
import {
  limitReport,
  REPORTS,
  type Report,
  refusalReport,
  tooLongReport,
  truncationReport,
} from '../reports.ts'
import { type ViewAnswer, ViewCheck } from '../view-check.ts'
import {
  type Admitted,
  limitOf,
  sameFacts,
  sameMeaning,
  samePlan,
  stillGranted,
} from './admitted.ts'
import { readBindParameters, recordedParameters } from './bind-parameters.ts'
import { errorFrame, noticeFrame } from './frames.ts'
import { Holding } from './holding.ts'
import { compileMasks, copyRewriter } from './masking.ts'
import { type SqlPrepared, TrackedNames } from './names.ts'
import { redactReport } from './redaction.ts'
import type { PostgresShown } from './shown.ts'
import type { PostgresTexts } from './texts.ts'

/** Meanings one prepared statement may have had; more, and it must be prepared again. */
const MEANINGS_MAX = 8
const TX_IDLE = 0x49
const TX_FAILED = 0x45

export interface GatekeeperOptions {
  readonly session: string
  readonly engineUser: string
  readonly audit: AuditLog
  readonly texts: PostgresTexts
  readonly contexts: DecisionContexts
  readonly keys: MaskKeys
  readonly telemetry: Telemetry
  readonly rates: StatementRates
  readonly probes: ProbeBudgets
  readonly holds: SessionHolds
  /** Settings of the start-up packet. */
  readonly settings: ReadonlyMap<string, string>
  /** Tells principals apart, for `rates` and `probes`. */
  readonly principal: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Microseconds, monotonic. */
  readonly micros: () => number
  /** The present ground, or `wait` while a snapshot it needs is being read, or why it cannot be had. */
  readonly ground: () => Ground | 'wait' | 'unavailable'
  /** Called on WAIT: make it possible to decide, then resume the relay. */
  readonly seeTo: (what: 'ground' | 'names' | 'reader') => void
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
  readonly names: TrackedNames
  #relay: Relay | null = null
  #ground: Ground | null = null
  #context: DecisionContext | null = null
  #namesVersion = -1
  #epoch = 0
  /** The open transaction did not commit, or something in it failed. */
  #undone = false
  /** The server would not say what names mean: decide with them uncertain. */
  #namesAsked = false
  /** The text at hand names a statement that an unanswered request may change. */
  #unsettled = false
  #rereading = false
  readonly #holding: Holding
  readonly #viewCheck = new ViewCheck()

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.#recorder = new StatementRecorder({ ...options, withoutLiterals })
    this.#holding = new Holding({
      holds: options.holds,
      settings: options.settings,
      record: (via, decided, text) => this.#record(via, decided, text),
      refuse: (via, text, code, report) => this.#refuse(via, text, code, report),
    })
    this.names = new TrackedNames({
      onWire: (name) => this.#factsOnWire(name),
      stillMeans: (prepared) => this.#stillMeans(prepared),
    })
  }

  attach(relay: Relay): void {
    this.#relay = relay
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
    const bytes = buf.toString('latin1', start, end)
    const verdict = this.#decide(context, bytes, buf, start, end)
    if (verdict === SETTLE) return SETTLE
    const waiting = this.#viewsMoved(verdict.decided)
    if (waiting !== null) return waiting
    const { holds } = this.#options
    if (via === 'query' && !holds.busy && !this.#withinRate(context.view)) {
      return this.#refuse('simple', verdict.text, 'rate-limit', REPORTS.tooManyStatements)
    }
    const admitted = this.#admit(recordedVia, context, verdict.decided, verdict.text)
    if (via === 'parse') return admitted
    const spent = this.#probesSpent('simple', admitted, buf.subarray(start, end), null)
    return spent ?? this.#held('simple', admitted, null)
  }

  decideBind(
    statement: PreparedStatement,
    _portal: string,
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = this.#renewed(statement.admission as Admitted, 'bind', context)
    if (admitted === SETTLE || admitted.kind === 'refusal') return admitted
    const waiting = this.#viewsMoved(admitted.decided)
    if (waiting !== null) return waiting
    if (admitted.masked) {
      const refused = this.#checkParameters(admitted, context.view, buf, start, end)
      if (refused !== null) return refused
      const text = Buffer.from(admitted.text)
      const spent = this.#probesSpent('bind', admitted, text, buf.subarray(start, end))
      if (spent !== null) return spent
    }
    const bound = this.#options.recordsParameters
      ? { ...admitted, parameters: recordedParameters(admitted.decided, buf, start, end) }
      : admitted
    return this.#held('bind', bound, buf.subarray(start, end))
  }

  decideExecute(portal: Portal): number | Refusal | NotYet {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return context
    const admitted = portal.admission as Admitted
    const { text } = admitted
    if (admitted.checked !== this.#epoch || admitted.volatile) {
      // A utility statement is looked up as it runs: what was bound must still be what it would be.
      const now = this.#renewed(admitted, 'execute', context)
      if (now === SETTLE || now.kind === 'refusal') return now
      const waiting = admitted.volatile ? this.#viewsMoved(now.decided) : null
      if (waiting !== null) return waiting
      if (now.epoch !== admitted.epoch && !samePlan(admitted, now)) {
        return this.#refuse('execute', text, 'meaning-changed', REPORTS.policyMoved)
      }
      if (now.needsApproval && !stillGranted(admitted, now)) {
        return this.#refuse('execute', text, 'approval-needed', REPORTS.policyMoved)
      }
    }
    if (!this.#withinRate(context.view)) {
      return this.#refuse('execute', text, 'rate-limit', REPORTS.tooManyStatements)
    }
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
      return this.#refuse('execute', text, 'function-call', REPORTS.functionCall)
    }
    return this.#admitted(context, decided, text)
  }

  preparedBySql(name: string): Admission | NotYet | undefined {
    return this.#admissionFor(() => this.names.prepared(name))
  }

  declaredBySql(name: string): Admission | NotYet | undefined {
    return this.#admissionFor(() => this.names.cursors(name))
  }

  nameTaken(what: 'statement' | 'portal', name: string): void {
    this.names.taken(what, name)
  }

  noSuchStatement(name: string): Refusal {
    return refusal({
      sqlstate: SQLSTATE.INVALID_SQL_STATEMENT_NAME,
      message:
        name === ''
          ? 'unnamed prepared statement does not exist'
          : `prepared statement "${name}" does not exist`,
    })
  }

  noSuchPortal(name: string): Refusal {
    return refusal({
      sqlstate: SQLSTATE.INVALID_CURSOR_NAME,
      message: `portal "${name}" does not exist`,
    })
  }

  tooManyNames(what: 'prepared statements' | 'portals'): Refusal {
    return refusal({
      sqlstate: SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
      message: `this session has too many ${what}`,
      hint: 'Close the ones that are no longer used.',
    })
  }

  nameTooLong(): Refusal {
    return refusal(REPORTS.nameTooLong)
  }

  statementTooLong(via: 'query' | 'parse', bytes: number): Refusal {
    const text = `/* ${bytes} bytes, not read */`
    return this.#refuse(
      via === 'query' ? 'simple' : 'parse',
      text,
      'too-large',
      tooLongReport(bytes),
    )
  }

  limitExceeded(admission: Admission, stands: boolean): Refusal {
    const { view } = (admission as Admitted).ground
    return refusal(limitReport(view.limits, { stands }))
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
    shown.begins({ queued: relay?.toClient.bytes ?? 0, hides: decided.reveals, portal })
  }

  outcome(outcome: ExecutionOutcome): void {
    const admitted = outcome.admission as Admitted
    const { analysis } = admitted.decided
    if (outcome.status === 'complete' && analysis.kind === 'statements') {
      const facts = analysis.statements[outcome.result]
      if (facts !== undefined) this.#completed(facts, admitted.text, outcome.result)
    }
    if (outcome.tag === 'ROLLBACK') this.#undone = true
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
    const masked = this.#ground === null || this.#ground.view.masked
    if (!masked) return null
    return redactReport(buf, start, end, (admission as Admitted | null)?.text ?? null)
  }

  /** Answers to `names.questions`, which `seeTo('names')` asked for. */
  answered(answers: readonly string[] | null): void {
    this.names.answered(answers)
    // Without an answer names stay uncertain; asking again for every statement would not help.
    this.#namesAsked = answers === null
  }

  notification(): 'drop' | null {
    // Another session's payload can hold anything; lineage knows nothing of it.
    return this.#ground === null || this.#ground.view.masked ? 'drop' : null
  }

  parameterStatus(name: string, value: string): void {
    this.#holding.setting(name, value)
    if (name === 'search_path') this.names.reportedPath(value, this.#options.engineUser)
    else this.names.reported(name, value)
  }

  ready(status: number): void {
    this.#viewCheck.ended()
    if (status === TX_IDLE) {
      // Read again once it has committed: before, the snapshot could not see it.
      if (this.names.transactionEnded(this.#undone)) this.#options.catalogDoubted(true)
      this.#undone = false
    }
    if (this.#relay?.quiescent === true) this.#recorder.forget()
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

  #mustAskNames(ground: Ground): boolean {
    const relay = this.#relay
    if (ground.catalog === null || this.#namesAsked || relay === null) return false
    if (!relay.quiescent || relay.transaction === TX_FAILED) return false
    return this.names.questions(relay.transaction === TX_IDLE).length > 0
  }

  #decide(
    context: DecisionContext,
    bytes: string,
    buf: Buffer,
    start: number,
    end: number,
  ): { decided: Decided; text: string } | typeof SETTLE {
    const { telemetry, texts } = this.#options
    const known = context.exact(bytes)
    if (known !== undefined) {
      telemetry.decisionCache('exact')
      return { decided: known, text: utf8(bytes, buf, start, end) }
    }
    const text = utf8(bytes, buf, start, end)
    this.#unsettled = false
    const { decided, from } = context.decide(texts, {
      bytes,
      text,
      names: this.names,
      readable: this.names.readable && !text.includes('\ufffd'),
      now: this.#options.now(),
    })
    if (this.#unsettled) return SETTLE
    telemetry.decisionCache(from)
    return { decided, text }
  }

  #decideAgain(
    context: DecisionContext,
    text: string,
  ): { decided: Decided; text: string } | typeof SETTLE {
    const bytes = Buffer.from(text, 'utf8')
    return this.#decide(context, bytes.toString('latin1'), bytes, 0, bytes.length)
  }

  #admit(via: Via, context: DecisionContext, decided: Decided, text: string): Admitted | Refusal {
    const { verdict, analysis } = decided
    this.#options.telemetry.statement(context.view.connection, verdict.kind)
    if (verdict.kind === 'deny') {
      const recorded = this.#record(via, decided, text)
      if (typeof recorded !== 'number') return recorded
      this.#options.recorded()
      const position = analysis.kind === 'unparsable' ? analysis.position : null
      return { kind: 'refusal', error: refusalFrame(verdict, position) }
    }
    if (via === 'parse') {
      const recorded = this.#record(via, decided, text)
      if (typeof recorded !== 'number') return recorded
    }
    return this.#admitted(context, decided, text)
  }

  #admitted(context: DecisionContext, decided: Decided, text: string): Admitted {
    const { analysis } = decided
    const statements = analysis.kind === 'statements' ? analysis.statements : null
    const ground = this.#ground
    if (ground === null) throw new Error('admitted without ground')
    const { view } = context
    return {
      kind: 'admission',
      masked: view.masked,
      described: this.#options.shown !== null,
      returnsRows: statements === null || statements.some((one) => one.outputs !== null),
      limit: limitOf(view, statements),
      barrier: statements === null || statements.some((one) => this.names.isBarrier(one)),
      epoch: this.#epoch,
      decided,
      text,
      ground,
      before: [],
      checked: this.#epoch,
      volatile:
        statements === null ||
        statements.some((one) => one.commands.some((command) => SESSION_COMMANDS.has(command))),
      needsApproval: decided.verdict.kind === 'approve',
      granted: null,
    }
  }

  /** Only with leave: what needs approval waits for it here, and has it once. */
  #held(
    via: 'simple' | 'bind',
    admitted: Admitted | Refusal,
    bind: Buffer | null,
  ): Admitted | Refusal | NotYet {
    if (admitted.kind === 'refusal' || !admitted.needsApproval) {
      // Policy has moved on while it waited.
      this.#options.holds.drop()
      return admitted
    }
    const { decided, text, ground, before } = admitted
    const { verdict } = decided
    if (verdict.kind !== 'approve') return admitted
    const granted = this.#holding.ask({
      via,
      verdict,
      decided,
      meanings: [decided, ...before],
      text,
      view: ground.view,
      namesKey: this.names.key,
      bind,
    })
    return typeof granted === 'number' ? { ...admitted, granted } : granted
  }

  /**
   * A statement prepared earlier, as it stands now. What it meant before is kept beside what it means: the
   * server may go on with the plan it has, or make another, and either must be allowed and masked.
   */
  #renewed(
    admitted: Admitted,
    via: Via,
    context: DecisionContext,
  ): Admitted | Refusal | typeof SETTLE {
    if (admitted.checked === this.#epoch && !admitted.volatile) return admitted
    const verdict = this.#decideAgain(context, admitted.text)
    if (verdict === SETTLE) return SETTLE
    const again = this.#admit(via, context, verdict.decided, verdict.text)
    if (again.kind === 'refusal') return again
    const before: Decided[] = []
    for (const one of [...admitted.before, admitted.decided]) {
      if (sameMeaning(one, again.decided) || before.some((kept) => sameMeaning(kept, one))) continue
      const decided = this.#decidedNow(context, one)
      if (decided.verdict.kind === 'deny')
        return this.#admit(via, context, decided, again.text) as Refusal
      if (decided.verdict.kind === 'approve' && !again.needsApproval)
        return this.#refuse(via, again.text, 'approval-needed', REPORTS.policyMoved)
      before.push(decided)
    }
    if (before.length >= MEANINGS_MAX) {
      return this.#refuse(via, again.text, 'meaning-changed', REPORTS.policyMoved)
    }
    const moved = !sameMeaning(admitted.decided, again.decided)
    return { ...again, before, epoch: moved ? this.#epoch : admitted.epoch }
  }

  /** An earlier meaning under the present policy. */
  #decidedNow(context: DecisionContext, { analysis }: Decided): Decided {
    const facts = analysis.kind === 'statements' ? analysis.statements : []
    return context.decideFacts(facts, this.#options.now())
  }

  /** For a name that SQL defined: its text was decided there; results still need their plan. */
  #admissionFor(factsOf: () => StatementFacts | undefined): Admitted | NotYet | undefined {
    const context = this.#currentContext()
    if (context === WAIT || context === SETTLE) return context
    if (!(context instanceof DecisionContext)) return undefined
    const facts = factsOf()
    if (facts === undefined) return undefined
    const decided = context.decideFacts([facts], this.#options.now())
    return decided.verdict.kind === 'allow' ? this.#admitted(context, decided, '') : undefined
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
    return { kind: 'refusal', error: refusalFrame(denied, null) }
  }

  /** Null: the views it reads are what the snapshot says, or nothing hangs on it. */
  #viewsMoved({ views }: Decided): Refusal | NotYet | null {
    switch (this.#viewCheck.of(views, this.#options.micros() / 1000)) {
      case 'run':
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

  /** Refuses what compares masked columns with more values than are left; `bind`: the body of a Bind. */
  #probesSpent(
    via: Via,
    admitted: Admitted | Refusal,
    text: Uint8Array,
    bind: Buffer | null,
  ): Refusal | null {
    if (admitted.kind === 'refusal' || admitted.decided.verdict.kind === 'deny') return null
    const { probes } = admitted.decided.verdict
    if (probes.length === 0) return null
    const { principal, now } = this.#options
    const sent = bind === null ? [text] : [text, bind]
    const parameters = bind === null ? [] : readBindParameters(bind, 0, bind.length)
    const over = this.#options.probes.admit(principal, { probes, sent, parameters }, now())
    return over === null
      ? null
      : this.#refuse(via, admitted.text, 'probe-budget', REPORTS.probesSpent)
  }

  #withinRate(view: PrincipalView): boolean {
    const max = view.limits.statementsPerMinute
    if (max === null) return true
    const { rates, principal, now } = this.#options
    return rates.admit(principal, max, now())
  }

  #factsOnWire(name: string): StatementFacts | undefined {
    const relay = this.#relay
    const admitted = relay?.statement(name)?.admission as Admitted | undefined
    if (relay === null || admitted === undefined) return undefined
    if (!relay.settled) this.#unsettled = true
    const { analysis } = admitted.decided
    const facts = analysis.kind === 'statements' ? analysis.statements[0] : undefined
    if (facts === undefined || admitted.before.length > 0) return undefined
    if (admitted.checked === this.#epoch) return facts
    return sameFacts(facts, this.#reread(admitted.text)[0]) ? facts : undefined
  }

  #stillMeans({ name, facts, text, index }: SqlPrepared): boolean {
    const found = this.#reread(text)[index]?.state.find(
      (change) => change.kind === 'prepare' && change.name === name,
    )
    return found?.kind === 'prepare' && sameFacts(facts, found.facts)
  }

  /** What a text would mean now. Texts that lead back to themselves mean nothing. */
  #reread(text: string): readonly StatementFacts[] {
    if (this.#rereading) return []
    this.#rereading = true
    try {
      const catalog = this.#ground?.catalog ?? null
      const analysis = this.#options.texts.analyze(text, catalog, this.names)
      return analysis.kind === 'statements' ? analysis.statements : []
    } finally {
      this.#rereading = false
    }
  }

  // Recording.

  #record(
    via: Via,
    decided: Decided,
    text: string,
    parameters?: readonly (string | null)[],
  ): number | Refusal {
    const seq = this.#recorder.statement(via, decided, text, parameters)
    return seq ?? refusal(REPORTS.auditUnavailable)
  }

  /** The record of an execution; what waited for leave has one already. */
  #runs(via: 'simple' | 'execute', admitted: Admitted): number | Refusal {
    if (admitted.needsApproval && admitted.granted === null) {
      throw new Error('what needs approval was about to run without')
    }
    if (via === 'execute' || admitted.granted === null) {
      const { decided, text, parameters } = admitted
      const recorded = this.#record(via, decided, text, parameters)
      if (typeof recorded === 'number') this.#recorder.begins(recorded)
      return recorded
    }
    this.#recorder.begins(admitted.granted)
    return admitted.granted
  }

  /** Refuses what policy would let pass, and records it. */
  #refuse(via: Via, text: string, code: string, report: Report): Refusal {
    this.#recorder.refused(via, text, { code, reason: report.message })
    return refusal(report)
  }

  // Tracking.

  #completed(facts: StatementFacts, text: string, index: number): void {
    for (const change of facts.state) {
      this.names.apply(change, text, index)
      this.#holding.apply(change)
      switch (change.kind) {
        case 'prepare':
        case 'deallocate':
          this.#relay?.forgetStatement(change.name)
          break
        case 'declare-cursor':
        case 'close-cursor':
          this.#relay?.forgetPortal(change.name)
          break
        case 'rollback':
        case 'rollback-to':
          this.#undone = true
          break
        default:
          break
      }
    }
  }
}

function refusalFrame(
  verdict: Parameters<typeof refusalReport>[0],
  position: number | null,
): Buffer {
  return errorFrame(refusalReport(verdict, position))
}

function refusal(report: Report): Refusal {
  return { kind: 'refusal', error: errorFrame(report) }
}

/** ASCII texts are their own UTF-8; others are decoded, U+FFFD standing for what is not UTF-8. */
function utf8(bytes: string, buf: Buffer, start: number, end: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is what is asked
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : buf.toString('utf8', start, end)
}
