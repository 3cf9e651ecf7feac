/**
 * What a principal under masks may not do with protected columns, besides seeing them: search them, copy them
 * somewhere less protected, hand them to code nobody has read, write a mask back over a value. Each check returns
 * a refusal or null; the first one found is the answer.
 */

import type {
  ColumnRef,
  ColumnUse,
  Flow,
  FunctionUse,
  Lineage,
  OutputColumn,
  StatementFacts,
} from '@sallyport/sql'
import { catalogClass, isCounters } from './catalogs.ts'
import { mayChangeAnySetting, mustBeGranted } from './coverage.ts'
import { assertNever } from './errors.ts'
import { strengthOf } from './masks/spec.ts'
import type { ColumnMask, MaskRule } from './model.ts'
import { columnPlan, protectedAmong, trustedLineage } from './plan.ts'
import { choosesPlans, isSurplus } from './settings.ts'
import { refusedUses } from './uses.ts'
import { type Deny, deny, SQLSTATE_NO_RELATION } from './verdict.ts'
import type { PrincipalView } from './view.ts'
import { isEmpty, isPlaceholder, writeBack } from './write-back.ts'

export const sayColumn = (column: ColumnRef): string =>
  `${column.schema}.${column.relation}.${column.column}`
const sayAll = (columns: readonly ColumnRef[]): string =>
  [...new Set(columns.map(sayColumn))].slice(0, 8).join(', ')

/** Null when nothing in the statement can reveal or destroy a protected value. */
export function guardMasked(view: PrincipalView, facts: StatementFacts): Deny | null {
  if (!view.masked) return null
  return (
    guardUnknown(facts) ??
    guardFunctions(view, facts) ??
    guardState(facts) ??
    guardTypes(facts) ??
    guardDefinitions(facts) ??
    guardRelations(facts) ??
    guardOutputs(view, facts) ??
    guardUses(view, facts) ??
    guardFlows(view, facts) ??
    guardWrites(view, facts)
  )
}

function guardUnknown(facts: StatementFacts): Deny | null {
  if (!facts.effects.includes('unknown')) return null
  return deny('unknown-statement', {
    message: 'this statement is not understood well enough to keep masked columns masked',
    detail: facts.unknowns.join('; '),
    hint: 'Write it in a simpler form, or ask for access without masks.',
  })
}

/** Sequences, advisory locks, notifications: they give back a number of their own or nothing; what goes in is a flow. */
const WITHOUT_DATA =
  /^(nextval|currval|lastval|setval|pg_notify|pg_stat_get_(live|dead)_tuples|pg_(try_)?advisory_(xact_)?lock(_shared)?)$/

/** The same of MySQL: names of locks are flows, and what is decided by a masked column, to wait or not, is a use of it. */
const LOCKS = /^(get_lock|is_free_lock|is_used_lock)$/

const givesNoData = ({ schema, name }: FunctionUse): boolean =>
  (schema === 'pg_catalog' && WITHOUT_DATA.test(name)) || (schema === null && LOCKS.test(name))

function guardFunctions(view: PrincipalView, facts: StatementFacts): Deny | null {
  const opaque = facts.functions.find(
    (use) => mustBeGranted(use) && !use.known && !givesNoData(use) && !view.trusts(use),
  )
  if (opaque === undefined) return null
  const name = sayFunction(opaque)
  return deny('masked-function', {
    message: `the function ${name} may read data by itself, and columns are masked for you`,
    detail: `${name} is not known to depend on its arguments alone`,
    hint: 'Leave the function out, or ask for it to be listed under trusted-functions in the policy.',
  })
}

const sayFunction = ({ schema, name }: FunctionUse): string =>
  schema === null ? name : `${schema}.${name}`

function guardState(facts: StatementFacts): Deny | null {
  for (const change of facts.state) {
    if (change.kind !== 'set' || change.values === null) continue
    if (!choosesPlans(change.name, change.values)) continue
    if (facts.dividable === true && isSurplus(change.name)) continue
    return deny('masked-state', {
      message: `the setting ${change.name} chooses how rows are found, and columns are masked for you`,
      detail: 'which rows are read, and in which order, can tell of masked values',
      hint: 'Leave the planner its own choice.',
    })
  }
  if (!mayChangeAnySetting(facts)) return null
  const why = facts.state.flatMap((change) => (change.kind === 'uncertain' ? [change.why] : []))
  return deny('masked-state', {
    message:
      'this statement may change how later statements are read, and columns are masked for you',
    detail: why.join('; '),
    hint: 'Use SET with constant values.',
  })
}

/** A domain's check fails for some values, and a row has other columns than a scalar. */
function guardTypes({ doubtfulType }: StatementFacts): Deny | null {
  if (doubtfulType === undefined) return null
  return deny('masked-state', {
    message: `the type name ${doubtfulType} may stand for more than one type, and columns are masked for you`,
    detail: 'a type that takes the place of another can tell of masked values',
    hint: `Write pg_catalog.${doubtfulType} for the server's own, or choose another name for yours.`,
  })
}

/**
 * Code that runs later, with other people's statements: what it would do with their rows nobody can say. A constraint
 * of a domain is checked over all values there are of it.
 */
const CODE =
  /^(create|alter) (function|procedure|routine|aggregate|trigger|event trigger|event|rule|policy|cast|operator|operator class|operator family|collation|language|extension|conversion|transform|foreign data wrapper|server|user mapping|publication|subscription)$|^import foreign schema$|^alter domain$/

function guardDefinitions(facts: StatementFacts): Deny | null {
  if (facts.makesNothing === true) return null
  const command = facts.commands.find((one) => CODE.test(one))
  if (command === undefined) return null
  return deny('masked-definition', {
    message: `${command} is not allowed while columns are masked for you`,
    detail: 'it defines what happens to rows that others read and write',
    hint: 'Ask somebody without masks to define it.',
  })
}

/** CREATE, of what it defines: with OR REPLACE, which drops. */
const DROP = /^(drop|create) (table|view|materialized view|sequence|foreign table)$/

function guardRelations(facts: StatementFacts): Deny | null {
  for (const use of facts.relations) {
    const name = use.schema === null ? use.name : `${use.schema}.${use.name}`
    const counts = isCounters(use) && facts.rows !== 'counters'
    if (counts || catalogClass(use) === 'data')
      return deny('masked-catalog', {
        message: `the system relation ${name} can show values or statements of others, and columns are masked for you`,
        detail: `${name} is not plain metadata`,
        hint: 'Use the catalogs that describe tables and columns only.',
      })
    // DROP IF EXISTS of what is not there, and nothing else, shows and moves nothing.
    if (use.kind === 'unresolved' && !(use.access === 'define' && DROP.test(facts.command)))
      return deny(
        'masked-unresolved',
        {
          message: `the relation ${name} is not known here, and columns are masked for you`,
          detail: `${name} could not be resolved to one relation of this database`,
          hint: 'Check its spelling, or name it with its schema. A relation created a moment ago is known shortly.',
        },
        { sqlstate: SQLSTATE_NO_RELATION },
      )
  }
  return null
}

function guardOutputs(view: PrincipalView, facts: StatementFacts): Deny | null {
  if (facts.outputs === null) return null
  if (facts.outputs === 'unknown') return unknownLineage('the result', facts.unknowns)
  for (let i = 0; i < facts.outputs.length; i++) {
    // Safe: within its length.
    const plan = columnPlan(view, (facts.outputs[i] as OutputColumn).lineage)
    if (plan.kind === 'unknown') return unknownLineage(`result column ${i + 1}`, plan.why)
    if (plan.kind === 'refuse')
      return deny('masked-derived', {
        message: `result column ${i + 1} is computed from ${sayAll(plan.sources)}, which policy does not allow`,
        detail: `masked by: ${plan.names.join(', ')}`,
        hint: 'Select the column itself (it comes masked), or leave it out.',
      })
  }
  return null
}

function unknownLineage(what: string, why: readonly string[]): Deny {
  return deny('masked-unknown-lineage', {
    message: `it cannot be proven which columns ${what} comes from, and columns are masked for you`,
    detail: why.join('; '),
    hint: 'Name the columns you need and avoid the construct named in the detail.',
  })
}

function guardUses(view: PrincipalView, facts: StatementFacts): Deny | null {
  const refused = refusedUses(view, facts)
  if (refused.length === 0) return null
  const [use] = refused.toSorted((a, b) => TELLING.indexOf(a.context) - TELLING.indexOf(b.context))
  if (use === undefined) return null
  const other = use.with === undefined ? null : view.maskFor(use.with)
  return refusedUse(use, view.maskFor(use.column) ?? other)
}

/** The most telling first: what the text itself asks for before what constraints and failures make of it. */
const CONTEXT_WORDS: Readonly<Record<ColumnUse['context'], string>> = {
  predicate: 'searched or computed with in a condition',
  order: 'sorted by',
  group: 'grouped by',
  distinct: 'made distinct',
  window: 'used in a window',
  cardinality: 'used to decide how many rows come',
  'equality-constant': 'compared',
  'is-null': 'tested for NULL',
  'equality-column': 'joined with a column that is not masked alike',
  failure: 'used in an expression that fails for some of its values',
}
const TELLING = Object.keys(CONTEXT_WORDS)

function refusedUse(use: ColumnUse, mask: ColumnMask | null): Deny {
  const only =
    mask?.predicates === 'deny'
      ? 'nothing of the kind is'
      : 'only = and IN with constants, IS NULL, and joins between columns masked alike are'
  return deny('masked-predicate', {
    message: `the masked column ${sayColumn(use.column)} may not be ${CONTEXT_WORDS[use.context]}`,
    detail: `masked by: ${mask?.names.join(', ') ?? ''}; ${only} allowed`,
    hint: 'Filter, sort and group by columns that are not masked.',
  })
}

const sourcesOf = (lineage: Lineage): readonly ColumnRef[] =>
  lineage.kind === 'direct' ? [lineage.source] : lineage.kind === 'constant' ? [] : lineage.sources

function guardFlows(view: PrincipalView, facts: StatementFacts): Deny | null {
  for (const flow of facts.flows) {
    const lineage = trustedLineage(view, flow.lineage)
    if (flow.into.kind === 'function' && view.trusts(flow.into.function)) continue
    if (lineage.kind === 'unknown') return unknownLineage('a value it stores', lineage.why)
    if (lineage.kind === 'derived' && lineage.revealsNoValue) continue
    const found = protectedAmong(view, sourcesOf(lineage))
    if (
      found.length === 0 ||
      keepsProtection(
        view,
        flow,
        found.map(({ column }) => column),
      )
    )
      continue
    return deny('masked-flow', {
      message: `this statement copies ${sayAll(found.map(({ column }) => column))} to ${sayTarget(flow)}, where it would not be masked`,
      detail: `masked by: ${[...new Set(found.flatMap(({ mask }) => mask.names))].join(', ')}`,
      hint: 'Leave the masked column out, or ask for the target column to be masked alike.',
    })
  }
  return null
}

function sayTarget(flow: Flow): string {
  const { into } = flow
  switch (into.kind) {
    case 'column':
      return sayColumn(into.column)
    case 'new-relation':
      return `the new relation ${into.name}`
    case 'function':
      return `the function ${sayFunction(into.function)}`
    case 'other':
      return into.what
    default:
      return assertNever(into)
  }
}

/** A column of a new relation is protected where a mask's pattern covers it. */
function targetOf({ into }: Flow): ColumnRef | null {
  if (into.kind === 'column') return into.column
  if (into.kind !== 'new-relation' || into.schema === null || into.column === '') return null
  return { schema: into.schema, relation: into.name, column: into.column }
}

/** Is the target hidden at least as well, from everyone the sources are hidden from? */
function keepsProtection(view: PrincipalView, flow: Flow, sources: readonly ColumnRef[]): boolean {
  const column = targetOf(flow)
  if (column === null) return false
  const isSame = (other: ColumnRef) => sayColumn(other) === sayColumn(column)
  const isUnchanged = flow.lineage.kind === 'direct'
  const targets = view.allMasksOn(column)
  return sources.every(
    (source) =>
      (isUnchanged && flow.into.kind === 'column' && isSame(source)) ||
      view
        .masksOn(source)
        .every((mask) => targets.some((target) => isAtLeast(target, mask, isUnchanged))),
  )
}

const PREDICATE_RANK = { open: 0, equality: 1, deny: 2 } as const

/** A mask that shows part of a value shows another part of a changed one: only whole masks keep a derived value. */
function isAtLeast(target: MaskRule, mask: MaskRule, isUnchanged: boolean): boolean {
  const isEqual = JSON.stringify(target.spec) === JSON.stringify(mask.spec)
  const strength = strengthOf(target.spec)
  const isStrong = isUnchanged ? isEqual || strength > strengthOf(mask.spec) : strength >= WHOLE
  // Asking for a computed value by equality tells of what it was computed from.
  if (!isUnchanged && target.predicates !== 'deny') return false
  return (
    (isStrong || strength >= WHOLE) &&
    (target.derived === 'deny' || mask.derived === 'redact') &&
    (target.groupMin === null || (mask.groupMin !== null && target.groupMin >= mask.groupMin)) &&
    PREDICATE_RANK[target.predicates] >= PREDICATE_RANK[mask.predicates] &&
    (target.audience === mask.audience || (target.who.everyone && target.except === null))
  )
}
const WHOLE = strengthOf({ kind: 'redact' })

function guardWrites(view: PrincipalView, facts: StatementFacts): Deny | null {
  for (const { column, value, fresh } of facts.constantWrites) {
    if (value.kind === 'computed' && view.maskFor(column)?.predicates === 'equality')
      return deny('masked-predicate', {
        message: `the masked column ${sayColumn(column)} may not be filled with values computed row by row`,
        detail: 'joined with, they would be guesses without number',
        hint: 'Give the values as constants or parameters.',
      })
    if (value.kind !== 'null' && value.kind !== 'literal') continue
    const mask = view.maskFor(column)
    const text = value.kind === 'literal' ? value.text : null
    if (fresh && isEmpty(text)) continue
    if (mask !== null && isPlaceholder(mask, text)) return writeBack(column, mask)
  }
  return null
}
