/**
 * Proof that one record is in the log, without showing any other: the record, its audit path (RFC 6962
 * §2.1.1) and a signed head over the tree it leads to. Checked with a public key alone, on any machine.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AuditError } from './errors.ts'
import type { SignedHead } from './event.ts'
import { checkHead, decodeHead, HEADS_FILE, isHead } from './heads.ts'
import { parsePublicKey } from './keys.ts'
import { auditPath, leafHash, rootFromPath } from './merkle.ts'
import { type AuditRecord, decodeRecord, isCount, isMap } from './record.ts'
import { footerOf, listTombstones, readTombstone } from './retention/tombstone.ts'
import { LineReader, listSegments, segmentPath } from './segments.ts'

/** Plain data: may be sent as JSON. */
export interface InclusionProof {
  /** The record's line, without newline. */
  readonly record: string
  readonly seq: number
  /** Place of the record among those of its segment, from 0. */
  readonly index: number
  readonly path: readonly string[]
  readonly head: SignedHead
}

/** Whether a value read from somewhere has the shape of a proof; what it says is for checkInclusion. */
export function isInclusionProof(value: unknown): value is InclusionProof {
  return (
    isMap(value) &&
    typeof value['record'] === 'string' &&
    isCount(value['seq']) &&
    isCount(value['index']) &&
    Array.isArray(value['path']) &&
    value['path'].every((hash) => typeof hash === 'string') &&
    isHead(value['head'])
  )
}

export type InclusionCheck =
  | { readonly ok: true; readonly record: AuditRecord }
  | { readonly ok: false; readonly why: 'record' | 'path' | 'unknown-key' | 'bad-signature' }

/**
 * A proof for record `seq`. A footer has none: it is a signed head itself.
 * @throws AuditError not-found when there is no such record, or no signed head covers it yet
 */
export function inclusionProof(directory: string, seq: number): InclusionProof {
  if (isRemoved(directory, seq)) {
    const message = `record ${seq} was removed with its segment; proofs made before stay good`
    throw new AuditError('not-found', message)
  }
  const { segment, first } = segmentOf(directory, seq)
  const { leaves, record, footer } = readLeaves(segmentPath(directory, segment), seq)
  const head = footer ?? newestHeadIn(directory, segment)
  const index = seq - first
  if (record === null || head === null || index >= head.records) {
    throw new AuditError('not-found', `no signed head covers record ${seq}`)
  }
  return { record, seq, index, path: auditPath(leaves.slice(0, head.records), index), head }
}

/** Whether the proof's record is in a log that one of these keys (SPKI PEM) signed. */
export function checkInclusion(
  proof: InclusionProof,
  options: { readonly publicKeys: readonly string[] },
): InclusionCheck {
  const line = Buffer.from(proof.record, 'utf8')
  const record = decodeRecord(line)
  const { head, index, seq } = proof
  // Records of a segment are numbered without gaps, so the head fixes which number stands at which place.
  const isInPlace = head.seq - head.records + 1 + index === seq
  if (record === null || record.seq !== seq || !isInPlace) return { ok: false, why: 'record' }
  const claim = { leaf: leafHash(line), index, size: head.records, path: proof.path }
  if (rootFromPath(claim) !== head.root) return { ok: false, why: 'path' }
  const check = checkHead(head, options.publicKeys.map(parsePublicKey))
  // Of keys given here nobody says when they were in use.
  if (check === 'retired-key') return { ok: false, why: 'bad-signature' }
  return check === 'valid' ? { ok: true, record } : { ok: false, why: check }
}

function isRemoved(directory: string, seq: number): boolean {
  return listTombstones(directory).some((segment) => {
    const tombstone = readTombstone(directory, segment)
    const footer = tombstone ? footerOf(tombstone) : null
    if (!tombstone || footer === null || existsSync(segmentPath(directory, segment))) return false
    return tombstone.first.seq <= seq && seq <= footer.record.seq
  })
}

/** The segment a record is in and that segment's first sequence number. */
function segmentOf(directory: string, seq: number): { segment: number; first: number } {
  const segments = listSegments(directory)
  let low = 0
  let high = segments.length - 1
  let found: { segment: number; first: number } | null = null
  while (low <= high) {
    const middle = (low + high) >> 1
    const segment = segments[middle] ?? 0
    const first = firstSeqOf(segmentPath(directory, segment))
    if (first !== null && first <= seq) {
      found = { segment, first }
      low = middle + 1
    } else {
      high = middle - 1
    }
  }
  if (found === null) throw new AuditError('not-found', `there is no record ${seq}`)
  return found
}

function firstSeqOf(path: string): number | null {
  const reader = new LineReader(path)
  try {
    const line = reader.next()
    return line.kind === 'line' ? (decodeRecord(line.bytes)?.seq ?? null) : null
  } finally {
    reader.close()
  }
}

function readLeaves(
  path: string,
  seq: number,
): { leaves: string[]; record: string | null; footer: SignedHead | null } {
  const leaves: string[] = []
  let record: string | null = null
  let last: AuditRecord | null = null
  const reader = new LineReader(path)
  try {
    for (let line = reader.next(); line.kind === 'line'; line = reader.next()) {
      leaves.push(leafHash(line.bytes))
      last = decodeRecord(line.bytes)
      if (last?.seq === seq) record = line.bytes.toString('utf8')
    }
  } finally {
    reader.close()
  }
  const head = last?.event.type === 'segment-closed' ? last.event['head'] : null
  return { leaves, record, footer: isHead(head) ? head : null }
}

function newestHeadIn(directory: string, segment: number): SignedHead | null {
  const file = join(directory, HEADS_FILE)
  if (!existsSync(file)) return null
  let newest: SignedHead | null = null
  const reader = new LineReader(file)
  try {
    for (let line = reader.next(); line.kind === 'line'; line = reader.next()) {
      const head = decodeHead(line.bytes.toString('utf8'))
      if (head?.segment === segment) newest = head
    }
    return newest
  } finally {
    reader.close()
  }
}
