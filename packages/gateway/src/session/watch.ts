/**
 * Live sessions as somebody watches them: statements as they are decided, and how they ended, as the audit log has
 * them. Costs nothing while nobody watches.
 */
import type { Outcome, Statement } from '@sallyport/audit'

export type WatchedEvent = Statement | Outcome

type Watcher = (seq: number, event: WatchedEvent) => void

export class SessionWatch {
  readonly #watchers = new Map<string, Set<Watcher>>()

  watches(session: string): boolean {
    return this.#watchers.size > 0 && this.#watchers.has(session)
  }

  /** `seq`: the record's number; of an outcome, too. Nothing is written yet. */
  tell(seq: number, event: WatchedEvent): void {
    if (this.#watchers.size === 0) return
    for (const watcher of this.#watchers.get(event.session) ?? []) watcher(seq, event)
  }

  /** `watcher` is called from the middle of a session's work: it must not throw. */
  follow(session: string, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(session) ?? new Set()
    watchers.add(watcher)
    this.#watchers.set(session, watchers)
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#watchers.get(session) === watchers) {
        this.#watchers.delete(session)
      }
    }
  }
}
