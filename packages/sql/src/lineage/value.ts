/**
 * What an expression's value can depend on: the abstract values of the lineage walk.
 *
 * The lattice: `constant` (nothing stored) < `direct` (one base column unchanged) < `derived` < `unknown`.
 * Combining never loses a source, and `unknown` swallows everything.
 */

import { spend } from '../budget.ts'
import type { CatalogRelation } from '../catalog.ts'
import type { ColumnRef, ColumnUse, FunctionUse, Lineage } from '../facts.ts'
import { CONSTANT_WRITES_MAX, WHY_STEPS_MAX } from '../limits.ts'

export type Constant =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'parameter'; readonly index: number }

/** Constants a value may consist of, nested as combined; flattened only where they are written. */
export type Constants = Constant | readonly Constants[]

export interface Column {
  readonly name: string
  readonly value: Value
}

export interface Value {
  readonly kind: 'direct' | 'derived' | 'constant' | 'unknown'
  /** Of a direct value exactly one. */
  readonly sources: readonly ColumnRef[]
  /** The value reveals only how many or whether, for all of its sources. */
  readonly revealsNoValue: boolean
  readonly why: readonly string[]
  /** Type name, where known: decides whether a cast changes anything. */
  readonly type: string | null
  readonly constants: Constants | null
  /** Fields of a row value, where known. */
  readonly row: readonly Column[] | null
  /**
   * Computing it may fail, or take long, whatever it is computed from: what decides whether it is computed
   * can be observed.
   */
  readonly mayFail: boolean
  /**
   * Of a constant: one value a statement, one of those that its text or parameters list, or computed from a
   * row, so that there may be any number.
   */
  readonly varies: 'no' | 'listed' | 'computed'
  /** Of an unknown value: see `opaque` of Lineage; null where something else makes it unknown, too. */
  readonly opaque: readonly FunctionUse[] | null
  /** See `groups` of Lineage; null where it is not over groups of a known size. */
  readonly groups: number | null
  /** The column it is stored in, where that may hold what others do (a default computed from them); null otherwise. */
  readonly stored: ColumnRef | null
  /** The value is one of these (CASE, COALESCE), which one hangs on the other; null: it is none that is known. */
  readonly oneOf: { readonly values: readonly Value[]; readonly chosenBy: Value } | null
  /** How many stored values and constants it may be put together of, at most. */
  readonly copies: number
}

const NONE: readonly never[] = []

export const CONSTANT: Value = {
  kind: 'constant',
  sources: NONE,
  revealsNoValue: true,
  why: NONE,
  type: null,
  constants: null,
  row: null,
  mayFail: false,
  varies: 'no',
  opaque: null,
  groups: null,
  stored: null,
  oneOf: null,
  copies: 1,
}

/** Depends on which rows exist, on no value. */
export const ROW_COUNT: Value = { ...CONSTANT, kind: 'derived' }

export function constantOf(constants: Constants | null, type: string | null): Value {
  // Not spread: this is made for every literal, and a spread goes through the slow path of making an object.
  return {
    kind: 'constant',
    sources: NONE,
    revealsNoValue: true,
    why: NONE,
    type,
    constants,
    row: null,
    mayFail: false,
    varies: 'no',
    opaque: null,
    groups: null,
    stored: null,
    oneOf: null,
    copies: 1,
  }
}

export function directOf(source: ColumnRef, type: string): Value {
  return { ...CONSTANT, kind: 'direct', sources: [source], revealsNoValue: false, type }
}

/**
 * What a column may be that none of these tables has: added since the snapshot was taken, it is one that rules and masks
 * may name by a pattern. A list and not a value, so that it goes beside what else the name may be.
 */
export function addedColumns(
  tables: readonly (CatalogRelation | null | undefined)[],
  column: string,
): readonly Value[] {
  return tables.flatMap((table) =>
    table == null ? [] : directOf({ schema: table.schema, relation: table.name, column }, ''),
  )
}

export function unknownOf(why: string, from: readonly Value[] = NONE): Value {
  return {
    ...CONSTANT,
    kind: 'unknown',
    sources: sourcesOf(from),
    revealsNoValue: false,
    why: [why],
    constants: constantsOf(from),
    mayFail: true,
  }
}

/** What a function gives that may do more than compute with its arguments, the values `from`. */
export function opaqueOf(why: string, from: readonly Value[], use: FunctionUse): Value {
  const others = opaqueIn(from)
  return { ...unknownOf(why, from), opaque: others === null ? null : [...others, use] }
}

/** The functions that make some of these values unknown; null when there are other reasons. */
function opaqueIn(values: readonly Value[]): readonly FunctionUse[] | null {
  let found: readonly FunctionUse[] = NONE
  for (const { kind, opaque } of values) {
    if (kind !== 'unknown') continue
    if (opaque === null) return null
    found = found.length === 0 ? opaque : [...new Set([...found, ...opaque])]
  }
  return found
}

/** What is computed from nothing but results over groups shows no more than they do. */
function groupsIn(parts: readonly Value[]): number | null {
  let least: number | null = null
  for (const { kind, groups, revealsNoValue } of parts) {
    if (kind === 'constant' || revealsNoValue) continue
    if (groups === null) return null
    least = Math.min(least ?? groups, groups)
  }
  return least
}

/** A value computed from `parts`, and from nothing else. */
export function derive(
  parts: readonly Value[],
  options: {
    readonly why: string
    readonly type?: string | null
    readonly counts?: boolean
    /** Computing it may fail, besides what its parts do. */
    readonly mayFail?: boolean
    /** How often its parts are in it, when it puts them together. */
    readonly joins?: number
  },
): Value {
  const type = options.type ?? null
  let unknown = false
  let constant = true
  let noValue = true
  let mayFail = options.mayFail === true
  let varies = false
  let sum = 0
  let most = 1
  spend(parts.length + 1)
  for (const part of parts) {
    if (part.kind === 'unknown') unknown = true
    if (part.kind !== 'constant') constant = false
    if (!part.revealsNoValue) noValue = false
    if (part.mayFail) mayFail = true
    if (part.varies !== 'no') varies = true
    sum += part.copies
    if (part.copies > most) most = part.copies
  }
  const copies = options.joins === undefined ? most : sum * options.joins
  const constants = constantsOf(parts)
  if (constant) {
    if (constants === null && type === null && !mayFail && !varies) return CONSTANT
    const computed = varies ? ('computed' as const) : ('no' as const)
    return { ...CONSTANT, constants, type, mayFail, varies: computed, copies }
  }
  return {
    kind: unknown ? 'unknown' : 'derived',
    sources: sourcesOf(parts),
    revealsNoValue: !unknown && (noValue || options.counts === true),
    why: steps(parts, options.why),
    type,
    constants,
    row: null,
    stored: null,
    oneOf: null,
    mayFail,
    varies: 'no',
    opaque: unknown ? opaqueIn(parts) : null,
    groups: groupsIn(parts),
    copies,
  }
}

/** `value`, known to be one of `values`: which one hangs on `chosenBy`. */
export function chosen(value: Value, values: readonly Value[], chosenBy: Value): Value {
  return { ...value, oneOf: { values, chosenBy }, constants: constantsOf(values) }
}

/** The cell of one of several branches (UNION, VALUES): direct only if all agree. */
export function either(branches: readonly Value[], why: string): Value {
  const first = branches[0]
  if (first === undefined) return CONSTANT
  if (branches.length === 1) return first
  if (first.kind === 'direct' && branches.every((other) => isSameDirect(first, other))) return first
  const type = branches.every((other) => other.type === first.type) ? first.type : null
  const value = derive(branches, { why, type })
  if (value.kind !== 'constant') return value
  const computed = branches.some((branch) => branch.varies === 'computed')
  return { ...value, varies: computed ? 'computed' : 'listed' }
}

/** A constant of which every row may have another. */
export function asComputed(value: Value): Value {
  return value.kind === 'constant' ? { ...value, varies: 'computed' } : value
}

export function isSameDirect(a: Value, b: Value): boolean {
  return (
    a.kind === 'direct' &&
    b.kind === 'direct' &&
    a.type === b.type &&
    isSameColumn(a.sources[0]!, b.sources[0]!)
  )
}

export function isSameColumn(a: ColumnRef, b: ColumnRef): boolean {
  return (
    a === b ||
    (a.column === b.column && a.relation === b.relation && a.schema === b.schema && a.kin === b.kin)
  )
}

/** The same cells, with one more step of explanation. */
export function through(value: Value, step: string): Value {
  if (value.kind === 'constant' || value.why.length >= WHY_STEPS_MAX) return value
  if (value.why.includes(step)) return value
  return { ...value, why: [...value.why, step] }
}

export function asUnknown(value: Value, why: string): Value {
  return {
    ...value,
    kind: 'unknown',
    revealsNoValue: false,
    why: [...value.why, why],
    row: null,
    mayFail: true,
    opaque: null,
    groups: null,
    oneOf: null,
  }
}

export function rowOf(fields: readonly Column[], why: string): Value {
  const value = derive(
    fields.map((field) => field.value),
    { why },
  )
  return { ...value, row: fields }
}

export function sourcesOf(values: readonly Value[]): readonly ColumnRef[] {
  let result: readonly ColumnRef[] = NONE
  let owned: ColumnRef[] | null = null
  let seen: Set<ColumnRef> | null = null
  for (const { sources } of values) {
    if (sources.length === 0) continue
    spend(sources.length)
    if (result.length === 0) {
      result = sources
      continue
    }
    for (const source of sources) {
      if (seen !== null ? seen.has(source) : result.includes(source)) continue
      if (owned === null) {
        spend(result.length)
        owned = [...result]
        result = owned
      }
      owned.push(source)
      if (seen !== null) seen.add(source)
      else if (owned.length > 24) seen = new Set(owned)
    }
  }
  return result
}

function constantsOf(values: readonly Value[]): Constants | null {
  let only: Constants | null = null
  let many: Constants[] | null = null
  for (const { constants } of values) {
    if (constants === null) continue
    if (many !== null) many.push(constants)
    else if (only === null) only = constants
    else many = [only, constants]
  }
  return many ?? only
}

function steps(parts: readonly Value[], why: string): readonly string[] {
  const result: string[] = []
  for (const part of parts) {
    for (const step of part.why) {
      if (result.length >= WHY_STEPS_MAX) break
      if (!result.includes(step)) result.push(step)
    }
  }
  if (result.length < WHY_STEPS_MAX && !result.includes(why)) result.push(why)
  return result
}

export function lineageOf(value: Value): Lineage {
  switch (value.kind) {
    case 'constant':
      return { kind: 'constant' }
    case 'direct':
      return { kind: 'direct', source: value.sources[0]!, why: value.why }
    case 'derived': {
      const { sources, revealsNoValue, why, groups } = value
      return { kind: 'derived', sources, revealsNoValue, why, ...(groups !== null && { groups }) }
    }
    case 'unknown': {
      const { sources, why, opaque } = value
      return { kind: 'unknown', sources, why, ...(opaque !== null && { opaque }) }
    }
  }
}

/** All that is known of a value by its lineage; a constant may be any of any number. */
export function valueFrom(lineage: Lineage): Value {
  const base = unknownOf('')
  switch (lineage.kind) {
    case 'constant':
      return { ...base, kind: 'constant', why: NONE, revealsNoValue: true, varies: 'computed' }
    case 'direct':
      return { ...base, kind: 'direct', sources: [lineage.source], why: lineage.why }
    case 'derived':
    case 'unknown':
      return { ...base, ...lineage }
  }
}

/** With how many values a comparison with this constant compares, as a use says it. */
export function probesOf({
  constants,
}: Value): Pick<ColumnUse, 'values' | 'parameters' | 'asText'> {
  // Most are a literal.
  if (constants === null) return { values: 1 }
  if ('kind' in constants && constants.kind !== 'parameter') return { values: 1 }
  const given = flattenConstants(constants, CONSTANT_WRITES_MAX)
  if (given === null) return { values: CONSTANT_WRITES_MAX }
  const parameters = given.flatMap((one) => (one.kind === 'parameter' ? [one.index] : []))
  const literals = given.length - parameters.length
  if (parameters.length === 0) return { values: Math.max(literals, 1) }
  return { values: literals, parameters }
}

/** All constants a value may consist of, at most `max`; null when there are more. */
export function flattenConstants(constants: Constants | null, max: number): Constant[] | null {
  const result: Constant[] = []
  const stack: Constants[] = constants === null ? [] : [constants]
  while (stack.length > 0) {
    const next = stack.pop()!
    if ('kind' in next) {
      if (result.length === max) return null
      result.push(next)
    } else for (let i = next.length - 1; i >= 0; i--) stack.push(next[i]!)
  }
  return result
}
