/** Durations and sizes as policy files write them. */

const DURATION_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const DURATION_MS_MAX = 7 * DURATION_MS.d
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** `15m` → milliseconds; null outside 1 s … 7 d. */
export function parseDuration(text: string): number | null {
  const found = /^(\d+)([smhd])$/.exec(text)
  if (found === null) return null
  const unit = DURATION_MS[found[2] as keyof typeof DURATION_MS]
  const value = Number(found[1]) * unit
  return value >= 1000 && value <= DURATION_MS_MAX ? value : null
}

/** `20MiB` or a number of bytes. */
export function parseBytes(value: number | string): number | null {
  if (typeof value === 'number') return value
  const found = /^(\d+)(B|KiB|MiB|GiB)$/.exec(value)
  if (found === null) return null
  const bytes = Number(found[1]) * BYTES[found[2] as keyof typeof BYTES]
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** 900000 → `15 minutes`: for messages. */
export function sayDuration(ms: number): string {
  for (const [word, unit] of [
    ['day', DURATION_MS.d],
    ['hour', DURATION_MS.h],
    ['minute', DURATION_MS.m],
  ] as const)
    if (ms >= unit && ms % unit === 0) return `${ms / unit} ${word}${ms === unit ? '' : 's'}`
  return `${Math.round(ms / 1000)} seconds`
}
