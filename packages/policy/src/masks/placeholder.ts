/**
 * What each mask's output looks like, so that it can be told from a real value without the key: `redact` writes
 * fixed constants, hashes carry a checksum of themselves (text, uuid) or are negative (numbers), `truncate-date`
 * and `bucket` are their own rounding. Tokens look like values by design: under `tokenize` every constant counts.
 */

import { assertNever } from '../errors.ts'
import { checksum } from './checksum.ts'
import { parseJsonPath } from './json-path.ts'
import type { MaskSpec } from './spec.ts'
import { REDACTED } from './type-info.ts'

/** Text forms of every `redact` constant, besides those that contain `[redacted]`. */
const CONSTANTS = new Set([
  'f', 'false', '0', '', '*', '-', '(0,0)', '[(0,0),(0,0)]', '((0,0))', '(0,0),(0,0)', '{1,0,0}', '<(0,0),0>',
  '0.0.0.0', '0.0.0.0/32', '::', '$0.00', '0.00', '00:00:00', '00:00:00+00', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
  '1900-01-01', '00000000-0000-0000-0000-000000000000', '0/0', 'empty', '{}', '<redacted/>', '1901', '$',
]) // biome-ignore format: a list of short words

const isRedacted = (value: string): boolean => {
  const trimmed = value.trim()
  return (
    trimmed.toLowerCase().includes('redacted') ||
    CONSTANTS.has(trimmed) ||
    /^0+(\.0+)?$/.test(trimmed) ||
    /^1900-01-01[ T]00:00(:00(\.0+)?)?( ?(Z|[+-]00(:?00)?))?$/.test(trimmed) ||
    trimmed.toLowerCase() === '\\x5b72656461637465645d'
  )
}

/** Could `value` (null: SQL NULL) have come out of this mask? */
export function placeholderOf(spec: MaskSpec, value: string | null): boolean {
  if (value === null) return spec.kind === 'null'
  if (value.toLowerCase().includes(REDACTED)) return true
  return isOne(spec, value) || elements(value)?.every((one) => isOne(spec, one)) === true
}

/** Elements of a one-dimensional array literal as the mask writes it; null: not one, or empty. */
function elements(value: string): readonly string[] | null {
  const inner = /^\s*\{(.+)\}\s*$/s.exec(value)?.[1]
  if (inner === undefined || inner.includes('{')) return null
  return inner.split(',').map((one) =>
    one
      .trim()
      .replace(/^"(.*)"$/s, '$1')
      .replace(/\\(.)/gs, '$1'),
  )
}

function isOne(spec: MaskSpec, value: string): boolean {
  switch (spec.kind) {
    case 'null':
      return value.trim() === '' || value.trim().toLowerCase() === 'null'
    case 'redact':
      return isRedacted(value)
    case 'partial':
      return isRedacted(value) || isPartial(value, spec)
    case 'email':
      return isRedacted(value) || value.includes('***@')
    case 'hash':
      return isRedacted(value) || isHash(value)
    case 'tokenize':
      return true
    case 'truncate-date':
      return isRedacted(value) || isTruncated(value, spec.unit)
    case 'bucket':
      return isRedacted(value) || isBucket(value, spec.width)
    case 'json':
      return isRedacted(value) || jsonHolds(value, spec)
    case 'regex':
      return (
        isRedacted(value) ||
        (spec.otherwise === 'redact' ? true : holdsReplacement(value, spec.replacement))
      )
    case 'detect':
      return value.includes('[redacted')
    default:
      return assertNever(spec)
  }
}

/** At least one hidden character where the mask puts them, nothing readable between. */
function isPartial(value: string, spec: Extract<MaskSpec, { kind: 'partial' }>): boolean {
  const chars = [...value.trim()]
  if (chars.length > 0 && chars.every((char) => char === spec.char)) return true
  const middle = chars.slice(spec.keepFirst, chars.length - spec.keepLast)
  return middle.length > 0 && middle.every((char) => char === spec.char)
}

function isHash(value: string): boolean {
  const text = value.trim()
  if (/^-\d+$/.test(text)) return true
  const hex = text.replace(/^\\x/, '').replaceAll('-', '').replace(/^"|"$/g, '').toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(hex)) return false
  const bytes = Buffer.from(hex, 'hex')
  return checksum(bytes, 0, 12) === bytes.readUInt32BE(12)
}

function isTruncated(value: string, unit: 'year' | 'month' | 'day' | 'hour'): boolean {
  const found = /^\d{4,6}-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?/.exec(
    value.trim(),
  )
  if (found === null) return false
  const [, month, day, hour = '00', minute = '00', second = '00'] = found
  const isHour = minute === '00' && second === '00'
  if (unit === 'hour') return isHour
  // A bare date is what a client may make of a truncated timestamp; whole days of any zone count.
  if (unit === 'day') return isHour && (found[3] === undefined || hour === '00')
  return day === '01' && (unit === 'month' || month === '01')
}

function isBucket(value: string, width: number): boolean {
  const number = Number(value.trim())
  return Number.isFinite(number) && Number.isInteger(number) && number % width === 0
}

/** Replaced text of a `regex` mask: its literal parts all appear. */
function holdsReplacement(value: string, replacement: string): boolean {
  const parts = replacement.split(/\$(?:\$|&|`|'|\d{1,2}|<[^>]*>)/).filter((part) => part !== '')
  return parts.length === 0 || parts.every((part) => value.includes(part))
}

function jsonHolds(value: string, spec: Extract<MaskSpec, { kind: 'json' }>): boolean {
  let document: unknown
  try {
    document = JSON.parse(value)
  } catch {
    return false
  }
  return spec.paths.some((path) => {
    const steps = parseJsonPath(path)
    if (typeof steps === 'string') return false
    return found(document, steps, 0).some((leaf) => leafIsPlaceholder(leaf, spec.mask))
  })
}

function leafIsPlaceholder(leaf: unknown, mask: MaskSpec): boolean {
  if (leaf === null) return mask.kind === 'null'
  if (typeof leaf === 'object') return false
  return placeholderOf(mask, String(leaf)) || placeholderOf({ kind: 'redact' }, String(leaf))
}

type Steps = Exclude<ReturnType<typeof parseJsonPath>, string>

function found(node: unknown, steps: Steps, at: number): unknown[] {
  const step = steps[at]
  if (step === undefined) return [node]
  if (node === null || typeof node !== 'object') return []
  return Object.entries(node).flatMap(([key, child]) => {
    const isMatch =
      step.kind === 'any' || (step.kind === 'key' ? step.name === key : String(step.index) === key)
    return [
      ...(isMatch ? found(child, steps, at + 1) : []),
      ...(step.deep ? found(child, steps, at) : []),
    ]
  })
}
