/**
 * Keeps the event loop asking for reads, instead of sleeping until there is one, while they come in quick succession.
 *
 * To put a thread to sleep and wake it costs more than what is done with a short statement, most of all on a virtual
 * machine, where the core itself goes to sleep; a client that asks one thing after another waits for it twice a
 * statement. It is what SO_BUSY_POLL is to a kernel. It starts after two short gaps, so a client that asks now and
 * then (whose reply alone comes quickly) never starts it, and ends after one that is longer than the limit, or when
 * several clients are served at once: it costs a core nothing but time in which the next read was likely.
 */
import { availableParallelism } from 'node:os'

/** Short gaps in a row after which the next read is awaited without sleeping. */
const SHORT_GAPS = 2
/** Reads that are not looked at once several came in one turn: then many are served, and the cores have other work. */
const CALM_READS = 4096
/** A gap that was slept through is measured with the waking: of the limit, how long it may be and still be short. */
const SLEPT = 2

export interface Loop {
  /** Milliseconds, with fractions, of a clock that never goes back. */
  readonly now: () => number
  /** Calls back once all that is ready has been read. */
  readonly nextTurn: (callback: () => void) => void
}

const LOOP: Loop = {
  now: () => performance.now(),
  nextTurn: (callback) => {
    setImmediate(callback)
  },
}

export class BusyPoll {
  readonly #loop: Loop
  #limitMs = 0
  #lastRead = Number.NEGATIVE_INFINITY
  #shortGaps = 0
  #polling = false
  /** While polling: since the last turn. */
  #reads = 0
  #calm = 0

  constructor(loop: Loop = LOOP) {
    this.#loop = loop
  }

  /** A gap longer than this, microseconds, is slept through; 0: each is. */
  limitTo(microseconds: number): void {
    this.#limitMs = microseconds / 1000
  }

  /** A socket has been read. */
  read(): void {
    if (this.#polling) {
      this.#reads++
      return
    }
    if (this.#limitMs === 0 || this.#calm-- > 0) return
    this.#calm = 0
    const now = this.#loop.now()
    this.#shortGaps = now - this.#lastRead < this.#limitMs * SLEPT ? this.#shortGaps + 1 : 0
    this.#lastRead = now
    if (this.#shortGaps < SHORT_GAPS) return
    this.#polling = true
    this.#loop.nextTurn(this.#turn)
  }

  readonly #turn = (): void => {
    const now = this.#loop.now()
    const reads = this.#reads
    this.#reads = 0
    if (reads > 1) this.#calm = CALM_READS
    if (reads > 1 || (reads === 0 && now - this.#lastRead >= this.#limitMs)) {
      this.#polling = false
      this.#shortGaps = 0
      return
    }
    if (reads === 1) this.#lastRead = now
    this.#loop.nextTurn(this.#turn)
  }
}

/** Of this thread's event loop. */
export const busyPoll = new BusyPoll()

/** What to limit it to where nobody has said, microseconds: on one core it would keep the server from answering. */
export function busyPollDefault(cores = availableParallelism()): number {
  return cores > 1 ? 100 : 0
}
