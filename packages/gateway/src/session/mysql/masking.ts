/**
 * From a decided statement and what the server says of a result to the masks of its cells: per column the
 * stricter of lineage and result metadata, compiled for the column's type and the kind of row.
 */
import { type CellType, compileCellMask, type MaskKeys, mergePlan } from '@sallyport/policy'
import { COLUMN_FLAG, type ColumnDefinition } from '@sallyport/protocol-mysql'
import type { CellMask } from '@sallyport/protocol-wire'
import type { Catalog, CatalogRelation, ColumnRef, StatementFacts } from '@sallyport/sql'
import type { Decided } from '../decisions.ts'
import type { Ground } from '../grounds.ts'
import { rowMasks } from './row-masks.ts'

/** Compiled results remembered per decision. */
const SHAPES_MAX = 64
/** MariaDB's extended metadata: what a piece of it is. */
const EXTENDED = { TYPE: 0, FORMAT: 1 } as const

type Format = 'text' | 'binary'

export interface CompiledMasks {
  readonly masks: readonly (CellMask | null)[] | null
  /** Columns where metadata was stricter than lineage. */
  readonly raised: number
}

/** Masks of result `result`, whose columns are `columns`, in rows of `format`. */
export function compileMasks(
  { decided, ground, keys }: { decided: Decided; ground: Ground; keys: MaskKeys },
  result: number,
  columns: readonly ColumnDefinition[],
  format: Format,
): CompiledMasks {
  const latest = LATEST.get(columns)
  if (latest?.decided === decided && latest.result === result && latest.format === format) {
    return latest.compiled
  }
  const key = shapeKey(result, columns, format)
  const known = decided.compiled.get(key)
  if (known !== undefined) {
    // Safe: every value under a key of this shape was put there below.
    const compiled = { masks: known as CompiledMasks['masks'], raised: 0 }
    LATEST.set(columns, { decided, result, format, compiled })
    return compiled
  }
  const { catalog, view } = ground
  const { verdict, analysis } = decided
  const plan = verdict.kind === 'deny' ? null : (verdict.results[result] ?? null)
  const facts = analysis.kind === 'statements' ? analysis.statements[result] : undefined
  const merged = mergePlan(
    plan,
    columns.map((column) => witnessOf(catalog, column)),
    view,
  )
  const own =
    plan?.rows === undefined
      ? []
      : rowMasks(plan.rows, columns, (table) => hasMasked(ground, table))
  const masks = merged.columns.map((mask, i) => {
    const column = columns[i]
    if (own[i] !== undefined) return own[i]
    if (mask === null || column === undefined) return null
    return compileCellMask(
      mask,
      cellType(column, format, typeName(column, i, facts, catalog)),
      keys,
    )
  })
  const compiled = masks.every((mask) => mask === null) ? null : masks
  if (decided.compiled.size < SHAPES_MAX) decided.compiled.set(key, compiled)
  return { masks: compiled, raised: merged.raised.length }
}

/** Of any database: a name that is masked nowhere is the only one that is certain. */
function hasMasked({ catalog, view }: Ground, table: string): boolean {
  const name = table.toLowerCase()
  const named = catalog?.data.relations.filter((one) => one.name.toLowerCase() === name) ?? []
  return (
    named.length === 0 ||
    named.some(({ schema, name: relation, columns }) =>
      columns.some((column) => view.maskFor({ schema, relation, column: column.name }) !== null),
    )
  )
}

/** Found by identity: a relay gives equal descriptions as one array. */
const LATEST = new WeakMap<
  readonly ColumnDefinition[],
  {
    readonly decided: Decided
    readonly result: number
    readonly format: Format
    readonly compiled: CompiledMasks
  }
>()

function shapeKey(result: number, columns: readonly ColumnDefinition[], format: Format): string {
  let key = `${result}${format}`
  for (const { schema, orgTable, orgName, type, flags, extended } of columns) {
    key += `\0${schema}\0${orgTable}\0${orgName}\0${type}.${flags}`
    if (extended.length > 0) key += Buffer.from(extended).toString('latin1')
  }
  return key
}

/** Names in metadata may be aliases (SELECT ssn AS x shows `x` as its own name): they can only add. */
function witnessOf(catalog: Catalog | null, column: ColumnDefinition): ColumnRef | null {
  const relation = relationOf(catalog, column.schema, column.orgTable)
  if (relation === undefined) return null
  const name = column.orgName.toLowerCase()
  const found = relation.columns.find((one) => one.name.toLowerCase() === name)
  if (found === undefined) return null
  return { schema: relation.schema, relation: relation.name, column: found.name }
}

function relationOf(
  catalog: Catalog | null,
  schema: string,
  name: string,
): CatalogRelation | undefined {
  if (catalog === null || name === '') return undefined
  const exact = catalog.relation(schema, name)
  if (exact !== undefined || catalog.data.mysql?.lowerCaseTableNames === 0) return exact
  const folded = name.toLowerCase()
  return [name, folded]
    .flatMap((one) => catalog.relationsNamed(one))
    .find((relation) => relation.schema.toLowerCase() === schema.toLowerCase())
}

function cellType(
  column: ColumnDefinition,
  format: Format,
  typeName: string | undefined,
): CellType {
  return {
    engine: 'mysql',
    typeId: column.type,
    format,
    unsigned: (column.flags & COLUMN_FLAG.UNSIGNED) !== 0,
    ...(typeName !== undefined && { typeName }),
  }
}

/** What the type code does not tell, from flags, MariaDB's extension, and the schema where it is that column. */
function typeName(
  column: ColumnDefinition,
  index: number,
  facts: StatementFacts | undefined,
  catalog: Catalog | null,
): string | undefined {
  if ((column.flags & COLUMN_FLAG.ENUM) !== 0) return 'enum'
  if ((column.flags & COLUMN_FLAG.SET) !== 0) return 'set'
  const extended = extendedName(column.extended)
  if (extended !== undefined) return extended
  const outputs = facts?.outputs
  const lineage = Array.isArray(outputs) ? outputs[index]?.lineage : undefined
  const direct = lineage?.kind === 'direct' ? lineage.source : null
  const source = witnessOf(catalog, column) ?? direct
  if (source === null) return undefined
  const relation = relationOf(catalog, source.schema, source.relation)
  return relation?.columns.find((one) => one.name === source.column)?.type
}

/** Pieces of one byte what, one byte length, text: the format (`json`) says more than the type. */
function extendedName(extended: Uint8Array): string | undefined {
  let name: string | undefined
  for (let at = 0; at + 2 <= extended.length; ) {
    const what = extended[at]
    const length = extended[at + 1] ?? 0
    const text = Buffer.from(extended.subarray(at + 2, at + 2 + length)).toString('latin1')
    if (what === EXTENDED.FORMAT) return text
    if (what === EXTENDED.TYPE) name = text
    at += 2 + length
  }
  return name
}
