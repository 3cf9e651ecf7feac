/**
 * Random and damaged streams for fuzzing, and the loop that feeds them. The seed of a run is printed on
 * failure; FUZZ_SEED repeats it.
 */

import { expect } from 'vitest'

const STREAMS = 10_000
/** One stream of a few hundred bytes; a decoder that needs longer is not linear. */
const STREAM_MS_MAX = 500
export const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)

/** Small deterministic generator (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}

const EDGES = [
  0, 1, 3, 4, 5, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
]

/** Breaks a stream in one to four places: bits, bytes, length words, cuts, repeats. */
export function damaged(random: Random, original: Buffer): Buffer {
  let bytes = Buffer.from(original)
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = random.below(256)
        break
      case 2:
        if (at + 4 > bytes.length) break
        if (random.below(2) === 0) bytes.writeUInt32BE(random.pick(EDGES), at)
        else bytes.writeUInt32LE(random.pick(EDGES), at)
        break
      case 3:
        bytes = bytes.subarray(0, at)
        break
      case 4:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          random.bytes(random.below(8)),
          bytes.subarray(at),
        ])
        break
      default:
        bytes = Buffer.concat([bytes, bytes.subarray(at)])
    }
  }
  return bytes
}

function streamFrom(random: Random, seeds: readonly Buffer[]): Buffer {
  return random.below(4) === 0
    ? random.bytes(random.below(120))
    : damaged(random, random.pick(seeds))
}

/** Cuts a stream into up to six pieces. */
export function pieces(random: Random, bytes: Buffer): Buffer[] {
  const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length + 1))
  const ends = [...cuts.sort((a, b) => a - b), bytes.length]
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

/** What a package throws where bytes are not legal. */
type Fault = new (...args: never[]) => Error & { readonly side: string }

/** `fuzz` for decoders that may throw a `fault` of side `remote`, and nothing else. */
export function fuzzer(fault: Fault): {
  fuzz(seeds: readonly Buffer[], read: (bytes: Buffer, random: Random) => void): void
} {
  /** Runs `read`; true if it gave something, false if it blamed the peer. Anything else fails the test. */
  const accepts = (bytes: Buffer, read: (bytes: Buffer) => void): boolean => {
    const start = performance.now()
    let accepted = true
    try {
      read(bytes)
    } catch (error) {
      if (!(error instanceof fault) || error.side !== 'remote') {
        throw new Error(`seed ${SEED}, stream ${bytes.toString('hex')}`, { cause: error })
      }
      accepted = false
    }
    expect(performance.now() - start).toBeLessThan(STREAM_MS_MAX)
    return accepted
  }
  return {
    /** Feeds 10,000 streams; some must be accepted and some refused, or the streams are no test. */
    fuzz(seeds, read) {
      const random = new Random(SEED)
      let accepted = 0
      for (let i = 0; i < STREAMS; i++) {
        if (accepts(streamFrom(random, seeds), (bytes) => read(bytes, random))) accepted++
      }
      expect(accepted).toBeGreaterThan(0)
      expect(accepted).toBeLessThan(STREAMS)
    },
  }
}
