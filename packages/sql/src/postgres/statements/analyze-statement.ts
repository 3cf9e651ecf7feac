/** One statement's tree to its facts: survey, handler by type, and the checks that close the gaps. */
import type { Node } from 'libpg-query'
import { FactsDraft } from '../../draft.ts'
import type { StatementFacts } from '../../facts.ts'
import type { Value } from '../../lineage/value.ts'
import type { AnalysisContext } from '../context.ts'
import type { FunctionBodies } from '../function-bodies.ts'
import { createWalk } from '../lineage/create-walk.ts'
import { hasVisited } from '../lineage/walk.ts'
import type { Parser } from '../parse.ts'
import { survey } from '../survey.ts'
import { stringsOf, unwrap } from '../tree.ts'
import { isDoubtful } from '../type-names.ts'
import type { RelationColumnsReader } from '../views.ts'
import { alterStatements } from './alter.ts'
import { copyStatement } from './copy.ts'
import { definitionStatements } from './definitions.ts'
import { queryStatements } from './queries.ts'
import type { Handler, Run } from './run.ts'
import { sessionStatements } from './session.ts'

export const handlers: ReadonlyMap<string, Handler> = new Map(
  Object.entries({
    ...queryStatements,
    ...sessionStatements,
    ...definitionStatements,
    ...alterStatements,
    CopyStmt: copyStatement,
  }),
)

export interface Analyzer {
  readonly context: AnalysisContext
  readonly parser: Parser
  readonly relations: RelationColumnsReader
  readonly bodies: FunctionBodies
}

export function analyzeStatement(
  analyzer: Analyzer,
  node: Node,
  parameters?: readonly Value[],
): StatementFacts {
  const { context, parser, relations, bodies } = analyzer
  const [type, fields] = unwrap(node)
  const draft = new FactsDraft('postgres')
  const seen = survey(node)
  const walk = createWalk(context, draft, {
    readRelation: relations.readerFor(context.catalog),
    bodies,
    ...(parameters && { body: { parameters, depth: 0 } }),
  })
  const run: Run = {
    context,
    parser,
    draft,
    walk,
    survey: seen,
    nested: (inner, given) => analyzeStatement(analyzer, inner, given),
    requireAllVisited() {
      seen.meaningful.forEach((part, i) => {
        if (!hasVisited(walk, part))
          draft.unknown(`${seen.meaningfulTypes[i]} not understood where it stands`)
      })
    },
  }
  draft.parameters = seen.parameters
  const handler = handlers.get(type)
  if (handler === undefined) {
    draft.command = 'unknown'
    draft.unknown(`statement of type ${type}`)
  } else handler(run, fields)
  const doubtful = seen.typeNames.find((name) => isDoubtful(context, name))
  if (doubtful !== undefined) draft.doubtfulType = stringsOf(doubtful.names).at(-1) ?? ''
  for (const what of seen.unlisted) draft.unknown(`not listed: ${what}`)
  // Nothing that is not understood may look like a clean result.
  if (draft.hasEffect('unknown') && draft.outputs !== null) draft.outputs = 'unknown'
  return draft.finish()
}
