/** New, changed and dropped relations: their use, and what they mean for the names of later statements. */
import type {
  ColumnDef,
  Constraint,
  CreateStmt,
  Node,
  OnCommitAction,
  RangeVar,
  TableLikeClause,
} from 'libpg-query'
import type { CatalogColumn, CatalogConstraint, CatalogRelation, MadeView } from '../../catalog.ts'
import type { RelationUse } from '../../facts.ts'
import { resolveRelation } from '../resolve.ts'
import { as, stringsOf, typeNameOf } from '../tree.ts'
import { takesPlace } from '../type-names.ts'
import type { Run } from './run.ts'

/** Is the relation that this name would create a temporary one? */
export function isTemporary(run: Run, name: RangeVar): boolean {
  if (name.relpersistence === 't') return true
  return /^pg_temp(_\d+)?$/.test(name.schemaname ?? pathTarget(run) ?? '')
}

/** Where the relation of this name is created; null when that is not certain. */
export function creationSchema(run: Run, name: RangeVar): string | null {
  if (isTemporary(run, name)) return 'pg_temp'
  return name.schemaname ?? pathTarget(run)
}

/** The first schema of the path that exists; null when that is not certain. */
function pathTarget({ context }: Run): string | null {
  const { searchPath } = context.names
  if (searchPath === 'uncertain') return null
  const schemas = context.catalog?.data.schemas
  const exists = (name: string): boolean => name === 'pg_temp' || schemas?.includes(name) !== false
  return searchPath.find(exists) ?? null
}

export interface Created {
  readonly kind: RelationUse['kind']
  /** Null: not known from the text. */
  readonly columns: readonly CatalogColumn[] | null
  /** Null: not known from the text. */
  readonly constraints?: readonly CatalogConstraint[] | null
  /** IF NOT EXISTS. */
  readonly unlessThere?: boolean
  /** Of a view. */
  readonly made?: MadeView | undefined
  readonly onCommit?: OnCommitAction | undefined
}

export function noteCreated(run: Run, name: RangeVar, created: Created): void {
  run.walk.visited.add(name)
  const { draft, context } = run
  const relation = name.relname ?? ''
  const { kind, columns, constraints = [], unlessThere, made } = created
  noteNewType(run, relation, 'relation')
  if (isTemporary(run, name)) {
    draft.relation({ schema: 'pg_temp', name: relation, access: 'define', kind: 'temporary' })
    const names = columns?.map((column) => column.name) ?? null
    const untilCommit = created.onCommit === 'ONCOMMIT_DROP'
    draft.state.push({
      kind: 'create-temporary',
      relation,
      columns: names,
      ...(untilCommit && { untilCommit }),
    })
    return
  }
  const schema = creationSchema(run, name)
  const there = schema === null ? undefined : context.catalog?.relation(schema, relation)
  const hasOwn = unlessThere === true && there === undefined && schema !== null
  const own = hasOwn ? ({ own: true, unlessThere: true } as const) : null
  draft.relation({ schema, name: relation, access: 'define', kind, ...own })
  if (unlessThere === true && there !== undefined) {
    draft.state.push({ kind: 'catalog', keepsNames: true })
    return
  }
  const kindThere = KINDS[kind]
  if (schema === null || columns === null || constraints === null || kindThere === undefined) {
    draft.state.push(MAKES)
    return
  }
  draft.state.push({
    kind: 'create-relation',
    relation: {
      id: 0,
      schema,
      name: relation,
      kind: kindThere,
      columns,
      parents: [],
      rules: false,
      triggers: false,
      rowSecurity: false,
      constraints,
      ...(made !== undefined && { made }),
      ...(own !== null && { unlessThere: true }),
    },
  })
}

/** Something is there that was not. */
const MAKES = { kind: 'catalog', keepsColumns: true } as const

/** Relations are types, too. */
export function noteNewType(
  { draft, context }: Run,
  name: string,
  kind: 'relation' | 'type',
): void {
  if (takesPlace(context, name, kind)) draft.doubtfulType = name
}

const KINDS: Partial<Record<RelationUse['kind'], CatalogRelation['kind']>> = {
  table: 'table',
  view: 'view',
  'materialized-view': 'materialized-view',
  sequence: 'sequence',
}

/** A relation that this transaction has made: the snapshot does not have it. */
export function madeJustNow(run: Run, name: RangeVar): CatalogRelation | null {
  const relation = onlyRelation(run, name)
  return relation?.id === 0 ? relation : null
}

/** The one stored relation that a name stands for; null when there may be others. */
export function onlyRelation({ context }: Run, name: RangeVar): CatalogRelation | null {
  const [only, ...others] = resolveRelation(context, name)
  return only?.kind === 'relation' && others.length === 0 ? only.relation : null
}

/** The name goes away, or changes in a way that the text does not tell. */
export function noteChanged(run: Run, name: RangeVar, change: 'dropped' | 'altered'): void {
  const { state } = run.draft
  const candidates = resolveRelation(run.context, name)
  const relation = name.relname ?? ''
  if (candidates.some((candidate) => candidate.kind === 'temporary')) {
    state.push(
      change === 'dropped'
        ? { kind: 'drop-temporary', relation }
        : { kind: 'create-temporary', relation, columns: null },
    )
  }
  if (candidates.every((candidate) => candidate.kind === 'temporary')) return
  const only = change === 'dropped' ? onlyRelation(run, name) : null
  if (only === null) state.push({ kind: 'catalog' })
  else state.push({ kind: 'drop-relation', schema: only.schema, name: only.name })
}

/** Columns of a CREATE TABLE; null when they are not all known from its text, or computed. */
export function columnsIn(run: Run, table: CreateStmt): CatalogColumn[] | null {
  const derived =
    (table.inhRelations ?? []).length > 0 ||
    table.ofTypename !== undefined ||
    table.partbound !== undefined
  if (derived) return null
  const columns: CatalogColumn[] = []
  for (const node of table.tableElts ?? []) {
    const like = as(node, 'TableLikeClause')
    const copied = like === undefined ? [] : copiedColumns(run, like)
    if (copied === null) return null
    for (const { name, type, typeId } of copied) {
      columns.push({ name, number: columns.length + 1, type, typeId })
    }
    const definition = as(node, 'ColumnDef')
    if (definition === undefined) continue
    const column = columnIn(definition, columns.length + 1)
    if (column === null) return null
    columns.push(column)
  }
  return columns
}

/** What LIKE copies beside names and types: CREATE_TABLE_LIKE_* of the server's parsenodes.h. */
const LIKE_CONSTRAINTS = 1 << 2
const LIKE_GENERATED = 1 << 4
const LIKE_INDEXES = 1 << 6

function copiedColumns(
  run: Run,
  { relation, options = 0 }: TableLikeClause,
): readonly CatalogColumn[] | null {
  const like = relation && onlyRelation(run, relation)
  if (!like) return null
  const computes = like.columns.some((column) => column.generated !== undefined)
  return computes && (options & LIKE_GENERATED) !== 0 ? null : like.columns
}

/** Null: a column computed from others. */
export function columnIn(definition: ColumnDef, number: number): CatalogColumn | null {
  if (constraintsOf(definition).some(({ contype }) => contype === 'CONSTR_GENERATED')) return null
  const type = typeNameOf(definition.typeName)
  return { name: definition.colname ?? '', number, type: SERIALS[type] ?? type, typeId: 0 }
}

const SERIALS: Readonly<Record<string, string>> = {
  serial: 'int4',
  serial4: 'int4',
  bigserial: 'int8',
  serial8: 'int8',
  smallserial: 'int2',
  serial2: 'int2',
}

const constraintsOf = (definition: ColumnDef): readonly Constraint[] =>
  (definition.constraints ?? []).flatMap((node) => as(node, 'Constraint') ?? [])

/** What writes to a new table with these columns are checked against; null when the text does not tell. */
export function constraintsIn(
  run: Run,
  { tableElts = [] }: CreateStmt,
  columns: readonly CatalogColumn[] | null,
): CatalogConstraint[] | null {
  const all = columns?.map(({ name }) => name) ?? []
  const made: CatalogConstraint[] = []
  for (const node of tableElts) {
    const copied = as(node, 'TableLikeClause')?.options ?? 0
    if ((copied & (LIKE_CONSTRAINTS | LIKE_INDEXES)) !== 0) return null
    const definition = as(node, 'ColumnDef')
    const own = as(node, 'Constraint')
    const found = own !== undefined ? [own] : definition ? constraintsOf(definition) : []
    const keys = definition?.colname === undefined ? [] : [definition.colname]
    const deferrable = found.some(({ contype }) => contype === 'CONSTR_ATTR_DEFERRABLE')
    for (const constraint of found) {
      const one = constraintFrom(run, constraint, { keys, all, deferrable })
      if (one === null) return null
      if (one !== undefined) made.push(one)
    }
  }
  return made
}

/**
 * Undefined: nothing that can fail by another value; null: the text does not tell. `keys`: the column it stands at;
 * `all`: those that its expressions may name.
 */
export function constraintFrom(
  run: Run,
  { contype, keys, fk_attrs, pk_attrs, pktable, deferrable }: Constraint,
  columns: {
    readonly keys: readonly string[]
    readonly all: readonly string[]
    readonly deferrable?: boolean
  },
): CatalogConstraint | null | undefined {
  const listed = (nodes: readonly Node[] = []): readonly string[] =>
    nodes.length === 0 ? columns.keys : stringsOf(nodes)
  switch (contype) {
    case 'CONSTR_PRIMARY':
      // One that is deferrable may be broken until the transaction ends.
      return deferrable === true || columns.deferrable === true
        ? { kind: 'unique', columns: listed(keys) }
        : { kind: 'unique', columns: listed(keys), primary: true }
    case 'CONSTR_UNIQUE':
      return { kind: 'unique', columns: listed(keys) }
    case 'CONSTR_CHECK':
      return { kind: 'check', columns: columns.all }
    case 'CONSTR_EXCLUSION':
      return { kind: 'exclusion', columns: columns.all }
    case 'CONSTR_FOREIGN': {
      const other = pktable && onlyRelation(run, pktable)
      if (!other) return null
      const { schema, name: relation, constraints } = other
      const primary = constraints?.find((one) => one.kind === 'unique' && one.primary)
      const referenced = pk_attrs === undefined ? primary?.columns : stringsOf(pk_attrs)
      if (referenced === undefined) return null
      return { kind: 'reference', columns: listed(fk_attrs), schema, relation, referenced }
    }
    default:
      return undefined
  }
}
