/** What a verification can find, and the bounded list it finds it in. */

import { FINDINGS_MAX } from './limits.ts'

export type FindingCode =
  /** A line is not a record: edited, merged with its neighbour, or foreign. */
  | 'unreadable'
  /** A record is not the one its neighbours were chained to. */
  | 'changed'
  /** Records are missing before this one. */
  | 'missing'
  /** A record stands where an earlier one has already been: moved, repeated or inserted. */
  | 'out-of-order'
  /** A record's time is before that of the record in front of it. */
  | 'time-backwards'
  /** A line without newline at the end of a segment: a write cut short, or a cut. */
  | 'torn'
  /** Records end before a signed head says they do. */
  | 'cut'
  /** A segment file is missing, or does not end in a footer though another follows. */
  | 'segment-missing'
  | 'segment-open'
  /** What lies in a removed segment's place is no tombstone of it, or says otherwise than the records around it. */
  | 'tombstone-unreadable'
  | 'tombstone-mismatch'
  /** A segment was removed that was younger than the policy then in force allowed. */
  | 'tombstone-early'
  /** No record of the log says that the segment was removed, or says it otherwise. */
  | 'tombstone-unrecorded'
  /** Something follows a segment's footer. */
  | 'after-footer'
  /** A signed head says something else than the records. */
  | 'head-mismatch'
  /** A head is not one, not signed by its key, or signed by a key that was not given. */
  | 'head-unreadable'
  | 'bad-signature'
  | 'unknown-key'
  /** A head is signed by a key that had been replaced by then, or was not yet in use. */
  | 'retired-key'
  /** A change of keys that no record of the log speaks of. */
  | 'key-change-unrecorded'
  /** Heads, or changes of keys, do not stand in the order they were made in, each once. */
  | 'head-order'
  /** A head that heads.jsonl had got is not there. */
  | 'head-missing'
  /** A recording is not the one whose hash the log holds, ends before it, or goes on behind its end. */
  | 'recording-changed'
  /** A recording the log speaks of is not there, and no record says that it was erased. */
  | 'recording-missing'
  /** A recording the log does not speak of. */
  | 'recording-unknown'

export interface Finding {
  readonly code: FindingCode
  readonly message: string
  /** File name within the directory, or the name an outside source of heads was given. */
  readonly file: string
  /** From 1; null when it is about the whole file. */
  readonly line: number | null
  /** Sequence number of the record it is about, where one is known. */
  readonly seq: number | null
}

export class Findings {
  readonly #list: Finding[] = []
  #total = 0

  get total(): number {
    return this.#total
  }

  /** By record; those about no record come first. */
  get list(): readonly Finding[] {
    return this.#list.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0))
  }

  add(finding: Finding): void {
    this.#total++
    if (this.#list.length < FINDINGS_MAX) this.#list.push(finding)
  }
}
