/** The sessions an indexer has met lately, so that it need not ask the index for each record. */

import { INDEX_SESSIONS_MAX } from '../limits.ts'
import type { Line } from './lines.ts'
import type { IndexStore } from './store.ts'

export interface RememberedSession {
  /** Terms of the session itself. */
  terms: readonly string[]
  /** Terms of its records that the index has for it. */
  readonly used: Set<string>
}

export class SessionMemory {
  readonly #store: IndexStore
  /** The one met longest ago first. */
  readonly #sessions = new Map<string, RememberedSession>()

  constructor(store: IndexStore) {
    this.#store = store
  }

  forget(): void {
    this.#sessions.clear()
  }

  /** Asks the index for the sessions of these lines that are not remembered. */
  async recall(lines: readonly Line[]): Promise<void> {
    const unknown = new Set<string>()
    for (const { record } of lines) {
      const session = record?.session ?? null
      if (session !== null && !this.#sessions.has(session)) unknown.add(session)
    }
    if (unknown.size === 0) return
    for (const [session, terms] of await this.#store.recall([...unknown])) {
      this.#sessions.set(session, { terms, used: new Set() })
    }
  }

  /** The session; a new one when it was never met. */
  of(session: string): RememberedSession {
    let known = this.#sessions.get(session)
    if (known === undefined) {
      known = { terms: [], used: new Set() }
      this.#sessions.set(session, known)
    }
    return known
  }

  /** Between batches: no more than INDEX_SESSIONS_MAX are kept. */
  trim(): void {
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= INDEX_SESSIONS_MAX) return
      this.#sessions.delete(oldest)
    }
  }
}
