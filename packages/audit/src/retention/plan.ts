/**
 * Which closed segments are past their time, and which of those stay: under a legal hold, needed to prove a recording that is
 * still there, not yet exported, or not as they were signed. Reads the log and its index, changes nothing.
 *
 * What is asked of the index is asked of the segment itself again before it goes: the index is no evidence.
 */

import { existsSync } from 'node:fs'
import type { StoredEvent, Tombstone } from '../event.ts'
import { type AuditReader, openAuditReader } from '../index/reader.ts'
import { PRUNE_SEGMENTS_MAX, QUERY_ROWS_MAX } from '../limits.ts'
import { recordingPath } from '../recording/recording-file.ts'
import { listSegments } from '../segments.ts'
import { Holds } from './holds.ts'
import { type Ends, endsOf, isIntact } from './survey.ts'
import { type Grave, listTombstones, readTombstone } from './tombstone.ts'

export interface PlanTask {
  /** Of the log. */
  readonly directory: string
  /** Of recordings. */
  readonly recordings: string
  /** Segments whose last record is older than this go, milliseconds since 1970. */
  readonly before: number
  /** This segment and later ones are still needed by an export. */
  readonly keepFrom: number
}

/** Why a segment past its time stays. */
export type Reason = 'legal-hold' | 'recordings' | 'export' | 'damaged'

export interface Due {
  readonly segment: number
  /** Records in it, its footer among them; times of its first and last, milliseconds since 1970. */
  readonly records: number
  readonly since: number
  readonly until: number
}

export interface Removal extends Due {
  readonly grave: Grave
  /** That of a removal that was broken off; null: there is none yet. */
  readonly tombstone: Tombstone | null
}

export interface Plan {
  readonly remove: readonly Removal[]
  readonly keep: readonly (Due & { readonly why: Reason })[]
  /** There are more than one run removes. */
  readonly more: boolean
  /** Number of the newest word on a legal hold that was looked at. */
  readonly holds: number
}

/** @throws AuditError index-unavailable */
export async function planPruning(task: PlanTask): Promise<Plan> {
  const due = dueSegments(task)
  if (due.length === 0) return { remove: [], keep: [], more: false, holds: 0 }
  const reader = await openAuditReader({ directory: task.directory, update: true })
  try {
    const holds = await Holds.read(reader)
    const remove: Removal[] = []
    const keep: (Due & { why: Reason })[] = []
    for (const ends of due) {
      const more = remove.length === PRUNE_SEGMENTS_MAX
      if (more) return { remove, keep, more, holds: holds.newest }
      const why = await whyKept(ends, { task, reader, holds })
      if (why !== null) keep.push({ ...dueOf(ends), why })
      else remove.push(await removalOf(ends, task, reader))
    }
    return { remove, keep, more: false, holds: holds.newest }
  } finally {
    await reader.close()
  }
}

/** Closed and past their time, oldest first. The newest segment never is: the log goes on in it. */
function dueSegments({ directory, before }: PlanTask): Ends[] {
  const due: Ends[] = []
  for (const segment of listSegments(directory).slice(0, -1)) {
    const ends = endsOf(directory, segment)
    // Not closed: verification says so, and its time is not known.
    if (ends === null) continue
    if (ends.last.record.at >= before) return due
    due.push(ends)
  }
  return due
}

function dueOf({ segment, first, last }: Ends): Due {
  const records = last.record.seq - first.seq + 1
  return { segment, records, since: first.at, until: last.record.at }
}

interface Tools {
  readonly task: PlanTask
  readonly reader: AuditReader
  readonly holds: Holds
}

async function whyKept(ends: Ends, { task, reader, holds }: Tools): Promise<Reason | null> {
  const { segment, first, last } = ends
  if (segment >= task.keepFrom) return 'export'
  const run = {
    firstSeq: first.seq,
    lastSeq: last.record.seq,
    firstAt: first.at,
    lastAt: last.record.at,
  }
  if (await holds.holdsRecords(run, reader)) return 'legal-hold'
  if (await provesRecordings(run, task.recordings, reader)) return 'recordings'
  const standing = readTombstone(task.directory, segment)
  if (standing !== undefined && !isOf(standing, ends)) return 'damaged'
  let why: Reason | null = null
  const isWhole = isIntact(task.directory, ends, (event) => {
    if (holds.names(event)) why = 'legal-hold'
    else if (isSealOf(event, task.recordings)) why ??= 'recordings'
  })
  return isWhole ? why : 'damaged'
}

function isOf(tombstone: Tombstone | null, { first, footer }: Ends): boolean {
  return tombstone !== null && tombstone.footer === footer && tombstone.first.hash === first.hash
}

/** Whether it holds the hash of a recording that is there, or the end of one whose hash an earlier segment holds. */
async function provesRecordings(
  { firstSeq, lastSeq }: { firstSeq: number; lastSeq: number },
  recordings: string,
  reader: AuditReader,
): Promise<boolean> {
  for await (const { event } of recordsOf('recording-sealed', firstSeq, lastSeq, reader)) {
    if (isSealOf(event, recordings)) return true
  }
  for await (const { event } of recordsOf('recording-erased', firstSeq, lastSeq, reader)) {
    const session = String(event['session'])
    const query = { type: 'recording-sealed', session, before: firstSeq, limit: 1 }
    if ((await reader.search(query)).items.length > 0) return true
  }
  return false
}

async function* recordsOf(type: string, firstSeq: number, lastSeq: number, reader: AuditReader) {
  let before: number | null = lastSeq + 1
  while (before !== null && before > firstSeq) {
    const page = await reader.search({ type, before, limit: QUERY_ROWS_MAX })
    for (const record of page.items) {
      if (record.seq < firstSeq) return
      yield record
    }
    before = page.next
  }
}

function isSealOf(event: StoredEvent, recordings: string): boolean {
  const { session } = event
  return (
    event.type === 'recording-sealed' &&
    typeof session === 'string' &&
    existsSync(recordingPath(recordings, session))
  )
}

async function removalOf(ends: Ends, task: PlanTask, reader: AuditReader): Promise<Removal> {
  const { segment, first, footer } = ends
  const keepDaysBehind = await policyBehind(ends, task.directory, reader)
  const tombstone = readTombstone(task.directory, segment) ?? null
  return { ...dueOf(ends), grave: { segment, first, footer, keepDaysBehind }, tombstone }
}

/** The retention that the segment's last record stands under: what the newest `log-started` up to there said. */
async function policyBehind(
  { segment, last }: Ends,
  directory: string,
  reader: AuditReader,
): Promise<number | null> {
  const query = { type: 'log-started', before: last.record.seq + 1, limit: 1 }
  const started = (await reader.search(query)).items[0]
  const graves = listTombstones(directory).filter((one) => one < segment)
  const grave = readTombstone(directory, graves.at(-1) ?? 0)
  // One that was removed is known by the tombstone behind it.
  if (grave !== undefined && grave !== null && (started?.seq ?? 0) < grave.first.seq) {
    return grave.keepDaysBehind
  }
  const keepDays = started?.event['keepDays']
  return typeof keepDays === 'number' ? keepDays : null
}
