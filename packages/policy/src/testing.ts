/** Shared by this package's tests: policies from text, subjects and statement facts with defaults. */

import type {
  Analysis,
  ColumnRef,
  Effect,
  Lineage,
  RelationUse,
  StatementFacts,
} from '@sallyport/sql'
import { compilePolicy } from './compile.ts'
import { decide } from './decide.ts'
import { formatPolicyError } from './errors.ts'
import type { Policy, Subject } from './model.ts'
import type { Verdict } from './verdict.ts'
import { type PrincipalView, viewFor } from './view.ts'

export function policyOf(...texts: readonly string[]): Policy {
  const result = compilePolicy(
    texts.map((text, i) => ({ path: `${i}.yaml`, text: `version: 1\n${text}` })),
  )
  if (result.kind === 'policy') return result.policy
  throw new Error(result.errors.map(formatPolicyError).join('\n'))
}

export const subject = (more: Partial<Subject> = {}): Subject => ({
  subject: 'ada',
  kind: 'human',
  groups: ['analysts'],
  role: null,
  graph: null,
  node: null,
  run: null,
  claims: {},
  ...more,
})

export const viewOf = (policy: Policy, more: Partial<Subject> = {}): PrincipalView =>
  viewFor(policy, subject(more), 'crm')

export function facts(more: Partial<StatementFacts> = {}): StatementFacts {
  return {
    engine: 'postgres',
    command: 'select',
    commands: [more.command ?? 'select'],
    effects: ['read'],
    relations: [],
    functions: [],
    hasWhere: null,
    limit: null,
    parameters: 0,
    outputs: [],
    columns: [],
    uses: [],
    flows: [],
    constantWrites: [],
    state: [],
    literalIndependent: true,
    copy: null,
    unknowns: [],
    ...more,
  }
}

/** `public.orders` → a use of that table. */
export function use(name: string, access: RelationUse['access'] = 'read'): RelationUse {
  const [schema = '', relation = ''] = name.split('.')
  return { schema, name: relation, access, kind: 'table' }
}

export function column(name: string): ColumnRef {
  const [schema = '', relation = '', attribute = ''] = name.split('.')
  return { schema, relation, column: attribute }
}

export const direct = (name: string): Lineage => ({ kind: 'direct', source: column(name), why: [] })
export const derived = (...names: readonly string[]): Lineage => ({
  kind: 'derived',
  sources: names.map(column),
  revealsNoValue: false,
  why: [],
})

/** A SELECT of these lineages from public.customers. */
export const selecting = (...lineages: readonly Lineage[]): StatementFacts =>
  facts({
    relations: [use('public.customers')],
    outputs: lineages.map((lineage, i) => ({ name: `c${i}`, lineage })),
  })

export const changing = (
  effect: Effect,
  command: string,
  ...relations: readonly RelationUse[]
): StatementFacts =>
  facts({ command, commands: [command], effects: [effect], relations, outputs: null })

export const batch = (...statements: readonly StatementFacts[]): Analysis => ({
  kind: 'statements',
  statements,
  fingerprint: '',
})

export const judge = (view: PrincipalView, ...statements: readonly StatementFacts[]): Verdict =>
  decide(view, batch(...statements), { now: Date.UTC(2026, 0, 5, 9, 30) })

/** `allow`, `approve`, or the code of the refusal. */
export const outcome = (view: PrincipalView, ...statements: readonly StatementFacts[]): string => {
  const verdict = judge(view, ...statements)
  return verdict.kind === 'deny' ? verdict.code : verdict.kind
}
