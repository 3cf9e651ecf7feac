/**
 * Types as far as they decide what a comparison or an operation tells: comparing text with a number compares
 * the number the text starts with, arithmetic may leave the range of its type.
 */
import { isAmount } from '../../amounts.ts'
import { chosen, isSameDirect, type Value } from '../../lineage/value.ts'
import type { Literal } from '../ast.ts'

/** Types of constants; a variable's and most functions' are not known (null). */
export const STRING = 'string'
export const NUMBER = 'number'
export const TEMPORAL = 'temporal'
/** What the client binds; see `asText` of ColumnUse for what follows where that is a number. */
export const PARAMETER = 'parameter'

export function literalType({ type }: Literal): string | null {
  switch (type) {
    case 'string':
    case 'national':
    case 'hex':
    case 'bit':
      return STRING
    case 'integer':
    case 'decimal':
    case 'float':
    case 'true':
    case 'false':
      return NUMBER
    case 'date':
    case 'time':
    case 'timestamp':
      return TEMPORAL
    case 'null':
      return null
  }
}

const NUMERIC =
  /^(number|bounded|tinyint|smallint|mediumint|int|integer|bigint|decimal|numeric|float|double|bit|year|bool)\b/
const TIME = /^(temporal|date|time|datetime|timestamp)\b/
/** Compared with text as text is, whole. */
const TEXTUAL =
  /^(string|parameter|n?(var)?char|national|character|(tiny|medium|long)?(text|blob)|long|(var)?binary|json|enum|set)\b/

export const isNumeric = ({ type }: Value): boolean => type !== null && NUMERIC.test(type)
const isTemporal = ({ type }: Value): boolean => type !== null && TIME.test(type)

/** Does `column = other` hold for one value of the column only (and those its collation takes for equal)? */
export function comparesWhole(column: Value, other: Value): boolean {
  if (isNumeric(column)) return true
  if (isTemporal(column)) return !isNumeric(other) || other.kind === 'constant'
  // Text, JSON, ENUM, SET, ... or not known: a number on the other side reads it as one, a time as a time.
  return other.type !== null && (TEXTUAL.test(other.type) || other.type === column.type)
}

/** Columns whose values, added to or multiplied with a small literal, stay within their result's range. */
const BOUNDED = /^(tinyint|smallint|mediumint|int|integer|decimal|numeric|float|double|year)\b/
const SMALL = /^[+-]?\d{1,9}(\.\d{1,9})?$/

/** May `left operator right` leave the range of its type for some values of a column in it? */
export function mayOverflow(operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    // NULL where there is no result (§12.6.1); in strict mode an error only where it is stored.
    case '/':
      return !(isAtLeastOne(right) || (isBounded(left) && isBounded(right)))
    case '%':
    case 'div':
      return !(isBounded(left) && isBounded(right))
    case '+':
      return !(isAddend(left) && isAddend(right))
    case '*':
      return !(isBounded(left) && isBounded(right))
    case '-':
      return !(isBounded(left) && isBounded(right)) || isUnsigned(left) || isUnsigned(right)
    default:
      return false
  }
}

/** The type of `left operator right`: a quotient by one or more is as bounded as what is divided. */
export function resultType(operator: string, left: Value, right: Value): string | null {
  if (operator === '||') return null
  const divides = operator === '/' && isAtLeastOne(right)
  return divides && (isBounded(left) || isOfAmounts(left)) ? 'bounded' : NUMBER
}

const isOfAmounts = ({ sources }: Value) => sources.length > 0 && sources.every(isAmount)

/** Division by it makes nothing larger. */
function isAtLeastOne({ kind, type, constants }: Value): boolean {
  return (
    kind === 'constant' &&
    type === NUMBER &&
    constants !== null &&
    'kind' in constants &&
    constants.kind === 'literal' &&
    SMALL.test(constants.text) &&
    Math.abs(Number(constants.text)) >= 1
  )
}

const isUnsigned = ({ type }: Value) => type?.includes('unsigned') === true

/** Bytes and rows that there are never come near the end of their type. */
const isAddend = (value: Value): boolean =>
  isBounded(value) || (value.kind === 'direct' && isOfAmounts(value))

/** The type of a value that is one of these; null where they are not all numbers of bounded types, or small ones. */
export function boundedOf(values: readonly Value[]): string | null {
  const numbers = values.filter((value) => value.kind !== 'constant' || !isNull(value))
  if (numbers.length === 0 || !numbers.every(isBounded)) return null
  return numbers.some(isUnsigned) ? 'bounded unsigned' : 'bounded'
}

const isNull = ({ constants }: Value): boolean =>
  constants !== null && 'kind' in constants && constants.kind === 'null'

/** A stored number of a bounded type, one of several such, or a small literal. */
export function isBounded(value: Value): boolean {
  if (value.kind === 'direct') return value.type !== null && BOUNDED.test(value.type)
  if (value.kind === 'derived') return value.type?.startsWith('bounded') === true
  const { constants } = value
  return (
    value.kind === 'constant' &&
    value.type === NUMBER &&
    constants !== null &&
    'kind' in constants &&
    constants.kind === 'literal' &&
    SMALL.test(constants.text)
  )
}

/**
 * `value`, which gives one of `values`, each as it is: constants of the statement, and columns that lose nothing on their
 * way through the type that all of them are turned into.
 */
export function oneOf(value: Value, values: readonly Value[], chosenBy: Value): Value {
  const columns = values.filter(({ kind }) => kind === 'direct')
  const constants = values.filter(
    ({ kind, varies }) => kind === 'constant' && varies !== 'computed',
  )
  if (value.kind !== 'derived' || columns.length + constants.length < values.length) return value
  const [column] = columns
  const isKept =
    column === undefined ||
    (PLAIN.test(column.type ?? '') &&
      columns.every((other) => isSameDirect(column, other)) &&
      constants.every(isHarmless))
  return isKept ? chosen(value, values, chosenBy) : value
}

const PLAIN =
  /^(tiny|small|medium|big)?int|^(decimal|float|double|date|time|year|enum)|(char|text)$/

/** A text, a small number or nothing: what it is combined with is turned into a type that holds that whole. */
const isHarmless = (constant: Value): boolean =>
  isNull(constant) || constant.type === STRING || isBounded(constant)
