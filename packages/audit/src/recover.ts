/**
 * What an audit directory holds when it is opened, and where its chain goes on. Reads only.
 *
 * The last segment is checked in full; earlier ones are verifyLog's business. Only what a dying process or
 * machine leaves behind may be dropped: a last line without newline, or bytes from the first line that has
 * a NUL in it (pages never written), and never anything a signed head vouches for. Anything else that does
 * not fit is `corrupt`, and the log does not continue over it.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AuditError } from './errors.ts'
import type { SignedHead } from './event.ts'
import { HEADS_FILE, newestHead } from './heads.ts'
import { leafHash, MerkleFrontier } from './merkle.ts'
import { type AuditRecord, decodeRecord } from './record.ts'
import { type ChainState, NEW_CHAIN } from './record-writer.ts'
import { readTombstone } from './retention/tombstone.ts'
import {
  digestFrom,
  type Line,
  LineReader,
  lastLine,
  listSegments,
  segmentPath,
} from './segments.ts'

export interface Found {
  readonly chain: ChainState
  /** Tree over the records of `segment`. */
  readonly frontier: MerkleFrontier
  /** Segment to write next, and where in it; it may not exist yet. */
  readonly segment: number
  readonly offset: number
  /** Bytes at `offset` of `segment` to drop; null when the last line is whole. */
  readonly dropped: { readonly bytes: number; readonly sha256: string } | null
  readonly previous: 'none' | 'stopped' | 'killed'
  readonly newest: SignedHead | null
  /** Time of the first record of `segment`; null when it has none. */
  readonly since: number | null
}

/** @throws AuditError corrupt */
export function inspectDirectory(directory: string): Found {
  const newest = newestHeadOf(directory)
  const segments = listSegments(directory)
  const last = segments.at(-1)
  if (last === undefined) {
    if (newest !== null) {
      throw new AuditError(
        'corrupt',
        `signed up to record ${newest.seq}, but there are no segments`,
      )
    }
    return {
      chain: NEW_CHAIN,
      frontier: new MerkleFrontier(),
      segment: 1,
      offset: 0,
      dropped: null,
      previous: 'none',
      newest,
      since: null,
    }
  }
  const before = last === 1 ? NEW_CHAIN : chainBehind(directory, last - 1)
  const found = readSegment({ directory, segment: last, before, newest })
  if (newest !== null && newest.seq > found.chain.seq) {
    throw new AuditError(
      'corrupt',
      `signed up to record ${newest.seq}, but the last one found is ${found.chain.seq}`,
    )
  }
  return found
}

function newestHeadOf(directory: string): SignedHead | null {
  const file = join(directory, HEADS_FILE)
  const head = newestHead(file)
  if (head === null && existsSync(file) && readFileSync(file).includes('\n')) {
    throw new AuditError('corrupt', `the last line of \`${HEADS_FILE}\` is not a signed head`)
  }
  return head
}

/** Chain state after a closed segment, from its footer: the segment's own, or that which its tombstone kept. */
function chainBehind(directory: string, segment: number): ChainState {
  const path = segmentPath(directory, segment)
  const kept = readTombstone(directory, segment)?.footer
  const line = existsSync(path) ? lastLine(path) : kept === undefined ? null : Buffer.from(kept)
  const record = line === null ? null : decodeRecord(line)
  if (line === null || record === null || record.event.type !== 'segment-closed') {
    throw new AuditError('corrupt', `segment ${segment} is missing or was not closed`)
  }
  return { seq: record.seq, at: record.at, head: leafHash(line) }
}

interface Reading {
  readonly directory: string
  readonly segment: number
  readonly before: ChainState
  readonly newest: SignedHead | null
}

function readSegment(reading: Reading): Found {
  const { segment, newest } = reading
  const path = segmentPath(reading.directory, segment)
  const frontier = new MerkleFrontier()
  const reader = new LineReader(path)
  let chain = reading.before
  let lastType: string | null = null
  let since: number | null = null
  try {
    for (;;) {
      const line = reader.next()
      const closed = lastType === 'segment-closed'
      const record = line.kind === 'line' ? decodeRecord(line.bytes) : null
      if (line.kind === 'end' || record === null) {
        if (line.kind !== 'end' && (closed || !isDroppable(line)))
          throw broken(segment, line.offset)
        return {
          chain,
          frontier: closed ? new MerkleFrontier() : frontier,
          segment: closed ? segment + 1 : segment,
          offset: closed ? 0 : line.offset,
          dropped: line.kind === 'end' ? null : digestFrom(path, line.offset),
          previous: lastType === 'log-stopped' ? 'stopped' : 'killed',
          newest,
          since: closed ? null : since,
        }
      }
      since ??= record.at
      if (closed || !follows(chain, record)) throw broken(segment, line.offset)
      chain = { seq: record.seq, at: record.at, head: leafHash(line.bytes) }
      if (newest !== null && newest.seq === chain.seq && newest.head !== chain.head) {
        throw new AuditError('corrupt', `record ${chain.seq} is not the one that was signed`)
      }
      frontier.add(Buffer.from(chain.head, 'hex'))
      lastType = record.event.type
    }
  } finally {
    reader.close()
  }
}

function follows(chain: ChainState, record: AuditRecord): boolean {
  return record.seq === chain.seq + 1 && record.prev === chain.head && record.at >= chain.at
}

/** No record contains a NUL byte (JSON escapes it): such a line was never written as a whole. */
function isDroppable(line: Exclude<Line, { kind: 'end' }>): boolean {
  return line.kind === 'torn' || line.bytes.includes(0)
}

function broken(segment: number, offset: number): AuditError {
  return new AuditError(
    'corrupt',
    `segment ${segment} does not continue its chain at byte ${offset}; run a verification`,
  )
}
