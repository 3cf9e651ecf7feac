/**
 * Equality probes: comparisons of a masked column with given values, which tell whether somebody has the value.
 * `predicates: equality` allows them; a mask's `probes` says how many different ones a principal has in a window.
 * Who keeps the count knows the statement's text and parameters; here is what one execution costs.
 */

import type { ColumnRef, ColumnUse, ConstantWrite, StatementFacts } from '@sallyport/sql'
import { assertNever } from './errors.ts'
import type { PrincipalView } from './view.ts'
import type { BindParameter } from './write-back.ts'

/** What executions of one statement take from the budget of one mask. */
export interface Probes {
  /** Names of the masks; the budget is theirs together. */
  readonly mask: string
  readonly max: number
  readonly withinMs: number
  /** Values the text compares with. */
  readonly values: number
  /** Parameters ($1 is 1) it compares with, each one value or an array of them. */
  readonly parameters: readonly number[]
}

export function probesFor(
  view: PrincipalView,
  statements: readonly StatementFacts[],
): readonly Probes[] {
  if (!view.masked) return NONE
  const found = new Map<string, Probes>()
  const add = (column: ColumnRef, given: Pick<ColumnUse, 'values' | 'parameters'>): void => {
    const mask = view.maskFor(column)
    if (mask?.probes == null) return
    const name = mask.names.join(', ')
    const { values = 0, parameters = [] } = found.get(name) ?? {}
    found.set(name, {
      mask: name,
      ...mask.probes,
      values: values + (given.values ?? 1),
      parameters: [...parameters, ...(given.parameters ?? [])],
    })
  }
  for (const { uses, constantWrites } of statements) {
    for (const use of uses) if (use.context === 'equality-constant') add(use.column, use)
    // A value planted in a column is one that a join compares with.
    for (const { column, value } of constantWrites) add(column, plantedBy(value))
  }
  return found.size === 0 ? NONE : [...found.values()]
}
const NONE: readonly Probes[] = []

function plantedBy(value: ConstantWrite['value']): Pick<ColumnUse, 'values' | 'parameters'> {
  switch (value.kind) {
    case 'null':
      return { values: 0 }
    case 'literal':
      return { values: 1 }
    case 'parameter':
      return { values: 0, parameters: [value.index] }
    case 'computed':
    case 'sent':
      // Nobody can say how many.
      return { values: Number.POSITIVE_INFINITY }
    default:
      return assertNever(value)
  }
}

/** How many values one execution compares with, given its parameters. */
export function probesSpent(probes: Probes, parameters: readonly BindParameter[]): number {
  return probes.parameters.reduce(
    (sum, index) => sum + elementsOf(parameters[index - 1]),
    probes.values,
  )
}

function elementsOf(parameter: BindParameter | undefined): number {
  const value = parameter?.value
  if (value == null) return 1
  return parameter?.format === 'binary' ? binaryElements(value) : textElements(value)
}

/** `{a,b}`: a comma inside quotes counts, too. */
function textElements(value: Uint8Array): number {
  if (value[0] !== 0x7b) return 1
  return value.reduce((sum, byte) => (byte === 0x2c ? sum + 1 : sum), 1)
}

/**
 * Binary arrays: int32 dimensions, int32 flags, oid of the element, then int32 length and lower bound of each.
 * What merely looks like one is counted as one: its length bounds the count.
 */
function binaryElements(value: Uint8Array): number {
  const { length } = value
  if (length < 20) return 1
  const bytes = new DataView(value.buffer, value.byteOffset, length)
  const dimensions = bytes.getInt32(0)
  if (dimensions < 1 || dimensions > 6 || bytes.getInt32(4) >>> 0 > 1) return 1
  let elements = 1
  for (let i = 0; i < dimensions && 16 + 8 * i <= length; i++)
    elements *= bytes.getInt32(12 + 8 * i)
  // Every element has at least its length.
  return elements > 0 && elements <= length / 4 ? elements : 1
}
