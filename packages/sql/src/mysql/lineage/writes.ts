/** What statements write, wherever they get it from: flows, constants, and the rows of RETURNING. */
import type { Access, ColumnRef } from '../../facts.ts'
import { CONSTANT_WRITES_MAX } from '../../limits.ts'
import { flattenConstants, lineageOf, probesOf, type Value } from '../../lineage/value.ts'
import type { Assignment, ObjectName, SelectItem } from '../ast.ts'
import { foldTable } from '../names.ts'
import { useRelation } from '../resolve.ts'
import { storedItem } from './from.ts'
import { listColumns } from './query.ts'
import { type LeafItem, lookupIn, type Scope } from './scope.ts'
import { NO_COLUMNS, type QueryResult, type Walk } from './walk.ts'

export function noteAssignment(
  walk: Walk,
  assignment: Assignment,
  {
    target,
    scope,
    fresh,
  }: { readonly target: LeafItem; readonly scope: Scope; readonly fresh: boolean },
): Value {
  walk.visited.add(assignment)
  walk.visited.add(assignment.column)
  const value = walk.value(assignment.value, scope)
  noteWrite(walk, target, { name: assignment.column.name.value, value, fresh })
  return value
}

/** Values by the names that the catalog has for their columns. */
export function stored(
  target: LeafItem,
  values: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value> {
  const names = new Map(target.columns.map(({ name }) => [name.toLowerCase(), name]))
  return new Map([...values].map(([name, value]) => [names.get(name) ?? name, value]))
}

/** A table that a statement changes, under the name its clauses know it by. */
export function writtenItem(walk: Walk, table: ObjectName): LeafItem {
  walk.draft.effect('write')
  const name = foldTable(walk.context.catalog, table.name.value)
  return storedItem(walk, { table, name, access: 'write' })
}

/** Notes that `value` is stored in the column `name` of the target. */
export function noteWrite(
  walk: Walk,
  target: LeafItem,
  { name, value, fresh }: { readonly name: string; readonly value: Value; readonly fresh: boolean },
): void {
  const { draft } = walk
  const into = storedColumn(target, name)
  const { oneOf } = value
  // Whether a value is NULL is tested for nothing else.
  if (oneOf?.chosenBy.revealsNoValue === true) draft.useAll(oneOf.chosenBy, 'is-null')
  for (const part of oneOf === null ? [value] : [...oneOf.values, oneOf.chosenBy]) {
    if (part.kind === 'constant') continue
    draft.flows.push({
      lineage: lineageOf(part),
      into:
        into === null
          ? { kind: 'other', what: `a column of ${target.name ?? 'a relation'} that is not known` }
          : { kind: 'column', column: into },
    })
  }
  if (value.constants === null || into === null) return
  draft.literalIndependent = false
  const constants = flattenConstants(value.constants, CONSTANT_WRITES_MAX)
  if (constants === null || draft.constantWrites.length > CONSTANT_WRITES_MAX) {
    draft.unknown(`more than ${CONSTANT_WRITES_MAX} constants are written`)
    return
  }
  for (const constant of constants) {
    draft.constantWrites.push({ column: into, value: constant, ...(fresh && { fresh }) })
  }
}

/** Of a row that was there it is told whether it is another now: stored values are compared with those given. */
export function noteReplaced(walk: Walk, target: LeafItem, name: string, value: Value): void {
  const column = storedColumn(target, name)
  if (column === null) return
  for (const one of value.oneOf?.values ?? [value]) {
    const [source] = one.sources
    if (one.kind === 'direct' && source !== undefined)
      walk.draft.use(column, 'equality-column', { with: source })
    else if (one.kind === 'constant' && one.varies !== 'computed')
      walk.draft.use(column, 'equality-constant', probesOf(one))
    else walk.draft.use(column, 'predicate')
  }
}

export function storedColumn(target: LeafItem, name: string): ColumnRef | null {
  const value = name === '' ? undefined : lookupIn(target, name)
  return value?.kind === 'direct' ? value.sources[0]! : (value?.stored ?? null)
}

/** Also what is behind a view. */
export function useAll(walk: Walk, name: ObjectName, access: Access): void {
  for (const candidate of useRelation(walk.context, walk.draft, { name, access })) {
    if (candidate.kind === 'relation') walk.relationColumns(candidate.relation, access)
  }
}

/** MariaDB: rows as they are after the change, of DELETE as they were. */
export function returning(
  walk: Walk,
  items: readonly SelectItem[] | null,
  { table, scope }: { readonly table: ObjectName | null; readonly scope: Scope },
): QueryResult {
  if (items === null) return NO_COLUMNS
  walk.draft.effect('read')
  if (table !== null) useAll(walk, table, 'read')
  return listColumns(walk, items, scope)
}
