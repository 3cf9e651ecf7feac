/**
 * A statement as it is recorded, but for who ran it, which of the session's it was, its text and what was bound,
 * encoded once: the same statements are run again and again, with other values or the same, and everything else of
 * their records is the same.
 *
 *     {"effects":[…],…,"ordinal":7,"parameters":[…],…,"session":"…","sql":"…",…,"via":"…"}
 *     ^before                                      ^between                  ^behind
 */

import { canonicalJson } from './canonical.ts'
import type { Statement } from './event.ts'
import { FORM_BYTES_MAX } from './limits.ts'
import { fittedEventJson } from './shorten.ts'

export type StatementFields = Omit<Statement, 'ordinal' | 'parameters' | 'session' | 'sql' | 'cut'>

/** What differs between records of one form. */
export interface StatementOf {
  readonly session: string
  readonly ordinal: number
  readonly sql: string
  readonly parameters?: readonly (string | null)[]
}

export class StatementForm {
  readonly fields: StatementFields
  readonly before: Uint8Array
  readonly between: Uint8Array
  readonly behind: Uint8Array
  /** The newest text; encoded, with its quotes, once it has come again. */
  #sql: string | null = null
  #encoded: Uint8Array | null = null

  private constructor(fields: StatementFields, pieces: readonly [string, string, string]) {
    this.fields = fields
    this.before = UTF8.encode(pieces[0])
    this.between = UTF8.encode(pieces[1])
    this.behind = UTF8.encode(pieces[2])
  }

  /** Null: over a cap, so that each record of it must be shortened by itself. */
  static of(fields: StatementFields): StatementForm | null {
    const { code, effects, fingerprint, masks, reason, relations, rule, ...last } = fields
    const before = `{${members({ code, effects, fingerprint, masks })},"ordinal":`
    const between = `,${members({ reason, relations, rule })},"session":`
    const behind = `,${members(last)}}`
    // As the plain encoder has it, which knows the caps.
    const whole = fittedEventJson({ ...fields, ordinal: 0, session: '', sql: '' })
    const fits = whole === `${before}0${between}"","sql":""${behind}`
    if (!fits || whole.length * UTF8_BYTES_MAX > FORM_BYTES_MAX) return null
    return new StatementForm(fields, [before, between, behind])
  }

  /** The text encoded, when it is that of the record before; null: it is not, or is too long to be kept. */
  encoded(sql: string): Uint8Array | null {
    if (sql !== this.#sql) {
      this.#sql = sql.length * UTF8_BYTES_MAX > FORM_BYTES_MAX ? null : sql
      this.#encoded = null
      return null
    }
    this.#encoded ??= UTF8.encode(JSON.stringify(sql))
    return this.#encoded
  }
}

const UTF8 = new TextEncoder()
/** Of a UTF-16 code unit. */
const UTF8_BYTES_MAX = 3

/** Canonical JSON of an object with at least one member, without its braces. */
function members(object: object): string {
  return canonicalJson(object).slice(1, -1)
}
