/**
 * One record as it stands on disk: a line of canonical JSON
 *   {"at":1767225600000,"event":{…},"prev":"<hash of the record before, hex>","seq":1}
 * A record's hash is the RFC 6962 leaf hash of the line without its newline.
 */

import type { StoredEvent } from './event.ts'

export interface AuditRecord {
  /** From 1, without gaps, over the whole log. */
  readonly seq: number
  /** Milliseconds since 1970; never less than that of the record before. */
  readonly at: number
  /** Hash of the record before, hex; zeros for the first. */
  readonly prev: string
  readonly event: StoredEvent
}

const HASH_HEX = /^[0-9a-f]{64}$/

/** The record of a line (without newline), or null when the line is not one. */
export function decodeRecord(line: Uint8Array): AuditRecord | null {
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(line))
  } catch {
    return null
  }
  return isRecord(value) ? value : null
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isRecord(value: unknown): value is AuditRecord {
  return (
    isMap(value) &&
    isCount(value['seq']) &&
    value['seq'] > 0 &&
    isCount(value['at']) &&
    typeof value['prev'] === 'string' &&
    HASH_HEX.test(value['prev']) &&
    isMap(value['event']) &&
    typeof value['event']['type'] === 'string' &&
    typeof value['event']['v'] === 'number'
  )
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
