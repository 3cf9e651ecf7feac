/**
 * The protected values of the two worlds that attacks run in: unguessable in world `a`, other in every way
 * that could be observed (length, order, sign, whether a cast succeeds, whether it is UTF-8) in world `b`.
 * Equal in both is only what a mask may show: which values are NULL or equal to each other, the last four
 * characters of an ssn, the year of a birth date, ...
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'

export type WorldName = 'a' | 'b'

/** Letters that occur in no hexadecimal number, so that hashes never look like a value. */
const LETTERS = 'ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ'
export const word = (length: number): string =>
  Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('')
export const digits = (length: number): string =>
  Array.from({ length }, () => String(1 + randomInt(9))).join('')

/** Rows of `people`; the last two have NULL in every protected column that allows it. */
export const FILLED_ROWS = 6
export const NULL_ROWS = 2

export const perRow = <T>(make: (row: number) => T): readonly T[] =>
  Array.from({ length: FILLED_ROWS }, (_, index) => make(index + 1))
/** What both worlds show of a value under a partial mask. */
export const endings = perRow(() => digits(4))
export const initials = perRow((row) => 'ghijklm'[row] ?? 'g')
/** Sorted one way in `a` and the other way in `b`. */
export const rank = (world: WorldName, row: number): number =>
  world === 'a' ? row : FILLED_ROWS + 1 - row
export const letter = (world: WorldName, row: number): string =>
  'ghijklmnop'[rank(world, row)] ?? 'g'

export interface ProtectedColumn {
  readonly name: string
  readonly type: string
  readonly a: (row: number) => string
  readonly b: (row: number) => string
}

export const at = <T>(list: readonly T[], row: number): T => list[row - 1] as T
const hex = (bytes: Buffer): string => `\\x${bytes.toString('hex')}`

/** Values are literals without quotes. Order: as in the table. */
export const PROTECTED: readonly ProtectedColumn[] = [
  {
    name: 'ssn',
    type: 'text UNIQUE',
    a: (row) => `${letter('a', row)}${word(9)}-(${word(5)}${at(endings, row)}`,
    b: (row) => `${rank('b', row)}${digits(3)}${at(endings, row)}`,
  },
  {
    name: 'email',
    type: 'text UNIQUE',
    a: (row) => `${at(initials, row)}${word(9)}@${word(7)}.example`,
    b: (row) => `${at(initials, row)}${word(3)}@${word(2)}.example`,
  },
  {
    name: 'phone',
    type: 'varchar(40)',
    a: (row) => `+${letter('a', row)}${word(11)}${at(endings, row)}`,
    b: (row) => `${rank('b', row)}${digits(4)}${at(endings, row)}`,
  },
  {
    name: 'salary',
    type: 'int',
    a: (row) => String(41_000_000 + row * 1_000_000 + 100_000 + randomInt(800_000)),
    b: (row) => String(rank('b', row)),
  },
  {
    name: 'balance',
    type: 'numeric(24,6)',
    a: (row) => `${row}${digits(11)}.${digits(5)}7`,
    b: (row) => `-${row}`,
  },
  {
    name: 'big',
    type: 'bigint',
    a: (row) => `${row}${digits(14)}7`,
    b: (row) => String(rank('b', row) * 3),
  },
  {
    name: 'score',
    type: 'float8',
    a: (row) => `${row}${digits(6)}.${digits(5)}7`,
    b: (row) => `0.${rank('b', row)}`,
  },
  {
    name: 'born',
    type: 'date',
    a: (row) => `19${40 + row}-0${1 + randomInt(9)}-${11 + randomInt(17)}`,
    b: (row) => `19${40 + row}-12-0${rank('b', row)}`,
  },
  {
    name: 'seen',
    type: 'timestamptz',
    a: (row) =>
      `2003-0${row}-1${randomInt(9)} 11:2${randomInt(9)}:3${randomInt(9)}.${digits(5)}7+00`,
    b: (row) => `1999-01-0${rank('b', row)} 00:00:00+00`,
  },
  {
    name: 'uid',
    type: 'uuid',
    a: () => randomUUID(),
    b: (row) => `00000000-0000-4000-8000-00000000000${rank('b', row)}`,
  },
  {
    name: 'raw',
    type: 'bytea',
    a: (row) => hex(Buffer.concat([Buffer.from([0xf0 + row, 0xff]), randomBytes(14)])),
    b: (row) => hex(Buffer.from(`${rank('b', row)}b`)),
  },
  {
    name: 'profile',
    type: 'jsonb',
    a: (row) =>
      `{"phone": "${letter('a', row)}${word(11)}", "n": ${digits(7)}7, "list": ["${word(8)}", 1], "open": "shown"}`,
    b: (row) => `{"phone": "${rank('b', row)}", "n": ${row}, "list": [], "open": "shown"}`,
  },
  {
    name: 'doc',
    type: 'json',
    a: () => `{"deep": {"secret": "${word(12)}"}}`,
    b: () => `[1, 2]`,
  },
  {
    name: 'tags',
    type: 'text[]',
    a: (row) => `{${letter('a', row)}${word(9)},${word(9)}}`,
    b: (row) => `{${rank('b', row)},t}`,
  },
  {
    name: 'nums',
    type: 'int[]',
    a: (row) => `{${row}${digits(6)}7,${digits(6)}9${row % 2 === 0 ? ',1' : ''}}`,
    b: (row) => `{${rank('b', row)}}`,
  },
  {
    name: 'home',
    type: 'address',
    a: (row) => `("${word(10)} ${word(6)}",${letter('a', row)}${word(7)},${row}${digits(6)}7)`,
    b: (row) => `(x,${rank('b', row)},${row})`,
  },
  {
    name: 'iban',
    type: 'iban',
    a: (row) => `${letter('a', row)}${word(15)}`,
    b: (row) => `IBAN${rank('b', row)}`,
  },
  {
    name: 'mood',
    type: 'mood',
    a: (row) => (row % 2 === 0 ? 'gloomy' : 'merry'),
    b: (row) => (row % 2 === 0 ? 'merry' : 'calm'),
  },
  {
    name: 'span',
    type: 'int4range',
    a: (row) => `[${row}${digits(6)}7,${row + 1}${digits(7)}9)`,
    b: (row) => `[${rank('b', row)},9)`,
  },
  {
    name: 'ip',
    type: 'inet',
    a: (row) => `1${row}.${100 + randomInt(155)}.${100 + randomInt(155)}.${100 + randomInt(155)}`,
    b: (row) => `10.0.0.${rank('b', row)}`,
  },
  { name: 'page', type: 'xml', a: () => `<p q="${word(6)}">${word(12)}</p>`, b: () => '<a/>' },
  {
    name: 'terms',
    type: 'tsvector',
    a: () => `${word(10).toLowerCase()}:1 ${word(10).toLowerCase()}:2`,
    b: (row) => `w${rank('b', row)}:3`,
  },
  {
    name: 'pay',
    type: 'money',
    a: (row) => `${row}${digits(8)}.${digits(2)}`,
    b: (row) => String(rank('b', row)),
  },
  {
    name: 'dur',
    type: 'interval',
    a: (row) => `${row}${digits(5)}7 seconds`,
    b: (row) => `${rank('b', row)} days`,
  },
  {
    name: 'loc',
    type: 'point',
    a: (row) => `(${row}${digits(6)}.25,${digits(6)}7.5)`,
    b: (row) => `(${rank('b', row)},0)`,
  },
  {
    name: 'flags',
    type: 'varbit',
    a: () => randomBytes(4).reduce((bits, byte) => bits + byte.toString(2).padStart(8, '0'), '1'),
    b: (row) => '1'.repeat(rank('b', row)),
  },
  {
    name: 'mac',
    type: 'macaddr',
    a: () => hex(randomBytes(6)).slice(2),
    b: (row) => `00000000000${rank('b', row)}`,
  },
  {
    name: 'active',
    type: 'boolean',
    a: (row) => String(row % 2 === 0),
    b: (row) => String(row % 2 !== 0),
  },
]

export interface Values {
  /** Literals by column, one per filled row. */
  readonly columns: ReadonlyMap<string, readonly string[]>
  readonly cards: readonly string[]
}

export function valuesOf(world: WorldName): Values {
  const columns = new Map(PROTECTED.map((column) => [column.name, perRow(column[world])]))
  const cards = perRow((row) =>
    world === 'a'
      ? `${word(12)}${at(endings, row)}`
      : `${rank('b', row)}${digits(4)}${at(endings, row)}`,
  )
  return { columns, cards }
}
