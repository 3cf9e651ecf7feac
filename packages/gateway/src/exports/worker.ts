/** The gateway's side of its exports: one thread for all of them, so that no session waits for a receiver. */
import { Worker } from 'node:worker_threads'
import type { ExportFormat } from '@sallyport/audit'
import type { Destination } from './destination.ts'

/** How long close() waits for what is under way; the rest is sent after the next start. */
const CLOSE_MS_MAX = 5_000

export interface ExportPlan extends Destination {
  readonly name: string
  readonly format: ExportFormat
  readonly cursor: string
}

export interface ExportTask {
  /** Of the log. */
  readonly directory: string
  readonly plans: readonly ExportPlan[]
}

/** `code`: null when it takes records again. */
export interface ExportNews {
  readonly name: string
  readonly code: string | null
}

export class ExportWorker {
  readonly #worker: Worker
  readonly #exited: Promise<unknown>

  constructor(task: ExportTask, onNews: (news: ExportNews) => void) {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: task })
    this.#worker.on('message', onNews)
    this.#worker.on('error', () => {
      for (const { name } of task.plans) onNews({ name, code: 'ended' })
    })
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve))
  }

  async close(): Promise<void> {
    this.#worker.postMessage('stop')
    const late = setTimeout(() => void this.#worker.terminate(), CLOSE_MS_MAX)
    await this.#exited
    clearTimeout(late)
  }
}
