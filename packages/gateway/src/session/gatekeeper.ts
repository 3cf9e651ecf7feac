/**
 * The relay's questions, answered for one session: decide, record, mask, track.
 *
 * Synchronous; where something must be awaited (schema snapshot, session state, the parser's restart) it
 * answers WAIT and asks its owner to see to it. Every path that is not an explicit allow is a refusal.
 */
import type { AuditLog } from '@sallyport/audit'
import {
  type BindParameter,
  type CellMask,
  type CellType,
  checkBind,
  compileCellMask,
  type MaskKeys,
  mergePlan,
  type PrincipalView,
} from '@sallyport/policy'
import {
  type Admission,
  CopyRowsRewriter,
  type ExecutionOutcome,
  type FieldDescription,
  formatOf,
  type Gatekeeper,
  type Portal,
  type PreparedStatement,
  type Refusal,
  type Relay,
  SQLSTATE,
  WAIT,
} from '@sallyport/protocol-postgres'
import type { Catalog, ColumnRef, PostgresReader, StatementFacts } from '@sallyport/sql'
import type { Telemetry } from '../telemetry/index.ts'
import { type Decided, DecisionContext, type DecisionContexts } from './decisions.ts'
import { TrackedNames } from './names.ts'
import { errorFrame, REPORTS, type Report, redactReport, refusalOf } from './reports.ts'

/** What a session's decisions stand on; `view` and `catalog` may be replaced while it lives. */
export interface Ground {
  readonly view: PrincipalView
  readonly viewId: number
  /** null where policy does not depend on the schema. */
  readonly catalog: Catalog | null
}

export interface GatekeeperOptions {
  readonly session: string
  readonly engineUser: string
  readonly audit: AuditLog
  readonly reader: PostgresReader
  readonly contexts: DecisionContexts
  readonly keys: MaskKeys
  readonly telemetry: Telemetry
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Microseconds, monotonic. */
  readonly micros: () => number
  /** The present ground, or `wait` while a snapshot it needs is being read, or why it cannot be had. */
  readonly ground: () => Ground | 'wait' | 'unavailable'
  /** Called on WAIT: make it possible to decide, then resume the relay. */
  readonly seeTo: (what: 'ground' | 'names' | 'reader') => void
  /** Lineage and result metadata disagree, or a relation is not in the snapshot. */
  readonly catalogDoubted: (ddl: boolean) => void
  /** Outcomes were appended and wait to be written. */
  readonly recorded: () => void
}

/** An admission as this session made it. */
interface Admitted extends Admission {
  readonly decided: Decided
  readonly text: string
  readonly ground: Ground
}

export class SessionGatekeeper implements Gatekeeper {
  readonly #options: GatekeeperOptions
  readonly names: TrackedNames
  #relay: Relay | null = null
  #ground: Ground | null = null
  #context: DecisionContext | null = null
  #namesVersion = -1
  #epoch = 0
  #ordinal = 0
  readonly #started = new Map<number, number>()
  #minuteStart = 0
  #minuteCount = 0
  #rolledBack = false
  /** The server would not say what names mean: decide with them uncertain. */
  #namesAsked = false

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.names = new TrackedNames((name) => this.#factsOnWire(name))
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
  ): Admission | Refusal | typeof WAIT {
    const context = this.#currentContext()
    if (context === WAIT) return WAIT
    if (!(context instanceof DecisionContext)) return context
    if (!this.#withinRate(context.view)) return refusal(REPORTS.tooManyStatements)
    const bytes = buf.toString('latin1', start, end)
    const verdict = this.#decide(context, bytes, buf, start, end)
    if (verdict === WAIT) return WAIT
    return this.#admit(via === 'query' ? 'simple' : 'parse', context, verdict.decided, verdict.text)
  }

  decideBind(
    statement: PreparedStatement,
    _portal: string,
    buf: Buffer,
    start: number,
    end: number,
  ): Admission | Refusal | typeof WAIT {
    const context = this.#currentContext()
    if (context === WAIT) return WAIT
    if (!(context instanceof DecisionContext)) return context
    let admitted = statement.admission as Admitted
    if (admitted.epoch !== this.#epoch) {
      const bytes = Buffer.from(admitted.text, 'utf8')
      const verdict = this.#decide(context, bytes.toString('latin1'), bytes, 0, bytes.length)
      if (verdict === WAIT) return WAIT
      const again = this.#admit('bind', context, verdict.decided, verdict.text)
      if (again.kind === 'refusal') return again
      admitted = again
    }
    if (!admitted.masked && !context.view.masked) return admitted
    return this.#checkParameters(admitted, context.view, buf, start, end) ?? admitted
  }

  decideExecute(portal: Portal): number | Refusal | typeof WAIT {
    const context = this.#currentContext()
    if (context === WAIT) return WAIT
    if (!(context instanceof DecisionContext)) return context
    const admitted = portal.admission as Admitted
    if (admitted.ground.view !== context.view && !this.#stillTheSame(admitted, context)) {
      return refusal(REPORTS.policyMoved)
    }
    if (!this.#withinRate(context.view)) return refusal(REPORTS.tooManyStatements)
    return this.#record('execute', admitted.decided, admitted.text)
  }

  execution(admission: Admission): number | Refusal {
    const admitted = admission as Admitted
    return this.#record('simple', admitted.decided, admitted.text)
  }

  decideFunctionCall(): Admission | Refusal | typeof WAIT {
    const context = this.#currentContext()
    if (context === WAIT) return WAIT
    if (!(context instanceof DecisionContext)) return context
    // A call by OID has no text to analyse: it passes only where policy names the effect `unknown`.
    const text = '/* fast-path function call */'
    const bytes = `\0${text}`
    const { decided } = context.decide(this.#options.reader, {
      bytes,
      text,
      names: this.names,
      readable: false,
      now: this.#options.now(),
    })
    if (decided.verdict.kind !== 'allow' || context.view.masked)
      return refusal(REPORTS.functionCall)
    return this.#admitted(context, decided, text)
  }

  preparedBySql(name: string): Admission | undefined {
    const facts = this.names.prepared(name)
    return facts === undefined ? undefined : this.#admissionFor(facts)
  }

  declaredBySql(name: string): Admission | undefined {
    const facts = this.names.cursors(name)
    return facts === undefined ? undefined : this.#admissionFor(facts)
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

  masksFor(
    admission: Admission,
    result: number,
    fields: readonly FieldDescription[],
    formats: readonly number[],
  ): readonly (CellMask | null)[] | null {
    const { decided, ground } = admission as Admitted
    const key = shapeKey(result, fields, formats)
    const known = decided.compiled.get(key)
    if (known !== undefined) return known
    const witness = fields.map((field) => witnessOf(ground.catalog, field))
    const { verdict } = decided
    const plan = verdict.kind === 'deny' ? null : (verdict.results[result] ?? null)
    const merged = mergePlan(plan, witness, ground.view)
    if (merged.raised.length > 0) {
      this.#options.telemetry.witnessDisagreed(merged.raised.length)
      this.#options.catalogDoubted(false)
    }
    const masks = merged.columns.map((mask, i) =>
      mask === null
        ? null
        : compileCellMask(
            mask,
            cellType(fields[i]?.typeOid ?? 0, formatOf(formats, i), ground.catalog),
            this.#options.keys,
          ),
    )
    const compiled = masks.every((mask) => mask === null) ? null : masks
    if (decided.compiled.size < 64) decided.compiled.set(key, compiled)
    return compiled
  }

  copyOut(
    admission: Admission,
    result: number,
    format: 'text' | 'binary',
    columns: number,
  ): CopyRowsRewriter | null {
    const { decided, ground } = admission as Admitted
    const { analysis, verdict } = decided
    const facts = analysis.kind === 'statements' ? analysis.statements[result] : undefined
    const copy = facts?.copy
    if (!copy || verdict.kind === 'deny' || (copy.format === 'binary') !== (format === 'binary')) {
      throw new Error('COPY TO under masks whose facts do not fit what the server sends')
    }
    const merged = mergePlan(
      verdict.results[result] ?? null,
      Array(columns).fill(null),
      ground.view,
    )
    if (merged.columns.every((mask) => mask === null)) return null
    const outputs = facts?.outputs
    const masks = merged.columns.map((mask, i) => {
      if (mask === null) return null
      const lineage = Array.isArray(outputs) ? outputs[i]?.lineage : undefined
      const source = lineage?.kind === 'direct' ? lineage.source : null
      const type = columnTypeId(ground.catalog, source)
      return compileCellMask(mask, cellType(type, format, ground.catalog), this.#options.keys)
    })
    switch (copy.format) {
      case 'binary':
        return new CopyRowsRewriter({ format: 'binary', columns: masks })
      case 'text':
        return new CopyRowsRewriter({
          format: 'text',
          delimiter: copy.delimiter,
          nullText: copy.nullText,
          header: copy.header,
          columns: masks,
        })
      case 'csv':
        return new CopyRowsRewriter({
          format: 'csv',
          delimiter: copy.delimiter,
          nullText: copy.nullText,
          quote: copy.quote,
          escape: copy.escape,
          header: copy.header,
          columns: masks,
        })
    }
  }

  outcome(outcome: ExecutionOutcome): void {
    const admitted = outcome.admission as Admitted
    const { analysis } = admitted.decided
    if (outcome.status === 'complete' && analysis.kind === 'statements') {
      const facts = analysis.statements[outcome.result]
      if (facts !== undefined) this.#completed(facts)
    }
    if (outcome.tag === 'ROLLBACK') this.#rolledBack = true
    if (outcome.execution !== 0) this.#recordOutcome(outcome)
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

  /** Answers to STATE_QUESTIONS, which `seeTo('names')` asked for. */
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
    if (name === 'search_path') this.names.learnPath(value, this.#options.engineUser)
    else this.names.reported(name, value)
  }

  ready(status: number): void {
    if (status === 0x49) {
      this.names.transactionEnded(this.#rolledBack)
      this.#rolledBack = false
    }
    if (this.#relay?.quiescent === true) this.#started.clear()
  }

  // Deciding.

  #currentContext(): DecisionContext | Refusal | typeof WAIT {
    const options = this.#options
    const ground = options.ground()
    if (ground === 'wait') {
      options.seeTo('ground')
      return WAIT
    }
    if (ground === 'unavailable') return refusal(REPORTS.catalogUnavailable)
    if (
      ground.catalog !== null &&
      this.names.searchPath === 'uncertain' &&
      !this.#namesAsked &&
      this.#relay?.quiescent === true &&
      this.#relay.transaction !== 0x45
    ) {
      options.seeTo('names')
      return WAIT
    }
    if (options.reader.ready() !== null) {
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

  #decide(
    context: DecisionContext,
    bytes: string,
    buf: Buffer,
    start: number,
    end: number,
  ): { decided: Decided; text: string } | typeof WAIT {
    const { telemetry, reader } = this.#options
    const known = context.exact(bytes)
    if (known !== undefined) {
      telemetry.decisionCache('exact')
      return { decided: known, text: utf8(bytes, buf, start, end) }
    }
    const text = utf8(bytes, buf, start, end)
    const { decided, from } = context.decide(reader, {
      bytes,
      text,
      names: this.names,
      readable: this.names.readable && !text.includes('\ufffd'),
      now: this.#options.now(),
    })
    telemetry.decisionCache(from)
    return { decided, text }
  }

  #admit(
    via: 'simple' | 'parse' | 'bind',
    context: DecisionContext,
    decided: Decided,
    text: string,
  ): Admitted | Refusal {
    const { verdict, analysis } = decided
    this.#options.telemetry.statement(context.view.connection, verdict.kind)
    if (verdict.kind !== 'allow') {
      const recorded = this.#record(via, decided, text)
      if (typeof recorded !== 'number') return recorded
      this.#options.recorded()
      const position = analysis.kind === 'unparsable' ? analysis.position : null
      return { kind: 'refusal', error: refusalOf(verdict, position) }
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
    return {
      kind: 'admission',
      masked:
        context.view.masked &&
        (statements === null ||
          statements.some((one) => one.outputs !== null || one.copy?.direction === 'to-client')),
      barrier: statements === null || statements.some((one) => this.names.isBarrier(one)),
      epoch: this.#epoch,
      decided,
      text,
      ground,
    }
  }

  /** For a name that SQL defined: its text was decided there; results still need their plan. */
  #admissionFor(facts: StatementFacts): Admitted | undefined {
    const context = this.#currentContext()
    if (!(context instanceof DecisionContext)) return undefined
    const decided = context.decideFacts(facts, this.#options.now())
    return decided.verdict.kind === 'allow' ? this.#admitted(context, decided, '') : undefined
  }

  #stillTheSame(admitted: Admitted, context: DecisionContext): boolean {
    const bytes = Buffer.from(admitted.text, 'utf8')
    const again = this.#decide(context, bytes.toString('latin1'), bytes, 0, bytes.length)
    if (again === WAIT || again.decided.verdict.kind !== 'allow') return false
    const { verdict } = admitted.decided
    return (
      verdict.kind === 'allow' &&
      JSON.stringify(verdict.results) === JSON.stringify(again.decided.verdict.results)
    )
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
    return denied === null ? null : { kind: 'refusal', error: refusalOf(denied, null) }
  }

  #withinRate(view: PrincipalView): boolean {
    const max = view.limits.statementsPerMinute
    if (max === null) return true
    const now = this.#options.now()
    if (now - this.#minuteStart >= 60_000) {
      this.#minuteStart = now
      this.#minuteCount = 0
    }
    return ++this.#minuteCount <= max
  }

  #factsOnWire(name: string): StatementFacts | undefined {
    const admission = this.#relay?.statement(name)?.admission as Admitted | undefined
    const analysis = admission?.decided.analysis
    return analysis?.kind === 'statements' && analysis.statements.length === 1
      ? analysis.statements[0]
      : undefined
  }

  // Recording.

  #record(
    via: 'simple' | 'parse' | 'bind' | 'execute',
    decided: Decided,
    text: string,
  ): number | Refusal {
    const { audit, session } = this.#options
    const { verdict } = decided
    try {
      const seq = audit.append({
        type: 'statement',
        v: 1,
        session,
        ordinal: ++this.#ordinal,
        via,
        sql: text,
        verdict: verdict.kind,
        rule: verdict.rule,
        ...(verdict.kind === 'deny' && { code: verdict.code, reason: verdict.message }),
        relations: decided.relations,
        effects: decided.effects,
        masks: decided.masks,
      })
      if (verdict.kind === 'allow' && via !== 'parse')
        this.#started.set(seq, this.#options.micros())
      return seq
    } catch {
      return refusal(REPORTS.auditUnavailable)
    }
  }

  #recordOutcome(outcome: ExecutionOutcome): void {
    const { audit, session, telemetry, micros } = this.#options
    const started = this.#started.get(outcome.execution)
    const took = started === undefined ? 0 : micros() - started
    telemetry.executed(took, outcome.rows, (outcome.admission as Admitted).masked)
    try {
      audit.append({
        type: 'outcome',
        v: 1,
        session,
        statement: outcome.execution,
        status: STATUS[outcome.status] ?? (outcome.sqlstate === '57014' ? 'cancelled' : 'error'),
        rows: outcome.rows,
        bytes: outcome.bytes,
        micros: Math.round(took),
        ...(outcome.sqlstate !== '' && { sqlstate: outcome.sqlstate }),
        ...(outcome.tag !== '' && { commandTag: outcome.tag }),
      })
      this.#options.recorded()
    } catch {
      // The log has failed and refuses statements from here on; that this outcome is missing shows in it.
    }
  }

  // Tracking.

  #completed(facts: StatementFacts): void {
    for (const change of facts.state) {
      this.names.apply(change)
      switch (change.kind) {
        case 'prepare':
          this.#relay?.forgetStatement(change.name)
          break
        case 'deallocate':
          this.#relay?.forgetStatement(change.name)
          break
        case 'declare-cursor':
        case 'close-cursor':
          this.#relay?.forgetPortal(change.name)
          break
        case 'rollback':
          this.#rolledBack = true
          break
        case 'catalog':
          this.#options.catalogDoubted(true)
          break
        default:
          break
      }
    }
  }
}

const STATUS: Readonly<Record<string, 'ok' | 'refused'>> = {
  complete: 'ok',
  empty: 'ok',
  suspended: 'ok',
  skipped: 'refused',
}

function refusal(report: Report): Refusal {
  return { kind: 'refusal', error: errorFrame(report) }
}

/** ASCII texts are their own UTF-8; others are decoded, U+FFFD standing for what is not UTF-8. */
function utf8(bytes: string, buf: Buffer, start: number, end: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is what is asked
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : buf.toString('utf8', start, end)
}

function shapeKey(
  result: number,
  fields: readonly FieldDescription[],
  formats: readonly number[],
): string {
  let key = `${result}`
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as FieldDescription
    key += `|${field.tableOid}.${field.columnAttribute}:${field.typeOid}:${formatOf(formats, i)}`
  }
  return key
}

function witnessOf(catalog: Catalog | null, field: FieldDescription): ColumnRef | null {
  if (field.tableOid === 0 || field.columnAttribute <= 0 || catalog === null) return null
  const relation = catalog.relationById(field.tableOid)
  const column = relation?.columns.find((one) => one.number === field.columnAttribute)
  if (relation === undefined || column === undefined) return null
  return { schema: relation.schema, relation: relation.name, column: column.name }
}

function columnTypeId(catalog: Catalog | null, source: ColumnRef | null): number {
  if (catalog === null || source === null) return 0
  const relation = catalog.relation(source.schema, source.relation)
  return relation?.columns.find((one) => one.name === source.column)?.typeId ?? 0
}

function cellType(typeId: number, format: 'text' | 'binary', _catalog: Catalog | null): CellType {
  return { engine: 'postgres', typeId, format }
}

/** Parameters of a Bind body (after both names) [start, end), which the relay has found well-formed. */
function readBindParameters(buf: Buffer, start: number, end: number): BindParameter[] {
  const formatCount = buf.readUInt16BE(start)
  const formatAt = (i: number): number =>
    formatCount === 0 ? 0 : buf.readUInt16BE(start + 2 + (formatCount === 1 ? 0 : i) * 2)
  let at = start + 2 + formatCount * 2
  const count = buf.readUInt16BE(at)
  at += 2
  const parameters: BindParameter[] = []
  for (let i = 0; i < count && at + 4 <= end; i++) {
    const length = buf.readInt32BE(at)
    at += 4
    const value = length < 0 ? null : buf.subarray(at, at + length)
    parameters.push({ format: formatAt(i) === 1 ? 'binary' : 'text', value, typeId: 0 })
    at += Math.max(length, 0)
  }
  return parameters
}
