/**
 * Signed heads: statements, checkable with the public key alone, that the log had exactly these records.
 * They stand in each segment's footer, in heads.jsonl, and wherever they are anchored outside.
 *
 * Signed bytes: `sallyport-audit-head-v1` newline, then the canonical JSON of the head without `signature`.
 *
 * Each says how many heads.jsonl had got before it and the hash of the newest, so that none can go, or stand there
 * twice, unnoticed (head-links.ts). Footers say the same and are not counted.
 */

import { sign, verify } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { canonicalJson } from './canonical.ts'
import type { HeadLink, SignedHead } from './event.ts'
import type { PublicKey, SigningKey } from './keys.ts'
import { HEAD_BYTES_MAX } from './limits.ts'
import { leafHash, NO_HASH } from './merkle.ts'
import { isCount, isMap } from './record.ts'

export const HEADS_FILE = 'heads.jsonl'

const CONTEXT = 'sallyport-audit-head-v1\n'
const HASH_HEX = /^[0-9a-f]{64}$/
/** By version. */
const MEMBERS: Readonly<Record<number, string>> = {
  1: 'at head keyId records root segment seq signature v',
  2: 'at head heads keyId previous records root segment seq signature v',
}

/** What a head says of records. */
export type HeadContent = Pick<SignedHead, 'at' | 'segment' | 'seq' | 'head' | 'records' | 'root'>
export type UnsignedHead = HeadContent & Pick<HeadLink, 'heads' | 'previous'>

/** Where heads are kept outside the log's own directory, so that cutting both goes unnoticed by neither. */
export type Anchor = (head: SignedHead, signal: AbortSignal) => Promise<void>

export function signHead(head: UnsignedHead, key: SigningKey): SignedHead {
  const unsigned = { ...head, v: 2 as const, keyId: key.keyId }
  const signature = sign(null, signedBytes(unsigned), key.privateKey).toString('base64url')
  return { ...unsigned, signature }
}

/** `retired-key`: the key was not in use when the head's last record was written. */
export type HeadCheck = 'valid' | 'unknown-key' | 'bad-signature' | 'retired-key'

/** A key, and from which record to which it signed, where that is known. */
export type Signer = PublicKey & { readonly from?: number; readonly until?: number }

/** Whether the head was signed by one of these keys. */
export function checkHead(head: SignedHead, keys: readonly Signer[]): HeadCheck {
  const { signature: _, ...unsigned } = head
  return checkSigned(head, signedBytes(unsigned), keys)
}

/** The same of anything that is signed at a place in the log, over these bytes. */
export function checkSigned(
  signed: { readonly keyId: string; readonly signature: string; readonly seq: number },
  bytes: Uint8Array,
  keys: readonly Signer[],
): HeadCheck {
  const key = keys.find((candidate) => candidate.keyId === signed.keyId)
  if (key === undefined) return 'unknown-key'
  const valid = verify(null, bytes, key.key, Buffer.from(signed.signature, 'base64url'))
  if (!valid) return 'bad-signature'
  const { from = 0, until = Number.MAX_SAFE_INTEGER } = key
  return signed.seq < from || signed.seq > until ? 'retired-key' : 'valid'
}

function signedBytes(unsigned: object): Buffer {
  return Buffer.from(CONTEXT + canonicalJson(unsigned))
}

/** One line of heads.jsonl, newline included. */
export function encodeHead(head: SignedHead): string {
  return `${canonicalJson(head)}\n`
}

/** The head of a line without newline, or null: anything but the canonical text of a head is not one. */
export function decodeHead(line: string): SignedHead | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  return isHead(value) && canonicalJson(value) === line ? value : null
}

export function isHead(value: unknown): value is SignedHead {
  return (
    isMap(value) &&
    isCount(value['v']) &&
    Object.keys(value).sort().join(' ') === MEMBERS[value['v']] &&
    (value['v'] === 1 || (isCount(value['heads']) && isHash(value['previous']))) &&
    isCount(value['at']) &&
    isCount(value['segment']) &&
    isCount(value['seq']) &&
    isCount(value['records']) &&
    isHash(value['head']) &&
    isHash(value['root']) &&
    typeof value['keyId'] === 'string' &&
    isSignature(value['signature'])
  )
}

/** One text for one signature: another that decodes alike would be a change unnoticed. */
export function isSignature(value: unknown): value is string {
  return (
    typeof value === 'string' && Buffer.from(value, 'base64url').toString('base64url') === value
  )
}

export function isHash(value: unknown): value is string {
  return typeof value === 'string' && HASH_HEX.test(value)
}

/** The newest head of a heads file, from its end; null when there is none. */
export function newestHead(file: string): SignedHead | null {
  if (!existsSync(file)) return null
  const fd = openSync(file, 'r')
  try {
    const size = fstatSync(fd).size
    const tail = Buffer.alloc(Math.min(size, 2 * HEAD_BYTES_MAX))
    readSync(fd, tail, 0, tail.length, size - tail.length)
    const lines = tail.toString('utf8').split('\n')
    // The last piece is what follows the last newline: nothing, or a torn line.
    return decodeHead(lines.at(-2) ?? '')
  } finally {
    closeSync(fd)
  }
}

/** How the next head is linked: to the newest of heads.jsonl. */
export class HeadChain {
  #newest: Pick<HeadLink, 'heads' | 'previous'>
  #durable: Pick<HeadLink, 'heads' | 'previous'>

  /** `newest`: the last of heads.jsonl as it was found. */
  constructor(newest: SignedHead | null) {
    this.#newest = newest === null ? { heads: 0, previous: NO_HASH } : linkBehind(newest)
    this.#durable = this.#newest
  }

  /** For the next head of heads.jsonl. */
  get next(): Pick<HeadLink, 'heads' | 'previous'> {
    return this.#newest
  }

  /** For a footer: it may reach the disk before a head that was only written does. */
  get durable(): Pick<HeadLink, 'heads' | 'previous'> {
    return this.#durable
  }

  written(head: SignedHead): void {
    this.#newest = linkBehind(head)
  }

  synced(): void {
    this.#durable = this.#newest
  }
}

/** What a head right behind this one says. */
export function linkBehind(head: SignedHead): Pick<HeadLink, 'heads' | 'previous'> {
  const line = Buffer.from(canonicalJson(head))
  return { heads: numberOf(head), previous: leafHash(line) }
}

/** Its place among the linked heads of heads.jsonl, from 1; 0: it is of before there were any. */
export function numberOf(head: SignedHead): number {
  return head.v === 1 ? 0 : head.heads + 1
}

/** An anchor that appends each head to a file, made durable before it answers. */
export function anchorToFile(file: string): Anchor {
  return async (head) => {
    const fd = openSync(file, 'a', 0o600)
    try {
      writeSync(fd, encodeHead(head))
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
}
