/** One statement being analysed: what its handler may use. */
import type { FactsDraft } from '../../draft.ts'
import type { OutputColumn, StatementFacts } from '../../facts.ts'
import { lineageOf, unknownOf, type Value } from '../../lineage/value.ts'
import type { Statement } from '../ast.ts'
import type { MysqlContext } from '../context.ts'
import type { QueryResult, Walk } from '../lineage/walk.ts'
import type { Survey } from '../survey.ts'

export interface Run {
  readonly context: MysqlContext
  readonly draft: FactsDraft
  readonly survey: Survey
  readonly walk: Walk
  /** Facts of a statement inside this one, on their own; `text`: what its offsets count in, if another. */
  nested(statement: Statement, text?: string): StatementFacts
  /**
   * Has the walk seen every node that means something? Handlers that walk queries call this at the end; what was
   * missed makes the statement unknown.
   */
  requireAllVisited(): void
}

export type Handler<K extends Statement['kind']> = (
  run: Run,
  node: Extract<Statement, { kind: K }>,
) => void

export type Handlers<K extends Statement['kind']> = { readonly [Kind in K]: Handler<Kind> }

/** A name with literals in it is given as `?`. */
export function outputsOf(run: Run, result: QueryResult): readonly OutputColumn[] | 'unknown' {
  if (result.open !== null) {
    for (const why of result.open.why) run.draft.remark(why)
    return 'unknown'
  }
  // Without a catalog nothing is known of any column.
  const blind = run.context.catalog === null
  return result.columns.map((column) => ({
    name: run.walk.namedByLiterals.has(column) ? '?' : column.name,
    lineage: lineageOf(blind ? unknownOf('no catalog', [column.value]) : column.value),
  }))
}

/** Rows that describe the schema, the session or the server, whatever their columns are. */
export function describes(run: Run): void {
  run.draft.outputs = []
  run.draft.rows = 'metadata'
}

/** `value` leaves the walk's sight to where `what` says. */
export function noteFlow(run: Run, value: Value, what: string): void {
  if (value.kind === 'constant') return
  run.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what } })
}
