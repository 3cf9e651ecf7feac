/**
 * ColumnMask × type × format → the function that masks one cell. Compiled once per result column, run per cell.
 *
 * A kind that means nothing for a type becomes `redact`; a type whose constants are not known to decode (enum,
 * composite, extension types) becomes NULL. The functions never throw: what they cannot read becomes the constant.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { assertNever } from '../errors.ts'
import type { ColumnMask } from '../model.ts'
import { binaryArrayMask, textArrayMask } from './array.ts'
import { bucketMask } from './bucket.ts'
import { dateMask } from './date.ts'
import { detectMask } from './detect.ts'
import { cached, labelOf } from './hmac.ts'
import { type JsonLeaf, jsonMask } from './json.ts'
import { type JsonStep, parseJsonPath } from './json-path.ts'
import { hashMask, type Keyed } from './keyed.ts'
import type { MaskKeys } from './keys.ts'
import { regexMask } from './regex.ts'
import { constantMask, NULL_MASK, wholeMask, writeSlice } from './sink.ts'
import type { MaskSpec } from './spec.ts'
import { emailMask, partialMask } from './text.ts'
import { tokenizeMask } from './tokenize.ts'
import { REDACTED, type Shape, type TypeInfo } from './type-info.ts'
import { type CellType, formOf, typeInfo } from './types.ts'

interface Target {
  readonly cell: CellType
  readonly info: TypeInfo
  readonly redacted: Buffer
  readonly keys: MaskKeys
  /** `schema.table.column`, or '' for an expression. */
  readonly column: string
}

export function compileCellMask(mask: ColumnMask, described: CellType, keys: MaskKeys): CellMask {
  const { column } = mask
  const cell = { ...described, format: formOf(described) }
  if (column === null) return compileDerived(mask.spec, cell)
  const name = `${column.schema}.${column.relation}.${column.column}`
  return compileSpec(mask.spec, cell, { keys, column: name })
}

/**
 * An expression chosen by whoever asks: whether it is NULL, or how many elements it has, can answer any
 * question about the value (`NULLIF(left(a, 1), 'x')`, `string_to_array(a, 'x')`). One constant for all.
 */
function compileDerived(spec: MaskSpec, cell: CellType): CellMask {
  if (spec.kind === 'null') return NULL_MASK
  const info = typeInfo(cell)
  if (info.shape === 'opaque') return NULL_MASK
  return wholeMask(cell.format === 'text' ? Buffer.from(info.text, 'utf8') : info.binary)
}

function compileSpec(
  spec: MaskSpec,
  cell: CellType,
  more: { readonly keys: MaskKeys; readonly column: string },
): CellMask {
  if (spec.kind === 'null') return NULL_MASK
  const info = typeInfo(cell)
  if (info.shape === 'opaque') return NULL_MASK
  const redacted = cell.format === 'text' ? Buffer.from(info.text, 'utf8') : info.binary
  if (info.shape === 'array') return compileArray(spec, cell, { info, redacted, ...more })
  const { keys, column } = more
  const own = kindFor(spec, { cell, info, redacted, keys, column })
  return own ?? constantMask(redacted)
}

function compileArray(
  spec: MaskSpec,
  cell: CellType,
  more: {
    readonly info: TypeInfo
    readonly redacted: Buffer
    readonly keys: MaskKeys
    readonly column: string
  },
): CellMask {
  const { info } = more
  const element = cell.base?.element ?? cell.element ?? { engine: 'postgres', typeId: info.element }
  const own = { ...element, format: cell.format }
  // A constant for every element would tell how many there are.
  if (isRedacted(spec, own)) return constantMask(more.redacted)
  const inner = compileSpec(spec, own, more)
  return cell.format === 'binary'
    ? binaryArrayMask(inner, info.element, more.redacted)
    : textArrayMask(inner, info.delimiter, more.redacted)
}

/** Does a mask of this kind show the constant of the type, whatever the value? */
function isRedacted({ kind }: MaskSpec, cell: CellType): boolean {
  if (kind === 'null') return false
  return kind === 'redact' || !APPLIES[kind].includes(typeInfo(cell).shape)
}

/** Null: the kind means nothing for the type. */
function kindFor(spec: MaskSpec, target: Target): CellMask | null {
  const { cell, info, redacted } = target
  const isText = info.shape === 'text' || info.shape === 'bpchar'
  switch (spec.kind) {
    case 'null':
      return NULL_MASK
    case 'redact':
      return null
    case 'partial':
      return isText ? partialMask(spec) : null
    case 'email':
      return isText ? emailMask(redacted) : null
    case 'regex':
      return isText ? regexMask(spec, redacted) : null
    case 'hash':
    case 'tokenize':
      return keyedMask(spec, target)
    case 'truncate-date':
      return dateMask(spec.unit, cell, info, redacted)
    case 'bucket':
      return bucketMask(spec.width, cell, info, redacted)
    case 'json':
      return isText || isJson(info)
        ? inJson(spec.paths.map(stepsOf), leafOf(spec.mask, target), target)
        : null
    case 'detect':
      if (isText) return detectMask(spec.detectors)
      return isJson(info) ? inJson([[]], detectLeaf(detectMask(spec.detectors)), target) : null
    default:
      return assertNever(spec)
  }
}

const TEXTS: readonly Shape[] = ['text', 'bpchar']
const DOCUMENTS: readonly Shape[] = [...TEXTS, 'json', 'jsonb']
const INTEGERS: readonly Shape[] = ['int2', 'int4', 'int8']
/** Shapes a kind has a form of its own for; a test holds this to what `kindFor` answers. */
const APPLIES: Readonly<Record<Exclude<MaskSpec['kind'], 'null' | 'redact'>, readonly Shape[]>> = {
  partial: TEXTS,
  email: TEXTS,
  regex: TEXTS,
  hash: [...DOCUMENTS, 'int1', ...INTEGERS, 'numeric', 'uuid', 'bytea'],
  tokenize: [...TEXTS, ...INTEGERS, 'numeric', 'uuid'],
  'truncate-date': ['date', 'timestamp', 'timestamptz'],
  bucket: ['int1', ...INTEGERS, 'numeric', 'float4', 'float8'],
  json: DOCUMENTS,
  detect: DOCUMENTS,
}

/** Why a column's cells are masked harder than policy says; null when they are masked as written. */
export function cellMaskNote(mask: ColumnMask, cell: CellType): string | null {
  const { kind } = mask.spec
  const info = typeInfo(cell)
  if (kind === 'null') return null
  if (info.shape === 'opaque')
    return `type ${cell.typeName ?? cell.typeId} has no constant: NULL instead of \`${kind}\``
  if (kind === 'redact') return null
  const element: CellType = cell.element ?? { ...cell, typeId: info.element }
  if (info.shape === 'array') return cellMaskNote(mask, element)
  return APPLIES[kind].includes(info.shape)
    ? null
    : `\`${kind}\` means nothing for type ${cell.typeName ?? cell.typeId}: \`redact\` instead`
}

const isJson = (info: TypeInfo): boolean => info.shape === 'json' || info.shape === 'jsonb'

/** Checked at load, so never the error. */
function stepsOf(path: string): readonly JsonStep[] {
  const steps = parseJsonPath(path)
  return typeof steps === 'string' ? [] : steps
}

function keyedMask(
  spec: Extract<MaskSpec, { kind: 'hash' | 'tokenize' }>,
  target: Target,
): CellMask | null {
  const { cell, info, keys, redacted } = target
  const salt = spec.salt === 'column' ? target.column : ''
  const keyed: Keyed = { key: keys.hmac, label: labelOf(spec.kind, spec.domain, salt), redacted }
  const mask = spec.kind === 'hash' ? hashMask(keyed, cell, info) : tokenizeMask(keyed, cell, info)
  if (mask === null) return null
  const name = [
    spec.kind,
    spec.domain,
    salt,
    cell.engine,
    info.shape,
    cell.format,
    info.unsigned,
  ].join('\0')
  return cached(keys.hmac, name, mask)
}

function inJson(
  paths: readonly (readonly JsonStep[])[],
  leaf: JsonLeaf,
  { cell, info, redacted }: Target,
): CellMask {
  const versioned = info.shape === 'jsonb' && cell.format === 'binary'
  return jsonMask(paths, leaf, { versioned, redacted })
}

const QUOTED = `"${REDACTED}"`
const JSON_NULL = constantMask(Buffer.from('null'))
const JSON_ZERO = constantMask(Buffer.from('0'))

/** What the inner mask of a `json` mask does to each kind of value. */
function leafOf(spec: MaskSpec, target: Target): JsonLeaf {
  if (spec.kind === 'null')
    return { text: NULL_MASK, number: JSON_NULL, boolean: 'null', container: 'null' }
  if (spec.kind === 'detect') return detectLeaf(detectMask(spec.detectors))
  const text: CellType = { engine: 'postgres', typeId: 25, format: 'text' }
  const number: CellType = { engine: 'postgres', typeId: 1700, format: 'text' }
  const inNumber = spec.kind === 'hash' || spec.kind === 'tokenize'
  return {
    text: compileSpec(spec, text, target),
    number: inNumber ? compileSpec(spec, number, target) : JSON_ZERO,
    boolean: 'false',
    container: QUOTED,
  }
}

/** Keys, strings and numbers are searched; a number with a find becomes 0. */
function detectLeaf(text: CellMask): JsonLeaf {
  return {
    text,
    number: (src, start, end, out) => {
      const before = out.at
      const length = text(src, start, end, out)
      const isClean =
        length === end - start && out.buf.compare(src, start, end, before, before + length) === 0
      out.at = before
      return isClean ? writeSlice(src, start, end, out) : JSON_ZERO(src, start, end, out)
    },
    boolean: null,
    container: null,
  }
}
