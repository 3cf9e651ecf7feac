/** The recordings' side of the archiver: hands it journals one by one, and again when that failed. */

import { Worker } from 'node:worker_threads'
import { AuditError } from '../errors.ts'
import { ARCHIVE_RETRY_MS } from '../limits.ts'
import type { SessionSeal } from './archiver.ts'
import type { JournalFile } from './journal-reader.ts'

export interface ArchiveTask {
  readonly directory: string
  readonly key: Uint8Array | null
  readonly previousKeys: readonly Uint8Array[]
}

export type ArchiveNews =
  | { readonly kind: 'archived'; readonly journal: number; readonly seals: readonly SessionSeal[] }
  | {
      readonly kind: 'failed'
      readonly journal: number
      readonly code: string
      readonly message: string
    }

export interface ArchiveOptions extends ArchiveTask {
  /** Everything of the journal is in recordings. Throws: it is to be kept, and archived again later. */
  readonly onArchived: (journal: number, seals: readonly SessionSeal[]) => void
  readonly onFailure: (error: AuditError) => void
}

export class ArchiveWorker {
  readonly #options: ArchiveOptions
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #queue: JournalFile[] = []
  /** Archived and not yet recorded as such. */
  #archived: (ArchiveNews & { readonly kind: 'archived' }) | null = null
  #failing = false
  #retry: NodeJS.Timeout | null = null
  #whenIdle: (() => void)[] = []
  #gone = false

  constructor(options: ArchiveOptions) {
    this.#options = options
    const { directory, key, previousKeys } = options
    const workerData: ArchiveTask = { directory, key, previousKeys }
    this.#worker = new Worker(new URL('./archive-thread.ts', import.meta.url), { workerData })
    this.#worker.unref()
    this.#worker.on('message', (news: ArchiveNews) => this.#hear(news))
    this.#worker.on('error', (cause) => this.#failed('the archiver has ended', cause))
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#gone = true
        this.#idle()
        resolve()
      })
    })
  }

  /** The last attempt failed. */
  get failing(): boolean {
    return this.#failing
  }

  /** Journals in the order they were written. */
  add(journal: JournalFile): void {
    this.#queue.push(journal)
    if (this.#queue.length === 1) this.#next()
  }

  /** Resolves when every journal is archived, or the thread is gone, or the last attempt failed. */
  settled(): Promise<void> {
    if (this.#queue.length === 0 || this.#gone) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  async close(): Promise<void> {
    // From here on it is what the process is waiting for.
    this.#worker.ref()
    await this.settled()
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#worker.postMessage(null)
    await this.#exited
  }

  #next(): void {
    if (this.#archived !== null) return this.#hear(this.#archived)
    const [journal] = this.#queue
    if (journal !== undefined) this.#worker.postMessage(journal)
    else this.#idle()
  }

  #hear(news: ArchiveNews): void {
    if (news.kind === 'failed') {
      this.#failed(`journal ${news.journal} cannot be archived: ${news.code} ${news.message}`)
      return
    }
    this.#archived = news
    try {
      this.#options.onArchived(news.journal, news.seals)
    } catch (cause) {
      this.#failed(`journal ${news.journal} is archived and not recorded as such`, cause)
      return
    }
    this.#archived = null
    this.#failing = false
    this.#queue.shift()
    this.#next()
  }

  #failed(message: string, cause?: unknown): void {
    const isNew = !this.#failing
    this.#failing = true
    if (isNew) this.#options.onFailure(new AuditError('unavailable', message, { cause }))
    this.#idle()
    if (this.#gone) return
    this.#retry = setTimeout(() => this.#next(), ARCHIVE_RETRY_MS)
    this.#retry.unref()
  }

  #idle(): void {
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of waiting) resolve()
  }
}
