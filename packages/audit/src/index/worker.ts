/** The log's side of the index worker: starts it, hears how far it is, stops it. */

import { Worker } from 'node:worker_threads'
import { AuditError, systemCodeOf } from '../errors.ts'
import { INDEX_CLOSE_MS } from '../limits.ts'
import type { SharedDatabase } from './postgres-pool.ts'

/** Places in the shared Int32Array. */
export const CONTROL_WAKE = 0
export const CONTROL_STOP = 1

/** The index that several gateways share, and what this one is called in it. */
export interface SharedIndex {
  readonly database: SharedDatabase
  readonly gateway: string
}

export interface IndexTask {
  readonly directory: string
  /** Null: the index beside the log. */
  readonly shared: SharedIndex | null
  readonly control: SharedArrayBuffer
}

export type IndexNews =
  | { readonly kind: 'indexed'; readonly seq: number }
  | { readonly kind: 'failed'; readonly code: string }

interface Waiter {
  readonly seq: number
  readonly resolve: () => void
  readonly reject: (error: AuditError) => void
}

export class IndexWorker {
  readonly #control: Int32Array
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #onFailure: (error: AuditError) => void
  readonly #listeners = new Set<(seq: number) => void>()
  #waiters: Waiter[] = []
  #seq = 0
  #isGone = false

  constructor(options: {
    directory: string
    shared: SharedIndex | null
    onFailure: (error: AuditError) => void
  }) {
    const control = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
    const { directory, shared } = options
    const task: IndexTask = { directory, shared, control }
    this.#control = new Int32Array(control)
    this.#onFailure = options.onFailure
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: task })
    this.#worker.on('message', (news: IndexNews) => this.#hear(news))
    this.#worker.on('error', (error) => this.#report(systemCodeOf(error), error))
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#leave()
        resolve()
      })
    })
  }

  onIndexed(listener: (seq: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when record `seq` is indexed. @throws AuditError index-unavailable when the worker is gone */
  reaches(seq: number): Promise<void> {
    if (this.#seq >= seq) return Promise.resolve()
    if (this.#isGone) return Promise.reject(gone())
    this.#wake()
    return new Promise((resolve, reject) => this.#waiters.push({ seq, resolve, reject }))
  }

  /** Lets the worker finish what is written, up to INDEX_CLOSE_MS. */
  async close(): Promise<void> {
    Atomics.store(this.#control, CONTROL_STOP, 1)
    this.#wake()
    const deadline = setTimeout(() => void this.#worker.terminate(), INDEX_CLOSE_MS)
    await this.#exited
    clearTimeout(deadline)
  }

  #wake(): void {
    Atomics.add(this.#control, CONTROL_WAKE, 1)
    Atomics.notify(this.#control, CONTROL_WAKE)
  }

  #hear(news: IndexNews): void {
    if (news.kind === 'failed') {
      this.#report(news.code)
      return
    }
    this.#seq = news.seq
    for (const listener of this.#listeners) listener(news.seq)
    const reached = this.#waiters.filter((waiter) => waiter.seq <= news.seq)
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > news.seq)
    for (const waiter of reached) waiter.resolve()
  }

  #report(code: string, cause?: unknown): void {
    this.#onFailure(new AuditError('index-unavailable', `index worker failed: ${code}`, { cause }))
  }

  #leave(): void {
    this.#isGone = true
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(gone())
  }
}

function gone(): AuditError {
  return new AuditError('index-unavailable', 'the index worker has ended')
}
