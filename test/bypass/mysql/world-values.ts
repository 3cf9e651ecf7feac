/** The protected values of the two worlds on MySQL and MariaDB: see `../world-values.ts` for what they share. */
import { randomBytes, randomInt } from 'node:crypto'
import {
  at,
  digits,
  endings,
  initials,
  letter,
  type ProtectedColumn,
  perRow,
  rank,
  type WorldName,
  word,
} from '../world-values.ts'

const hex = (bytes: Buffer): string => `X'${bytes.toString('hex')}'`
const quoted = (text: string): string => `'${text}'`

/** Values are literals as MySQL reads them. Order: as in the table. */
export const PROTECTED: readonly ProtectedColumn[] = [
  {
    name: 'ssn',
    type: 'VARCHAR(40) UNIQUE',
    a: (row) => quoted(`${letter('a', row)}${word(9)}-(${word(5)}${at(endings, row)}`),
    b: (row) => quoted(`${rank('b', row)}${digits(3)}${at(endings, row)}`),
  },
  {
    name: 'email',
    type: 'VARCHAR(60) UNIQUE',
    a: (row) => quoted(`${at(initials, row)}${word(9)}@${word(7)}.example`),
    b: (row) => quoted(`${at(initials, row)}${word(3)}@${word(2)}.example`),
  },
  {
    name: 'phone',
    type: 'VARCHAR(40)',
    a: (row) => quoted(`+${letter('a', row)}${word(11)}${at(endings, row)}`),
    b: (row) => quoted(`${rank('b', row)}${digits(4)}${at(endings, row)}`),
  },
  {
    name: 'salary',
    type: 'INT',
    a: (row) => String(41_000_000 + row * 1_000_000 + 100_000 + randomInt(800_000)),
    b: (row) => String(rank('b', row)),
  },
  {
    name: 'balance',
    type: 'DECIMAL(24,6)',
    a: (row) => `${row}${digits(11)}.${digits(5)}7`,
    b: (row) => `-${row}`,
  },
  {
    name: 'big',
    type: 'BIGINT',
    a: (row) => `${row}${digits(14)}7`,
    // Equal to no salary: whether columns that are masked alike are equal may be asked.
    b: (row) => String(500 + rank('b', row) * 3),
  },
  {
    name: 'score',
    type: 'DOUBLE',
    a: (row) => `${row}${digits(6)}.${digits(5)}7`,
    // Which values are alike is the same in both worlds: that is told.
    b: (row) => `0.${rank('b', row)}5`,
  },
  {
    name: 'born',
    type: 'DATE',
    a: (row) => quoted(`19${40 + row}-0${1 + randomInt(9)}-${11 + randomInt(17)}`),
    b: (row) => quoted(`19${40 + row}-12-0${rank('b', row)}`),
  },
  {
    name: 'seen',
    type: 'DATETIME(6)',
    a: (row) =>
      quoted(`2003-0${row}-1${randomInt(9)} 11:2${randomInt(9)}:3${randomInt(9)}.${digits(5)}7`),
    b: (row) => quoted(`1999-01-0${rank('b', row)} 00:00:00`),
  },
  {
    name: 'stamp',
    type: 'TIMESTAMP(6) NULL',
    a: (row) =>
      quoted(`2004-0${row}-1${randomInt(9)} 12:2${randomInt(9)}:3${randomInt(9)}.${digits(5)}7`),
    b: (row) => quoted(`1999-01-0${rank('b', row)} 00:00:00`),
  },
  {
    name: 'clock',
    type: 'TIME(6)',
    a: (row) => quoted(`1${row}:2${randomInt(9)}:3${randomInt(9)}.${digits(5)}7`),
    b: (row) => quoted(`00:00:0${rank('b', row)}`),
  },
  {
    name: 'raw',
    type: 'VARBINARY(40)',
    a: (row) => hex(Buffer.concat([Buffer.from([0xf0 + row, 0xff]), randomBytes(14)])),
    b: (row) => hex(Buffer.from(`${rank('b', row)}b`)),
  },
  {
    name: 'paper',
    type: 'TEXT',
    a: (row) => quoted(`${letter('a', row)}${word(9)} ${word(12)}`),
    b: (row) => quoted(`w${rank('b', row)}`),
  },
  {
    name: 'profile',
    type: 'JSON',
    a: (row) =>
      quoted(
        `{"phone": "${letter('a', row)}${word(11)}", "n": ${digits(7)}7, "list": ["${word(8)}", 1], "open": "shown"}`,
      ),
    b: (row) => quoted(`{"phone": "${rank('b', row)}", "n": ${row}, "list": [], "open": "shown"}`),
  },
  {
    name: 'doc',
    type: 'JSON',
    a: () => quoted(`{"deep": {"secret": "${word(12)}"}}`),
    b: () => quoted('[1, 2]'),
  },
  {
    name: 'iban',
    type: 'CHAR(30)',
    a: (row) => quoted(`${letter('a', row)}${word(15)}`),
    b: (row) => quoted(`IBAN${rank('b', row)}`),
  },
  {
    name: 'mood',
    type: "ENUM('calm', 'merry', 'gloomy')",
    a: (row) => (row % 2 === 0 ? "'gloomy'" : "'merry'"),
    b: (row) => (row % 2 === 0 ? "'merry'" : "'calm'"),
  },
  {
    name: 'marks',
    type: "SET('north', 'south', 'east')",
    a: (row) => (row % 2 === 0 ? "'north,east'" : "'south'"),
    b: (row) => (row % 2 === 0 ? "'south'" : "''"),
  },
  {
    name: 'flags',
    type: 'BIT(48)',
    a: () => hex(Buffer.concat([Buffer.of(0x80), randomBytes(5)])),
    b: (row) => String(rank('b', row)),
  },
  {
    name: 'place',
    type: 'GEOMETRY',
    a: (row) => `ST_GeomFromText('POINT(${row}${digits(6)}.25 ${digits(6)}7.5)')`,
    b: (row) => `ST_GeomFromText('POINT(${rank('b', row)} 0)')`,
  },
  {
    name: 'active',
    type: 'BOOLEAN',
    a: (row) => String(row % 2),
    b: (row) => String((row + 1) % 2),
  },
]

/** Few values, or the same in the metadata of both worlds: no evidence in bytes. */
export const NO_CANARY: ReadonlySet<string> = new Set(['mood', 'marks', 'active'])

export interface Values {
  /** Literals by column, one per filled row. */
  readonly columns: ReadonlyMap<string, readonly string[]>
  /** Literals. */
  readonly cards: readonly string[]
}

export function valuesOf(world: WorldName): Values {
  const columns = new Map(PROTECTED.map((column) => [column.name, perRow(column[world])]))
  const cards = perRow((row) =>
    quoted(
      world === 'a'
        ? `${word(12)}${at(endings, row)}`
        : `${rank('b', row)}${digits(4)}${at(endings, row)}`,
    ),
  )
  return { columns, cards }
}
