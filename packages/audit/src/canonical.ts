/**
 * Canonical JSON (RFC 8785): members sorted by UTF-16 code units, no white space, ECMAScript numbers and
 * string escapes. One value has one text, so a hash over the text is a hash over the value.
 *
 * A lone surrogate is written as its `\udxxx` escape (RFC 8785 §3.2.2.2 would refuse it): statement text
 * comes from clients, and refusing it would leave it unrecorded.
 */

import { AuditError } from './errors.ts'
import { EVENT_DEPTH_MAX } from './limits.ts'

/** The canonical text of plain data. Undefined members are absent. @throws AuditError invalid-event */
export function canonicalJson(value: unknown): string {
  return encodeValue(value, EVENT_DEPTH_MAX)
}

function encodeValue(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new AuditError('invalid-event', 'number is not finite')
      return JSON.stringify(value)
    case 'object':
      if (value === null) return 'null'
      if (depth === 0) {
        throw new AuditError('invalid-event', `nesting is over ${EVENT_DEPTH_MAX} levels`)
      }
      return Array.isArray(value) ? encodeList(value, depth - 1) : encodeMap(value, depth - 1)
    default:
      throw new AuditError('invalid-event', `a ${typeof value} is not plain data`)
  }
}

function encodeList(list: readonly unknown[], depth: number): string {
  let text = '['
  for (let i = 0; i < list.length; i++) {
    if (i > 0) text += ','
    text += encodeValue(list[i], depth)
  }
  return `${text}]`
}

function encodeMap(map: object, depth: number): string {
  let text = '{'
  // The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks.
  for (const key of Object.keys(map).sort()) {
    // Safe: `key` is one of the object's own enumerable keys.
    const value = (map as Record<string, unknown>)[key]
    if (value === undefined) continue
    if (text.length > 1) text += ','
    text += `${JSON.stringify(key)}:${encodeValue(value, depth)}`
  }
  return `${text}}`
}
