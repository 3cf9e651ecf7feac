/**
 * Tombstones held against the log: each signed by a key of its time, each for a segment past the retention that the log says
 * was in force, each said by a record. No files but the tombstones, no clock.
 */

import { canonicalJson } from '../canonical.ts'
import type { Tombstone } from '../event.ts'
import type { FindingCode, Findings } from '../findings.ts'
import type { Signer } from '../heads.ts'
import type { AuditRecord } from '../record.ts'
import { checkTombstone, type Footer, footerOf, isTombstone, recordsIn } from './tombstone.ts'

const DAY_MS = 86_400_000

export interface Removed {
  readonly segments: number
  readonly records: number
  /** Time of the newest record removed, milliseconds since 1970. */
  readonly until: number
  /** Signed heads over records that were removed: their signature is good, their records are not here. */
  readonly heads: number
}

export class TombstoneChecks {
  readonly #findings: Findings
  readonly #keys: readonly Signer[]
  /** Those that stand for a segment, by the number of the record that has to say so. */
  readonly #unsaid = new Map<number, Tombstone>()
  /** Stretches of records that are gone. */
  readonly #gone: { readonly from: number; readonly to: number }[] = []
  /** The retention in force, as far as the records went. */
  #keepDays: number | null = null
  #segments = 0
  #records = 0
  #until = 0
  #heads = 0

  constructor(findings: Findings, keys: readonly Signer[]) {
    this.#findings = findings
    this.#keys = keys
  }

  /** Null: nothing was removed. */
  get removed(): Removed | null {
    if (this.#segments === 0) return null
    return {
      segments: this.#segments,
      records: this.#records,
      until: this.#until,
      heads: this.#heads,
    }
  }

  /** A head over a record that is gone: there is nothing to hold it against. */
  passHead(): void {
    this.#heads++
  }

  /** Whether record `seq` is in a segment that was removed. */
  isGone(seq: number): boolean {
    return this.#gone.some(({ from, to }) => from <= seq && seq <= to)
  }

  /** A tombstone by itself. Returns its footer, and whether its signatures are good. */
  read(tombstone: Tombstone, file: string): { footer: Footer | null; isSigned: boolean } {
    const check = checkTombstone(tombstone, this.#keys)
    const { seq, at, keepDays } = tombstone
    if (check !== 'valid') {
      this.#add(check, `tombstone of segment ${tombstone.segment}: ${check}`, file, seq)
    }
    const footer = footerOf(tombstone)
    if (footer !== null && at - footer.record.at < keepDays * DAY_MS) this.#early(tombstone, file)
    return { footer, isSigned: check === 'valid' }
  }

  /** Its segment is not there. */
  stand(tombstone: Tombstone, footer: Footer): void {
    this.#segments++
    this.#records += recordsIn(tombstone, footer)
    this.#until = Math.max(this.#until, footer.record.at)
    this.#gone.push({ from: tombstone.first.seq, to: footer.record.seq })
    this.#unsaid.set(tombstone.seq, tombstone)
    this.#keepDays = tombstone.keepDaysBehind
  }

  /** Records in order. */
  note({ seq, at, event }: AuditRecord, file: string): void {
    if (event.type === 'log-started') {
      this.#keepDays = typeof event['keepDays'] === 'number' ? event['keepDays'] : null
    }
    if (event.type !== 'segment-removed') return
    const { tombstone } = event
    if (!isTombstone(tombstone) || tombstone.seq !== seq || tombstone.at !== at) {
      const message = `record ${seq} holds no tombstone of its own`
      this.#add('tombstone-unreadable', message, file, seq)
      return
    }
    this.read(tombstone, file)
    if (this.#keepDays !== tombstone.keepDays) this.#early(tombstone, file)
    const standing = this.#unsaid.get(seq)
    if (standing !== undefined && canonicalJson(standing) === canonicalJson(tombstone)) {
      this.#unsaid.delete(seq)
    }
  }

  /** After the last record: a removal that no record speaks of, unless that record is gone itself. */
  end(fileOf: (segment: number) => string): void {
    for (const [seq, { segment }] of this.#unsaid) {
      if (this.isGone(seq)) continue
      const message = `record ${seq} does not say that segment ${segment} was removed`
      this.#add('tombstone-unrecorded', message, fileOf(segment), seq)
    }
  }

  #early({ segment, seq }: Tombstone, file: string): void {
    const message = `segment ${segment} was removed before its time, by the retention in force`
    this.#add('tombstone-early', message, file, seq)
  }

  #add(code: FindingCode, message: string, file: string, seq: number): void {
    this.#findings.add({ code, message, file, line: null, seq })
  }
}
