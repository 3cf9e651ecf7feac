/**
 * Writes the audit log and the recordings once per event-loop tick, and only then lets that tick's requests
 * go upstream and that tick's recorded replies go to their clients.
 *
 * INVARIANT: no byte of a request leaves for an upstream before the records appended for it are written, and
 * no byte of a recorded reply leaves for a client before it is in the recording.
 * Sessions queue what they want to send and enter; after the poll phase everything that was appended is
 * flushed in one write and every session that entered is released, in order.
 */
import type { AuditLog } from '@sallyport/audit'
import type { RecordingRoom } from '../recordings/room.ts'

export interface Waiting {
  /** The records are written: send. */
  release(): void
  /** They could not be written: nothing may be sent. */
  blocked(error: unknown): void
}

export class Turnstile {
  readonly #audit: AuditLog
  readonly #recordings: RecordingRoom
  #waiting: Waiting[] = []
  #scheduled = false
  #logFirst = false

  constructor(audit: AuditLog, recordings: RecordingRoom) {
    this.#audit = audit
    this.#recordings = recordings
  }

  enter(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#schedule()
  }

  /** Somebody who waits has a request: the log is written before it goes. For replies their recording is enough. */
  request(): void {
    this.#logFirst = true
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Throws when either cannot be written. */
  write(): void {
    this.#audit.flush()
    this.#recordings.flush()
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
    const logFirst = this.#logFirst
    this.#logFirst = false
    try {
      if (logFirst) this.#audit.flush()
      this.#recordings.flush()
    } catch (error) {
      for (const one of waiting) one.blocked(error)
      return
    }
    for (const one of waiting) one.release()
  }
}
