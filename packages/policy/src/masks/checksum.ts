/**
 * FNV-1a, 32 bits: makes a hashed value recognisable as one (one in 2^32 other values passes). Not a secret and
 * not security: the value in front of it is an HMAC.
 */
export function checksum(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash >>> 0
}
