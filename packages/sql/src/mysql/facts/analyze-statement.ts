/** One statement's tree to its facts: survey, handler by kind, and the checks that close the gaps. */
import { FactsDraft } from '../../draft.ts'
import type { StatementFacts } from '../../facts.ts'
import type { Statement } from '../ast.ts'
import type { MysqlContext } from '../context.ts'
import { createWalk } from '../lineage/create-walk.ts'
import { isUnderstood } from '../lineage/walk.ts'
import { survey } from '../survey.ts'
import type { RelationColumnsReader } from '../views.ts'
import { administrationStatements } from './administration.ts'
import { compoundStatements } from './compound.ts'
import { dataStatements } from './data.ts'
import { definitionStatements } from './definitions.ts'
import { queryStatements } from './queries.ts'
import type { Handlers, Run } from './run.ts'
import { sessionStatements } from './session.ts'
import { showStatements } from './show.ts'

export const handlers: Handlers<Statement['kind']> = {
  ...queryStatements,
  ...dataStatements,
  ...sessionStatements,
  ...showStatements,
  ...definitionStatements,
  ...administrationStatements,
  ...compoundStatements,
}

export interface Analyzer {
  readonly context: MysqlContext
  readonly relations: RelationColumnsReader
}

export function analyzeStatement(
  analyzer: Analyzer,
  statement: Statement,
  { text, parameters }: { readonly text: string; readonly parameters: number },
): StatementFacts {
  const { context, relations } = analyzer
  const draft = new FactsDraft(context.dialect.flavour)
  const seen = survey(statement)
  const readRelation = relations.readerFor(context)
  const walk = createWalk(context, draft, {
    readRelation,
    text,
    assigned: seen.assigned,
    bodies: true,
  })
  const run: Run = {
    context,
    draft,
    walk,
    survey: seen,
    nested: (inner, innerText = text) =>
      amongOthers(analyzeStatement(analyzer, inner, { text: innerText, parameters: 0 })),
    requireAllVisited() {
      for (const node of seen.meaningful) {
        if (!isUnderstood(walk, node)) draft.unknown(`${node.kind} not understood where it stands`)
      }
    },
  }
  draft.parameters = parameters
  // The table has a handler of its own type for every kind; one that is not there is a parser newer than it.
  const handler = handlers[statement.kind] as ((run: Run, node: Statement) => void) | undefined
  if (handler === undefined) {
    draft.command = 'unknown'
    draft.unknown(`statement of kind ${statement.kind}`)
  } else handler(run, statement)
  // Nothing that is not understood may look like a clean result.
  if (draft.hasEffect('unknown') && draft.outputs !== null) draft.outputs = 'unknown'
  return draft.finish()
}

/** Of a statement that is not all of its text. */
export function amongOthers({
  sortable: _,
  dividable: __,
  withholdable: ___,
  ...facts
}: StatementFacts): StatementFacts {
  return facts
}
