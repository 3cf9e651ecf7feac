/** ALTER TABLE and RENAME TABLE: what takes columns and rows away from the rules that name them. */
import type { AlterAction, AlterTable, Expression, Identifier, ObjectName } from '../ast.ts'
import { type LeafItem, lookupIn, scopeOf } from '../lineage/scope.ts'
import { temporaryKey } from '../names.ts'
import { databaseOf, resolveRelation, useRelation } from '../resolve.ts'
import {
  begin,
  define,
  defineNew,
  itemOf,
  noteAltered,
  noteChecked,
  noteFunctions,
  noteRowsOf,
  noteStored,
  referencesOf,
} from './defined.ts'
import type { Handler, Run } from './run.ts'

export const alterTable: Handler<'alter-table'> = (run, node) => {
  begin(run, 'alter table')
  define(run, node.name)
  noteFunctions(run)
  noteAltered(run, node.name)
  const item = itemOf(run, node.name)
  for (const action of node.actions) noteAction(run, node, { action, item })
}

function noteAction(
  run: Run,
  { name }: AlterTable,
  { action, item }: { readonly action: AlterAction; readonly item: LeafItem },
): void {
  const elements = action.elements
  for (const other of [...action.union, ...referencesOf(elements)]) define(run, other)
  for (const other of action.union) noteRowsOf(run, name, other)
  for (const element of elements) {
    if (element.kind === 'column-definition') {
      for (const stored of storedExpressions(element.generated, element.default)) {
        noteStored(run, name, element.name.value, run.walk.value(stored, scopeOf(item)))
      }
    } else noteChecked(run, element, item)
  }
  const [first, second] = action.names
  switch (action.action) {
    case 'change column':
      noteRetyped(run, item, first)
      noteRenamed(run, name, {
        item,
        from: first,
        to: elements[0]?.kind === 'column-definition' ? elements[0].name : undefined,
      })
      return
    case 'rename column':
      noteRenamed(run, name, { item, from: first, to: second })
      return
    case 'rename table':
    case 'exchange partition':
    case 'convert partition':
      if (action.table === null) return
      if (action.action === 'rename table') defineNew(run, action.table)
      else define(run, action.table)
      // Rows of one become rows of the other.
      noteRowsOf(run, action.table, name)
      if (action.action === 'rename table') noteTemporaryRenamed(run, name, action.table)
      if (action.action !== 'rename table') noteRowsOf(run, name, action.table)
      noteAltered(run, action.table)
      return
    case 'drop partition':
    case 'truncate partition':
      run.draft.effect('write')
      useRelation(run.context, run.draft, { name, access: 'write' })
      return
    case 'order by':
      for (const expression of action.expressions) {
        run.draft.useAll(run.walk.value(expression, scopeOf(item)), 'order')
      }
      return
    case 'alter column':
      for (const given of action.expressions) {
        noteStored(run, name, first?.value ?? '', run.walk.value(given, scopeOf(item)))
      }
      return
    case 'modify column':
      for (const column of elements) {
        if (column.kind === 'column-definition') noteRetyped(run, item, column.name)
      }
      return
    case 'convert charset':
      // Characters that it does not have, and keys that its collation takes for equal, are errors.
      for (const { value } of item.columns) {
        if (value.type === null || TEXT.test(value.type)) run.draft.useAll(value, 'failure')
      }
  }
}

const TEXT = /char|text|enum|set/

/** A type that some values do not fit into is refused. */
function noteRetyped(run: Run, item: LeafItem, name: Identifier | undefined): void {
  const value = name === undefined ? undefined : lookupIn(item, name.value)
  if (value !== undefined) run.draft.useAll(value, 'failure')
}

const storedExpressions = (...expressions: readonly (Expression | null)[]): readonly Expression[] =>
  expressions.filter((expression) => expression !== null)

/** A new name takes a column away from the rules that name it: data flows there. */
function noteRenamed(
  run: Run,
  name: ObjectName,
  {
    item,
    from,
    to,
  }: {
    readonly item: LeafItem
    readonly from: Identifier | undefined
    readonly to: Identifier | undefined
  },
): void {
  if (from === undefined || to === undefined) {
    run.draft.unknown('renamed column not known')
    return
  }
  const value = lookupIn(item, from.value)
  if (value === undefined || from.value.toLowerCase() === to.value.toLowerCase()) return
  noteStored(run, name, to.value, value)
}

/** A temporary table keeps being one under its new name. */
function noteTemporaryRenamed(run: Run, from: ObjectName, to: ObjectName): void {
  if (resolveRelation(run.context, from).every(({ kind }) => kind !== 'temporary')) return
  const schema = databaseOf(run.context, to)
  if (schema === null) return
  const relation = temporaryKey(run.context.catalog, schema, to.name.value)
  run.draft.state.push({ kind: 'create-temporary', relation, columns: null })
}

export const renameTables: Handler<'rename-tables'> = (run, { renames }) => {
  begin(run, 'rename table')
  for (const { from, to } of renames) {
    define(run, from)
    defineNew(run, to)
    noteRowsOf(run, to, from)
    noteTemporaryRenamed(run, from, to)
    noteAltered(run, from)
  }
}
