/**
 * The index worker's thread: follows the segments and tells the log how far it is. It never asks anything
 * of the log's thread, which only raises a flag in shared memory to stop it or to hurry it.
 */

import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { AuditError, systemCodeOf } from '../errors.ts'
import { INDEX_POLL_MS, INDEX_RETRY_MS } from '../limits.ts'
import { logIdentity } from '../log-identity.ts'
import { Indexer } from './indexer.ts'
import { isBroken, recreateIndex } from './sqlite-schema.ts'
import { CONTROL_STOP, CONTROL_WAKE, type IndexNews, type IndexTask } from './worker.ts'

// Safe: worker.ts starts this thread with exactly this.
const task = workerData as IndexTask
const control = new Int32Array(task.control)

// On Linux this is the priority of the calling thread alone; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

async function follow(): Promise<void> {
  let indexer: Indexer | null = null
  let failing = false
  let told = -1
  for (;;) {
    const wake = Atomics.load(control, CONTROL_WAKE)
    const stopping = Atomics.load(control, CONTROL_STOP) === 1
    try {
      indexer ??= await open(task)
      const { seq, more } = await indexer.step()
      failing = false
      if (seq !== told) tell({ kind: 'indexed', seq })
      told = seq
      if (more) continue
    } catch (error) {
      if (!failing) tell({ kind: 'failed', code: systemCodeOf(error) })
      failing = true
      if (isBroken(error)) {
        await indexer?.close()
        indexer = null
        recreateIndex(task.directory).close()
      }
    }
    if (stopping) break
    // Records come faster than a transaction each is worth: what arrives meanwhile is one batch.
    Atomics.wait(control, CONTROL_WAKE, wake, failing ? INDEX_RETRY_MS : INDEX_POLL_MS)
  }
  await indexer?.close()
}

async function open({ directory, shared }: IndexTask): Promise<Indexer> {
  if (shared === null) return Indexer.open(directory)
  const identity = logIdentity(directory)
  if (identity === null) throw new AuditError('not-found', 'the log has no first record yet')
  const { database, gateway } = shared
  // Only here: most gateways are alone, and their thread has no need of a driver.
  const { PostgresLogIndex } = await import('./postgres-store.ts')
  return Indexer.open(directory, await PostgresLogIndex.open(database, { identity, gateway }))
}

function tell(news: IndexNews): void {
  parentPort?.postMessage(news)
}

await follow()
