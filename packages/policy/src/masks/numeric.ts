/**
 * PostgreSQL `numeric` between its binary form and decimal text.
 *
 *   int16 ndigits | int16 weight | uint16 sign | uint16 dscale | ndigits × int16 base-10000 digits
 *
 * Value = Σ digit[i] · 10000^(weight − i). Source: numeric_send/numeric_recv, utils/adt/numeric.c.
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { NUMERIC_DIGITS_MAX } from '../limits.ts'

const NEGATIVE = 0x4000
/** Digits, sign and point. */
const TEXT_BYTES_MAX = NUMERIC_DIGITS_MAX + 2
const BASE_DIGITS = 4

/** Decimal text; null for NaN, infinities, malformed bytes and numbers past NUMERIC_DIGITS_MAX digits. */
export function numericText(src: Buffer, start: number, end: number): string | null {
  if (end - start < 8) return null
  const ndigits = src.readInt16BE(start)
  const weight = src.readInt16BE(start + 2)
  const sign = src.readUInt16BE(start + 4)
  const dscale = src.readUInt16BE(start + 6)
  if ((sign !== 0 && sign !== NEGATIVE) || ndigits < 0 || end - start !== 8 + ndigits * 2)
    return null
  if (weight * BASE_DIGITS + dscale > NUMERIC_DIGITS_MAX || weight < -NUMERIC_DIGITS_MAX)
    return null
  const digit = (i: number): number =>
    i >= 0 && i < ndigits ? src.readInt16BE(start + 8 + i * 2) : 0
  for (let i = 0; i < ndigits; i++) if (digit(i) < 0 || digit(i) > 9999) return null
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += String(digit(i)).padStart(BASE_DIGITS, '0')
  let fraction = ''
  for (let i = weight + 1; fraction.length < dscale; i++)
    fraction += String(digit(i)).padStart(BASE_DIGITS, '0')
  const text = whole.replace(/^0+(?=\d)/, '') || '0'
  const signed = sign === NEGATIVE ? `-${text}` : text
  const result = dscale === 0 ? signed : `${signed}.${fraction.slice(0, dscale)}`
  // The bound of `decimalText`, so that both formats give up on the same numbers.
  return result.length > TEXT_BYTES_MAX ? null : result
}

const DECIMAL = /^-?\d+(\.\d+)?$/

/** Text of a finite decimal as the server prints it; null for anything else. */
export function decimalText(src: Buffer, start: number, end: number): string | null {
  if (end - start > TEXT_BYTES_MAX) return null
  const text = src.toString('latin1', start, end)
  return DECIMAL.test(text) ? text : null
}

/** 007.50 → 7.5, -0.0 → 0: equal numbers, equal text. */
export function canonicalDecimal(text: string): string {
  const isNegative = text.startsWith('-')
  const [whole = '', fraction = ''] = (isNegative ? text.slice(1) : text).split('.')
  const left = whole.replace(/^0+(?=\d)/, '')
  const right = fraction.replace(/0+$/, '')
  const value = right === '' ? left : `${left}.${right}`
  return isNegative && value !== '0' ? `-${value}` : value
}

/** Writes decimal text in binary form. `text` is this module's own output or DECIMAL. */
export function writeNumeric(text: string, out: ByteSink): number {
  const isNegative = text.startsWith('-')
  const [whole = '0', fraction = ''] = (isNegative ? text.slice(1) : text).split('.')
  const left = whole.padStart(Math.ceil(whole.length / BASE_DIGITS) * BASE_DIGITS, '0')
  const right = fraction.padEnd(Math.ceil(fraction.length / BASE_DIGITS) * BASE_DIGITS, '0')
  const all = left + right
  const digits: number[] = []
  for (let i = 0; i < all.length; i += BASE_DIGITS)
    digits.push(Number(all.slice(i, i + BASE_DIGITS)))
  let weight = left.length / BASE_DIGITS - 1
  while (digits.length > 0 && digits[0] === 0) {
    digits.shift()
    weight--
  }
  while (digits.at(-1) === 0) digits.pop()
  if (digits.length === 0) weight = 0
  const length = 8 + digits.length * 2
  out.ensure(length)
  const { buf, at } = out
  buf.writeInt16BE(digits.length, at)
  buf.writeInt16BE(weight, at + 2)
  buf.writeUInt16BE(isNegative && digits.length > 0 ? NEGATIVE : 0, at + 4)
  buf.writeUInt16BE(fraction.length, at + 6)
  for (const [i, digit] of digits.entries()) buf.writeInt16BE(digit, at + 8 + i * 2)
  out.at = at + length
  return length
}
