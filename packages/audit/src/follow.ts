/**
 * The log's records in order, read from its segments as they grow: for exports. Nothing is asked of the
 * gateway and nothing it does waits for the reader, however slow: the segments are the buffer.
 */

import { existsSync } from 'node:fs'
import { type AuditRecord, decodeRecord } from './record.ts'
import { LineReader, listSegments, segmentPath } from './segments.ts'

/** Where a reader stands: the segment and the byte in it that come next. */
export interface LogPosition {
  readonly segment: number
  readonly offset: number
}

export interface FollowedRecord {
  readonly record: AuditRecord
  /** Behind this record: to go on from later. */
  readonly next: LogPosition
}

/** What is there from a position on; ends where the log does now. Lines that are no records are passed over. */
export function* recordsFrom(
  directory: string,
  from: LogPosition | null,
): Generator<FollowedRecord> {
  const segments = listSegments(directory)
  const first = from?.segment ?? segments[0]
  if (first === undefined) return
  for (const segment of segments.filter((one) => one >= first)) {
    const start = segment === from?.segment ? from.offset : 0
    yield* recordsOf(directory, segment, start)
  }
}

function* recordsOf(directory: string, segment: number, start: number): Generator<FollowedRecord> {
  const path = segmentPath(directory, segment)
  if (!existsSync(path)) return
  const reader = new LineReader(path, start)
  try {
    for (let line = reader.next(); line.kind === 'line'; line = reader.next()) {
      const record = decodeRecord(line.bytes)
      const offset = line.offset + line.bytes.length + 1
      if (record !== null) yield { record, next: { segment, offset } }
    }
  } finally {
    reader.close()
  }
}
