/**
 * Tombstones: what stands in the place of a segment that retention removed, `00000001.tombstone` for
 * `00000001.jsonl`. One line of canonical JSON: the segment's first record by number, time and hashes, its footer as it
 * stood (a signed head: number of records, Merkle root, hash and time of the last), and who removed it when, by
 * which policy. The same stands in a `segment-removed` record of the log.
 *
 * Signed bytes: `sallyport-audit-tombstone-v1` newline, then the canonical JSON of the tombstone without `signature`.
 */

import { sign } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalJson } from '../canonical.ts'
import type { SignedHead, Tombstone } from '../event.ts'
import {
  checkHead,
  checkSigned,
  type HeadCheck,
  isHash,
  isHead,
  isSignature,
  type Signer,
} from '../heads.ts'
import type { SigningKey } from '../keys.ts'
import { TOMBSTONE_BYTES_MAX } from '../limits.ts'
import { leafHash } from '../merkle.ts'
import { type AuditRecord, decodeRecord, isCount, isMap } from '../record.ts'

const CONTEXT = 'sallyport-audit-tombstone-v1\n'
const MEMBERS = 'at by first footer keepDays keepDaysBehind keyId segment seq signature v'
const NAME = /^(\d{8,12})\.tombstone$/

export type UnsignedTombstone = Omit<Tombstone, 'v' | 'keyId' | 'signature'>

/** A segment as a tombstone tells of it. */
export type Grave = Pick<Tombstone, 'segment' | 'first' | 'footer' | 'keepDaysBehind'>

/** A footer, read. */
export interface Footer {
  readonly record: AuditRecord
  readonly head: SignedHead
  /** Hash of the footer itself: what the next segment is chained to. */
  readonly hash: string
}

export function tombstonePath(directory: string, segment: number): string {
  return join(directory, `${String(segment).padStart(8, '0')}.tombstone`)
}

/** Numbers of the segments that have one, ascending. */
export function listTombstones(directory: string): number[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .map((name) => NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

export function signTombstone(grave: UnsignedTombstone, key: SigningKey): Tombstone {
  const unsigned = { ...grave, v: 1 as const, keyId: key.keyId }
  const signature = sign(null, signedBytes(unsigned), key.privateKey).toString('base64url')
  return { ...unsigned, signature }
}

/** Whether it and the footer in it were signed by one of these keys, each while it was in use. */
export function checkTombstone(tombstone: Tombstone, keys: readonly Signer[]): HeadCheck {
  const { signature: _, ...unsigned } = tombstone
  const check = checkSigned(tombstone, signedBytes(unsigned), keys)
  const footer = footerOf(tombstone)
  if (check !== 'valid' || footer === null) return check
  return checkHead(footer.head, keys)
}

function signedBytes(unsigned: Omit<Tombstone, 'signature'>): Buffer {
  return Buffer.from(CONTEXT + canonicalJson(unsigned))
}

export function encodeTombstone(tombstone: Tombstone): string {
  return `${canonicalJson(tombstone)}\n`
}

/** The tombstone of a segment; `undefined`: it has none, null: what lies there is none, or another's. */
export function readTombstone(directory: string, segment: number): Tombstone | null | undefined {
  const file = tombstonePath(directory, segment)
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8')
  if (text.length > TOMBSTONE_BYTES_MAX) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (!isTombstone(value) || value.segment !== segment) return null
  return encodeTombstone(value) === text ? value : null
}

/** Well-formed, with a footer that is one, of that segment and behind that first record. */
export function isTombstone(value: unknown): value is Tombstone {
  return (
    isMap(value) &&
    Object.keys(value).sort().join(' ') === MEMBERS &&
    value['v'] === 1 &&
    ['at', 'seq', 'segment', 'keepDays'].every((name) => isCount(value[name])) &&
    (value['keepDaysBehind'] === null || isCount(value['keepDaysBehind'])) &&
    ['by', 'footer', 'keyId'].every((name) => typeof value[name] === 'string') &&
    isSignature(value['signature']) &&
    isFirst(value['first']) &&
    // Safe: what footerOf reads was looked at above.
    footerOf(value as unknown as Tombstone) !== null
  )
}

function isFirst(value: unknown): boolean {
  return (
    isMap(value) &&
    Object.keys(value).sort().join(' ') === 'at hash prev seq' &&
    isCount(value['seq']) &&
    isCount(value['at']) &&
    isHash(value['hash']) &&
    isHash(value['prev'])
  )
}

/** The footer a tombstone keeps; null when it is none, or not this segment's. */
export function footerOf(grave: Pick<Tombstone, 'segment' | 'first' | 'footer'>): Footer | null {
  const line = Buffer.from(grave.footer)
  const record = decodeRecord(line)
  const head = record?.event['head']
  if (record === null || record.event.type !== 'segment-closed' || !isHead(head)) return null
  const isWhole =
    head.segment === grave.segment &&
    head.head === record.prev &&
    head.seq + 1 === record.seq &&
    head.records === record.seq - grave.first.seq &&
    head.at >= grave.first.at
  return isWhole ? { record, head, hash: leafHash(line) } : null
}

/** Records that went with the segment, its footer among them. */
export function recordsIn({ first }: Tombstone, { record }: Footer): number {
  return record.seq - first.seq + 1
}
