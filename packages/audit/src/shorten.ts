/**
 * Makes an oversized event fit a record: cuts long strings and long lists and says so in `cut`, with the
 * length and SHA-256 of each original, so that a full text kept elsewhere can still be matched to it.
 * The slow path; see record-writer.ts.
 */

import { hash } from 'node:crypto'
import { canonicalJson } from './canonical.ts'
import { AuditError } from './errors.ts'
import type { AuditEvent, Cut } from './event.ts'
import {
  LIST_ITEMS_MAX,
  RECORD_BYTES_MAX,
  SQL_CHARS_MAX,
  STRING_CHARS_MAX,
  TIGHT_LIST_ITEMS_MAX,
  TIGHT_SQL_CHARS_MAX,
  TIGHT_STRING_CHARS_MAX,
} from './limits.ts'

interface Caps {
  readonly sqlChars: number
  readonly stringChars: number
  readonly listItems: number
}

const CAPS: Caps = {
  sqlChars: SQL_CHARS_MAX,
  stringChars: STRING_CHARS_MAX,
  listItems: LIST_ITEMS_MAX,
}
const TIGHT_CAPS: Caps = {
  sqlChars: TIGHT_SQL_CHARS_MAX,
  stringChars: TIGHT_STRING_CHARS_MAX,
  listItems: TIGHT_LIST_ITEMS_MAX,
}

/** Room left for `at`, `prev`, `seq` around the event. */
const FRAME_BYTES = 256

/**
 * Canonical JSON of the event, shortened where it is over a cap; at most RECORD_BYTES_MAX with its frame.
 * @throws AuditError invalid-event when it is not plain data or is too large even when cut
 */
export function fittedEventJson(event: AuditEvent): string {
  for (const caps of [CAPS, TIGHT_CAPS]) {
    const text = canonicalJson(shortenEvent(event, caps))
    if (Buffer.byteLength(text) <= RECORD_BYTES_MAX - FRAME_BYTES) return text
  }
  throw new AuditError('invalid-event', `\`${event.type}\` event does not fit a record`)
}

function shortenEvent(event: AuditEvent, caps: Caps): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  const cuts: Cut[] = [...(event.cut ?? [])]
  for (const [field, value] of Object.entries(event)) {
    if (field === 'cut' || value === undefined) continue
    const short = shortenValue(value, {
      ...caps,
      stringChars: field === 'sql' ? caps.sqlChars : caps.stringChars,
    })
    kept[field] = short
    if (short !== value) cuts.push(describeCut(field, value))
  }
  if (cuts.length > 0) kept['cut'] = cuts
  return kept
}

function describeCut(field: string, original: unknown): Cut {
  const text = typeof original === 'string' ? original : canonicalJson(original)
  return { field, bytes: Buffer.byteLength(text), sha256: hash('sha256', text, 'hex') }
}

/** The value itself when nothing is over a cap, else a shortened copy. */
function shortenValue(value: unknown, caps: Caps): unknown {
  if (typeof value === 'string') return shortenText(value, caps.stringChars)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    const kept = items.slice(0, caps.listItems).map((item) => shortenValue(item, caps))
    return kept.length === items.length && kept.every((item, i) => item === items[i]) ? value : kept
  }
  const entries = Object.entries(value)
  const kept = entries
    .slice(0, caps.listItems)
    .map(([key, item]) => [shortenText(key, caps.stringChars), shortenValue(item, caps)] as const)
  const unchanged =
    kept.length === entries.length &&
    kept.every(([key, item], i) => key === entries[i]?.[0] && item === entries[i]?.[1])
  return unchanged ? value : Object.fromEntries(kept)
}

/** Cuts at a code point boundary: half a surrogate pair would not be the client's text. */
function shortenText(text: string, chars: number): string {
  if (text.length <= chars) return text
  const last = text.charCodeAt(chars - 1)
  const splitsPair = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, splitsPair ? chars - 1 : chars)
}
