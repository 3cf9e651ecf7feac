/**
 * Merkle trees as in Certificate Transparency (RFC 6962 §2.1): leaf = SHA-256(0x00 ‖ record bytes),
 * node = SHA-256(0x01 ‖ left ‖ right), a tree of n leaves splits at the largest power of two below n.
 *
 * The leaf hash of a record is also the chain's link to it (`prev` of the next record), so each record is
 * hashed once. Pure: no files, no clock.
 */

import { hash } from 'node:crypto'

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32
/** `prev` of the first record of a log, and nothing else's hash. */
export const NO_HASH = '0'.repeat(HASH_BYTES * 2)
/** RFC 6962 §2.1: the root of the empty tree is the hash of the empty string. */
export const EMPTY_ROOT = hash('sha256', '', 'hex')
/** Leaves that wait to be joined, at most: they take the time of a statement. */
const WAITING_MAX = 64
/** Leaves are counted in 31 bits: segments are far smaller. */
const LEVELS = 31

/** RFC 6962 leaf hash of a record's bytes (its line without the newline), hex. */
export function leafHash(record: Uint8Array): string {
  const prefixed = Buffer.allocUnsafe(record.length + 1)
  prefixed[0] = 0
  prefixed.set(record, 1)
  return hash('sha256', prefixed, 'hex')
}

/** RFC 6962 node hash of two hex hashes, hex. */
export function nodeHash(pair: { left: string; right: string }): string {
  return hash('sha256', Buffer.from(`01${pair.left}${pair.right}`, 'hex'), 'hex')
}

/**
 * The right edge of a growing tree: what is needed to add leaves and to know the root, and no more.
 * Adding costs one node hash on average and keeps nothing per leaf. Leaves are taken in some at a time: nobody asks
 * for the root between two records, and the same work done at once is done in half the time.
 */
export class MerkleFrontier {
  /**
   * The node being hashed, 0x01 ‖ left ‖ right, and behind it the peaks: the root of the complete subtree of
   * 2^level leaves, present where bit `level` of the count is set.
   */
  readonly #bytes = Buffer.alloc(NODE_BYTES + LEVELS * HASH_BYTES, 1)
  readonly #node = this.#bytes.subarray(0, NODE_BYTES)
  #joined = 0
  /** Leaves not joined yet. */
  readonly #leaves = Buffer.alloc(WAITING_MAX * HASH_BYTES)
  #waiting = 0

  get count(): number {
    return this.#joined + this.#waiting
  }

  /** Adds the next leaf, given its RFC 6962 leaf hash. */
  add(leaf: Uint8Array): void {
    if (this.#waiting === WAITING_MAX) this.#join()
    const at = this.#waiting * HASH_BYTES
    for (let i = 0; i < HASH_BYTES; i++) this.#leaves[at + i] = leaf[i] as number
    this.#waiting++
  }

  /** Root over all leaves so far, hex. */
  root(): string {
    this.#join()
    const count = this.#joined
    if (count === 0) return EMPTY_ROOT
    let level = 0
    while (((count >>> level) & 1) === 0) level++
    this.#bytes.copyWithin(RIGHT, peakAt(level), peakAt(level + 1))
    for (level++; level < LEVELS; level++) {
      if (((count >>> level) & 1) === 1) this.#joinPeak(level)
    }
    return this.#bytes.toString('hex', RIGHT, NODE_BYTES)
  }

  reset(): void {
    this.#joined = 0
    this.#waiting = 0
  }

  #join(): void {
    for (let i = 0; i < this.#waiting; i++) {
      this.#leaves.copy(this.#bytes, RIGHT, i * HASH_BYTES, (i + 1) * HASH_BYTES)
      let level = 0
      for (let rest = this.#joined; (rest & 1) === 1; rest >>>= 1) {
        this.#joinPeak(level)
        level++
      }
      this.#bytes.copyWithin(peakAt(level), RIGHT, NODE_BYTES)
      this.#joined++
    }
    this.#waiting = 0
  }

  /** right := H(0x01 ‖ peak of `level` ‖ right) */
  #joinPeak(level: number): void {
    this.#bytes.copyWithin(LEFT, peakAt(level), peakAt(level + 1))
    putHash(this.#bytes, RIGHT, this.#node)
  }
}

const LEFT = 1
const RIGHT = LEFT + HASH_BYTES
const NODE_BYTES = RIGHT + HASH_BYTES

function peakAt(level: number): number {
  return NODE_BYTES + level * HASH_BYTES
}

/** Puts the SHA-256 of `bytes` into `to` at `at`. */
export function putHash(to: Uint8Array, at: number, bytes: Uint8Array): void {
  // A binary string is one byte a character: a fraction of the cost of a Buffer of its own.
  const text = hash('sha256', bytes, 'binary')
  for (let i = 0; i < HASH_BYTES; i++) to[at + i] = text.charCodeAt(i)
}

/** Root of the tree over these leaf hashes (hex), by the recursive definition. */
export function merkleRoot(leaves: readonly string[]): string {
  if (leaves.length === 0) return EMPTY_ROOT
  const [only] = leaves
  if (leaves.length === 1 && only !== undefined) return only
  const split = splitOf(leaves.length)
  return nodeHash({
    left: merkleRoot(leaves.slice(0, split)),
    right: merkleRoot(leaves.slice(split)),
  })
}

/** Audit path of the leaf at `index` (RFC 6962 §2.1.1): sibling hashes from the leaf up, hex. */
export function auditPath(leaves: readonly string[], index: number): string[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  const left = leaves.slice(0, split)
  const right = leaves.slice(split)
  return index < split
    ? [...auditPath(left, index), merkleRoot(right)]
    : [...auditPath(right, index - split), merkleRoot(left)]
}

/**
 * The root a leaf and its audit path lead to (RFC 9162 §2.1.3.2), or null when the path cannot belong to
 * that place in a tree of that size.
 */
export function rootFromPath(claim: {
  leaf: string
  index: number
  size: number
  path: readonly string[]
}): string | null {
  if (!(claim.index >= 0 && claim.index < claim.size)) return null
  let place = claim.index
  let last = claim.size - 1
  let root = claim.leaf
  for (const sibling of claim.path) {
    if (last === 0) return null
    if (place % 2 === 1 || place === last) {
      root = nodeHash({ left: sibling, right: root })
      while (place % 2 === 0 && place !== 0) {
        place = Math.floor(place / 2)
        last = Math.floor(last / 2)
      }
    } else {
      root = nodeHash({ left: root, right: sibling })
    }
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? root : null
}

/** Largest power of two below `size`, for size ≥ 2. */
function splitOf(size: number): number {
  return 2 ** (31 - Math.clz32(size - 1))
}
