/** Durations and moments as people type and read them. */
import { CliError } from './errors.ts'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof UNIT_MS

/** Longest duration that is taken, days. */
export const DURATION_DAYS_MAX = 3_660

/** `15m`, `2h`, `1h30m`, `30s`, `1d` → milliseconds; null when it is not one, is 0 or is too long. */
export function parseDuration(text: string): number | null {
  if (!/^(\d{1,9}[smhd])+$/.test(text)) return null
  let ms = 0
  for (const [, count, unit] of text.matchAll(/(\d+)([smhd])/g)) {
    // The pattern admits these four letters only.
    ms += Number(count) * UNIT_MS[unit as Unit]
  }
  return ms > 0 && ms <= DURATION_DAYS_MAX * UNIT_MS.d ? ms : null
}

/** For a flag. Throws CliError `usage`. */
export function durationOf(text: string, flag: string): number {
  const ms = parseDuration(text)
  if (ms === null) {
    throw new CliError('usage', `${flag} takes a duration such as 15m, 2h, 30s or 1d`)
  }
  return ms
}

/** The two largest units: `2 h 5 min`, `3 days`, `12 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** `3 min ago`, `in 2 h`, `now`. */
export function relativeTo(now: number, at: number): string {
  if (Math.abs(at - now) < 1_000) return 'now'
  return at < now ? `${formatDuration(now - at)} ago` : `in ${formatDuration(at - now)}`
}

/** `2026-05-01 12:30:05Z`: UTC, because a trail is read in more than one place. */
export function formatMoment(at: number): string {
  if (!Number.isFinite(at) || Math.abs(at) > 8.64e15) return 'not a point in time'
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}

/** A duration before `now`, or a date or time in ISO 8601 (UTC unless it says otherwise) → epoch ms. */
export function momentOf(text: string, flag: string, now: number): number {
  const ago = parseDuration(text)
  if (ago !== null) return now - ago
  const iso =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/
  const [, day, time, zone] = iso.exec(text) ?? []
  const at = day === undefined ? Number.NaN : Date.parse(`${day}T${time ?? '00:00'}${zone ?? 'Z'}`)
  if (Number.isNaN(at)) {
    throw new CliError(
      'usage',
      `${flag} takes a time such as 2026-05-01T12:00Z, or how long ago, such as 2h`,
    )
  }
  return at
}
