/**
 * Follows records one after the other and says where the chain does not hold, naming the record that was
 * touched rather than the one that noticed. No files, no clock: lines in, findings out.
 *
 * When the link into record k is broken, either k-1 was changed or k was. If the link out of k holds, k is
 * as it was written and k-1 is not; if it is broken too, k was changed. So the verdict waits for k+1.
 */

import type { FindingCode, Findings } from './findings.ts'
import { leafHash, NO_HASH } from './merkle.ts'
import { type AuditRecord, decodeRecord } from './record.ts'

/** Where a line stands. */
export interface Spot {
  readonly file: string
  readonly line: number
}

interface Seen {
  readonly spot: Spot
  readonly seq: number
  /** A finding already names this line: that its links are broken says nothing more. */
  readonly isNamed: boolean
}

export class ChainCheck {
  readonly #findings: Findings
  #head = NO_HASH
  #at = 0
  #expected = 1
  #last: Seen | null = null
  /** The record in front of #last, while the link between the two is broken and not yet explained. */
  #doubted: Seen | null = null

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** Hash of the newest line, hex. */
  get head(): string {
    return this.#head
  }

  /** The highest sequence number seen. */
  get seq(): number {
    return this.#expected - 1
  }

  /** Takes the next line; returns its record, or null when it is none. */
  take(line: Uint8Array, spot: Spot): AuditRecord | null {
    const record = decodeRecord(line)
    const isLinked = record !== null && record.prev === this.#head
    const wasNamed = this.#settle({ isLinked, isRecord: record !== null })
    const isNamed = this.#inspect(record, spot, isLinked)
    if (!isLinked && !isNamed && !wasNamed) this.#doubted = this.#last
    const seq = record?.seq ?? this.#expected
    this.#expected = Math.max(this.#expected, seq + 1)
    this.#last = { spot, seq, isNamed }
    this.#head = leafHash(line)
    return record
  }

  /**
   * Goes on behind records that were removed: from the hash of the record in front of them to the newest of them.
   * Returns whether they follow what was there.
   */
  skip(
    removed: { readonly prev: string; readonly firstSeq: number; readonly firstAt: number },
    last: { readonly seq: number; readonly at: number; readonly hash: string; readonly spot: Spot },
  ): boolean {
    const isLinked = removed.prev === this.#head && removed.firstSeq === this.#expected
    this.#settle({ isLinked, isRecord: isLinked })
    const isLater = removed.firstAt >= this.#at
    this.#head = last.hash
    this.#at = last.at
    this.#expected = Math.max(this.#expected, last.seq + 1)
    this.#last = { spot: last.spot, seq: last.seq, isNamed: !isLinked }
    return isLinked && isLater
  }

  /** The newest record is the one that was signed: a doubt about the link into it falls on the one before. */
  vouch(): void {
    if (this.#doubted !== null) this.#settle({ isLinked: true, isRecord: true })
  }

  /** After the last line: a doubt no later record can settle. */
  end(): void {
    this.#settle({ isLinked: false, isRecord: false })
  }

  /** Explains a doubt about the last link by the next one. Returns whether the last line is named by now. */
  #settle(next: { isLinked: boolean; isRecord: boolean }): boolean {
    const doubted = this.#doubted
    const last = this.#last
    if (last === null) return false
    if (doubted === null) return last.isNamed
    this.#doubted = null
    if (!next.isRecord) {
      this.#add('changed', `record ${doubted.seq} or record ${last.seq} was changed`, last)
      return true
    }
    const culprit = next.isLinked ? doubted : last
    this.#add('changed', `record ${culprit.seq} was changed or replaced`, culprit)
    return culprit === last
  }

  /** What a line says against itself. Returns whether a finding names it. */
  #inspect(record: AuditRecord | null, spot: Spot, isLinked: boolean): boolean {
    if (record === null) {
      const here = { spot, seq: this.#expected }
      this.#add('unreadable', `this line, record ${here.seq} by its place, is not a record`, here)
      return true
    }
    const { seq } = record
    const here = { spot, seq }
    if (record.at < this.#at) {
      this.#add('time-backwards', `record ${seq} is dated before the one in front of it`, here)
    }
    this.#at = record.at
    if (seq > this.#expected) {
      this.#add('missing', `records ${this.#expected} to ${seq - 1} are missing`, here)
      return true
    }
    if (seq < this.#expected) {
      this.#add('out-of-order', `record ${seq} stands behind record ${this.#expected - 1}`, here)
      return true
    }
    if (this.#last === null && !isLinked) {
      this.#add('changed', 'the first record does not begin a chain', here)
      return true
    }
    return false
  }

  #add(code: FindingCode, message: string, at: { spot: Spot; seq: number }): void {
    this.#findings.add({ code, message, file: at.spot.file, line: at.spot.line, seq: at.seq })
  }
}
