/**
 * One closed segment, as retention needs to know it: by its ends, which is quick, or read as a whole and held against
 * its own footer. Reads only.
 */

import type { StoredEvent } from '../event.ts'
import { leafHash, MerkleFrontier } from '../merkle.ts'
import { type AuditRecord, decodeRecord } from '../record.ts'
import { LineReader, lastLine, segmentPath } from '../segments.ts'
import { type Footer, footerOf, type Grave } from './tombstone.ts'

export interface Ends extends Omit<Grave, 'keepDaysBehind'> {
  readonly last: Footer
}

/** Null: it has no footer, or does not begin with a record. */
export function endsOf(directory: string, segment: number): Ends | null {
  const path = segmentPath(directory, segment)
  const reader = new LineReader(path)
  try {
    const line = reader.next()
    const record = line.kind === 'line' ? decodeRecord(line.bytes) : null
    if (line.kind !== 'line' || record === null) return null
    const { seq, at, prev } = record
    const first = { seq, at, hash: leafHash(line.bytes), prev }
    const footer = lastLine(path)?.toString('utf8') ?? ''
    const last = footerOf({ segment, first, footer })
    return last === null ? null : { segment, first, footer, last }
  } finally {
    reader.close()
  }
}

/** Whether every record between the ends is the one that was signed; `note` gets each event. */
export function isIntact(
  directory: string,
  { segment, first, last }: Ends,
  note: (event: StoredEvent) => void = () => {},
): boolean {
  const tree = new MerkleFrontier()
  const reader = new LineReader(segmentPath(directory, segment))
  let expected = first.seq
  let before = first.prev
  try {
    for (let line = reader.next(); line.kind === 'line'; line = reader.next()) {
      const record = decodeRecord(line.bytes)
      if (!follows(record, expected, before)) return false
      if (record.seq === last.record.seq) {
        const { head } = last
        return head.records === tree.count && head.root === tree.root() && isAtEnd(reader)
      }
      note(record.event)
      before = leafHash(line.bytes)
      tree.add(Buffer.from(before, 'hex'))
      expected++
    }
    return false
  } finally {
    reader.close()
  }
}

function follows(record: AuditRecord | null, seq: number, prev: string): record is AuditRecord {
  return record !== null && record.seq === seq && record.prev === prev
}

function isAtEnd(reader: LineReader): boolean {
  return reader.next().kind === 'end'
}
