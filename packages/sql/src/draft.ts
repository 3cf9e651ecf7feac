/**
 * Facts in the making: a collector that the walk of one statement adds to. Lists keep first-seen order
 * and hold every entry once.
 */

import { spend } from './budget.ts'
import type {
  ColumnRef,
  ColumnUse,
  ConstantWrite,
  CopyFacts,
  Effect,
  Flow,
  FunctionUse,
  MissingName,
  OutputColumn,
  RelationUse,
  StateChange,
  StatementFacts,
  UseContext,
  WithholdableColumn,
} from './facts.ts'
import { EFFECTS } from './facts.ts'
import { MISSING_NAMES_MAX, NAMES_THERE_MAX } from './limits.ts'
import { lineageOf, type Value } from './lineage/value.ts'

type UseDetail = Omit<ColumnUse, 'column' | 'context'>

/** One use for all comparisons of a column with constants. */
function addProbes(use: Mutable<ColumnUse>, more: UseDetail): void {
  use.values = (use.values ?? 0) + (more.values ?? 0)
  if (use.parameters !== undefined || more.parameters !== undefined)
    use.parameters = [...new Set([...(use.parameters ?? []), ...(more.parameters ?? [])])]
  if (more.asText === true) use.asText = true
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const isSameUse = (use: ColumnUse, context: UseContext, more: UseDetail | undefined): boolean =>
  use.context === context &&
  use.with === more?.with &&
  use.groups === more?.groups &&
  use.apart === more?.apart

/** Not by Object.assign: that makes the object anew for each property. */
function addDetail(use: Mutable<ColumnUse>, more: UseDetail): void {
  if (more.with !== undefined) use.with = more.with
  if (more.groups !== undefined) use.groups = more.groups
  if (more.apart !== undefined) use.apart = more.apart
  if (more.values !== undefined) use.values = more.values
  if (more.parameters !== undefined) use.parameters = more.parameters
  if (more.asText !== undefined) use.asText = more.asText
  if (more.inColumns !== undefined) use.inColumns = more.inColumns
}

interface Computed {
  readonly at: number
  readonly name: string
  readonly value: Value
}

function alsoIn(use: Mutable<ColumnUse>, column: number | null): void {
  if (use.inColumns === undefined) return
  if (column === null) delete use.inColumns
  else if (!use.inColumns.includes(column)) use.inColumns = [...use.inColumns, column]
}

export class FactsDraft {
  readonly engine: StatementFacts['engine']
  command = ''
  readonly commands: string[] = []
  outputs: readonly OutputColumn[] | null | 'unknown' = null
  rows: NonNullable<StatementFacts['rows']> | null = null
  diagnostics = false
  makesNothing = false
  doubtfulType: string | null = null
  hasWhere: boolean | null = null
  limit: number | null = null
  parameters = 0
  literalIndependent = true
  copy: CopyFacts | null = null
  localFile: string | null = null
  /** See StatementFacts. */
  wholeRows = false
  /** A `*` was spread out. */
  spread = false
  readonly flows: Flow[] = []
  readonly constantWrites: ConstantWrite[] = []
  readonly state: StateChange[] = []
  /** Where the innermost result column begins that is being walked; null: outside of any. */
  inColumn: number | null = null
  /** What of it may be withheld is told: see StatementFacts. */
  isWithholdable = false
  /** MySQL: the query whose result columns may be withheld; null: none. */
  withholding: object | null = null
  /** The query whose rows may be sorted: see StatementFacts; null: none, or something in it hangs on their order. */
  sortable: object | null = null
  /** See StatementFacts. */
  dividable = false
  /** Result columns of the statement inside this one, which it need not compute; null: there is none, or it must. */
  inner: readonly WithholdableColumn[] | null = null
  readonly #computed: Computed[] = []
  readonly #mustCompute = new Set<number>()
  readonly #effects = new Set<Effect>()
  readonly #relations = new Map<string, RelationUse>()
  readonly #functions = new Map<string, FunctionUse>()
  readonly #columns = new Set<ColumnRef>()
  readonly #uses = new Map<ColumnRef, Mutable<ColumnUse>[]>()
  readonly #unknowns = new Set<string>()
  readonly #missing = new Map<string, MissingName>()

  constructor(engine: StatementFacts['engine']) {
    this.engine = engine
  }

  effect(...effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.add(effect)
  }

  hasEffect(effect: Effect): boolean {
    return this.#effects.has(effect)
  }

  /** Nothing of it is noticed but its rows, and how long they take. */
  onlyReads(): boolean {
    return (
      [...this.#effects].every((effect) => effect === 'read') &&
      this.flows.length + this.constantWrites.length + this.state.length === 0
    )
  }

  /** Something could not be determined: the whole statement carries the effect `unknown`. */
  unknown(why: string): void {
    this.#effects.add('unknown')
    this.#unknowns.add(why)
  }

  /** A reason to show beside an unknown output; the statement's effects are known all the same. */
  remark(why: string): void {
    this.#unknowns.add(why)
  }

  /** A name that stands for nothing; the names there are are asked for where they are told. */
  missing(kind: MissingName['kind'], name: string, there = (): readonly string[] => []): void {
    const key = `${kind} ${name}`
    if (this.#missing.has(key) || this.#missing.size >= MISSING_NAMES_MAX) return
    const names = [...new Set(there())].slice(0, NAMES_THERE_MAX)
    this.#missing.set(key, { kind, name, there: names })
  }

  /** Its names are of nothing that a catalog has. */
  noneMissing(): void {
    this.#missing.clear()
  }

  relation(use: RelationUse): void {
    const key = `${use.access} ${use.schema ?? ''} ${use.name} ${use.through ?? ''}`
    if (!this.#relations.has(key)) this.#relations.set(key, use)
  }

  get relations(): Iterable<RelationUse> {
    return this.#relations.values()
  }

  function(use: FunctionUse): void {
    const key = `${use.schema ?? ''} ${use.name}`
    if (!this.#functions.has(key)) this.#functions.set(key, use)
  }

  column(ref: ColumnRef): void {
    this.#columns.add(ref)
  }

  get columns(): readonly ColumnRef[] {
    return [...this.#columns]
  }

  use(column: ColumnRef, context: UseContext, more?: UseDetail): void {
    let uses = this.#uses.get(column)
    if (uses === undefined) {
      uses = []
      this.#uses.set(column, uses)
    }
    spend(uses.length + 1)
    const known = uses.find((use) => isSameUse(use, context, more))
    const { inColumn } = this
    if (known === undefined) {
      // Not spread, see `finish`.
      const use: Mutable<ColumnUse> = { column, context }
      if (more !== undefined) addDetail(use, more)
      if (inColumn !== null) use.inColumns = [inColumn]
      uses.push(use)
      return
    }
    if (context === 'equality-constant') addProbes(known, more ?? {})
    alsoIn(known, inColumn)
  }

  /** A result column that is computed, once it has been walked. */
  computed(column: Computed): void {
    this.#computed.push(column)
  }

  /** The result column that begins there cannot be withheld. */
  mustCompute(at: number | null): void {
    if (at !== null) this.#mustCompute.add(at)
  }

  #withholdable(): readonly WithholdableColumn[] {
    const used = new Set<number>()
    for (const uses of this.#uses.values()) {
      for (const { inColumns } of uses) if (inColumns) for (const at of inColumns) used.add(at)
    }
    return [...used].flatMap((at) => {
      if (this.#mustCompute.has(at)) return []
      const column = this.#computed.findLast((one) => one.at === at)
      return column ? { at, name: column.name, lineage: lineageOf(column.value) } : []
    })
  }

  /** Every source of `value` is used in `context`; of what reveals only how many or whether, no more is. */
  useAll(value: Value, context: UseContext, { apart = false } = {}): void {
    spend(value.sources.length)
    const { groups } = value
    const more =
      groups === null && !apart
        ? undefined
        : { ...(groups !== null && { groups }), ...(apart && { apart: true as const }) }
    const told = value.revealsNoValue ? 'is-null' : context
    for (const source of value.sources) this.use(source, told, more)
  }

  /** An UPDATE or DELETE; every one of them must have a WHERE for `hasWhere` to be true. */
  where(present: boolean): void {
    this.hasWhere = present && this.hasWhere !== false
  }

  /** What is kept under a name is rewritten where it stands. To be asked before its facts are taken in. */
  keeps(facts: StatementFacts): void {
    this.inner = facts.withholdable ?? null
    this.isWithholdable = this.inner !== null
    if (facts.sortable === true) this.sortable = facts
  }

  /**
   * Takes in another statement's facts: its effects, relations, columns and the rest, not its outputs. What only
   * `inner` columns use stays theirs.
   */
  absorb(facts: StatementFacts, options: { readonly effects: boolean }): void {
    if (options.effects) this.effect(...facts.effects)
    else if (facts.effects.includes('unknown')) this.effect('unknown')
    this.commands.push(...facts.commands)
    for (const use of facts.relations) this.relation(use)
    for (const use of facts.functions) this.function(use)
    for (const ref of facts.columns) this.column(ref)
    for (const { column, context, inColumns = [], apart, ...rest } of facts.uses) {
      const more = { ...rest, ...(apart && this.sortable !== null && { apart }) }
      const known = inColumns.every((at) => this.inner?.some((one) => one.at === at))
      const within = known && inColumns.length > 0 ? inColumns : [null]
      for (const at of within) {
        this.inColumn = at
        this.use(column, context, more)
      }
      this.inColumn = null
    }
    for (const why of facts.unknowns) this.#unknowns.add(why)
    this.flows.push(...facts.flows)
    if (facts.wholeRows === true) this.wholeRows = true
    this.constantWrites.push(...facts.constantWrites)
    this.state.push(...facts.state)
    if (facts.hasWhere !== null) this.where(facts.hasWhere)
    if (!facts.literalIndependent) this.literalIndependent = false
    this.doubtfulType ??= facts.doubtfulType ?? null
    this.parameters = Math.max(this.parameters, facts.parameters)
  }

  #allUses(): readonly ColumnUse[] {
    const all: ColumnUse[] = []
    for (const uses of this.#uses.values()) for (const use of uses) all.push(use)
    return all
  }

  finish(): StatementFacts {
    if (this.outputs !== null && this.outputs !== 'unknown') {
      for (const { lineage } of this.outputs) {
        if (lineage.kind === 'unknown') for (const why of lineage.why) this.#unknowns.add(why)
      }
    }
    const facts: Mutable<StatementFacts> = {
      engine: this.engine,
      command: this.command,
      commands: [this.command, ...this.commands],
      effects: EFFECTS.filter((effect) => this.#effects.has(effect)),
      relations: [...this.#relations.values()],
      functions: [...this.#functions.values()],
      hasWhere: this.hasWhere,
      limit: this.limit,
      parameters: this.parameters,
      outputs: this.outputs,
      columns: [...this.#columns],
      uses: this.#allUses(),
      flows: this.flows,
      constantWrites: this.constantWrites,
      state: this.state,
      literalIndependent: this.literalIndependent,
      copy: this.copy,
      unknowns: [...this.#unknowns],
    }
    // Not spread: each spread goes through the slow path of making an object.
    if (this.rows !== null) facts.rows = this.rows
    if (this.diagnostics) facts.diagnostics = true
    if (this.makesNothing) facts.makesNothing = true
    if (this.doubtfulType !== null) facts.doubtfulType = this.doubtfulType
    if (this.isWithholdable) facts.withholdable = this.inner ?? this.#withholdable()
    if (this.sortable !== null) facts.sortable = true
    if (this.dividable) facts.dividable = true
    if (this.wholeRows || (this.spread && this.flows.length > 0)) facts.wholeRows = true
    if (this.localFile !== null) facts.localFile = this.localFile
    if (this.#missing.size > 0) facts.missing = [...this.#missing.values()]
    return facts
  }
}
