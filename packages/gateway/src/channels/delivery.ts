/** Sending one thing to one address, again and again until it is taken or given up. Never blocks an approval. */

import { setTimeout as pause } from 'node:timers/promises'

/** Waits between attempts, ms: seven attempts over about 15 minutes. */
const WAITS_MS = [1_000, 5_000, 30_000, 60_000, 240_000, 600_000] as const
/** Deliveries under way or waiting; more are dropped, and said to be. */
const QUEUED_MAX = 1_000
const ATTEMPT_MS_MAX = 10_000

export interface DeliveryOptions {
  /** Something was given up, or could not even be queued. */
  readonly onGivenUp: (why: unknown) => void
  /** Default WAITS_MS. */
  readonly waitsMs?: readonly number[]
}

/** Thrown by an attempt when trying again is of no use. */
export class Undeliverable extends Error {}

export class Deliveries {
  readonly #options: DeliveryOptions
  readonly #stop = new AbortController()
  #queued = 0

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** `attempt` rejects when it failed. */
  send(attempt: (signal: AbortSignal) => Promise<void>): void {
    if (this.#queued >= QUEUED_MAX) {
      this.#options.onGivenUp(new Error('too many deliveries are waiting'))
      return
    }
    this.#queued++
    void this.#try(attempt).finally(() => {
      this.#queued--
    })
  }

  close(): void {
    this.#stop.abort()
  }

  async #try(attempt: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const waits = this.#options.waitsMs ?? WAITS_MS
    for (let tried = 0; !this.#stop.signal.aborted; tried++) {
      try {
        await attempt(AbortSignal.any([this.#stop.signal, AbortSignal.timeout(ATTEMPT_MS_MAX)]))
        return
      } catch (error) {
        const wait = waits[tried]
        if (wait === undefined || error instanceof Undeliverable) {
          if (!this.#stop.signal.aborted) this.#options.onGivenUp(error)
          return
        }
        // Ended early when it is closed.
        await pause(wait, null, { signal: this.#stop.signal, ref: false }).catch(() => null)
      }
    }
  }
}
