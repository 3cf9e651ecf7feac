/**
 * Keyed digests for `hash` and `tokenize`, and the cache in front of them.
 *
 * The cache is two-way and belongs to the key (WeakMap), so every result with a keyed mask shares it and it
 * goes when the key does. It changes cost only: an entry is compared byte for byte before it is used.
 */

import { createHmac, type KeyObject } from 'node:crypto'
import { KEYED_CACHE_CELL_BYTES, KEYED_CACHE_ENTRIES, KEYED_CACHES_MAX } from '../limits.ts'
import { checksum } from './checksum.ts'
import { type CellMask, writeSlice } from './sink.ts'

/** HMAC-SHA-256 of `label`, NUL, the value. 32 bytes. */
export function digest(key: KeyObject, label: Buffer, value: Buffer): Buffer {
  return createHmac('sha256', key).update(label).update(value).digest()
}

/** What separates one mask's digests from another's: kind, domain, and the column when it salts. */
export function labelOf(kind: string, domain: string, salt: string): Buffer {
  return Buffer.from(`sallyport:${kind}\0${domain}\0${salt}\0`, 'utf8')
}

interface Cache {
  readonly keys: Buffer
  readonly values: Buffer
  /** Length + 1 of each key; 0: empty. */
  readonly keyLengths: Uint8Array
  readonly valueLengths: Uint8Array
  /** Which of each pair was written last. */
  readonly last: Uint8Array
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
    last: new Uint8Array(KEYED_CACHE_ENTRIES / 2),
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
    const slot = checksum(src, start, end) & (KEYED_CACHE_ENTRIES - 1)
    const way = holds(cache, slot, src, start, length) ? slot : slot ^ 1
    if (way === slot || holds(cache, way, src, start, length)) {
      const offset = way * KEYED_CACHE_CELL_BYTES
      return writeSlice(cache.values, offset, offset + (cache.valueLengths[way] as number), out)
    }
    const before = out.at
    const written = mask(src, start, end, out)
    if (written >= 0 && written <= KEYED_CACHE_CELL_BYTES)
      store(cache, slot, src.subarray(start, end), out.buf.subarray(before, before + written))
    return written
  }
}

function holds(cache: Cache, way: number, src: Buffer, start: number, length: number): boolean {
  if (cache.keyLengths[way] !== length + 1) return false
  const offset = way * KEYED_CACHE_CELL_BYTES
  for (let i = 0; i < length; i++) if (cache.keys[offset + i] !== src[start + i]) return false
  return true
}

/** Into the empty way of the pair, or over the one that was not written last. */
function store(cache: Cache, slot: number, key: Buffer, value: Buffer): void {
  const pair = slot >> 1
  let way = slot
  if (cache.keyLengths[slot] !== 0)
    way =
      cache.keyLengths[slot ^ 1] === 0 ? slot ^ 1 : (pair << 1) | (1 - (cache.last[pair] as number))
  cache.last[pair] = way & 1
  key.copy(cache.keys, way * KEYED_CACHE_CELL_BYTES)
  value.copy(cache.values, way * KEYED_CACHE_CELL_BYTES)
  cache.keyLengths[way] = key.length + 1
  cache.valueLengths[way] = value.length
}
