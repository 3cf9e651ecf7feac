/** Does a subject belong to a `who`? Everything written in one clause must hold; clauses are alternatives. */

import type { Subject, Who, WhoClause } from './model.ts'
import { anyGlob, type Glob } from './patterns.ts'

const oneOf = (globs: readonly Glob[] | null, value: string | null): boolean =>
  globs === null || (value !== null && anyGlob(globs, value))

function clauseMatches(clause: WhoClause, subject: Subject): boolean {
  const { groups } = clause
  return (
    (groups === null || subject.groups.some((group) => anyGlob(groups, group))) &&
    oneOf(clause.roles, subject.role) &&
    oneOf(clause.subjects, subject.subject) &&
    oneOf(clause.graphs, subject.graph) &&
    oneOf(clause.nodes, subject.node) &&
    (clause.kind === null || clause.kind === subject.kind) &&
    (clause.except === null || !whoMatches(clause.except, subject))
  )
}

export function whoMatches(who: Who, subject: Subject): boolean {
  return who.clauses.some((clause) => clauseMatches(clause, subject))
}
