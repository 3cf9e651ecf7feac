/**
 * Detectors for free text: replaces what they find by `[redacted:kind]` and leaves the rest. One pass over bytes,
 * each byte looked at a bounded number of times. They find shapes, so they miss what has none: a column whose
 * whole value is secret needs a mask of its own, not a detector.
 *
 * card    13–19 digits, blanks or dashes between, a known issuer's first digits and a correct Luhn digit
 * iban    a country's exact length and ISO 13616 mod 97 = 1, blanks allowed
 * ssn     three-two-four digits with separators and numbers that can be issued; nine bare digits are not one
 * phone   + or 00 and 8–15 digits, or North American ten digits with separators
 * email   local@domain.tld
 * jwt     three base64url parts, the first beginning `eyJ`
 * api-key known prefixes, PEM private keys, or 32 and more mixed characters of high entropy
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { type Enabled, type Found, isAlnum, isDigitByte, isToken } from './detect-bytes.ts'
import { findKey, findPem } from './detect-keys.ts'
import { findIban, findNumber } from './detect-numbers.ts'
import { writeBytes, writeSlice } from './sink.ts'
import { DETECTORS, type Detector } from './spec.ts'

const MARKS: Readonly<Record<Detector, Buffer>> = Object.fromEntries(
  DETECTORS.map((kind) => [kind, Buffer.from(`[redacted:${kind}]`)]),
) as Record<Detector, Buffer> // Safe: one entry for every detector.

export function detectMask(detectors: readonly Detector[]): CellMask {
  const enabled = Object.fromEntries(
    DETECTORS.map((kind) => [kind, detectors.includes(kind)]),
  ) as Enabled // Safe: one entry for every detector.
  return (src, start, end, out) => scan(enabled, src, { start, end }, out)
}

interface Range {
  readonly start: number
  readonly end: number
}

function scan(enabled: Enabled, src: Buffer, range: Range, out: ByteSink): number {
  const before = out.at
  let kept = range.start
  let at = range.start
  while (at < range.end) {
    const found = findAt(enabled, src, at, { start: kept, end: range.end })
    if (found === null) {
      at++
      continue
    }
    if (found.kind === null) {
      at = Math.max(found.end, at + 1)
      continue
    }
    writeSlice(src, kept, found.start, out)
    writeBytes(MARKS[found.kind], out)
    kept = found.end
    at = found.end
  }
  writeSlice(src, kept, range.end, out)
  return out.at - before
}

/** What all detectors find in a text, each kind once; `isWhole`: it is all there is but blanks. */
export function detectedIn(
  text: string,
): readonly { readonly kind: Detector; readonly isWhole: boolean }[] {
  const src = Buffer.from(text.trim())
  const found = new Map<Detector, boolean>()
  for (let at = 0; at < src.length; ) {
    const step = findAt(ALL, src, at, { start: 0, end: src.length })
    if (step !== null && step.kind !== null) {
      const isWhole = step.start === 0 && step.end === src.length
      found.set(step.kind, isWhole || found.get(step.kind) === true)
    }
    at = step === null ? at + 1 : Math.max(step.end, at + 1)
  }
  return [...found].map(([kind, isWhole]) => ({ kind, isWhole }))
}

const ALL = Object.fromEntries(DETECTORS.map((kind) => [kind, true])) as Enabled // Safe: every detector.

/** `kind` null: nothing here, go on at `end`. */
type Step = Found | { readonly kind: null; readonly end: number } | null

function findAt(enabled: Enabled, src: Buffer, at: number, range: Range): Step {
  const byte = src[at] as number
  const isRunStart = at === range.start || !isToken(src[at - 1] as number)
  if (byte === 0x40) return enabled.email ? findEmail(src, at, range) : null
  if (byte === 0x2d && enabled['api-key']) {
    const pem = findPem(src, at, range.end)
    if (pem !== null) return pem
  }
  if (isRunStart && isToken(byte)) {
    const key = findKey(enabled, src, at, range.end)
    if (key !== null) return key
    const iban = enabled.iban ? findIban(src, at, range.end) : null
    if (iban !== null) return iban
    if (!isDigitByte(byte)) return { kind: null, end: wordEnd(src, at, range.end) }
  }
  if (isDigitByte(byte) || byte === 0x2b || byte === 0x28)
    return findNumber(enabled, src, at, range)
  return null
}

/** No number begins inside a word. */
function wordEnd(src: Buffer, at: number, end: number): number {
  let to = at
  while (to < end && isAlnum(src[to] as number)) to++
  return to
}

const isLocal = (byte: number): boolean =>
  isToken(byte) || byte >= 0x80 || byte === 0x2e || byte === 0x2b || byte === 0x25 || byte === 0x27

/** Around an @: back over the local part, never before what is already written; forward over the domain. */
function findEmail(src: Buffer, at: number, range: Range): Step {
  let start = at
  while (start > range.start && isLocal(src[start - 1] as number)) start--
  while (start < at && (src[start] === 0x2e || src[start] === 0x27)) start++
  let end = at + 1
  let lastDot = -1
  while (end < range.end) {
    const byte = src[end] as number
    if (byte === 0x2e) lastDot = end
    else if (!isAlnum(byte) && byte !== 0x2d && byte < 0x80) break
    end++
  }
  while (end > at + 1 && (src[end - 1] === 0x2e || src[end - 1] === 0x2d)) end--
  if (lastDot >= end) lastDot = src.lastIndexOf(0x2e, end - 1)
  const isAddress = start < at && lastDot > at + 1 && end - lastDot >= 3
  return isAddress ? { kind: 'email', start, end } : { kind: null, end: at + 1 }
}
