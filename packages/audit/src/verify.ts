/**
 * Checks a whole log with public keys alone, as a stream: every record against the chain, every segment
 * against its signed footer, every signed head against the records it speaks of.
 *
 * What no check can see: records after the newest signed head can be changed or cut by whoever can write the
 * files, and heads kept only in the log's own directory can be cut together with the records. The report
 * says both; heads anchored elsewhere close the second gap.
 */

import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { canonicalJson } from './canonical.ts'
import { ChainCheck } from './chain-check.ts'
import { AuditError } from './errors.ts'
import type { SignedHead, Tombstone } from './event.ts'
import { type Finding, type FindingCode, Findings } from './findings.ts'
import { HeadCursor } from './head-cursor.ts'
import { HeadLinks } from './head-links.ts'
import { checkHead, HEADS_FILE, isHead } from './heads.ts'
import {
  isKeyChange,
  KEYS_FILE,
  readKeyChanges,
  type TrustedKey,
  trustedKeys,
} from './key-changes.ts'
import { type PublicKey, parsePublicKey } from './keys.ts'
import { EMPTY_ROOT, MerkleFrontier } from './merkle.ts'
import type { AuditRecord } from './record.ts'
import { RecordingChecks } from './recording/check.ts'
import { type Removed, TombstoneChecks } from './retention/check.ts'
import { type Footer, listTombstones, readTombstone, tombstonePath } from './retention/tombstone.ts'
import { LineReader, listSegments, segmentPath, type UnfinishedLine } from './segments.ts'

/** Records checked before other work of the process gets its turn. */
const RECORDS_PER_TURN = 1_000

export interface VerifyOptions {
  /**
   * SPKI PEM of keys that may have signed; taken from where they are trusted, not from the log. The log's first
   * is enough: those after it are vouched for, each by the one before.
   */
  readonly publicKeys: readonly string[]
  /** Files of heads kept outside the log's directory, as anchorToFile writes them. */
  readonly heads?: readonly string[]
  /** Directory of the recordings: they are held against the hashes in the log. Not looked at unless given. */
  readonly recordings?: string
  /** True: a log is writing this directory now, so an unfinished last line is not a finding. */
  readonly live?: boolean
}

/** Something that could be so and would not be noticed. */
export type Unproven =
  | { readonly kind: 'after-last-head'; readonly from: number; readonly to: number }
  /** No head kept outside speaks of a record behind `after`; 0: there are none. */
  | { readonly kind: 'tail-without-outside-heads'; readonly after: number }
  | { readonly kind: 'nothing-signed' }
  /** What recordings of unfinished sessions hold behind their last hash in the log. */
  | { readonly kind: 'recording-tails'; readonly recordings: number }

export interface VerifyReport {
  /** True exactly when nothing was found. */
  readonly ok: boolean
  readonly segments: number
  readonly records: number
  /** Sequence number and hash of the last record. */
  readonly lastSeq: number
  readonly head: string
  /** Signed heads and footers whose signature is good. */
  readonly heads: number
  /** Recordings that are as the log says. */
  readonly recordings: number
  /** Every record up to this one is vouched for by a signature that fits. 0: none. */
  readonly provenTo: number
  /** What retention removed, all of it with signed tombstones; null: nothing. */
  readonly removed: Removed | null
  readonly findings: readonly Finding[]
  /** Findings in all; the list holds the first FINDINGS_MAX. */
  readonly findingsTotal: number
  readonly unproven: readonly Unproven[]
}

/**
 * Verifies the log in a directory. Damage is a finding, never an exception.
 * @throws AuditError not-found when there is no log; key-unsafe when a public key cannot be read
 */
export async function verifyLog(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const keys = options.publicKeys.map(parsePublicKey)
  const present = listSegments(directory)
  if (present.length === 0) throw new AuditError('not-found', `\`${directory}\` holds no segments`)
  const verification = new Verification({ directory, keys, options })
  try {
    await verification.run(present)
    return verification.report(present.length)
  } finally {
    verification.close()
  }
}

class Verification {
  readonly #directory: string
  readonly #keys: readonly TrustedKey[]
  /** Changes of keys that still have to be met in the log. */
  readonly #changes = new Map<number, string>()
  readonly #live: boolean
  readonly #findings = new Findings()
  readonly #chain = new ChainCheck(this.#findings)
  readonly #tree = new MerkleFrontier()
  readonly #links = new HeadLinks(this.#findings)
  /** Of heads.jsonl, and of each file of heads kept elsewhere. */
  readonly #cursors: readonly HeadCursor[]
  #segment = 0
  #line = 0
  #records = 0
  #footers = 0
  #provenTo = 0
  #isClosed = false
  readonly #recordings: RecordingChecks | null
  readonly #tombstones: TombstoneChecks
  /** Hashes of the first record of the segment that was read, and of its footer. */
  #ends: { first: string; last: string } = { first: '', last: '' }

  constructor(parts: {
    directory: string
    keys: readonly PublicKey[]
    options: VerifyOptions
  }) {
    const outside = parts.options.heads ?? []
    this.#directory = parts.directory
    const changes = readKeyChanges(parts.directory)
    this.#keys = trustedKeys(parts.keys, changes, this.#findings)
    for (const change of changes) {
      if (change !== null) this.#changes.set(change.seq, canonicalJson(change))
    }
    this.#live = parts.options.live === true
    const { recordings } = parts.options
    this.#recordings =
      recordings === undefined ? null : new RecordingChecks(recordings, { live: this.#live })
    this.#tombstones = new TombstoneChecks(this.#findings, this.#keys)
    const tools = { findings: this.#findings, keys: this.#keys }
    this.#cursors = [
      { name: HEADS_FILE, file: join(parts.directory, HEADS_FILE), links: this.#links },
      ...outside.map((file) => ({ name: file, file })),
    ].map((source) => new HeadCursor({ ...source, live: this.#live }, tools))
  }

  /** `present`: the segments that are there. */
  async run(present: readonly number[]): Promise<void> {
    const segments = new Set([...present, ...listTombstones(this.#directory)])
    for (const segment of [...segments].toSorted((a, b) => a - b)) {
      if (segment !== this.#segment + 1) {
        const message = `segments ${this.#segment + 1} to ${segment - 1} are missing`
        this.#add('segment-missing', message, { segment, line: null, seq: null })
      }
      if (this.#segment !== 0 && !this.#isClosed) {
        this.#add('segment-open', 'does not end in a footer', {
          segment: this.#segment,
          line: null,
          seq: this.#chain.seq,
        })
      }
      this.#segment = segment
      const isHere = present.includes(segment)
      if (isHere) await this.#readSegment(segment === present.at(-1))
      this.#takeTombstone(isHere)
    }
    this.#chain.end()
    this.#endHeads()
    this.#links.end(this.#live)
    this.#endChanges()
    this.#tombstones.end((segment) => basename(tombstonePath('', segment)))
    await this.#recordings?.run(this.#findings)
  }

  report(segments: number): VerifyReport {
    const lastSeq = this.#chain.seq
    const unproven: Unproven[] = []
    if (this.#provenTo === 0) unproven.push({ kind: 'nothing-signed' })
    else if (this.#provenTo < lastSeq) {
      unproven.push({ kind: 'after-last-head', from: this.#provenTo + 1, to: lastSeq })
    }
    const tails = this.#recordings?.tails ?? 0
    if (tails > 0) unproven.push({ kind: 'recording-tails', recordings: tails })
    const [, ...outside] = this.#cursors
    const after = Math.max(0, ...outside.map(({ lastSeq: seq }) => seq))
    // Cut back to what they speak of, with the heads behind it, the log would look whole.
    if (after === 0 || after < this.#provenTo) {
      unproven.push({ kind: 'tail-without-outside-heads', after })
    }
    return {
      ok: this.#findings.total === 0,
      segments,
      records: this.#records,
      lastSeq,
      head: this.#chain.head,
      heads: this.#cursors.reduce((sum, cursor) => sum + cursor.checked, this.#footers),
      recordings: this.#recordings?.checked ?? 0,
      provenTo: this.#provenTo,
      removed: this.#tombstones.removed,
      findings: this.#findings.list,
      findingsTotal: this.#findings.total,
      unproven,
    }
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close()
  }

  async #readSegment(isLast: boolean): Promise<void> {
    this.#tree.reset()
    this.#isClosed = false
    this.#line = 0
    this.#ends = { first: '', last: '' }
    const reader = new LineReader(segmentPath(this.#directory, this.#segment))
    try {
      for (;;) {
        const line = reader.next()
        if (line.kind === 'end') return
        this.#line++
        if (this.#isClosed) this.#addHere('after-footer', 'something follows the footer', null)
        if (line.kind !== 'line') {
          this.#unfinished(line, isLast)
          return
        }
        this.#takeRecord(line.bytes)
        if (this.#records % RECORDS_PER_TURN === 0) await setImmediate()
      }
    } finally {
      reader.close()
    }
  }

  #unfinished(line: UnfinishedLine, isLast: boolean): void {
    if (line.kind === 'torn' && isLast && this.#live) return
    const code = line.kind === 'torn' ? 'torn' : 'unreadable'
    this.#addHere(code, 'the segment ends within a record', this.#chain.seq + 1)
  }

  #takeRecord(bytes: Buffer): void {
    const before = { seq: this.#chain.seq, head: this.#chain.head }
    const spot = { file: basename(segmentPath('', this.#segment)), line: this.#line }
    const record = this.#chain.take(bytes, spot)
    this.#records++
    if (this.#line === 1) this.#ends.first = this.#chain.head
    if (record?.event.type === 'segment-closed') {
      this.#isClosed = true
      this.#ends.last = this.#chain.head
      this.#checkFooter(record, before)
    }
    this.#tree.add(Buffer.from(this.#chain.head, 'hex'))
    if (record === null) return
    this.#checkHeads(record.seq)
    this.#recordings?.note(record)
    this.#tombstones.note(record, spot.file)
    if (record.event.type === 'key-rotated') this.#meetChange(record)
  }

  /** What stands in the segment's place, or beside it while it is being removed. */
  #takeTombstone(isHere: boolean): void {
    const tombstone = readTombstone(this.#directory, this.#segment)
    if (tombstone === undefined) return
    const file = basename(tombstonePath('', this.#segment))
    const add = (code: FindingCode, message: string): void =>
      this.#findings.add({ code, message, file, line: null, seq: tombstone?.first.seq ?? null })
    if (tombstone === null) {
      add('tombstone-unreadable', `this is no tombstone of segment ${this.#segment}`)
      return
    }
    const { footer, isSigned } = this.#tombstones.read(tombstone, file)
    if (footer === null) return
    if (!isHere) {
      this.#tombstones.stand(tombstone, footer)
      if (!this.#passOver(tombstone, footer)) {
        add('tombstone-mismatch', 'the removed records do not follow those before them')
      }
      this.#checkRemovedHeads(tombstone, footer)
      if (!isSigned) return
      this.#footers++
      this.#links.footer(footer.head, { file, line: 1, seq: footer.record.seq })
      this.#provenTo = Math.max(this.#provenTo, footer.head.seq)
    } else if (this.#ends.first !== tombstone.first.hash || this.#ends.last !== footer.hash) {
      add('tombstone-mismatch', `segment ${this.#segment} is not the one the tombstone is of`)
    }
  }

  #passOver(tombstone: Tombstone, { record, hash }: Footer): boolean {
    const { prev, seq, at } = tombstone.first
    const spot = { file: basename(tombstonePath('', this.#segment)), line: 1 }
    const last = { seq: record.seq, at: record.at, hash, spot }
    this.#isClosed = true
    return this.#chain.skip({ prev, firstSeq: seq, firstAt: at }, last)
  }

  /** Heads over records that are gone: the last of them are known, and of all, how many there were. */
  #checkRemovedHeads({ segment, first }: Tombstone, footer: Footer): void {
    for (const cursor of this.#cursors) {
      for (
        let head = cursor.head;
        head !== null && head.seq <= footer.record.seq;
        head = cursor.head
      ) {
        const known =
          head.seq === footer.record.seq
            ? footer.hash
            : head.seq === footer.head.seq
              ? footer.head.head
              : head.head
        const isEmpty = head.segment === segment + 1 && head.seq === footer.record.seq
        const records = isEmpty ? 0 : head.seq - first.seq + 1
        const isOf = isEmpty ? head.root === EMPTY_ROOT : head.segment === segment
        if (head.head !== known || head.records !== records || !isOf) this.#mismatch(cursor, head)
        else this.#tombstones.passHead()
        this.#nameHead(cursor, head)
        cursor.advance()
      }
    }
  }

  /** The footer's head speaks of everything before it. */
  #checkFooter(record: AuditRecord, before: { seq: number; head: string }): void {
    const head = record.event['head']
    if (!isHead(head)) {
      this.#addHere('head-unreadable', 'the footer holds no signed head', record.seq)
      return
    }
    const check = checkHead(head, this.#keys)
    if (check !== 'valid') {
      this.#addHere(check, `footer of segment ${this.#segment}: ${check}`, record.seq)
      return
    }
    this.#footers++
    const file = basename(segmentPath('', this.#segment))
    this.#links.footer(head, { file, line: this.#line, seq: record.seq })
    const fits =
      head.seq === before.seq && head.head === before.head && this.#fitsTree(head, this.#segment)
    if (fits) this.#provenTo = Math.max(this.#provenTo, head.seq)
    else this.#addHere('head-mismatch', 'the footer was not signed over these records', record.seq)
  }

  /** Heads that speak of this record, from every source. */
  #checkHeads(seq: number): void {
    for (const cursor of this.#cursors) {
      for (let head = cursor.head; head !== null && head.seq <= seq; head = cursor.head) {
        const isSame = head.seq === seq && head.head === this.#chain.head
        if (isSame) this.#chain.vouch()
        if (isSame && this.#fitsPlace(head)) this.#provenTo = Math.max(this.#provenTo, head.seq)
        else this.#mismatch(cursor, head)
        this.#nameHead(cursor, head)
        cursor.advance()
      }
    }
  }

  /** What was kept elsewhere must be among the log's own. */
  #nameHead(cursor: HeadCursor, head: SignedHead): void {
    if (cursor === this.#cursors[0]) return
    this.#links.outside(head, { file: cursor.name, line: cursor.line, seq: head.seq })
  }

  #mismatch(cursor: HeadCursor, head: SignedHead): void {
    this.#findings.add({
      code: 'head-mismatch',
      message: `record ${head.seq} is not the one that was signed, or one before it is not`,
      file: cursor.name,
      line: cursor.line,
      seq: head.seq,
    })
  }

  /** A head made right after a footer speaks of the next segment, still empty. */
  #fitsPlace(head: SignedHead): boolean {
    const isNext = this.#isClosed && head.segment === this.#segment + 1
    if (isNext) return head.records === 0 && head.root === EMPTY_ROOT
    return this.#fitsTree(head, this.#segment)
  }

  #fitsTree(head: SignedHead, segment: number): boolean {
    return (
      head.segment === segment &&
      head.records === this.#tree.count &&
      head.root === this.#tree.root()
    )
  }

  /** Heads that speak of records beyond the last. */
  #endHeads(): void {
    for (const cursor of this.#cursors) {
      for (let head = cursor.head; head !== null; head = cursor.head) {
        this.#findings.add({
          code: 'cut',
          message: `signed up to record ${head.seq}, but the last record is ${this.#chain.seq}`,
          file: cursor.name,
          line: cursor.line,
          seq: head.seq,
        })
        cursor.advance()
      }
    }
  }

  #meetChange({ seq, event }: AuditRecord): void {
    const { change } = event
    if (isKeyChange(change) && this.#changes.get(seq) === canonicalJson(change)) {
      this.#changes.delete(seq)
    }
  }

  #endChanges(): void {
    for (const seq of this.#changes.keys()) {
      // Being written, or in a segment that was removed.
      if ((this.#live && seq > this.#chain.seq) || this.#tombstones.isGone(seq)) continue
      const message = `record ${seq} does not say that the key was changed`
      this.#findings.add({
        code: 'key-change-unrecorded',
        message,
        file: KEYS_FILE,
        line: null,
        seq,
      })
    }
  }

  #addHere(code: FindingCode, message: string, seq: number | null): void {
    this.#add(code, message, { segment: this.#segment, line: this.#line, seq })
  }

  #add(
    code: FindingCode,
    message: string,
    at: { segment: number; line: number | null; seq: number | null },
  ): void {
    const file = basename(segmentPath('', at.segment))
    this.#findings.add({ code, message, file, line: at.line, seq: at.seq })
  }
}
