/**
 * WITH: columns of common table expressions. Plain ones see those before them; in WITH RECURSIVE every
 * one sees all. A recursive one is walked again until its columns no longer change.
 */
import type { CommonTableExpr, Node, SelectStmt, WithClause } from 'libpg-query'
import { RECURSION_ROUNDS_MAX } from '../../limits.ts'
import {
  asUnknown,
  type Column,
  derive,
  ROW_COUNT,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { as, stringsOf } from '../tree.ts'
import { combineBranches } from './query.ts'
import { type Cte, newScope, type Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

export function addCtes(walk: Walk, clause: WithClause | undefined, scope: Scope): void {
  if (clause === undefined) return
  const ctes: Cte[] = []
  for (const node of clause.ctes ?? []) {
    const expression = as(node, 'CommonTableExpr')
    if (expression === undefined) {
      walk.draft.unknown('WITH without expression')
      continue
    }
    walk.visited.add(expression)
    const cte = deferred(walk, expression, {
      recursive: clause.recursive === true,
      // A plain CTE sees only those before it.
      scope: clause.recursive === true ? scope : { ...scope, ctes: new Map(scope.ctes) },
    })
    scope.ctes.set(cte.name, cte)
    if (clause.recursive !== true) cte.result()
    ctes.push(cte)
  }
  for (const cte of ctes) cte.result()
}

function deferred(
  walk: Walk,
  expression: CommonTableExpr,
  { recursive, scope }: { readonly recursive: boolean; readonly scope: Scope },
): Cte {
  const name = expression.ctename ?? ''
  let state: 'new' | 'walking' | 'done' = 'new'
  let result: QueryResult = { columns: [], open: unknownOf('recursive reference') }
  const settle = (columns: QueryResult) => {
    result = columns
  }
  return {
    name,
    result() {
      if (state !== 'new') return result
      state = 'walking'
      settle(
        recursive
          ? recursiveColumns(walk, expression, { scope, settle })
          : finished(walk, expression, walk.statement(expression.ctequery!, newScope(scope))),
      )
      state = 'done'
      return result
    },
  }
}

function recursiveColumns(
  walk: Walk,
  expression: CommonTableExpr,
  { scope, settle }: { readonly scope: Scope; readonly settle: (result: QueryResult) => void },
): QueryResult {
  const select = as(expression.ctequery, 'SelectStmt')
  const refers = select?.op === 'SETOP_UNION' && mentions(expression.ctequery!, expression.ctename!)
  if (select === undefined || !refers) {
    return finished(walk, expression, walk.statement(expression.ctequery!, newScope(scope)))
  }
  const inner = newScope(scope)
  addCtes(walk, select.withClause, inner)
  walk.visited.add(select)
  const { sortClause = [], limitCount, limitOffset, larg, rarg } = select
  if (larg === undefined || rarg === undefined || sortClause.length > 0) {
    // The server refuses ORDER BY here.
    walk.draft.unknown('recursive query with ORDER BY')
  }
  for (const limit of [limitCount, limitOffset]) {
    if (limit !== undefined) walk.draft.useAll(walk.value(limit, inner), 'cardinality')
  }
  let result = finished(walk, expression, walk.query(larg as SelectStmt, newScope(inner)))
  for (let round = 0; round < RECURSION_ROUNDS_MAX; round++) {
    settle(result)
    // Sublinks see the columns as they now are.
    walk.subqueries.clear()
    const step = walk.query(rarg as SelectStmt, newScope(inner))
    const next = grown(
      result,
      finished(
        walk,
        expression,
        combineBranches(walk, select, unfinished(expression, result), step),
      ),
    )
    if (isSettled(result, next)) return next
    result = next
  }
  walk.draft.unknown('recursive query does not settle')
  const columns = result.columns.map((column) => ({
    name: column.name,
    value: asUnknown(column.value, 'recursive query does not settle'),
  }))
  return { columns, open: result.open }
}

/** Without the columns that SEARCH and CYCLE add: the recursive branch does not give them. */
function unfinished(expression: CommonTableExpr, result: QueryResult): QueryResult {
  const added =
    (expression.search_clause === undefined ? 0 : 1) +
    (expression.cycle_clause === undefined ? 0 : 2)
  if (added === 0) return result
  return { columns: result.columns.slice(0, -added), open: result.open }
}

function isSettled(a: QueryResult, b: QueryResult): boolean {
  return (
    a.columns.length === b.columns.length &&
    (a.open === null) === (b.open === null) &&
    a.columns.every((column, index) => isSameValue(column.value, b.columns[index]!.value))
  )
}

/** What gets longer in one round gets as long as it likes. */
function grown(before: QueryResult, after: QueryResult): QueryResult {
  const columns = after.columns.map((column, index) => {
    const copies = before.columns[index]?.value.copies ?? 1
    if (column.value.copies <= copies) return column
    return { ...column, value: { ...column.value, copies: Number.POSITIVE_INFINITY } }
  })
  return { ...after, columns }
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

/** Applies the column names of `name(a, b)` and adds the columns of SEARCH and CYCLE. */
function finished(walk: Walk, expression: CommonTableExpr, result: QueryResult): QueryResult {
  const names = stringsOf(expression.aliascolnames)
  const columns: Column[] = result.columns.map((column, index) => ({
    name: names[index] ?? column.name,
    value: { ...column.value, constants: column.value.constants },
  }))
  const named = (list: readonly Node[] | undefined) => {
    const wanted = new Set(stringsOf(list))
    return columns.filter((column) => wanted.has(column.name)).map((column) => column.value)
  }
  const { search_clause: search, cycle_clause: cycle } = expression
  const searched = derive([...named(search?.search_col_list), ROW_COUNT], { why: 'search' })
  // Rows stop where one is like another of its path, which may begin with anything: with every number of a series.
  for (const value of named(cycle?.cycle_col_list)) walk.draft.useAll(value, 'predicate')
  const cycled = derive([...named(cycle?.cycle_col_list), ROW_COUNT], { why: 'cycle' })
  if (search !== undefined) {
    columns.push({ name: search.search_seq_column ?? '', value: searched })
  }
  if (cycle !== undefined) {
    columns.push({ name: cycle.cycle_mark_column ?? '', value: cycled })
    columns.push({ name: cycle.cycle_path_column ?? '', value: cycled })
  }
  return { columns, open: result.open }
}

/** Does any table name in the tree equal `name`? */
function mentions(tree: unknown, name: string): boolean {
  if (typeof tree !== 'object' || tree === null) return false
  if (Array.isArray(tree)) return tree.some((item) => mentions(item, name))
  const { relname, schemaname } = tree as { relname?: unknown; schemaname?: unknown }
  if (relname === name && schemaname === undefined) return true
  return Object.values(tree).some((child) => mentions(child, name))
}
