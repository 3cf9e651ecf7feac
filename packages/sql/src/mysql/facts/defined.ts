/** What definitions have in common: names they make and change, and where the data behind them goes. */
import type { RelationUse } from '../../facts.ts'
import { lineageOf, type Value } from '../../lineage/value.ts'
import type { Expression, ObjectName, TableElement } from '../ast.ts'
import { functionFacts } from '../functions.ts'
import { storedItem } from '../lineage/from.ts'
import { columnsOf, type LeafItem, openOf, scopeOf } from '../lineage/scope.ts'
import type { QueryResult } from '../lineage/walk.ts'
import { foldTable, temporaryKey } from '../names.ts'
import { databaseOf, resolveRelation, useRelation } from '../resolve.ts'
import type { Run } from './run.ts'

export function begin(run: Run, command: string): void {
  run.draft.command = command
  run.draft.effect('ddl')
  run.draft.literalIndependent = false
}

/** Definitions end the transaction, and the schema is another. */
export function end(run: Run): void {
  run.draft.state.push({ kind: 'commit' }, { kind: 'catalog' })
}

export function noteFunctions(run: Run): void {
  for (const call of run.survey.calls) {
    const facts = functionFacts(run.context, call)
    run.draft.function(facts.use)
    run.draft.effect(...facts.effects)
  }
}

export const define = (run: Run, name: ObjectName) =>
  useRelation(run.context, run.draft, { name, access: 'define' })

/** A name that is not taken yet. */
export function defineNew(run: Run, name: ObjectName): void {
  const schema = databaseOf(run.context, name)
  run.draft.relation({ schema, name: name.name.value, access: 'define', kind: 'table' })
}

/** A relation that the statement makes: it is not in the catalog, or no longer as it is there. */
export function noteCreated(
  run: Run,
  name: ObjectName,
  {
    kind,
    columns,
    temporary,
  }: {
    readonly kind: RelationUse['kind']
    readonly columns: readonly string[] | null
    readonly temporary: boolean
  },
): void {
  const schema = databaseOf(run.context, name)
  const relation = name.name.value
  const use = { schema, name: relation, access: 'define' } as const
  run.draft.relation({ ...use, kind: temporary ? 'temporary' : kind })
  if (!temporary) return end(run)
  const key = temporaryKey(run.context.catalog, schema ?? '', relation)
  if (schema === null) run.draft.state.push({ kind: 'uncertain', why: 'no current database' })
  else run.draft.state.push({ kind: 'create-temporary', relation: key, columns })
}

export function noteStored(run: Run, name: ObjectName, column: string, value: Value): void {
  if (value.kind === 'constant') return
  const schema = databaseOf(run.context, name)
  run.draft.flows.push({
    lineage: lineageOf(value),
    into: { kind: 'new-relation', schema, name: name.name.value, column },
  })
}

export function noteStoredAll(run: Run, name: ObjectName, { columns, open }: QueryResult): void {
  for (const column of columns) noteStored(run, name, column.name, column.value)
  if (open !== null) noteStored(run, name, '', open)
}

/** The rows of `from` are, or become, rows of `name`. */
export function noteRowsOf(run: Run, name: ObjectName, from: ObjectName): void {
  const item = itemOf(run, from)
  noteStoredAll(run, name, { columns: columnsOf(item) ?? [], open: openOf(item) })
}

export function itemOf(run: Run, name: ObjectName): LeafItem {
  const folded = foldTable(run.context.catalog, name.name.value)
  return storedItem(run.walk, { table: name, name: folded, access: null })
}

export function referencesOf(elements: readonly TableElement[]): readonly ObjectName[] {
  return elements.flatMap((element) => {
    if (element.kind === 'foreign-key') return element.references.table
    return element.kind === 'column-definition' && element.references !== null
      ? element.references.table
      : []
  })
}

/** What the name stood for is no longer known. */
export function noteAltered(run: Run, name: ObjectName): void {
  for (const candidate of resolveRelation(run.context, name)) {
    if (candidate.kind === 'temporary') {
      const relation = temporaryKey(run.context.catalog, candidate.database, candidate.name)
      run.draft.state.push({ kind: 'create-temporary', relation, columns: null })
    }
  }
  end(run)
}

/** Whether a new key or check can be made tells of the rows there are. */
export function noteChecked(
  run: Run,
  element: Exclude<TableElement, { kind: 'column-definition' }>,
  item: LeafItem,
): void {
  const scope = scopeOf(item)
  const failing = (expression: Expression) =>
    run.draft.useAll(run.walk.value(expression, scope), 'failure')
  switch (element.kind) {
    case 'check':
      failing(element.condition)
      return
    case 'key-definition':
      if (element.type !== 'unique' && element.type !== 'primary') return
      for (const part of element.parts) failing(part.expression)
      return
    case 'foreign-key':
      for (const part of element.columns) failing(part.expression)
      return
    case 'period':
      return
  }
}
