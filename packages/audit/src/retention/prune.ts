/**
 * The end of log segments: what is past its time and needed by nobody is removed, one after the other. In order:
 *
 *   1. the log says so (`segment-removed`, with the signed tombstone), on the disk
 *   2. the tombstone lies beside the segment, on the disk
 *   3. the segment is deleted
 *
 * Killed between them, the segment is still there, and the next run goes on: after 1 from the beginning, after 2 with 3.
 */

import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Tombstone } from '../event.ts'
import type { AuditLog } from '../log.ts'
import { syncDirectory, syncFile } from '../log-files.ts'
import { segmentPath } from '../segments.ts'
import { type Due, type Plan, type PlanTask, planPruning } from './plan.ts'
import { encodeTombstone, tombstonePath } from './tombstone.ts'

const DAY_MS = 86_400_000

export interface Pruning {
  readonly log: AuditLog
  /** Directory of recordings. */
  readonly recordings: string
  readonly now: number
  /** Who asked for it, as the tombstones are to say. */
  readonly by: string
  /** The first segment that an export still needs. */
  readonly keepFrom?: number
  /** True: says what would be done, and does nothing. */
  readonly dryRun?: boolean
  /** False: reads the segments in this thread. */
  readonly inThread?: boolean
}

export interface Pruned extends Pick<Plan, 'keep' | 'more'> {
  readonly removed: readonly Due[]
}

/**
 * Removes what the log's own `keepDays` says, up to PRUNE_SEGMENTS_MAX segments; without, nothing.
 * @throws AuditError unavailable: the log cannot be written, and what is left stays
 */
export async function pruneLog(pruning: Pruning): Promise<Pruned> {
  const { log, recordings, now, by, keepFrom = Number.MAX_SAFE_INTEGER } = pruning
  const { directory, keepDays } = log
  if (keepDays === null) return { removed: [], keep: [], more: false }
  const task = { directory, recordings, before: now - keepDays * DAY_MS, keepFrom }
  const plan = pruning.inThread === false ? await planPruning(task) : await planInThread(task)
  if (pruning.dryRun === true) return { removed: plan.remove, keep: plan.keep, more: plan.more }
  const removed: Due[] = []
  for (const removal of plan.remove) {
    // INVARIANT: looked at and said in one turn: a hold placed meanwhile makes another plan necessary.
    if (log.newestHold > plan.holds) return { removed, keep: plan.keep, more: true }
    await bury(directory, removal.tombstone ?? log.entomb(removal.grave, by))
    removed.push(removal)
  }
  return { removed, keep: plan.keep, more: plan.more }
}

/** Steps 2 and 3; either may have been done before. */
async function bury(directory: string, tombstone: Tombstone): Promise<void> {
  const file = tombstonePath(directory, tombstone.segment)
  await writeFile(`${file}.new`, encodeTombstone(tombstone), { mode: 0o600 })
  await syncFile(`${file}.new`)
  await rename(`${file}.new`, file)
  await syncDirectory(directory)
  await rm(segmentPath(directory, tombstone.segment))
  await syncDirectory(directory)
}

/** Beside whatever else this process does. */
function planInThread(task: PlanTask): Promise<Plan> {
  const worker = new Worker(join(import.meta.dirname, 'thread.ts'), { workerData: task })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that plans the retention has ended')))
  })
}
