/**
 * Statements of routine bodies, which MariaDB runs by themselves, too (BEGIN NOT ATOMIC ... END): what the
 * statements inside do, and that nobody says how often or in which order.
 */
import type { FactsDraft } from '../../draft.ts'
import { unknownOf } from '../../lineage/value.ts'
import type { CompoundStatement, Node, Statement } from '../ast.ts'
import { noteVariable } from '../lineage/expression.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { noteFlow } from './run.ts'

type Kind = CompoundStatement['kind']

const compound =
  (command: string): ((run: Run, node: CompoundStatement) => void) =>
  (run, node) => {
    const { draft } = run
    draft.command = command
    draft.effect('procedural')
    draft.literalIndependent = false
    for (const statement of statementsIn(node)) {
      const facts = run.nested(statement)
      draft.absorb(facts, { effects: true })
    }
    draft.state.push({ kind: 'uncertain', why: command }, { kind: 'catalog' })
    draft.outputs = 'unknown'
  }

/** The messages of earlier statements, put into variables. */
const getDiagnostics: Handler<'get-diagnostics'> = (run, node) => {
  run.draft.command = 'get diagnostics'
  run.draft.effect('session')
  for (const { value } of node.items) {
    if (value.kind === 'user-variable') noteVariable(run.walk, value, unknownOf('diagnostics'))
    else run.walk.visited.add(value)
  }
}

/** An error of one's own; its text goes to the client. */
const signal: Handler<'signal'> = (run, node) => {
  run.draft.command = node.resignal ? 'resignal' : 'signal'
  run.draft.effect('session')
  for (const { value } of node.items) {
    run.walk.visited.add(value)
    if (value.kind !== 'literal') noteFlow(run, unknownOf('signal'), 'an error message')
  }
}

const KINDS: Readonly<Record<Exclude<Kind, 'signal' | 'get-diagnostics'>, string>> = {
  block: 'begin not atomic',
  if: 'if',
  'case-statement': 'case',
  loop: 'loop',
  while: 'while',
  repeat: 'repeat',
  for: 'for',
  leave: 'leave',
  iterate: 'iterate',
  return: 'return',
  'open-cursor': 'open',
  'fetch-cursor': 'fetch',
  'close-cursor': 'close',
}

export const compoundStatements = {
  ...(Object.fromEntries(
    Object.entries(KINDS).map(([kind, command]) => [kind, compound(command)]),
  ) as unknown as Handlers<keyof typeof KINDS>),
  signal,
  'get-diagnostics': getDiagnostics,
} satisfies Handlers<Kind>

const COMPOUND: ReadonlySet<string> = new Set(Object.keys(KINDS))

/** What a definition's body does, for the definition: not done now, but by whoever sets it off. */
export function noteBody(run: Run, body: Statement): void {
  for (const statement of COMPOUND.has(body.kind) ? statementsIn(body) : [body]) {
    absorbBody(run.draft, run, statement)
  }
}

function absorbBody(draft: FactsDraft, run: Run, statement: Statement): void {
  const facts = run.nested(statement)
  for (const use of facts.relations) draft.relation(use)
  for (const use of facts.functions) draft.function(use)
  for (const ref of facts.columns) draft.column(ref)
  for (const { column, context, ...more } of facts.uses) draft.use(column, context, more)
  draft.flows.push(...facts.flows)
  // Results of a body go to whoever calls it, under no mask but their own statement's.
  if (facts.outputs === 'unknown') noteFlow(run, unknownOf('result of a body'), 'a routine')
  else for (const { lineage } of facts.outputs ?? []) noteLineage(draft, lineage)
}

function noteLineage(
  draft: FactsDraft,
  lineage: Parameters<FactsDraft['flows']['push']>[0]['lineage'],
) {
  if (lineage.kind !== 'constant') {
    draft.flows.push({ lineage, into: { kind: 'other', what: 'a routine' } })
  }
}

/** Statements that do something, at any depth of blocks, loops and conditions, and queries of cursors. */
function statementsIn(root: Node): readonly Statement[] {
  const found: Statement[] = []
  const open: unknown[] = Object.values(root)
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    if (Array.isArray(next)) {
      open.push(...next)
      continue
    }
    const node = next as Node
    if (isStatement(node) && !COMPOUND.has(node.kind)) found.push(node)
    else open.push(...Object.values(node))
  }
  return found
}

/** A query in an expression of a body is a statement of its own here: it reads what it reads. */
function isStatement(node: Node): node is Statement {
  return STATEMENTS.has(node.kind)
}

const STATEMENTS: ReadonlySet<string> = new Set([
  'query',
  'insert',
  'update',
  'delete',
  'load',
  'call',
  'do',
  'handler',
  'set',
  'set-for-statement',
  'use',
  'transaction',
  'xa',
  'lock-tables',
  'unlock-tables',
  'prepare',
  'execute',
  'execute-immediate',
  'deallocate',
  'explain',
  'describe',
  'show',
  'help',
  'create-table',
  'alter-table',
  'create-view',
  'create-index',
  'create-routine',
  'create-trigger',
  'create-event',
  'define-database',
  'define-sequence',
  'alter-routine',
  'define-object',
  'drop',
  'rename-tables',
  'truncate',
  'account-statement',
  'rename-users',
  'grant',
  'table-maintenance',
  'kill',
  'flush',
  'administer',
  'signal',
  'get-diagnostics',
])
