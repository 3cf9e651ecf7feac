/**
 * A statement as it is recorded, but for who ran it and which of the session's it was, encoded once: the same
 * texts are run again and again, and everything else of their records is the same.
 *
 *     {"effects":[…],…,"ordinal":7,…,"session":"…","sql":"…",…,"via":"…"}
 *     ^before                    ^between        ^after
 */

import { canonicalJson } from './canonical.ts'
import type { Statement } from './event.ts'
import { FORM_BYTES_MAX } from './limits.ts'
import { fittedEventJson } from './shorten.ts'

export type StatementFields = Omit<Statement, 'ordinal' | 'session' | 'cut'>

export class StatementForm {
  readonly before: Uint8Array
  readonly between: Uint8Array
  readonly after: Uint8Array

  /** Use `of`. */
  constructor(before: string, between: string, after: string) {
    this.before = UTF8.encode(before)
    this.between = UTF8.encode(between)
    this.after = UTF8.encode(after)
  }

  /** Null: over a cap, so that each record of it must be shortened by itself. */
  static of(fields: StatementFields): StatementForm | null {
    const { code, effects, fingerprint, masks, parameters, reason, relations, rule, ...last } =
      fields
    const before = `{${members({ code, effects, fingerprint, masks })},"ordinal":`
    const between = `,${members({ parameters, reason, relations, rule })},"session":`
    const after = `,${members(last)}}`
    // As the plain encoder has it, which knows the caps.
    const whole = fittedEventJson({ ...fields, ordinal: 0, session: '' })
    if (whole !== `${before}0${between}""${after}` || whole.length * 3 > FORM_BYTES_MAX) return null
    return new StatementForm(before, between, after)
  }
}

const UTF8 = new TextEncoder()

/** Canonical JSON of an object with at least one member, without its braces. */
function members(object: object): string {
  return canonicalJson(object).slice(1, -1)
}
