/** Who is told of revocations. */
import type { Revocation } from '@sallyport/identity'

type Subscriber = (revocation: Revocation) => void

export class Announcer {
  readonly #subscribers = new Set<Subscriber>()

  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber)
    return () => {
      this.#subscribers.delete(subscriber)
    }
  }

  /** Everybody hears of every one, whatever one of them does; what was thrown first is thrown at the end. */
  announce(revocations: readonly Revocation[]): void {
    const failures: unknown[] = []
    for (const revocation of revocations) {
      for (const subscriber of [...this.#subscribers]) {
        try {
          subscriber(revocation)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
