/**
 * Does a subject belong to a `who`? Everything written in one clause must hold; clauses are alternatives.
 *
 * Who gains by a match decides which groups count. Where it gives rights, only the groups of the role taken do;
 * where it takes rights away, every group of the principal does. An `except` turns the one into the other.
 */

import type { Subject, Who, WhoClause } from './model.ts'
import { anyGlob, type Glob } from './patterns.ts'

/** What a match does for the subject: `gives` rights (allow, `except` of a mask) or `takes` them. */
export type Polarity = 'gives' | 'takes'

const oneOf = (globs: readonly Glob[] | null, value: string | null): boolean =>
  globs === null || (value !== null && anyGlob(globs, value))

const someOf = (globs: readonly Glob[] | null, values: readonly string[]): boolean =>
  globs === null || values.some((value) => anyGlob(globs, value))

function groupsOf(subject: Subject, effect: Polarity): readonly string[] {
  const { groups, allGroups } = subject
  return effect === 'gives' || allGroups === undefined ? groups : [...groups, ...allGroups]
}

/** Taking a role is a choice; who makes none is restricted by every role that could be taken. */
function rolesOf(subject: Subject, effect: Polarity): readonly string[] {
  const { role, allRoles } = subject
  if (role !== null) return [role]
  return effect === 'gives' ? [] : (allRoles ?? [])
}

function clauseMatches(clause: WhoClause, subject: Subject, effect: Polarity): boolean {
  return (
    someOf(clause.groups, groupsOf(subject, effect)) &&
    someOf(clause.roles, rolesOf(subject, effect)) &&
    oneOf(clause.subjects, subject.subject) &&
    oneOf(clause.graphs, subject.graph) &&
    oneOf(clause.nodes, subject.node) &&
    (clause.kind === null || clause.kind === subject.kind) &&
    (clause.except === null ||
      !whoMatches(clause.except, subject, effect === 'gives' ? 'takes' : 'gives'))
  )
}

export function whoMatches(who: Who, subject: Subject, effect: Polarity): boolean {
  return who.clauses.some((clause) => clauseMatches(clause, subject, effect))
}
