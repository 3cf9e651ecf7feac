/**
 * WITH: columns of common table expressions. Each sees those before it; in WITH RECURSIVE itself too, on MariaDB
 * every one. A recursive one is walked again until its columns no longer change.
 */

import type { ColumnRef } from '../../facts.ts'
import { RECURSION_ROUNDS_MAX } from '../../limits.ts'
import { asComputed, asUnknown, type Column, unknownOf, type Value } from '../../lineage/value.ts'
import type { CommonTable, Query, QueryBody, With } from '../ast.ts'
import { foldTable } from '../names.ts'
import { type Cte, newScope, type Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

export function addCtes(walk: Walk, clause: With | null, scope: Scope): void {
  if (clause === null) return
  walk.visited.add(clause)
  const forward = clause.recursive && walk.context.dialect.flavour === 'mariadb'
  const ctes: Cte[] = []
  for (const table of clause.tables) {
    walk.visited.add(table)
    const name = foldTable(walk.context.catalog, table.name.value)
    // One that does not see itself, or later ones, may mean a stored table of that name.
    const around = forward ? scope : { ...scope, ctes: new Map(scope.ctes) }
    const cte = deferred(walk, table, { recursive: clause.recursive, scope: around })
    if (clause.recursive) around.ctes.set(name, cte)
    scope.ctes.set(name, cte)
    if (!forward) cte.result()
    ctes.push(cte)
  }
  for (const cte of ctes) cte.result()
}

function deferred(
  walk: Walk,
  table: CommonTable,
  { recursive, scope }: { readonly recursive: boolean; readonly scope: Scope },
): Cte {
  let state: 'new' | 'walking' | 'done' = 'new'
  let result: QueryResult = { columns: [], open: unknownOf('recursive reference') }
  let referred = false
  const settle = (columns: QueryResult) => {
    result = columns
  }
  return {
    result() {
      if (state === 'walking') referred = true
      if (state !== 'new') return result
      state = 'walking'
      const body = recursive ? seedOf(table.query) : null
      if (body === null) settle(finished(walk, table, walk.query(table.query, scope)))
      else {
        settle(finished(walk, table, walk.query(body, scope)))
        referred = false
        recursiveColumns(walk, table, {
          scope,
          settle,
          result: () => result,
          again: () => referred,
        })
      }
      state = 'done'
      return result
    },
  }
}

/** What a recursive query starts from: its first branch. Null where there is but one. */
function seedOf(query: Query): Query | null {
  let body: QueryBody = query.body
  while (body.kind === 'query' && body.with === null) body = body.body
  if (body.kind !== 'set-operation') return null
  const { first } = body
  return {
    ...query,
    body: first,
    orderBy: [],
    limit: null,
    locking: [],
    into: null,
    procedure: null,
  }
}

function recursiveColumns(
  walk: Walk,
  table: CommonTable,
  {
    scope,
    settle,
    result,
    again,
  }: {
    readonly scope: Scope
    readonly settle: (result: QueryResult) => void
    readonly result: () => QueryResult
    readonly again: () => boolean
  },
): void {
  const seed = result()
  for (let round = 0; round < RECURSION_ROUNDS_MAX; round++) {
    const before = result()
    // Subqueries see the columns as they now are.
    walk.subqueries.clear()
    const fresh = finished(walk, table, walk.query(table.query, newScope(scope)))
    if (!again()) return settle(fresh)
    const after = grown(before, fresh)
    settle(after)
    if (isSettled(before, after)) return noteWidths(walk, seed, after)
  }
  walk.draft.unknown('recursive query does not settle')
  const { columns, open } = result()
  const value = (column: Column) => asUnknown(column.value, 'recursive query does not settle')
  settle({ columns: columns.map((column) => ({ name: column.name, value: value(column) })), open })
}

/** The first branch decides how wide the columns are: a value of a later one that does not fit is an error. */
function noteWidths(walk: Walk, seed: QueryResult, { columns }: QueryResult): void {
  for (const [index, { value }] of columns.entries()) {
    const first = seed.columns[index]?.value
    const isNew = (source: ColumnRef) => first?.sources.includes(source) !== true
    if (value.kind === 'constant') continue
    if (value.sources.some(isNew) || value.copies > (first?.copies ?? 0)) {
      walk.draft.useAll(value, 'failure')
    }
  }
}

/** Constants count up; what gets longer in one round gets as long as it likes. */
function grown(before: QueryResult, after: QueryResult): QueryResult {
  const columns = after.columns.map(({ name, value }, index) => {
    const counted = asComputed(value)
    const copies = before.columns[index]?.value.copies ?? 1
    if (counted.copies <= copies) return { name, value: counted }
    return { name, value: { ...counted, copies: Number.POSITIVE_INFINITY } }
  })
  return { columns, open: after.open }
}

function isSettled(a: QueryResult, b: QueryResult): boolean {
  return (
    a.columns.length === b.columns.length &&
    (a.open === null) === (b.open === null) &&
    a.columns.every((column, index) => isSameValue(column.value, b.columns[index]!.value))
  )
}

function isSameValue(a: Value, b: Value): boolean {
  return (
    a.kind === b.kind &&
    a.revealsNoValue === b.revealsNoValue &&
    a.varies === b.varies &&
    a.mayFail === b.mayFail &&
    a.copies === b.copies &&
    a.groups === b.groups &&
    a.sources.length === b.sources.length &&
    a.sources.every((source) => b.sources.includes(source))
  )
}

/** Applies the column names of `name(a, b)`, and notes what CYCLE tells. */
function finished(walk: Walk, table: CommonTable, { columns, open }: QueryResult): QueryResult {
  const { columns: names, cycle } = table
  const named = columns.map((column, index) => ({
    name: names?.[index]?.value ?? column.name,
    value: column.value,
  }))
  const compared = new Set(cycle.map(({ value }) => value.toLowerCase()))
  // Rows stop where one is like another, which may be anything: every number of a series.
  for (const { name, value } of named) {
    if (compared.has(name.toLowerCase())) walk.draft.useAll(value, 'predicate')
  }
  if (compared.size > 0 && open !== null) walk.draft.useAll(open, 'predicate')
  return { columns: named, open }
}
