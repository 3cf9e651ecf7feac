/**
 * The one place where "allow" is made. Order: deny rules, then whether every need is granted, then what protects
 * masked columns, then approvals. Nothing here depends on the order of rules or files; an error anywhere refuses.
 */

import type { Analysis, StatementFacts } from '@sallyport/sql'
import { type ConditionContext, type ConditionFailure, conditionContext } from './conditions.ts'
import { builtIn, commandsCovered, coveringRules, type Need, needsOf, touches } from './coverage.ts'
import { assertNever } from './errors.ts'
import { guardMasked } from './guard.ts'
import { NESTED_FACTS_MAX } from './limits.ts'
import type { ApproverRequirement, Rule } from './model.ts'
import { planFor } from './plan.ts'
import { sayDuration } from './units.ts'
import { type Approve, type Deny, deny, type ResultPlan, type Verdict } from './verdict.ts'
import type { PrincipalView } from './view.ts'
import { type BindParameter, checkBind } from './write-back.ts'

export interface DecideContext {
  /** Milliseconds since 1970, the gateway's clock. */
  readonly now: number
  /** Values of $1, $2, … when they are known; otherwise call `checkBind` at Bind. */
  readonly parameters?: readonly BindParameter[]
}

/** Decides one client message: every statement in it, and statements prepared or declared by them. */
export function decide(view: PrincipalView, analysis: Analysis, context: DecideContext): Verdict {
  if (!view.mayConnect) return noAccess(view)
  if (analysis.kind === 'unparsable') return decideUnparsable(view, analysis)
  const all = analysis.statements.flatMap((facts) => withNested(facts))
  if (all.some((facts) => facts === null))
    return deny('too-complex', {
      message: 'statements are nested too deeply',
      detail: `more than ${NESTED_FACTS_MAX} levels`,
      hint: 'Send the inner statement by itself.',
    })
  const parts = all.flatMap((facts) => (facts === null ? [] : [examine(view, facts, context.now)]))
  const reports = parts.flatMap((part) => part.reports)
  const refused = firstRefusal(view, parts, context)
  if (refused !== null) return { ...refused, reports }
  const results: (ResultPlan | null)[] = []
  for (const facts of analysis.statements) {
    const plan = planFor(view, facts)
    if (plan === 'refused') return { ...unplannable(), reports }
    results.push(plan)
  }
  const approving = unique(parts.flatMap((part) => part.approving))
  if (approving.length > 0) return { ...needsApproval(approving, results), reports }
  const rules = [...new Set(parts.flatMap((part) => part.granted))]
  return { kind: 'allow', rule: rules.join(' + ') || 'built-in: empty statement', results, reports }
}

const unique = <T>(all: readonly T[]): readonly T[] => [...new Set(all)]

/** A statement and the ones it prepares or declares; null past the depth a decision follows. */
function withNested(facts: StatementFacts, depth = 0): (StatementFacts | null)[] {
  if (depth > NESTED_FACTS_MAX) return [null]
  const nested = facts.state.flatMap((change) =>
    change.kind === 'prepare' || change.kind === 'declare-cursor' ? [change.facts] : [],
  )
  return [facts, ...nested.flatMap((inner) => withNested(inner, depth + 1))]
}

interface Examined {
  readonly facts: StatementFacts
  readonly denied: Deny | null
  readonly missing: readonly Need[]
  readonly approving: readonly (Rule & { kind: 'approve' })[]
  /** Names of the rules that cover it. */
  readonly granted: readonly string[]
  readonly reports: readonly string[]
}

/** Everything the rules say of one statement. */
function examine(view: PrincipalView, facts: StatementFacts, now: number): Examined {
  const needs = needsOf(facts)
  const condition = new Conditions(view, facts, now)
  const approving: (Rule & { kind: 'approve' })[] = []
  const granting: Rule[] = []
  let denied: Deny | null = null
  for (const rule of view.rules) {
    if (rule.kind !== 'deny' && commandsCovered(rule.match, facts) && condition.grants(rule))
      granting.push(rule)
    if (rule.kind === 'allow' || !touches(rule.match, facts, needs)) continue
    const held = condition.touches(rule)
    if (held === false) continue
    if (held !== true) denied ??= conditionError(rule, held)
    else if (rule.kind === 'approve') approving.push(rule)
    else denied ??= deniedBy(rule)
  }
  const granted: string[] = []
  const missing: Need[] = []
  for (const need of needs) {
    const by = coveringRules(granting, need, facts)
    if (by !== null) granted.push(...by.slice(0, 1).map((rule) => rule.name))
    else if (builtIn(need) !== null) granted.push(builtIn(need) ?? '')
    else missing.push(need)
  }
  return { facts, denied, missing, approving, granted, reports: condition.reports }
}

/** Conditions of one statement, the variables built only when one is asked. */
class Conditions {
  readonly reports: string[] = []
  readonly #view: PrincipalView
  readonly #facts: StatementFacts
  readonly #now: number
  #context: ConditionContext | null = null

  constructor(view: PrincipalView, facts: StatementFacts, now: number) {
    this.#view = view
    this.#facts = facts
    this.#now = now
  }

  /** An error means: no grant, and it is reported. */
  grants(rule: Rule): boolean {
    const held = this.#evaluate(rule)
    if (typeof held === 'boolean') return held
    if (rule.kind === 'allow')
      this.reports.push(`rule \`${rule.name}\`: its condition failed: ${held.failure}`)
    return false
  }

  /** What is not known about the statement counts as holding. */
  touches(rule: Rule): boolean | ConditionFailure {
    return this.#facts.effects.includes('unknown') || this.#evaluate(rule)
  }

  #evaluate(rule: Rule): boolean | ConditionFailure {
    const { when } = rule.match
    if (when === null) return true
    try {
      this.#context ??= conditionContext(this.#facts, this.#view.subject, {
        connection: this.#view.connection,
        now: this.#now,
      })
    } catch {
      return { failure: 'its variables could not be made' }
    }
    return when.evaluate(this.#context)
  }
}

function firstRefusal(
  view: PrincipalView,
  parts: readonly Examined[],
  context: DecideContext,
): Deny | null {
  for (const { denied } of parts) if (denied !== null) return denied
  for (const part of parts) if (part.missing.length > 0) return notAllowed(part)
  for (const { facts } of parts) {
    const refused = guardMasked(view, facts)
    if (refused !== null) return refused
    if (context.parameters !== undefined) {
      const bound = checkBind(view, facts, context.parameters)
      if (bound !== null) return bound
    }
  }
  return null
}

const said = (rule: Rule, words: string): string => rule.hint ?? words

function deniedBy(rule: Rule): Deny {
  return deny(
    'deny-rule',
    {
      message: `denied by the rule "${rule.name}"`,
      detail: `the rule "${rule.name}" denies ${sayMatch(rule)}`,
      hint: said(rule, 'Do it another way; sending it again will not help.'),
    },
    { rule: rule.name },
  )
}

function sayMatch(rule: Rule): string {
  const { effects, relations, commands, functions, columns, settings, when } = rule.match
  const list = (word: string, all: readonly string[] | undefined) =>
    all === undefined ? [] : [`${word} ${all.slice(0, 6).join(', ')}${all.length > 6 ? ', …' : ''}`]
  return [
    ...list('the effects', effects === null ? undefined : [...effects]),
    ...list(
      'on',
      relations?.map((pattern) => pattern.source),
    ),
    ...list(
      'the commands',
      commands?.map((glob) => glob.text),
    ),
    ...list(
      'the functions',
      functions?.map((pattern) => pattern.source),
    ),
    ...list(
      'the columns',
      columns?.map((pattern) => pattern.source),
    ),
    ...list(
      'the settings',
      settings?.map((glob) => glob.text),
    ),
    ...(when === null ? [] : ['under a condition']),
  ].join(' ')
}

function conditionError(rule: Rule, failure: ConditionFailure): Deny {
  return deny(
    'condition-error',
    {
      message: `the condition of the rule "${rule.name}" could not be evaluated, so the statement is refused`,
      detail: failure.failure,
      hint: 'Tell whoever keeps the policy; `sallyport policy test` shows the condition.',
    },
    { rule: rule.name },
  )
}

/** A need in words: `write on public.orders`. */
export function sayNeed(need: Need): string {
  const name = (use: { schema: string | null; name: string }) =>
    use.schema === null ? use.name : `${use.schema}.${use.name}`
  switch (need.kind) {
    case 'relation': {
      const through = need.use.through === undefined ? '' : ` (through ${need.use.through})`
      return `${need.effect} on ${name(need.use)}${through}`
    }
    case 'effect':
      return `the effect ${need.effect}`
    case 'function':
      return `the function ${name(need.use)}`
    case 'setting':
      return need.name === null ? 'a setting that is computed' : `the setting ${need.name}`
    default:
      return assertNever(need)
  }
}

function notAllowed(part: Examined): Deny {
  const lacking = unique(part.missing.map(sayNeed))
  const shown = lacking.slice(0, 6).join('; ')
  const hints: Readonly<Record<Need['kind'], string>> = {
    relation: 'Use only what you have been given, or ask for access to it.',
    effect: 'Use only what you have been given, or ask for access to it.',
    function: 'The function may read data by itself: an allow rule must list it under functions.',
    setting:
      'The setting changes what statements may do: an allow rule must list it under settings.',
  }
  const hint = hints[part.missing[0]?.kind ?? 'effect']
  if (
    part.missing.some(
      (need) => need.kind !== 'function' && need.kind !== 'setting' && need.effect === 'unknown',
    )
  )
    return deny('unknown-statement', {
      message: 'this statement is not understood, so no rule can allow it',
      detail: part.facts.unknowns.join('; ') || shown,
      hint: 'Write it in a simpler form.',
    })
  return deny('not-allowed', {
    message: `no rule allows ${lacking[0] ?? 'it'}`,
    detail: `not allowed: ${shown}${lacking.length > 6 ? '; …' : ''}`,
    hint,
  })
}

function noAccess(view: PrincipalView): Deny {
  return deny('no-access', {
    message: `no rule lets you use the connection ${view.connection}`,
    detail: `subject ${view.subject.subject}, role ${view.subject.role ?? 'none'}`,
    hint: 'Check the role and the groups of your token, or ask for access.',
  })
}

function unplannable(): Deny {
  return deny('masked-unknown-lineage', {
    message:
      'it cannot be proven which columns the result comes from, and columns are masked for you',
    detail: 'no mask plan',
    hint: 'Name the columns you need.',
  })
}

/**
 * Text the grammar rejects. It passes only where a rule grants the effect `unknown` on everything, no deny or
 * approve rule applies to the principal (it might have matched) and no mask does.
 */
function decideUnparsable(
  view: PrincipalView,
  analysis: Extract<Analysis, { kind: 'unparsable' }>,
): Verdict {
  const blind = view.rules.find((rule) => rule.kind !== 'allow')
  const granting = view.rules.find(
    ({ kind, match }) =>
      kind === 'allow' &&
      match.effects?.has('unknown') &&
      match.commands === null &&
      match.columns === null &&
      match.when === null &&
      (match.relations?.some((pattern) => pattern.source === '*') ?? true),
  )
  if (granting !== undefined && blind === undefined && !view.masked)
    return { kind: 'allow', rule: granting.name, results: [], reports: [] }
  const words = {
    message: analysis.message,
    detail:
      analysis.detail ?? 'the gateway could not parse this text; it did not reach the database',
    hint: analysis.hint ?? 'Correct the SQL and send it again.',
  }
  return deny('unparsable', words, { sqlstate: analysis.sqlstate })
}

function needsApproval(
  rules: readonly (Rule & { kind: 'approve' })[],
  results: readonly (ResultPlan | null)[],
): Approve {
  const approvers: readonly ApproverRequirement[] = rules.map((rule) => rule.approvers)
  const withinMs = Math.min(...approvers.map((one) => one.withinMs))
  const names = rules.map((rule) => rule.name).join(' + ')
  return {
    kind: 'approve',
    rule: names,
    approvers,
    withinMs,
    useWithinMs: Math.min(...approvers.map((one) => one.useWithinMs)),
    reason: approvers.some((one) => one.reason === 'required') ? 'required' : 'optional',
    results,
    reports: [],
    message: `this statement needs approval by the rule "${names}"`,
    detail: approvers
      .map(
        (one) =>
          `${one.count} of ${[...one.groups.map((g) => `group ${g}`), ...one.subjects].join(', ')}`,
      )
      .join(' and '),
    hint:
      rules.find((rule) => rule.hint !== null)?.hint ??
      `It waits ${sayDuration(withinMs)} for a decision.`,
  }
}
