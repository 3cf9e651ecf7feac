/**
 * From a decided statement and what the server says of a result to the masks of its cells: per column the
 * stricter of lineage and result metadata, compiled for the column's type and format.
 */
import {
  type CellType,
  compileCellMask,
  type MaskKeys,
  type MergedPlan,
  mergePlan,
  type ResultPlan,
  type Witness,
} from '@sallyport/policy'
import { CopyRowsRewriter, type FieldDescription, formatOf } from '@sallyport/protocol-postgres'
import type { CellMask } from '@sallyport/protocol-wire'
import { type Catalog, type ColumnRef, type CopyFacts, columnRef } from '@sallyport/sql'
import type { Decided } from '../decisions.ts'
import type { Ground } from '../grounds.ts'

/** Compiled results remembered per decision. */
const SHAPES_MAX = 64

export interface Masking {
  /** What the statement means now. */
  readonly decided: Decided
  /** What it meant before names moved: the server may still run that plan, so the strictest of all holds. */
  readonly before: readonly Decided[]
  readonly ground: Ground
  readonly keys: MaskKeys
}

export interface CompiledMasks {
  readonly masks: readonly (CellMask | null)[] | null
  /** Columns where metadata was stricter than lineage. */
  readonly raised: number
}

/** Masks of result `result`, whose columns are `fields` in `formats`. */
export function compileMasks(
  masking: Masking,
  result: number,
  fields: readonly FieldDescription[],
  formats: readonly number[],
): CompiledMasks {
  const { decided, before, ground, keys } = masking
  const latest = before.length === 0 ? LATEST.get(fields) : undefined
  if (
    latest?.decided === decided &&
    latest.result === result &&
    sameFormats(latest.formats, formats)
  ) {
    return latest.compiled
  }
  const key = before.length === 0 ? shapeKey(result, fields, formats) : null
  const known = key === null ? undefined : decided.compiled.get(key)
  // Safe: every value under a key of this shape was put there below.
  if (known !== undefined) {
    const compiled = { masks: known as CompiledMasks['masks'], raised: 0 }
    LATEST.set(fields, { decided, result, formats, compiled })
    return compiled
  }
  const isUnlisted = touchesUnlisted(decided, result)
  const witness = fields.map((field, i) => {
    const seen = witnessOf(ground.catalog, field)
    if (seen !== 'unlisted') return seen
    // The snapshot has no temporary relations of sessions, and none that the open transaction made.
    return isUnlisted || isMadeJustNow(masking, result, i) ? null : seen
  })
  const merged = mergedPlan(masking, result, witness)
  const masks = merged.columns.map((mask, i) => {
    if (mask === null) return null
    const type = cellType(fields[i]?.typeOid ?? 0, formatOf(formats, i))
    return compileCellMask(mask, type, keys)
  })
  const compiled = masks.every((mask) => mask === null) ? null : masks
  if (key !== null && decided.compiled.size < SHAPES_MAX) decided.compiled.set(key, compiled)
  return { masks: compiled, raised: merged.raised.length }
}

/** Found by identity: a relay gives equal descriptions as one array. */
const LATEST = new WeakMap<
  readonly FieldDescription[],
  {
    readonly decided: Decided
    readonly result: number
    readonly formats: readonly number[]
    readonly compiled: CompiledMasks
  }
>()

export function sameFormats(formats: readonly number[], asked: readonly number[]): boolean {
  return formats.length === asked.length && formats.every((format, i) => format === asked[i])
}

/** The plan of the present meaning and of the earlier ones, merged column by column, and with the witness. */
function mergedPlan(
  { decided, before, ground }: Masking,
  result: number,
  witness: readonly Witness[],
): MergedPlan {
  const plans = [decided, ...before].map((one) => planOf(one, result))
  // A meaning of another width is not the one the server described. None of this width: all redacted.
  const fitting = plans.filter((plan) => plan?.columns.length === witness.length)
  let merged = mergePlan(fitting[0] ?? plans[0] ?? null, witness, ground.view)
  for (const plan of fitting.slice(1)) {
    const other = mergePlan(plan, witness, ground.view)
    const columns = merged.columns.map((mask, i) => stricter(mask, other.columns[i] ?? null))
    merged = { columns, raised: merged.raised }
  }
  return merged
}

type Mask = MergedPlan['columns'][number]

function stricter(a: Mask, b: Mask): Mask {
  if (a === null || b === null) return a ?? b
  return b.strength > a.strength ? b : a
}

function planOf({ verdict }: Decided, result: number): ResultPlan | null {
  return verdict.kind === 'deny' ? null : (verdict.results[result] ?? null)
}

/** The rewriter of a COPY TO STDOUT; null when every column passes as it is. */
export function copyRewriter(
  masking: Masking,
  result: number,
  format: 'text' | 'binary',
  columns: number,
): CopyRowsRewriter | null {
  const { decided, ground, keys } = masking
  const { analysis, verdict } = decided
  const facts = analysis.kind === 'statements' ? analysis.statements[result] : undefined
  const copy = facts?.copy
  if (!copy || verdict.kind === 'deny' || (copy.format === 'binary') !== (format === 'binary')) {
    throw new Error('COPY TO under masks whose facts do not fit what the server sends')
  }
  const merged = mergedPlan(masking, result, Array<null>(columns).fill(null))
  if (merged.columns.every((mask) => mask === null)) return null
  const outputs = facts?.outputs
  const masks = merged.columns.map((mask, i) => {
    if (mask === null) return null
    const lineage = Array.isArray(outputs) ? outputs[i]?.lineage : undefined
    const source = lineage?.kind === 'direct' ? lineage.source : null
    return compileCellMask(mask, cellType(columnTypeId(ground.catalog, source), format), keys)
  })
  return rewriterOf(copy, masks)
}

/** For rows of that COPY. Throws ProtocolError where its options are none COPY allows. */
export function rewriterOf(
  copy: CopyFacts,
  columns: readonly (CellMask | null)[],
): CopyRowsRewriter {
  const { delimiter, nullText, header, quote } = copy
  switch (copy.format) {
    case 'binary':
      return new CopyRowsRewriter({ format: 'binary', columns })
    case 'text':
      return new CopyRowsRewriter({ format: 'text', delimiter, nullText, header, columns })
    case 'csv':
      return new CopyRowsRewriter({
        format: 'csv',
        delimiter,
        nullText,
        quote,
        escape: copy.escape,
        header,
        columns,
      })
  }
}

function shapeKey(
  result: number,
  fields: readonly FieldDescription[],
  formats: readonly number[],
): string {
  let key = `${result}`
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as FieldDescription
    key += `|${field.tableOid}.${field.columnAttribute}:${field.typeOid}:${formatOf(formats, i)}`
  }
  return key
}

function touchesUnlisted({ analysis }: Decided, result: number): boolean {
  if (analysis.kind !== 'statements') return false
  const relations = analysis.statements[result]?.relations ?? []
  return relations.some(({ kind, own }) => kind === 'temporary' || own === true)
}

/** Is the column one that the text at hand knows, and the snapshot does not? */
function isMadeJustNow({ decided, ground }: Masking, result: number, column: number): boolean {
  const { analysis } = decided
  const outputs = analysis.kind === 'statements' ? analysis.statements[result]?.outputs : null
  const lineage = Array.isArray(outputs) ? outputs[column]?.lineage : undefined
  if (lineage?.kind !== 'direct' || ground.catalog === null) return false
  return columnRef(ground.catalog, lineage.source) === undefined
}

function witnessOf(catalog: Catalog | null, field: FieldDescription): Witness {
  if (field.tableOid === 0 || field.columnAttribute <= 0 || catalog === null) return null
  const relation = catalog.relationById(field.tableOid)
  const column = relation?.columns.find((one) => one.number === field.columnAttribute)
  if (relation === undefined || column === undefined) return 'unlisted'
  return { schema: relation.schema, relation: relation.name, column: column.name }
}

function columnTypeId(catalog: Catalog | null, source: ColumnRef | null): number {
  if (catalog === null || source === null) return 0
  const relation = catalog.relation(source.schema, source.relation)
  return relation?.columns.find((one) => one.name === source.column)?.typeId ?? 0
}

function cellType(typeId: number, format: 'text' | 'binary'): CellType {
  return { engine: 'postgres', typeId, format }
}
