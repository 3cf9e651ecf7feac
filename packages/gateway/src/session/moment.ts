/**
 * What a text means by what ran before it in its session, and by nothing that can be known: the row a cursor is on, the
 * latest id of a sequence, how many rows were found. Equal to itself until another statement completes, and to no other
 * session's.
 */
import { randomUUID } from 'node:crypto'

const LOOKS_BACK =
  /\bcurrent\s+of\b|\b(?:currval|lastval|last_insert_id|identity|insert_id|found_rows|row_count)\b/i

export class Moment {
  #session: string | null = null
  #completed = 0

  /** A statement completed. */
  completed(): void {
    this.#completed++
  }

  /** Null: this text does not look back. */
  of(text: string): string | null {
    if (!LOOKS_BACK.test(text)) return null
    this.#session ??= randomUUID()
    return `${this.#session} ${this.#completed}`
  }
}
