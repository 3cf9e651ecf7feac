/**
 * `truncate-date` for date, timestamp and timestamptz. A timestamptz is truncated in UTC and written with offset
 * +00, so text and binary name the same instant. Infinity, years before 1 and any DateStyle but ISO become the
 * constant.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { writeBytes } from './sink.ts'
import type { DateUnit } from './spec.ts'
import type { TypeInfo } from './type-info.ts'
import type { CellType } from './types.ts'

const SECONDS_PER_DAY = 86_400
const SECONDS_PER_HOUR = 3_600
const MICROS_PER_SECOND = 1_000_000
/** Days from 1970-01-01, the origin of the civil algorithms here, to PostgreSQL's 2000-01-01. */
const DAYS_1970_TO_2000 = 10_957
const YEAR_MAX = 294_276

/** Days since 1970-01-01 of a proleptic Gregorian date. Source: H. Hinnant, chrono-compatible date algorithms. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Year, month and day of a day count, packed as year · 10,000 + month · 100 + day. */
export function civilFromDays(days: number): number {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  const realMonth = month < 10 ? month + 3 : month - 9
  const year = yearOfEra + era * 400 + (realMonth <= 2 ? 1 : 0)
  return year * 10_000 + realMonth * 100 + day
}

/** Seconds since 1970 rounded down to the unit; NaN outside years 1 … YEAR_MAX. */
function truncate(seconds: number, unit: DateUnit): number {
  if (!Number.isFinite(seconds)) return Number.NaN
  const days = Math.floor(seconds / SECONDS_PER_DAY)
  const packed = civilFromDays(days)
  const year = Math.floor(packed / 10_000)
  if (year < 1 || year > YEAR_MAX) return Number.NaN
  switch (unit) {
    case 'hour':
      return Math.floor(seconds / SECONDS_PER_HOUR) * SECONDS_PER_HOUR
    case 'day':
      return days * SECONDS_PER_DAY
    case 'month':
      return daysFromCivil(year, Math.floor(packed / 100) % 100, 1) * SECONDS_PER_DAY
    case 'year':
      return daysFromCivil(year, 1, 1) * SECONDS_PER_DAY
  }
}

type DateShape = 'date' | 'timestamp' | 'timestamptz'

/** Null where a type holds no date. */
export function dateMask(
  unit: DateUnit,
  cell: CellType,
  info: TypeInfo,
  redacted: Buffer,
): CellMask | null {
  const { shape } = info
  if (shape !== 'date' && shape !== 'timestamp' && shape !== 'timestamptz') return null
  const isBinary = cell.format === 'binary'
  if (isBinary && cell.engine !== 'postgres') return mysqlBinary(unit, redacted)
  return (src, start, end, out) => {
    const seconds = isBinary ? readBinary(src, start, end, shape) : readText(src, start, end, shape)
    const kept = truncate(seconds, unit)
    if (Number.isNaN(kept)) return writeBytes(redacted, out)
    return isBinary ? writeBinary(kept, shape, out) : writeIso(kept, shape, out)
  }
}

function readBinary(src: Buffer, start: number, end: number, shape: DateShape): number {
  if (shape === 'date') {
    if (end - start !== 4) return Number.NaN
    const days = src.readInt32BE(start)
    const isInfinite = days === 0x7fffffff || days === -0x80000000
    return isInfinite ? Number.NaN : (days + DAYS_1970_TO_2000) * SECONDS_PER_DAY
  }
  if (end - start !== 8) return Number.NaN
  const high = src.readInt32BE(start)
  const low = src.readUInt32BE(start + 4)
  // Past 2^53 µs a double would round across an hour: BigInt, rarely.
  const seconds =
    high > -0x200000 && high < 0x200000
      ? Math.floor((high * 0x1_0000_0000 + low) / MICROS_PER_SECOND)
      : Number(floorDiv(src.readBigInt64BE(start), BigInt(MICROS_PER_SECOND)))
  return seconds + DAYS_1970_TO_2000 * SECONDS_PER_DAY
}

const floorDiv = (a: bigint, b: bigint): bigint => (a < 0n ? -((-a + b - 1n) / b) : a / b)

function writeBinary(seconds: number, shape: DateShape, out: Parameters<CellMask>[3]): number {
  const since2000 = seconds - DAYS_1970_TO_2000 * SECONDS_PER_DAY
  if (shape === 'date') {
    out.ensure(4)
    out.buf.writeInt32BE(since2000 / SECONDS_PER_DAY, out.at)
    out.at += 4
    return 4
  }
  out.ensure(8)
  const micros = since2000 * MICROS_PER_SECOND
  if (Number.isSafeInteger(micros)) {
    out.buf.writeInt32BE(Math.floor(micros / 0x1_0000_0000), out.at)
    out.buf.writeUInt32BE(((micros % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000, out.at + 4)
  } else out.buf.writeBigInt64BE(BigInt(since2000) * BigInt(MICROS_PER_SECOND), out.at)
  out.at += 8
  return 8
}

/** A reader over ASCII; `ok` turns false for good at the first byte that does not fit. */
class Cursor {
  ok = true
  #src: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  reset(src: Buffer, start: number, end: number): void {
    this.ok = true
    this.#src = src
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  peek(): number {
    return this.done ? 0 : (this.#src[this.#at] as number)
  }

  skip(byte: number): void {
    if (this.peek() === byte && !this.done) this.#at++
    else this.ok = false
  }

  /** `least` to `most` digits. */
  digits(least: number, most: number): number {
    let value = 0
    let count = 0
    while (count < most && !this.done) {
      const digit = this.peek() - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      count++
      this.#at++
    }
    if (count < least) this.ok = false
    return value
  }
}

const cursor = new Cursor()
const DASH = 0x2d
const COLON = 0x3a

/** `YYYY-MM-DD[ HH:MM:SS[.ffffff]][±HH[:MM[:SS]]]` → seconds since 1970 (UTC for timestamptz); NaN otherwise. */
function readText(src: Buffer, start: number, end: number, shape: DateShape): number {
  if (end - start > 40) return Number.NaN
  cursor.reset(src, start, end)
  const year = cursor.digits(4, 6)
  cursor.skip(DASH)
  const month = cursor.digits(2, 2)
  cursor.skip(DASH)
  const day = cursor.digits(2, 2)
  let seconds = 0
  if (shape !== 'date') {
    if (cursor.peek() !== 0x20 && cursor.peek() !== 0x54) return Number.NaN
    cursor.skip(cursor.peek())
    seconds = clockTime()
    if (cursor.peek() === 0x2e) {
      cursor.skip(0x2e)
      cursor.digits(1, 6)
    }
  }
  if (shape === 'timestamptz') seconds -= zone()
  if (!cursor.ok || !cursor.done || month < 1 || month > 12 || day < 1 || day > 31)
    return Number.NaN
  return daysFromCivil(year, month, day) * SECONDS_PER_DAY + seconds
}

function clockTime(): number {
  const hours = cursor.digits(2, 2)
  cursor.skip(COLON)
  const minutes = cursor.digits(2, 2)
  cursor.skip(COLON)
  return hours * SECONDS_PER_HOUR + minutes * 60 + cursor.digits(2, 2)
}

/** Offset east of UTC in seconds. */
function zone(): number {
  const sign = cursor.peek()
  if (sign === 0x5a) {
    cursor.skip(sign)
    return 0
  }
  if (sign !== 0x2b && sign !== DASH) cursor.ok = false
  else cursor.skip(sign)
  let offset = cursor.digits(2, 2) * SECONDS_PER_HOUR
  for (const unit of [60, 1])
    if (cursor.peek() === COLON) {
      cursor.skip(COLON)
      offset += cursor.digits(2, 2) * unit
    }
  return sign === DASH ? -offset : offset
}

function writeIso(seconds: number, shape: DateShape, out: Parameters<CellMask>[3]): number {
  out.ensure(32)
  const before = out.at
  const packed = civilFromDays(Math.floor(seconds / SECONDS_PER_DAY))
  const year = Math.floor(packed / 10_000)
  putDigits(out, year, year > 99_999 ? 6 : year > 9_999 ? 5 : 4)
  out.buf[out.at++] = DASH
  putDigits(out, Math.floor(packed / 100) % 100, 2)
  out.buf[out.at++] = DASH
  putDigits(out, packed % 100, 2)
  if (shape !== 'date') {
    const ofDay = seconds - Math.floor(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY
    out.buf[out.at++] = 0x20
    putDigits(out, Math.floor(ofDay / SECONDS_PER_HOUR), 2)
    out.at += out.buf.write(':00:00', out.at, 'latin1')
    if (shape === 'timestamptz') out.at += out.buf.write('+00', out.at, 'latin1')
  }
  return out.at - before
}

function putDigits(out: Parameters<CellMask>[3], value: number, width: number): void {
  let rest = value
  for (let i = width - 1; i >= 0; i--) {
    out.buf[out.at + i] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  out.at += width
}

/** MySQL binary: year (2, little-endian), month, day [, hour, minute, second [, microseconds (4)]]. */
function mysqlBinary(unit: DateUnit, redacted: Buffer): CellMask {
  return (src, start, end, out) => {
    const length = end - start
    if (length !== 4 && length !== 7 && length !== 11) return writeBytes(redacted, out)
    const month = src[start + 2] as number
    const isHour = unit === 'hour' && length > 4
    const size = isHour ? 7 : 4
    out.ensure(size)
    const { buf, at } = out
    buf[at] = src[start] as number
    buf[at + 1] = src[start + 1] as number
    buf[at + 2] = unit === 'year' ? 1 : month
    buf[at + 3] = unit === 'year' || unit === 'month' ? 1 : (src[start + 3] as number)
    if (isHour) {
      buf[at + 4] = src[start + 4] as number
      buf[at + 5] = 0
      buf[at + 6] = 0
    }
    out.at = at + size
    return size
  }
}
