/**
 * What a statement needs, and whether the rules of a view grant all of it.
 *
 * A statement is cut into needs: one (effect, relation) pair for every relation it touches with that access, one
 * (effect, relation) pair per relation for effects that are not an access (copy, admin, ...), (effect, none) where
 * an effect touches no relation, every opaque function, every setting that is not harmless. Granting rules (allow
 * and approve) may each cover some; a need nobody covers refuses the statement. README, "How a statement is
 * covered".
 */

import type {
  Access,
  ColumnRef,
  Effect,
  FunctionUse,
  RelationUse,
  StatementFacts,
} from '@sallyport/sql'
import { catalogClass } from './catalogs.ts'
import type { Match, Rule } from './model.ts'
import {
  columnMatches,
  functionMatches,
  type Glob,
  globMatchesFolded,
  type MatchMode,
  relationMatches,
} from './patterns.ts'
import { harmlessSetting } from './settings.ts'

export type Need =
  | {
      readonly kind: 'relation'
      readonly effect: Effect
      readonly use: RelationUse
      readonly columns: readonly ColumnRef[]
    }
  | { readonly kind: 'effect'; readonly effect: Effect }
  | { readonly kind: 'function'; readonly use: FunctionUse }
  /** Null: any setting at all may change. */
  | { readonly kind: 'setting'; readonly name: string | null }

const EFFECT_OF: Readonly<Record<Access, Effect>> = {
  read: 'read',
  write: 'write',
  define: 'ddl',
  lock: 'lock',
}
/** Effects that a relation's access already stands for. */
const ACCESS_EFFECTS: ReadonlySet<Effect> = new Set(Object.values(EFFECT_OF))

export function needsOf(facts: StatementFacts): readonly Need[] {
  const needs: Need[] = []
  const touched = new Set<Effect>()
  for (const use of facts.relations) {
    const effect = EFFECT_OF[use.access]
    touched.add(effect)
    needs.push({
      kind: 'relation',
      effect,
      use,
      columns: use.access === 'read' ? columnsOf(facts, use) : [],
    })
  }
  for (const effect of facts.effects) {
    if (ACCESS_EFFECTS.has(effect) ? touched.has(effect) : spread(facts, effect, needs)) continue
    needs.push({ kind: 'effect', effect })
  }
  for (const use of facts.functions) if (mustBeGranted(use)) needs.push({ kind: 'function', use })
  for (const change of facts.state)
    if (
      change.kind === 'set' &&
      !harmlessSetting(change.name, change.computed === true ? 'computed' : change.values)
    )
      needs.push({ kind: 'setting', name: change.name })
  if (mayChangeAnySetting(facts)) needs.push({ kind: 'setting', name: null })
  return needs
}

/** What connection pools call to hand a session on; releasing a lock takes nothing from anyone. */
const RELEASES: ReadonlySet<string> = new Set([
  'pg_advisory_unlock',
  'pg_advisory_unlock_shared',
  'pg_advisory_unlock_all',
  'release_lock',
  'release_all_locks',
])

/** What they do is the use of a sequence, which is a need of its own. */
const SEQUENCES: ReadonlySet<string> = new Set(['nextval', 'setval', 'currval', 'lastval'])

const isBuiltin = (use: FunctionUse): boolean => use.schema === null || use.schema === 'pg_catalog'

/**
 * Does a function call need a grant of its own? set_config is judged by the settings it changes: a constant one
 * is a `set`, any other an `uncertain` change.
 */
export function mustBeGranted(use: FunctionUse): boolean {
  if (use.purity !== 'opaque') return false
  if (!isBuiltin(use)) return true
  return use.name !== 'set_config' && !RELEASES.has(use.name) && !SEQUENCES.has(use.name)
}

/** No more than stopping to listen, or giving advisory locks back. */
function isRelease(facts: StatementFacts, effect: Effect): boolean {
  if (effect === 'notify') return facts.command === 'unlisten'
  return (
    effect === 'lock' &&
    facts.command === 'select' &&
    facts.functions.some((use) => RELEASES.has(use.name)) &&
    !facts.functions.some(mustBeGranted)
  )
}

/** Back to the session's own start, which the gateway chose: RESET ALL, DISCARD ALL. */
function isReset(facts: StatementFacts): boolean {
  return /^(reset|discard)\b/.test(facts.command)
}

/** A setting nobody can name in advance: set_config of a computed name. An opaque function answers for itself. */
export function mayChangeAnySetting(facts: StatementFacts): boolean {
  if (isReset(facts) || !facts.state.some((change) => change.kind === 'uncertain')) return false
  return (
    facts.functions.some((use) => use.name.toLowerCase() === 'set_config') ||
    !facts.functions.some(mustBeGranted)
  )
}

/** Effects without an access of their own concern every relation of the statement. False: there is none. */
function spread(facts: StatementFacts, effect: Effect, needs: Need[]): boolean {
  if (effect === 'session' || effect === 'transaction') return false
  for (const use of facts.relations) needs.push({ kind: 'relation', effect, use, columns: [] })
  return facts.relations.length > 0
}

const columnsOf = (facts: StatementFacts, use: RelationUse): readonly ColumnRef[] =>
  facts.columns.filter(
    (column) =>
      column.relation === use.name && (use.schema === null || column.schema === use.schema),
  )

/** Effects a rule with `relations` still grants where no relation is touched: SELECT 1 reads nothing. */
const HARMLESS_ALONE: ReadonlySet<Effect> = new Set(['read', 'session', 'transaction'])

/** `relations` not written, or `*` among them: also statements that touch no relation. */
const grantsAll = (match: Match): boolean =>
  match.relations?.some((pattern) => pattern.source === '*') ?? true

/** Does one granting rule cover this need? For a read limited by `columns`, see `coversColumns`. */
export function covers(match: Match, need: Need, facts: StatementFacts): boolean {
  switch (need.kind) {
    case 'function':
      return (
        match.functions?.some((pattern) => functionMatches(pattern, need.use, 'grant')) ?? false
      )
    case 'setting':
      return (
        match.settings?.some(
          (glob) => glob.any || (need.name !== null && globMatchesFolded(glob, need.name)),
        ) ?? false
      )
    case 'effect':
      if (!match.effects?.has(need.effect)) return false
      return grantsAll(match) || HARMLESS_ALONE.has(need.effect)
    case 'relation':
      return (match.effects?.has(need.effect) ?? false) && coversRelation(match, need.use, facts)
  }
}

function coversRelation(match: Match, use: RelationUse, facts: StatementFacts): boolean {
  // Without `relations` a rule speaks of every ordinary relation; system data must be named.
  if (match.relations === null) return catalogClass(use) !== 'data'
  if (match.relations.some((pattern) => relationMatches(pattern, use, 'grant'))) return true
  if (!match.throughViews || use.through === undefined) return false
  const through = use.through
  const view = facts.relations.find(
    (other) => other.schema !== null && `${other.schema}.${other.name}` === through,
  )
  return (
    view !== undefined && match.relations.some((pattern) => relationMatches(pattern, view, 'grant'))
  )
}

/**
 * Granting rules that cover a need together. Null: it is not covered. Only reads limited by `columns` ever take
 * more than one rule: each column must be named by some rule that names the relation.
 */
export function coveringRules(
  rules: readonly Rule[],
  need: Need,
  facts: StatementFacts,
): readonly Rule[] | null {
  const fitting: Rule[] = []
  const whole: Rule[] = []
  for (const rule of rules) {
    if (!covers(rule.match, need, facts)) continue
    fitting.push(rule)
    if (rule.match.columns === null) whole.push(rule)
  }
  if (fitting.length === 0) return null
  if (whole.length > 0) return whole
  if (need.kind !== 'relation') return null
  // Columns are all known only if the statement is.
  if (facts.unknowns.length > 0 || facts.outputs === 'unknown') return null
  const named = (column: ColumnRef) =>
    fitting.some((rule) =>
      rule.match.columns?.some((pattern) => columnMatches(pattern, column, 'grant')),
    )
  return need.columns.every(named) ? fitting : null
}

/** Needs that come with being allowed to connect at all; name of the built-in rule, or null. */
export function builtIn(need: Need, facts: StatementFacts): string | null {
  if (need.kind === 'effect' && isRelease(facts, need.effect)) return 'built-in: release'
  if (need.kind === 'effect' && (need.effect === 'transaction' || need.effect === 'session'))
    return `built-in: ${need.effect}`
  if (need.kind === 'relation' && need.effect === 'read' && catalogClass(need.use) === 'metadata')
    return 'built-in: metadata'
  return null
}

/** Does an allow rule's condition on commands hold? Every command in the statement must be named. */
export function commandsCovered(match: Match, facts: StatementFacts): boolean {
  const { commands } = match
  return (
    commands === null ||
    allCommands(facts).every((command) => commands.some((glob) => globMatchesFolded(glob, command)))
  )
}

const allCommands = (facts: StatementFacts): readonly string[] =>
  facts.commands.includes(facts.command) ? facts.commands : [facts.command, ...facts.commands]

/**
 * Does a deny or approve rule touch the statement, conditions (`when`) aside? Every key written must hold for
 * some part; effect and relation must hold for the same part. What the facts do not know counts as a match.
 */
export function touches(match: Match, facts: StatementFacts, needs: readonly Need[]): boolean {
  const unknown = facts.effects.includes('unknown')
  const some = <T>(wanted: readonly T[] | null, test: (one: T) => boolean): boolean =>
    wanted === null || unknown || wanted.some(test)
  return (
    touchesParts(match, needs, unknown) &&
    some(match.commands, (glob) =>
      allCommands(facts).some((word) => globMatchesFolded(glob, word)),
    ) &&
    some(match.functions, (pattern) =>
      facts.functions.some((use) => functionMatches(pattern, use, 'protect')),
    ) &&
    some(match.settings, (glob) => mayChangeAnySetting(facts) || changes(facts, glob)) &&
    touchesColumns(match, facts)
  )
}

const changes = (facts: StatementFacts, glob: Glob): boolean =>
  facts.state.some((change) => change.kind === 'set' && globMatchesFolded(glob, change.name))

function touchesParts(match: Match, needs: readonly Need[], unknown: boolean): boolean {
  const { effects, relations } = match
  if (unknown || (effects === null && relations === null)) return true
  return needs.some((need) => {
    if (need.kind !== 'relation' && need.kind !== 'effect') return false
    if (effects !== null && !effects.has(need.effect)) return false
    if (relations === null) return true
    return (
      need.kind === 'relation' &&
      relations.some((pattern) => relationMatches(pattern, need.use, 'protect'))
    )
  })
}

function touchesColumns(match: Match, facts: StatementFacts): boolean {
  const { columns } = match
  if (columns === null || facts.unknowns.length > 0 || facts.outputs === 'unknown') return true
  const written = [
    ...facts.constantWrites.map((write) => write.column),
    ...facts.flows.flatMap((flow) => (flow.into.kind === 'column' ? [flow.into.column] : [])),
  ]
  const matches = (column: ColumnRef, mode: MatchMode) =>
    columns.some((pattern) => columnMatches(pattern, column, mode))
  return [...facts.columns, ...written]
    .flatMap((column) => [column, ...(column.kin ?? [])])
    .some((column) => matches(column, 'protect'))
}
