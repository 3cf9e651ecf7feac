/**
 * Globs over names: `*` any run of characters, `?` one. Compiled once, matched without regular expressions, in
 * time linear in pattern times text.
 *
 * Case. An unquoted part of a pattern is folded as the engine folds: PostgreSQL to lower case. Where a match
 * PROTECTS (deny, approve, masks) case is ignored altogether; where a match GRANTS (allow, trust) the folded
 * pattern must equal the name, so a wider match can only ever make policy stricter.
 */

import type { ColumnRef, FunctionUse, RelationUse } from '@sallyport/sql'
import { catalogClass } from './catalogs.ts'

/** grant: exact case rules of the engine; protect: ignoring case. */
export type MatchMode = 'grant' | 'protect'

export interface Glob {
  readonly text: string
  /** Matches everything. */
  readonly any: boolean
  /** Contains no wildcard. */
  readonly literal: boolean
  /** Written in double quotes: not folded. */
  readonly quoted: boolean
  readonly lower: string
}

export function compileGlob(text: string, quoted = false): Glob {
  return {
    text,
    any: /^\*+$/.test(text) && !quoted,
    literal: quoted || !/[*?]/.test(text),
    quoted,
    lower: text.toLowerCase(),
  }
}

/** Iterative wildcard match with one backtrack point. */
function wildcard(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (
      p < pattern.length &&
      (pattern[p] === '?' || pattern[p] === text[t]) &&
      pattern[p] !== '*'
    ) {
      p++
      t++
    } else if (p < pattern.length && pattern[p] === '*') {
      star = p++
      mark = t
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

function matchText(glob: Glob, pattern: string, text: string): boolean {
  return glob.any || (glob.literal ? pattern === text : wildcard(pattern, text))
}

/** Exact match with wildcards, case as written: for groups, roles, connections. */
export function globMatches(glob: Glob, text: string): boolean {
  return matchText(glob, glob.text, text)
}

/** Match ignoring case: for command words, setting names. */
export function globMatchesFolded(glob: Glob, text: string): boolean {
  return matchText(glob, glob.lower, text.toLowerCase())
}

export function anyGlob(globs: readonly Glob[], text: string): boolean {
  return globs.some((glob) => globMatches(glob, text))
}

/** An identifier of the database, under the case rules in the file header. */
function identifierMatches(glob: Glob, name: string, mode: MatchMode): boolean {
  if (mode === 'protect') return matchText(glob, glob.lower, name.toLowerCase())
  if (glob.quoted) return glob.text === name
  return matchText(glob, glob.lower, name)
}

/** Splits at dots outside double quotes. Null: unbalanced quotes or an empty part. */
export function splitName(text: string): readonly Glob[] | null {
  const parts: Glob[] = []
  const pattern = /(?:"((?:[^"]|"")+)"|([^".\s]+))(\.|$)/y
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text)
    if (found === null) return null
    const quoted = found[1]
    parts.push(
      quoted === undefined
        ? compileGlob(found[2] ?? '')
        : compileGlob(quoted.replaceAll('""', '"'), true),
    )
    if (found[3] === '') return pattern.lastIndex === text.length ? parts : null
    if (pattern.lastIndex === text.length) return null
  }
  return parts.length > 0 ? parts : null
}

export type RelationPattern =
  | { readonly kind: 'name'; readonly schema: Glob; readonly name: Glob; readonly source: string }
  /** `@catalog`: metadata; `@catalog-data`: catalogs that hold values or secrets; `@temporary`. */
  | {
      readonly kind: 'special'
      readonly what: 'metadata' | 'data' | 'temporary'
      readonly source: string
    }

const SPECIAL = new Map([
  ['@catalog', 'metadata'],
  ['@catalog-data', 'data'],
  ['@temporary', 'temporary'],
] as const)

/** `schema.table`, `*` for every relation, or one of the `@` names. */
export function compileRelation(source: string): RelationPattern | string {
  if (source.startsWith('@')) {
    for (const [key, what] of SPECIAL) if (key === source) return { kind: 'special', what, source }
    return `unknown name \`${source}\`; expected one of ${[...SPECIAL.keys()].join(', ')}`
  }
  if (source === '*')
    return { kind: 'name', schema: compileGlob('*'), name: compileGlob('*'), source }
  const parts = splitName(source)
  const [schema, name] = parts ?? []
  if (schema === undefined || name === undefined || parts?.length !== 2)
    return `\`${source}\` is not \`schema.table\` (wildcards \`*\` and \`?\`, parts may be in double quotes)`
  return { kind: 'name', schema, name, source }
}

/**
 * Does the pattern name this relation? A wildcard schema never reaches into system schemas in a grant, and never
 * into plain metadata anywhere: those are matched by `@catalog`, `@catalog-data` or the schema's own name.
 */
export function relationMatches(
  pattern: RelationPattern,
  use: RelationUse,
  mode: MatchMode,
): boolean {
  const system = catalogClass(use)
  if (pattern.kind === 'special')
    return pattern.what === 'temporary' ? use.kind === 'temporary' : system === pattern.what
  if (!identifierMatches(pattern.name, use.name, mode)) return false
  if (use.kind === 'temporary') {
    if (pattern.schema.any) return true
    return identifierMatches(pattern.schema, 'pg_temp', mode)
  }
  // A name that may be in any schema is granted only to a pattern that grants every schema.
  if (use.schema === null) return mode === 'protect' || pattern.schema.any
  if (pattern.schema.any && system !== null && (mode === 'grant' || system === 'metadata'))
    return false
  return identifierMatches(pattern.schema, use.schema, mode)
}

export interface ColumnPattern {
  readonly schema: Glob
  readonly relation: Glob
  readonly column: Glob
  readonly source: string
}

/** `schema.table.column`. */
export function compileColumn(source: string): ColumnPattern | string {
  const parts = splitName(source)
  const [schema, relation, column] = parts ?? []
  if (schema === undefined || relation === undefined || column === undefined || parts?.length !== 3)
    return `\`${source}\` is not \`schema.table.column\` (wildcards \`*\` and \`?\`, parts may be in double quotes)`
  return { schema, relation, column, source }
}

export function columnMatches(pattern: ColumnPattern, column: ColumnRef, mode: MatchMode): boolean {
  return (
    identifierMatches(pattern.column, column.column, mode) &&
    identifierMatches(pattern.relation, column.relation, mode) &&
    identifierMatches(pattern.schema, column.schema, mode)
  )
}

export interface FunctionPattern {
  /** Null: written without a schema. */
  readonly schema: Glob | null
  readonly name: Glob
  readonly source: string
}

/** `schema.name`, or `name` for a function the server itself brings. */
export function compileFunction(source: string): FunctionPattern | string {
  const parts = splitName(source)
  const [first, second] = parts ?? []
  if (first === undefined || (parts?.length ?? 0) > 2)
    return `\`${source}\` is not \`schema.function\` or \`function\``
  return second === undefined
    ? { schema: null, name: first, source }
    : { schema: first, name: second, source }
}

/**
 * In a grant, a bare name means the server's own function (or `*`, every function): a user's function of that
 * name in another schema is not meant.
 */
export function functionMatches(
  pattern: FunctionPattern,
  use: FunctionUse,
  mode: MatchMode,
): boolean {
  if (!identifierMatches(pattern.name, use.name, mode)) return false
  if (pattern.schema === null)
    return (
      mode === 'protect' || pattern.name.any || use.schema === null || use.schema === 'pg_catalog'
    )
  if (use.schema === null) return mode === 'protect' || pattern.schema.any
  return identifierMatches(pattern.schema, use.schema, mode)
}
