/**
 * Writes the audit log once per event-loop tick, and only then lets that tick's requests go upstream.
 *
 * INVARIANT: no byte of a request leaves for an upstream before the records appended for it are written.
 * Sessions queue what they want to send and enter; after the poll phase everything that was appended is
 * flushed in one write and every session that entered is released, in order.
 */
import type { AuditLog } from '@sallyport/audit'

export interface Waiting {
  /** The records are written: send. */
  release(): void
  /** They could not be written: nothing may be sent. */
  blocked(error: unknown): void
}

export class Turnstile {
  readonly #audit: AuditLog
  #waiting: Waiting[] = []
  #scheduled = false

  constructor(audit: AuditLog) {
    this.#audit = audit
  }

  enter(waiting: Waiting): void {
    this.#waiting.push(waiting)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Writes and releases now: for a session whose read buffer is about to be reused. */
  passNow(): void {
    this.#pass()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#pass()
  }

  #pass(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    try {
      this.#audit.flush()
    } catch (error) {
      for (const one of waiting) one.blocked(error)
      return
    }
    for (const one of waiting) one.release()
  }
}
