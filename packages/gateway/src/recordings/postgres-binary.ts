/**
 * Values in PostgreSQL's binary form as the text the server would have sent; `\x` and hex for types not
 * listed. For showing to people, not for computing with.
 *
 * https://www.postgresql.org/docs/18/protocol-overview.html (formats), src/backend/utils/adt (…send)
 */

/** Microseconds between 1970 and 2000, from which timestamps count. */
const EPOCH_MICROS = 946_684_800_000_000n
const DAY_MS = 86_400_000
const EPOCH_DAYS = 10_957
const INFINITE = 0x7fff_ffff_ffff_ffffn

const readers: Readonly<Record<number, (value: Buffer) => string>> = {
  16: (value) => (value[0] === 1 ? 't' : 'f'),
  17: hex,
  18: utf8,
  19: utf8,
  20: (value) => String(value.readBigInt64BE()),
  21: (value) => String(value.readInt16BE()),
  23: (value) => String(value.readInt32BE()),
  25: utf8,
  26: (value) => String(value.readUInt32BE()),
  114: utf8,
  142: utf8,
  700: (value) => String(Number(value.readFloatBE().toPrecision(7))),
  701: (value) => String(value.readDoubleBE()),
  1042: utf8,
  1043: utf8,
  1082: (value) => dayText(value.readInt32BE()),
  1114: (value) => momentText(value.readBigInt64BE(), ''),
  1184: (value) => momentText(value.readBigInt64BE(), '+00'),
  1700: numericText,
  2950: (value) =>
    value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  3802: (value) => value.toString('utf8', 1),
}

export function binaryText(type: number, value: Buffer): string {
  const read = readers[type]
  if (read === undefined) return hex(value)
  try {
    return read(value)
  } catch {
    // Shorter than its type: shown as it came.
    return hex(value)
  }
}

function utf8(value: Buffer): string {
  return value.toString('utf8')
}

function hex(value: Buffer): string {
  return `\\x${value.toString('hex')}`
}

function dayText(days: number): string {
  if (days === 0x7fffffff) return 'infinity'
  if (days === -0x80000000) return '-infinity'
  return isoOf((days + EPOCH_DAYS) * DAY_MS).slice(0, 10)
}

function momentText(micros: bigint, zone: string): string {
  if (micros === INFINITE) return 'infinity'
  if (micros === -INFINITE - 1n) return '-infinity'
  const since1970 = micros + EPOCH_MICROS
  const ms = since1970 / 1000n - (since1970 % 1000n < 0n ? 1n : 0n)
  const rest = Number(since1970 - ms * 1000n)
  const iso = isoOf(Number(ms))
  const fraction = `${iso.slice(20, 23)}${String(rest).padStart(3, '0')}`.replace(/0+$/, '')
  return `${iso.slice(0, 19).replace('T', ' ')}${fraction === '' ? '' : `.${fraction}`}${zone}`
}

/** As toISOString, for the years it writes in four digits. @throws RangeError */
function isoOf(ms: number): string {
  const iso = new Date(ms).toISOString()
  if (!/^\d{4}-/.test(iso)) throw new RangeError('a year beyond four digits')
  return iso
}

/** numeric_send: number of base-10000 digits, weight of the first, sign, digits after the point, digits. */
function numericText(value: Buffer): string {
  const count = value.readUInt16BE(0)
  const weight = value.readInt16BE(2)
  const sign = value.readUInt16BE(4)
  const scale = value.readUInt16BE(6)
  if (sign === 0xc000) return 'NaN'
  if (sign === 0xd000) return 'Infinity'
  if (sign === 0xf000) return '-Infinity'
  const digit = (i: number): string => {
    const known = i >= 0 && i < count
    return String(known ? value.readUInt16BE(8 + i * 2) : 0).padStart(4, '0')
  }
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += digit(i)
  let fraction = ''
  for (let i = weight + 1; fraction.length < scale; i++) fraction += digit(i)
  const text = whole.replace(/^0+(?=\d)/, '') || '0'
  return `${sign === 0x4000 ? '-' : ''}${text}${scale === 0 ? '' : `.${fraction.slice(0, scale)}`}`
}
