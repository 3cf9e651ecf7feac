/**
 * Changes of relations that hold data: ALTER TABLE, RENAME, SET SCHEMA, CREATE INDEX, CLUSTER.
 *
 * Some take values away from what protects their column (a new name, another parent, a rule or trigger that
 * sees every row): all columns flow there. Others look at every row and fail, or leave rows in an order, by
 * what they find: that is a use of the columns they look at.
 */
import type {
  AlterObjectSchemaStmt,
  AlterTableCmd,
  AlterTableStmt,
  ClusterStmt,
  ColumnDef,
  Constraint,
  IndexStmt,
  Node,
  RangeVar,
  RenameStmt,
} from 'libpg-query'
import type { CatalogRelation } from '../../catalog.ts'
import { lineageOf, type Value } from '../../lineage/value.ts'
import { tableItem } from '../lineage/from.ts'
import { columnsOf, lookupIn, newScope, type Scope } from '../lineage/scope.ts'
import { resolveRelation, useRelation } from '../resolve.ts'
import { as, stringsOf, typeNameOf } from '../tree.ts'
import {
  columnIn as columnOf,
  constraintFrom,
  madeJustNow,
  noteChanged,
  noteNewType,
  onlyRelation,
} from './created.ts'
import {
  ADMIN_OBJECTS,
  noteFunctions,
  noteRelations,
  objectWords,
  RELATION_OBJECTS,
} from './definitions.ts'
import type { Handler, Run } from './run.ts'

/** Subcommands that neither look at rows nor change who keeps or sees them. */
const HARMLESS = new Set(
  `AT_AddColumn AT_AddColumnToView AT_ColumnDefault AT_CookedColumnDefault AT_DropNotNull AT_SetStatistics
   AT_SetOptions AT_ResetOptions AT_SetStorage AT_SetCompression AT_DropColumn AT_DropConstraint AT_ChangeOwner
   AT_ClusterOn AT_DropCluster AT_SetLogged AT_SetUnLogged AT_SetTableSpace AT_SetRelOptions AT_ResetRelOptions
   AT_ReplicaIdentity AT_AddIdentity AT_SetIdentity AT_DropIdentity`.split(/\s+/),
)

const alterTable: Handler = (run, fields) => {
  const { relation, cmds, objtype } = fields as AlterTableStmt
  const { draft } = run
  draft.command = `alter ${objectWords(objtype ?? 'OBJECT_TABLE')}`
  draft.effect('ddl')
  draft.literalIndependent = false
  noteRelations(run, 'define')
  noteFunctions(run)
  if (relation === undefined) {
    draft.unknown('ALTER without relation')
    return
  }
  noteAltered(run, relation, cmds ?? [])
  const scope = relationScope(run, relation)
  for (const node of cmds ?? []) {
    const command = as(node, 'AlterTableCmd')
    if (command === undefined) draft.unknown('ALTER TABLE without subcommand')
    else noteCommand(run, command, { relation, scope })
  }
}

/** What names mean after it: columns that come and go are told by the text. */
function noteAltered(run: Run, name: RangeVar, commands: readonly Node[]): void {
  const before = onlyRelation(run, name)
  if (before === null) return noteChanged(run, name, 'altered')
  let relation: CatalogRelation | null = before
  for (const node of commands) {
    const command = as(node, 'AlterTableCmd')
    if (relation !== null) relation = command ? alteredBy(run, relation, command) : null
  }
  if (relation === null) run.draft.state.push({ kind: 'catalog' })
  else if (relation === before) run.draft.state.push({ kind: 'catalog', keepsNames: true })
  else {
    run.draft.state.push({ kind: 'create-relation', relation })
    // Partitions and what inherits from it change with it.
    const path = `${before.schema}.${before.name}`
    const relations = run.context.catalog?.data.relations ?? []
    if (relations.some(({ parents }) => parents.includes(path)))
      run.draft.state.push({ kind: 'catalog' })
  }
}

/** Null: the text does not tell. */
function alteredBy(
  run: Run,
  relation: CatalogRelation,
  { subtype, name, def, missing_ok }: AlterTableCmd,
): CatalogRelation | null {
  const { columns } = relation
  const definition = as(def, 'ColumnDef')
  const withConstraints = (
    to: CatalogRelation,
    nodes: readonly Node[],
    keys: readonly string[],
  ): CatalogRelation | null => {
    const constraints = [...(to.constraints ?? [])]
    const all = to.columns.map((column) => column.name)
    for (const node of nodes) {
      const constraint = as(node, 'Constraint')
      const made = constraint && constraintFrom(run, constraint, { keys, all })
      if (made === null) return null
      if (made !== undefined) constraints.push(made)
    }
    return constraints.length === to.constraints?.length ? to : { ...to, constraints }
  }
  switch (subtype) {
    case 'AT_AddColumn': {
      const number = Math.max(0, ...columns.map((column) => column.number)) + 1
      const column = definition === undefined ? null : columnOf(definition, number)
      // Whether there is one of that name already, the snapshot need not know.
      if (column === null || missing_ok === true) return null
      const wider = { ...relation, columns: [...columns, column] }
      return withConstraints(wider, definition?.constraints ?? [], [column.name])
    }
    case 'AT_DropColumn':
      return { ...relation, columns: columns.filter((column) => column.name !== name) }
    case 'AT_AlterColumnType': {
      const type = typeNameOf(definition?.typeName)
      const retyped = columns.map((one) => (one.name === name ? { ...one, type } : one))
      return { ...relation, columns: retyped }
    }
    case 'AT_AddConstraint':
      return def === undefined ? null : withConstraints(relation, [def], [])
    default:
      return HARMLESS.has(subtype ?? '') || subtype === 'AT_SetNotNull' ? relation : null
  }
}

interface Altered {
  readonly relation: RangeVar
  readonly scope: Scope
}

function noteCommand(run: Run, command: AlterTableCmd, altered: Altered): void {
  const { relation, scope } = altered
  const definition = as(command.def, 'ColumnDef')
  const name = definition?.colname ?? command.name ?? ''
  for (const expression of storedExpressions(definition)) {
    const into = { ...placeOf(run, relation), column: name }
    noteStored(run, into, run.walk.value(expression, scope))
  }
  for (const node of definition?.constraints ?? []) noteConstraint(run, node, altered)
  switch (command.subtype) {
    case 'AT_ChangeOwner':
      run.draft.effect('admin')
      return
    case 'AT_SetNotNull':
      return noteColumns([name], altered, (value) => run.draft.useAll(value, 'is-null'))
    case 'AT_AlterColumnType':
      return noteColumns([name], altered, (value) => run.draft.useAll(value, 'failure'))
    case 'AT_AddConstraint':
      if (command.def !== undefined) noteConstraint(run, command.def, altered)
      return
    default:
      if (!HARMLESS.has(command.subtype ?? '')) noteKeptElsewhere(run, altered)
  }
}

/** What is added as a constraint is tested on every row there is. */
function noteConstraint(run: Run, node: Node, altered: Altered): void {
  const constraint = as(node, 'Constraint') as Constraint | undefined
  if (constraint === undefined) return run.draft.unknown('constraint not understood')
  const { draft } = run
  switch (constraint.contype) {
    case 'CONSTR_NULL':
    case 'CONSTR_DEFAULT':
    case 'CONSTR_IDENTITY':
    case 'CONSTR_GENERATED':
    case 'CONSTR_ATTR_DEFERRABLE':
    case 'CONSTR_ATTR_NOT_DEFERRABLE':
    case 'CONSTR_ATTR_DEFERRED':
    case 'CONSTR_ATTR_IMMEDIATE':
    case 'CONSTR_ATTR_ENFORCED':
    case 'CONSTR_ATTR_NOT_ENFORCED':
      return
    case 'CONSTR_NOTNULL':
      return noteColumns(stringsOf(constraint.keys), altered, (value) =>
        draft.useAll(value, 'is-null'),
      )
    case 'CONSTR_CHECK':
      if (constraint.raw_expr === undefined) return
      run.walk.predicate(constraint.raw_expr, altered.scope)
      draft.useAll(run.walk.value(constraint.raw_expr, altered.scope), 'failure')
      return
    case 'CONSTR_PRIMARY':
    case 'CONSTR_UNIQUE':
      return noteColumns(stringsOf(constraint.keys), altered, (value) => noteDuplicates(run, value))
    case 'CONSTR_FOREIGN':
      return noteReference(run, constraint, altered)
    default:
      noteKeptElsewhere(run, altered)
  }
}

function noteReference(run: Run, constraint: Constraint, { scope }: Altered): void {
  const other =
    constraint.pktable === undefined ? undefined : relationScope(run, constraint.pktable)
  const own = stringsOf(constraint.fk_attrs).map((name) => columnIn(scope, name))
  const referenced = stringsOf(constraint.pk_attrs).map((name) => columnIn(other, name))
  own.forEach((value, index) => {
    const source = value?.sources[0]
    const target = referenced[index]?.sources[0]
    if (source === undefined) return
    // Without a list of columns it is the other table's primary key.
    if (target === undefined) run.draft.use(source, 'predicate')
    else {
      run.draft.use(source, 'equality-column', { with: target })
      run.draft.use(target, 'equality-column', { with: source })
    }
  })
}

/** Whether there are two rows alike. */
function noteDuplicates(run: Run, value: Value): void {
  const [source] = value.sources
  if (value.kind === 'direct' && source !== undefined) {
    run.draft.use(source, 'equality-column', { with: source })
  } else run.draft.useAll(value, 'predicate')
}

const columnIn = (scope: Scope | undefined, name: string): Value | undefined => {
  const item = scope?.entries[0]?.item
  return item === undefined ? undefined : lookupIn(item, name)
}

function noteColumns(
  names: readonly string[],
  { scope }: Altered,
  note: (value: Value) => void,
): void {
  for (const name of names) {
    const value = columnIn(scope, name)
    // A column made since the snapshot: what is stored in it was judged when it was.
    if (value !== undefined) note(value)
  }
}

/** Triggers, rules, row security, another parent: what the table's columns are is no longer what they were. */
function noteKeptElsewhere(run: Run, { relation, scope }: Altered): void {
  const what = `what is kept with ${relation.relname ?? 'the relation'}`
  const named = run.survey.relations.filter((name) => name !== relation)
  const scopes = [scope, ...named.map((name) => relationScope(run, name))]
  for (const { item } of scopes.flatMap(({ entries }) => entries)) {
    for (const { value } of columnsOf(item) ?? []) {
      run.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what } })
    }
  }
}

function relationScope(run: Run, relation: RangeVar): Scope {
  const item = tableItem(run.walk, relation, { scope: null, access: 'define' })
  return { ...newScope(null), entries: [{ item, bare: true, named: true }] }
}

/** Expressions whose values ALTER TABLE stores: USING, and new generated columns. */
function storedExpressions(definition: ColumnDef | undefined): Node[] {
  const expressions = definition?.raw_default === undefined ? [] : [definition.raw_default]
  for (const node of definition?.constraints ?? []) {
    const constraint = as(node, 'Constraint')
    if (constraint?.contype === 'CONSTR_GENERATED' && constraint.raw_expr !== undefined) {
      expressions.push(constraint.raw_expr)
    }
  }
  return expressions
}

interface Place {
  readonly schema: string | null
  readonly name: string
}

/** Schema and name of the relation that a name stands for now. */
function placeOf(run: Run, name: RangeVar): Place {
  const [only, ...others] = resolveRelation(run.context, name)
  const certain = only?.kind === 'relation' && others.length === 0
  return {
    schema: certain ? only.relation.schema : (name.schemaname ?? null),
    name: name.relname ?? '',
  }
}

function noteStored(run: Run, into: Place & { readonly column: string }, value: Value): void {
  if (value.kind === 'constant') return
  run.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'new-relation', ...into } })
}

/** A new name or schema takes a column away from the rules that name it: data flows there. */
const rename: Handler = (run, fields) => {
  const { renameType = '', relation, subname, newname = '' } = fields as RenameStmt
  const { draft } = run
  draft.command = `alter ${objectWords(renameType === 'OBJECT_COLUMN' ? 'OBJECT_TABLE' : renameType)}`
  draft.effect('ddl')
  if (ADMIN_OBJECTS.test(renameType)) draft.effect('admin')
  draft.literalIndependent = false
  noteRelations(run, 'define')
  if (RELATION_OBJECTS.has(renameType)) noteNewType(run, newname, 'relation')
  if (/^OBJECT_(TYPE|DOMAIN)$/.test(renameType)) noteNewType(run, newname, 'type')
  if (relation === undefined) {
    draft.state.push({ kind: 'catalog' })
    return
  }
  const place = placeOf(run, relation)
  noteRenamed(run, relation, fields)
  // Whatever a view is called, it is read by its definition.
  if (onlyRelation(run, relation)?.kind === 'view') return
  const item = tableItem(run.walk, relation, { scope: null, access: 'define' })
  if (renameType === 'OBJECT_COLUMN') {
    const value = lookupIn(item, subname ?? '')
    if (value !== undefined) noteStored(run, { ...place, column: newname }, value)
  } else if (RELATION_OBJECTS.has(renameType)) {
    for (const { name, value } of columnsOf(item) ?? []) {
      noteStored(run, { ...place, name: newname, column: name }, value)
    }
  }
}

/** Of a relation made in this transaction nothing else knows the name. */
function noteRenamed(
  run: Run,
  name: RangeVar,
  { renameType, subname, newname = '' }: RenameStmt,
): void {
  const { state } = run.draft
  const made = madeJustNow(run, name)
  const column = renameType === 'OBJECT_COLUMN'
  if (made === null || !(column || RELATION_OBJECTS.has(renameType ?? ''))) {
    state.push({ kind: 'catalog' })
    noteChanged(run, name, column ? 'altered' : 'dropped')
  } else if (column) {
    const columns = made.columns.map((one) =>
      one.name === subname ? { ...one, name: newname } : one,
    )
    // What was checked under the old name is no longer known.
    const { constraints: _, ...rest } = made
    state.push({ kind: 'create-relation', relation: { ...rest, columns } })
  } else {
    state.push({ kind: 'drop-relation', schema: made.schema, name: made.name })
    state.push({ kind: 'create-relation', relation: { ...made, name: newname } })
  }
}

const setSchema: Handler = (run, fields) => {
  const { objectType = '', relation, newschema } = fields as AlterObjectSchemaStmt
  run.draft.command = `alter ${objectWords(objectType)}`
  run.draft.effect('ddl')
  run.draft.literalIndependent = false
  run.draft.state.push({ kind: 'catalog' })
  noteRelations(run, 'define')
  if (relation === undefined) return
  noteChanged(run, relation, 'dropped')
  const item = tableItem(run.walk, relation, { scope: null, access: 'define' })
  const place = { schema: newschema ?? null, name: relation.relname ?? '' }
  for (const { name, value } of columnsOf(item) ?? []) {
    noteStored(run, { ...place, column: name }, value)
  }
}

/** An index is built from every row: its condition and expressions may fail, a unique one finds duplicates. */
const createIndex: Handler = (run, fields) => {
  const { relation, indexParams, whereClause, unique } = fields as IndexStmt
  const { draft, walk } = run
  draft.command = 'create index'
  draft.effect('ddl')
  draft.literalIndependent = false
  draft.state.push({ kind: 'catalog', keepsNames: true })
  noteRelations(run, 'define')
  noteFunctions(run)
  if (relation === undefined) return
  const scope = relationScope(run, relation)
  if (whereClause !== undefined) {
    walk.predicate(whereClause, scope)
    draft.useAll(walk.value(whereClause, scope), 'failure')
  }
  for (const node of indexParams ?? []) {
    const element = as(node, 'IndexElem')
    const value =
      element?.expr === undefined
        ? columnIn(scope, element?.name ?? '')
        : walk.value(element.expr, scope)
    if (value === undefined) continue
    if (element?.expr !== undefined) draft.useAll(value, 'failure')
    if (unique === true) noteDuplicates(run, value)
  }
}

/** CLUSTER lays rows in the order of an index, and later scans read them in it. */
const cluster: Handler = (run, fields) => {
  const { relation } = fields as ClusterStmt
  run.draft.command = 'cluster'
  run.draft.effect('admin')
  run.draft.literalIndependent = false
  if (relation === undefined) {
    // Every table that has been clustered before.
    for (const { schema, name } of run.context.catalog?.data.relations ?? []) {
      if (schema !== 'pg_catalog') noteOrder(run, { schemaname: schema, relname: name })
    }
    return
  }
  useRelation(run.context, run.draft, { name: relation, access: 'lock' })
  noteOrder(run, relation)
}

function noteOrder(run: Run, name: RangeVar): void {
  for (const candidate of resolveRelation(run.context, name)) {
    if (candidate.kind !== 'relation') continue
    for (const { value } of run.walk.relationColumns(candidate.relation, 'define')) {
      run.draft.useAll(value, 'order')
    }
  }
}

export const alterStatements: Readonly<Record<string, Handler>> = {
  AlterTableStmt: alterTable,
  RenameStmt: rename,
  AlterObjectSchemaStmt: setSchema,
  IndexStmt: createIndex,
  ClusterStmt: cluster,
}
