/** One statement being analysed: what its handler may use. */
import type { Node } from 'libpg-query'
import type { FactsDraft } from '../../draft.ts'
import type { StatementFacts } from '../../facts.ts'
import type { Value } from '../../lineage/value.ts'
import type { AnalysisContext } from '../context.ts'
import type { Walk } from '../lineage/walk.ts'
import type { Parser } from '../parse.ts'
import type { Survey } from '../survey.ts'

export interface Run {
  readonly context: AnalysisContext
  readonly parser: Parser
  readonly draft: FactsDraft
  readonly survey: Survey
  readonly walk: Walk
  /** Facts of a statement inside this one, on their own; of its parameters, what is known. */
  nested(node: Node, parameters?: readonly Value[]): StatementFacts
  /**
   * Has the walk seen every node that means something? Handlers that walk queries call this at the end;
   * what was missed makes the statement unknown.
   */
  requireAllVisited(): void
}

export type Handler = (run: Run, fields: object) => void
