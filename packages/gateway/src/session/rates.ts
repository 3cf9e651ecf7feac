/** Statements per minute and principal, over all of its sessions: a fixed window that starts with its first. */

const WINDOW_MS = 60_000
/** Principals counted at once; with more, those whose window is over are forgotten first. */
const PRINCIPALS_MAX = 10_000

interface Window {
  readonly since: number
  count: number
}

export interface Rates {
  /** Null: `admit` can answer now; else when to ask again. `principal`: any key that tells principals apart. */
  prepare(principal: string, max: number, now: number): Promise<void> | null
  /** Counts one statement of `principal`; false: it is over `max`. */
  admit(principal: string, max: number, now: number): boolean
}

/** Of one gateway. */
export class StatementRates implements Rates {
  readonly #windows = new Map<string, Window>()

  prepare(): null {
    return null
  }

  admit(principal: string, max: number, now: number): boolean {
    const known = this.#windows.get(principal)
    if (known !== undefined && now - known.since < WINDOW_MS) return ++known.count <= max
    this.#windows.delete(principal)
    if (this.#windows.size >= PRINCIPALS_MAX) this.#makeRoom(now)
    this.#windows.set(principal, { since: now, count: 1 })
    return max >= 1
  }

  /** Windows are in the order they began, so what is over comes first. */
  #makeRoom(now: number): void {
    for (const [principal, window] of this.#windows) {
      if (now - window.since < WINDOW_MS && this.#windows.size < PRINCIPALS_MAX) return
      this.#windows.delete(principal)
    }
  }
}
