/**
 * What a write tells of values it does not read: a constraint over other columns or rows may refuse it.
 *
 *   CHECK (bonus < salary)     UPDATE ... SET bonus = 5     fails for small salaries
 *   UNIQUE (email)             INSERT ... VALUES ('x')      fails where somebody has that address
 *   REFERENCES people (ssn)    INSERT ... VALUES ('x')      fails where nobody has that number
 *
 * Triggers and row security are the schema's own; what they raise is theirs to answer for.
 */
import type { Catalog, CatalogColumn, CatalogConstraint, CatalogRelation } from '../catalog.ts'
import { relationColumns } from '../columns.ts'
import type { FactsDraft } from '../draft.ts'
import type { ColumnRef } from '../facts.ts'
import { probesOf, type Value } from './value.ts'

/** Values by column name; null: every column, with values the statement does not hold (COPY, LOAD DATA). */
export interface Written {
  readonly values: ReadonlyMap<string, Value> | null
  /** New rows: columns that are not written have their default. */
  readonly fresh: boolean
}

/** A relation that is written, and what the engine knows of types. */
export interface Target {
  readonly draft: FactsDraft
  readonly catalog: Catalog
  readonly relation: CatalogRelation
  /** May a value with sources be refused by the type of the column it is assigned to? */
  readonly mayNotFit: (value: Value, column: CatalogColumn) => boolean
}

/** Notes what an INSERT, UPDATE or COPY of these columns can tell by failing. */
export function noteChecks(target: Target, written: Written): void {
  for (const [column, value] of written.values ?? []) noteAssigned(target, column, value)
  for (const constraint of target.relation.constraints ?? []) {
    noteConstraint(target, written, constraint)
  }
  if (!written.fresh) noteReferences(target, [...(written.values?.keys() ?? [])])
}

/** A DELETE fails where a row elsewhere still refers to the one it takes. */
export function noteDeleted(target: Target): void {
  noteReferences(target, null)
}

function refOf(catalog: Catalog, relation: CatalogRelation, column: string): ColumnRef | null {
  const { refs, index } = relationColumns(catalog, relation)
  return refs[index.get(column) ?? -1] ?? null
}

/** A stored value of another column or a computed one may not fit the column's type. */
function noteAssigned(target: Target, name: string, value: Value): void {
  if (value.oneOf !== null) {
    for (const one of value.oneOf.values) noteAssigned(target, name, one)
    return
  }
  const column = target.relation.columns.find((one) => one.name === name)
  if (value.sources.length === 0 || column === undefined) return
  const own = refOf(target.catalog, target.relation, name)
  if (value.kind === 'direct' && value.sources[0] === own) return
  if (target.mayNotFit(value, column)) target.draft.useAll(value, 'failure')
}

function noteConstraint(target: Target, written: Written, constraint: CatalogConstraint): void {
  const { values } = written
  const touched = constraint.columns.filter((column) => values === null || values.has(column))
  if (touched.length === 0 && !written.fresh) return
  switch (constraint.kind) {
    case 'check':
      return noteCheck(target, written, constraint.columns)
    case 'exclusion':
      for (const column of constraint.columns) noteFailure(target, written, column)
      return
    case 'unique':
      for (const column of constraint.columns) {
        const ref = refOf(target.catalog, target.relation, column)
        if (ref !== null) noteCompared(target, written, { ref, column })
      }
      return
    case 'reference': {
      const { schema, relation: name, referenced, columns } = constraint
      const other = target.catalog.relation(schema, name)
      if (other === undefined) return
      columns.forEach((column, index) => {
        const ref = refOf(target.catalog, other, referenced[index] ?? '')
        if (ref !== null && (values === null || values.has(column))) {
          noteCompared(target, written, { ref, column })
        }
      })
    }
  }
}

/** Over a new row a check sees what the statement gives; over a changed one also what is stored. */
function noteCheck(target: Target, written: Written, columns: readonly string[]): void {
  for (const column of columns) {
    const value = written.values?.get(column)
    if (value !== undefined) target.draft.useAll(value, 'failure')
    else if (!written.fresh) noteFailure(target, written, column)
  }
}

function noteFailure(
  { draft, catalog, relation }: Target,
  { values }: Written,
  column: string,
): void {
  const ref = refOf(catalog, relation, column)
  if (ref !== null) draft.use(ref, 'failure')
  const value = values?.get(column)
  if (value !== undefined) draft.useAll(value, 'failure')
}

/** What is written to `column` is compared for equality with the stored values of `ref`. */
function noteCompared(
  { draft }: Target,
  written: Written,
  { ref, column }: { readonly ref: ColumnRef; readonly column: string },
): void {
  const value = written.values?.get(column)
  if (value === undefined) {
    // A default, or a stored value of the same column.
    if (written.fresh) draft.use(ref, 'equality-constant', { values: 1 })
    else draft.use(ref, 'equality-column', { with: ref })
    return
  }
  for (const one of value.oneOf?.values ?? [value]) noteComparedWith(draft, ref, one)
}

function noteComparedWith(draft: FactsDraft, ref: ColumnRef, value: Value): void {
  if (value.kind === 'constant' && value.varies !== 'computed') {
    draft.use(ref, 'equality-constant', probesOf(value))
  } else if (value.kind === 'direct') {
    const source = value.sources[0]!
    draft.use(ref, 'equality-column', { with: source })
    draft.use(source, 'equality-column', { with: ref })
  } else {
    draft.use(ref, 'predicate')
    draft.useAll(value, 'predicate')
  }
}

/** Rows elsewhere that refer to the changed columns (null: to any) keep them as they are. */
function noteReferences(
  { draft, catalog, relation }: Target,
  changed: readonly string[] | null,
): void {
  for (const { from, columns, referenced } of referencesTo(catalog, relation)) {
    if (changed !== null && !referenced.some((column) => changed.includes(column))) continue
    columns.forEach((column, index) => {
      const referring = refOf(catalog, from, column)
      const ref = refOf(catalog, relation, referenced[index] ?? '')
      if (referring === null || ref === null) return
      draft.use(referring, 'equality-column', { with: ref })
    })
  }
}

interface Reference {
  readonly from: CatalogRelation
  readonly columns: readonly string[]
  readonly referenced: readonly string[]
}

const references = new WeakMap<Catalog, Map<CatalogRelation, Reference[]>>()

function referencesTo(catalog: Catalog, relation: CatalogRelation): readonly Reference[] {
  let known = references.get(catalog)
  if (known === undefined) {
    known = new Map()
    for (const from of catalog.data.relations) {
      for (const constraint of from.constraints ?? []) {
        if (constraint.kind !== 'reference') continue
        const to = catalog.relation(constraint.schema, constraint.relation)
        if (to === undefined) continue
        const { columns, referenced } = constraint
        known.set(to, [...(known.get(to) ?? []), { from, columns, referenced }])
      }
    }
    references.set(catalog, known)
  }
  return known.get(relation) ?? []
}
