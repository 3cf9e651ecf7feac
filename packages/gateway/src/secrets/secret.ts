/**
 * A secret value that can't be printed by accident: every way a value turns into text (template
 * strings, JSON, console, util.inspect, pino) gives `[secret]`. Only `reveal` gives the value, so a
 * search for `.reveal(` finds every place where one is used.
 */
import { timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

export const REDACTED = '[secret]'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. The caller must not keep, log or put it into an error. */
  reveal(): string {
    return this.#value
  }

  /** Compares in constant time for values of equal length. */
  equals(other: Secret): boolean {
    const mine = Buffer.from(this.#value)
    const theirs = Buffer.from(other.#value)
    return mine.length === theirs.length && timingSafeEqual(mine, theirs)
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }
}
