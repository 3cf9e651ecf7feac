/** Cards, social security numbers, phone numbers and IBANs inside free text. See detect.ts for the shapes. */

import { type Enabled, type Found, isAlnum, isDigitByte } from './detect-bytes.ts'

type Step = Found | { readonly kind: null; readonly end: number }

/** Digits one run may hold before the scan starts afresh behind it. */
const RUN_DIGITS_MAX = 40
const SEPARATORS = new Set([0x20, 0x2d, 0x2e, 0x28, 0x29, 0x2f])

/** A run of digits with single separators: where each digit stands. */
interface Run {
  readonly digits: Uint8Array
  readonly offsets: Uint32Array
  readonly count: number
  readonly end: number
}

const digits = new Uint8Array(RUN_DIGITS_MAX)
const offsets = new Uint32Array(RUN_DIGITS_MAX)

function runAt(src: Buffer, at: number, end: number): Run {
  let count = 0
  let gap = 0
  let i = at
  let last = at
  for (; i < end && count < RUN_DIGITS_MAX; i++) {
    const byte = src[i] as number
    if (isDigitByte(byte)) {
      digits[count] = byte - 0x30
      offsets[count++] = i
      last = i + 1
      gap = 0
    } else if (!SEPARATORS.has(byte) || ++gap > 2) break
  }
  return { digits, offsets, count, end: last }
}

/** A number starting at `at` (a digit, `+` or `(`), or where to go on. */
export function findNumber(
  enabled: Enabled,
  src: Buffer,
  at: number,
  range: { readonly start: number; readonly end: number },
): Step | null {
  const before = at === range.start ? 0x20 : (src[at - 1] as number)
  const byte = src[at] as number
  if (isAlnum(before)) return null
  const isPlus = byte === 0x2b
  const first = isPlus || byte === 0x28 ? at + 1 : at
  if (first >= range.end || !isDigitByte(src[first] as number)) return null
  const run = runAt(src, first, range.end)
  const found = (kind: Found['kind'], count: number): Found => ({
    kind,
    start: at,
    end: (run.offsets[count - 1] as number) + 1,
  })
  if (enabled.phone && isPlus) {
    const count = phoneDigits(src, run)
    if (count > 0) return found('phone', count)
  }
  if (enabled.card) {
    const count = cardDigits(src, run)
    if (count > 0) return found('card', count)
  }
  if (enabled.ssn && isSsn(src, run)) return found('ssn', 9)
  if (enabled.phone) {
    if (isNorthAmerican(src, run)) return found('phone', 10)
    if (run.digits[0] === 1 && isNorthAmerican(src, run, 1)) return found('phone', 11)
    if (run.digits[0] === 0 && run.digits[1] === 0 && run.count >= 10 && hasGap(run, 17)) {
      const count = phoneDigits(src, run)
      if (count > 0) return found('phone', count)
    }
  }
  return nextGroup(src, first, run)
}

/** Go on behind this group of digits: a later group may begin something. */
function nextGroup(src: Buffer, first: number, run: Run): Step {
  let end = first
  while (end < run.end && isDigitByte(src[end] as number)) end++
  return { kind: null, end }
}

/** Does nothing that belongs to a number or word follow digit `count - 1`? */
function endsAt(src: Buffer, run: Run, count: number): boolean {
  const next = src[(run.offsets[count - 1] as number) + 1]
  return next === undefined || !isAlnum(next)
}

const hasGap = (run: Run, most: number): boolean => {
  const last = Math.min(run.count, most) - 1
  return (run.offsets[last] as number) - (run.offsets[0] as number) > last
}

/** E.164: 8 to 15 digits, as many as belong together. 0: none. */
function phoneDigits(src: Buffer, run: Run): number {
  for (let count = Math.min(run.count, 17); count >= 8; count--)
    if (endsAt(src, run, count)) return count
  return 0
}

/** Bytes between digit i and i + 1. */
const gapAfter = (run: Run, i: number): number =>
  (run.offsets[i + 1] as number) - (run.offsets[i] as number) - 1

/** (ddd) ddd-dddd and its kin: area and exchange never start with 0 or 1. */
function isNorthAmerican(src: Buffer, run: Run, from = 0): boolean {
  if (run.count < from + 10 || !endsAt(src, run, from + 10)) return false
  if ((run.digits[from] as number) < 2 || (run.digits[from + 3] as number) < 2) return false
  for (let i = from; i < from + 9; i++) {
    const isBreak = i === from + 2 || i === from + 5
    if (isBreak ? gapAfter(run, i) === 0 : gapAfter(run, i) !== 0) return false
  }
  return true
}

/** ddd-dd-dddd with one kind of separator, in the ranges that are issued. */
function isSsn(src: Buffer, run: Run): boolean {
  if (run.count < 9 || !endsAt(src, run, 9)) return false
  for (let i = 0; i < 8; i++) if (gapAfter(run, i) !== (i === 2 || i === 4 ? 1 : 0)) return false
  const separator = src[(run.offsets[2] as number) + 1]
  if (
    (separator !== 0x2d && separator !== 0x20) ||
    src[(run.offsets[4] as number) + 1] !== separator
  )
    return false
  const number = (from: number, to: number): number => {
    let value = 0
    for (let i = from; i < to; i++) value = value * 10 + (run.digits[i] as number)
    return value
  }
  const area = number(0, 3)
  return area !== 0 && area !== 666 && area < 900 && number(3, 5) !== 0 && number(5, 9) !== 0
}

/** Length of the card number at the start of the run, longest first; 0: none. */
function cardDigits(src: Buffer, run: Run): number {
  for (let count = Math.min(run.count, 19); count >= 13; count--) {
    if (!endsAt(src, run, count) || !isIssuer(run, count) || !isLuhn(run, count)) continue
    let isClose = true
    for (let i = 0; i < count - 1; i++) {
      const gap = gapAfter(run, i)
      const separator = src[(run.offsets[i] as number) + 1]
      if (gap > 1 || (gap === 1 && separator !== 0x20 && separator !== 0x2d)) isClose = false
    }
    if (isClose) return count
  }
  return 0
}

/** First digits and lengths of the large networks. */
function isIssuer(run: Run, count: number): boolean {
  const first = run.digits[0] as number
  const two = first * 10 + (run.digits[1] as number)
  if (first === 4) return count === 13 || count === 16 || count === 19
  if (two === 34 || two === 37) return count === 15
  if (two === 36 || two === 38 || two === 30 || two === 39) return count >= 14
  if (two >= 50 && two <= 69) return count >= 13
  return count === 16 && two >= 20 && two <= 35
}

function isLuhn(run: Run, count: number): boolean {
  let sum = 0
  for (let i = 0; i < count; i++) {
    const digit = run.digits[count - 1 - i] as number
    const doubled = digit * 2
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** Length of an IBAN by country (ISO 13616 registry). */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 ' +
    'EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 ' +
    'KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 ' +
    'PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 ' +
    'VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

const upper = (byte: number): number => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte)

export function findIban(src: Buffer, at: number, end: number): Found | null {
  if (at + 15 > end || !isDigitByte(src[at + 2] as number) || !isDigitByte(src[at + 3] as number))
    return null
  const country = String.fromCharCode(upper(src[at] as number), upper(src[at + 1] as number))
  const length = IBAN_LENGTHS.get(country)
  if (length === undefined) return null
  const chars: number[] = []
  let i = at
  for (; i < end && chars.length < length; i++) {
    const byte = src[i] as number
    if (isAlnum(byte)) chars.push(upper(byte))
    else if (byte !== 0x20 || src[i - 1] === 0x20) break
  }
  if (chars.length !== length || (i < end && isAlnum(src[i] as number))) return null
  return isMod97(chars) ? { kind: 'iban', start: at, end: i } : null
}

/** ISO 7064: country and check digits to the end, letters as 10 … 35, remainder 1. */
function isMod97(chars: readonly number[]): boolean {
  let remainder = 0
  for (let i = 0; i < chars.length; i++) {
    const byte = chars[(i + 4) % chars.length] as number
    const value = isDigitByte(byte) ? byte - 0x30 : byte - 0x37
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder === 1
}
