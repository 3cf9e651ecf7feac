/** The archiver's thread: journals in by number, seals of what they made out. */

import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { systemCodeOf } from '../errors.ts'
import type { ArchiveNews, ArchiveTask } from './archive-worker.ts'
import { Archiver } from './archiver.ts'
import type { JournalFile } from './journal-reader.ts'
import { wrappingKey } from './keys.ts'

// Safe: archive-worker.ts starts this thread with exactly this.
const task = workerData as ArchiveTask
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)

const archiver = new Archiver({
  directory: task.directory,
  wrapping: task.key === null ? null : wrappingKey(task.key),
  previous: task.previousKeys.map(wrappingKey),
})

function tell(news: ArchiveNews): void {
  parentPort?.postMessage(news)
}

parentPort?.on('message', (file: JournalFile | null) => {
  if (file === null) {
    parentPort?.close()
    return
  }
  const { journal } = file
  try {
    tell({ kind: 'archived', journal, seals: archiver.archive(file) })
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    tell({ kind: 'failed', journal, code: systemCodeOf(error), message })
  }
})
