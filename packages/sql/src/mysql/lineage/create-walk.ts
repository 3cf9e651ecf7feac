/** Puts the parts of the walk together. */
import type { CatalogRelation } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type { Access } from '../../facts.ts'
import { type Column, directOf } from '../../lineage/value.ts'
import { type MysqlContext, plain } from '../context.ts'
import { temporaryKey } from '../names.ts'
import { expressionValue } from './expression.ts'
import { notePredicate } from './predicate.ts'
import { queryColumns } from './query.ts'
import type { Walk } from './walk.ts'

/** Columns of a catalog relation, with base relations behind views noted in the draft. */
export type RelationReader = (
  draft: FactsDraft,
  relation: CatalogRelation,
  access: Access | null,
) => readonly Column[]

export function createWalk(
  context: MysqlContext,
  draft: FactsDraft,
  options: {
    readonly readRelation: RelationReader
    /** What offsets of nodes count in. */
    readonly text: string
    /** Lower-case names of the user variables that the statement assigns. */
    readonly assigned: ReadonlySet<string>
    /** Bodies of functions are looked into: whoever runs the statement asks whether they are still the same. */
    readonly bodies: boolean
    readonly depth?: number
  },
): Walk {
  const { depth = 0 } = options
  const temporaries = new Map<string, readonly Column[]>()
  const walk: Walk = {
    context,
    draft,
    text: options.text,
    visited: new Set(),
    values: new Map(),
    windows: new Map(),
    merged: new Map(),
    namedByLiterals: new Set(),
    subqueries: new Map(),
    assigned: options.assigned,
    targets: new Set(),
    inserted: null,
    depth,
    inside: options.bodies
      ? (innerDraft, { database, ...body }) =>
          createWalk(within(context, database), innerDraft, {
            ...options,
            ...body,
            depth: depth + 1,
          })
      : null,
    value: (node, scope) => expressionValue(walk, node, scope),
    predicate: (node, scope) => notePredicate(walk, node, scope),
    query: (query, scope) => queryColumns(walk, query, scope),
    relationColumns: (relation, access) => options.readRelation(draft, relation, access),
    temporaryColumns({ database, name, columns }) {
      const key = temporaryKey(context.catalog, database, name)
      let known = temporaries.get(key)
      if (known === undefined) {
        known = columns.map((column) => ({
          name: column,
          value: directOf({ schema: database, relation: name, column }, ''),
        }))
        temporaries.set(key, known)
      }
      return known
    },
  }
  return walk
}

/** Names in the body of a routine mean what is in the routine's database. */
const within = ({ catalog, dialect, names }: MysqlContext, database: string): MysqlContext => ({
  catalog,
  dialect: plain(dialect),
  names: {
    database,
    databaseCertain: true,
    temporaries: names.temporaries,
    temporariesCertain: names.temporariesCertain,
    sqlMode: null,
    prepared: () => undefined,
    handlers: () => undefined,
  },
})
