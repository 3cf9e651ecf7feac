/** The thread of the exports: follows the log's files, each export at its receiver's pace. */
import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { sinkFor } from './destination.ts'
import { runExport } from './exporter.ts'
import type { ExportNews, ExportPlan, ExportTask } from './worker.ts'

// Safe: worker.ts starts this thread with exactly this.
const { directory, plans } = workerData as ExportTask

// On Linux this is the priority of the calling thread alone; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

const stop = new AbortController()
parentPort?.once('message', () => stop.abort())

function tell(news: ExportNews): void {
  parentPort?.postMessage(news)
}

async function run(plan: ExportPlan): Promise<void> {
  const { name, format, cursor } = plan
  const onState = (error: Error | null): void => {
    tell({ name, code: error === null ? null : codeOf(error) })
  }
  const sink = sinkFor(plan)
  if (sink === null) return onState(new Error('nowhere'))
  try {
    await runExport({ directory, format, sink, cursor, follow: true, stop: stop.signal, onState })
  } catch (error) {
    onState(error instanceof Error ? error : new Error('failed'))
  }
}

/** Of a failed fetch, the reason is its cause. */
function codeOf(error: Error): string {
  for (const one of [error.cause, error]) {
    if (one instanceof Error && 'code' in one && typeof one.code === 'string') return one.code
  }
  return error.name
}

await Promise.all(plans.map(run))
parentPort?.close()
