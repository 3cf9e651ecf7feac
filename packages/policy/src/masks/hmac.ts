/**
 * Keyed digests for `hash` and `tokenize`, and the cache in front of them.
 *
 * The cache is four-way and belongs to the key (WeakMap), so every result with a keyed mask shares it and it
 * goes when the key does. It changes cost only: an entry is compared byte for byte before it is used.
 */

import { createHmac, hash, type KeyObject } from 'node:crypto'
import type { CellMask } from '@sallyport/protocol-wire'
import { KEYED_CACHE_CELL_BYTES, KEYED_CACHE_ENTRIES, KEYED_CACHES_MAX } from '../limits.ts'
import { checksum } from './checksum.ts'
import { writeSlice } from './sink.ts'

/** Of SHA-256, bytes. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
/** Label and value up to this are hashed in prepared buffers, bytes. */
const PREPARED_BYTES_MAX = 512

/** RFC 2104: the key's two pads, each with room behind it for what is hashed under it. */
interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}

const PADS = new WeakMap<KeyObject, Pads>()

function padsOf(key: KeyObject): Pads {
  const known = PADS.get(key)
  if (known !== undefined) return known
  const given = key.export()
  const block = Buffer.alloc(BLOCK_BYTES)
  if (given.length > BLOCK_BYTES) block.write(hash('sha256', given, 'hex'), 'hex')
  else given.copy(block)
  given.fill(0)
  const inner = Buffer.alloc(BLOCK_BYTES + PREPARED_BYTES_MAX)
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES)
  for (let i = 0; i < BLOCK_BYTES; i++) {
    inner[i] = (block[i] as number) ^ 0x36
    outer[i] = (block[i] as number) ^ 0x5c
  }
  block.fill(0)
  const pads = { inner, outer }
  PADS.set(key, pads)
  return pads
}

/**
 * HMAC-SHA-256 of `label`, NUL, the value. 32 bytes. Short ones are two one-shot hashes over prepared pads: a
 * third of what an Hmac object costs.
 */
export function digest(key: KeyObject, label: Buffer, value: Buffer): Buffer {
  const length = label.length + value.length
  if (length > PREPARED_BYTES_MAX)
    return createHmac('sha256', key).update(label).update(value).digest()
  const { inner, outer } = padsOf(key)
  label.copy(inner, BLOCK_BYTES)
  value.copy(inner, BLOCK_BYTES + label.length)
  // A binary string is one character a byte: cheaper here than a Buffer of the hash's own.
  const message = inner.subarray(0, BLOCK_BYTES + length)
  outer.write(hash('sha256', message, 'binary'), BLOCK_BYTES, 'latin1')
  return Buffer.from(hash('sha256', outer, 'binary'), 'latin1')
}

/** What separates one mask's digests from another's: kind, domain, and the column when it salts. */
export function labelOf(kind: string, domain: string, salt: string): Buffer {
  return Buffer.from(`sallyport:${kind}\0${domain}\0${salt}\0`, 'utf8')
}

/** Places an entry may be in. */
const WAYS = 4

interface Cache {
  readonly keys: Buffer
  readonly values: Buffer
  /** Length + 1 of each key; 0: empty. */
  readonly keyLengths: Uint8Array
  readonly valueLengths: Uint8Array
  /** Which way of each set is written next. */
  readonly next: Uint8Array
}

const CACHES = new WeakMap<KeyObject, Map<string, Cache>>()

function cacheFor(key: KeyObject, name: string): Cache | null {
  let caches = CACHES.get(key)
  if (caches === undefined) {
    caches = new Map()
    CACHES.set(key, caches)
  }
  const known = caches.get(name)
  if (known !== undefined) return known
  if (caches.size >= KEYED_CACHES_MAX) return null
  const cache: Cache = {
    keys: Buffer.alloc(KEYED_CACHE_ENTRIES * KEYED_CACHE_CELL_BYTES),
    values: Buffer.alloc(KEYED_CACHE_ENTRIES * KEYED_CACHE_CELL_BYTES),
    keyLengths: new Uint8Array(KEYED_CACHE_ENTRIES),
    valueLengths: new Uint8Array(KEYED_CACHE_ENTRIES),
    next: new Uint8Array(KEYED_CACHE_ENTRIES / WAYS),
  }
  caches.set(name, cache)
  return cache
}

/** The same mask, remembering short cells. `name` is unique to mask, type and format. */
export function cached(key: KeyObject, name: string, mask: CellMask): CellMask {
  const cache = cacheFor(key, name)
  if (cache === null) return mask
  return (src, start, end, out) => {
    const length = end - start
    if (length > KEYED_CACHE_CELL_BYTES) return mask(src, start, end, out)
    const set = (checksum(src, start, end) % (KEYED_CACHE_ENTRIES / WAYS)) * WAYS
    for (let way = set; way < set + WAYS; way++) {
      if (!holds(cache, way, src, start, length)) continue
      const offset = way * KEYED_CACHE_CELL_BYTES
      return writeSlice(cache.values, offset, offset + (cache.valueLengths[way] as number), out)
    }
    const before = out.at
    const written = mask(src, start, end, out)
    if (written >= 0 && written <= KEYED_CACHE_CELL_BYTES)
      store(cache, set, src.subarray(start, end), out.buf.subarray(before, before + written))
    return written
  }
}

function holds(cache: Cache, way: number, src: Buffer, start: number, length: number): boolean {
  if (cache.keyLengths[way] !== length + 1) return false
  const offset = way * KEYED_CACHE_CELL_BYTES
  for (let i = 0; i < length; i++) if (cache.keys[offset + i] !== src[start + i]) return false
  return true
}

/** Into the ways of the set in turn: the oldest goes. */
function store(cache: Cache, set: number, key: Buffer, value: Buffer): void {
  const turn = cache.next[set / WAYS] as number
  const way = set + turn
  cache.next[set / WAYS] = (turn + 1) % WAYS
  key.copy(cache.keys, way * KEYED_CACHE_CELL_BYTES)
  value.copy(cache.values, way * KEYED_CACHE_CELL_BYTES)
  cache.keyLengths[way] = key.length + 1
  cache.valueLengths[way] = value.length
}
