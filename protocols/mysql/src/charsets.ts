/**
 * Which collation ids stand for a character set in which a byte below 0x80 is always that ASCII character.
 * Only in those can a statement's text be read by its bytes: in gbk, big5, sjis, cp932 or gb18030 the second
 * byte of a character may be a backslash or a quote, which the server skips and a reader of bytes would not.
 *
 * Ids: information_schema.COLLATIONS of MySQL 9 and MariaDB 11.
 */

/** The character sets a session may use, by the servers' names. `binary` is not among them: no client talks it by itself. */
export type ClientCharset = 'utf8mb4' | 'utf8mb3' | keyof typeof SINGLE_BYTE

/** One byte a character, ASCII below 0x80; with their collations. */
const SINGLE_BYTE = {
  ascii: [11, 65],
  latin1: [5, 8, 15, 31, 47, 48, 49, 94],
  latin2: [2, 9, 21, 27, 77],
  latin5: [30, 78],
  latin7: [20, 41, 42, 79],
  cp1250: [26, 34, 44, 66, 99],
  cp1251: [14, 23, 50, 51, 52],
  cp1256: [57, 67],
  cp1257: [29, 58, 59],
  cp866: [36, 68],
  koi8r: [7, 74],
  koi8u: [22, 75],
  macroman: [39, 53],
} as const

const SINGLE_BYTE_BY_ID: ReadonlyMap<number, ClientCharset> = new Map(
  // Safe: the keys of a literal are its own.
  (Object.keys(SINGLE_BYTE) as (keyof typeof SINGLE_BYTE)[]).flatMap((charset) =>
    SINGLE_BYTE[charset].map((id) => [id, charset] as const),
  ),
)
const UTF8MB3: ReadonlySet<number> = new Set([33, 76, 83, 223])
const UTF8MB4: ReadonlySet<number> = new Set([45, 46])

/** MariaDB's collations without padding have the id of the one with it, plus this. */
const MARIADB_NOPAD = 1024

/** utf8mb4_general_ci: in every server of either kind. */
export const UTF8MB4_GENERAL_CI = 45
const UTF8MB3_GENERAL_CI = 33

export function isClientCharset(name: string): name is ClientCharset {
  return name === 'utf8mb4' || name === 'utf8mb3' || Object.hasOwn(SINGLE_BYTE, name)
}

/** A collation of it, with an id of 8 bits. */
export function collationOf(charset: ClientCharset): number {
  if (charset === 'utf8mb4') return UTF8MB4_GENERAL_CI
  if (charset === 'utf8mb3') return UTF8MB3_GENERAL_CI
  return SINGLE_BYTE[charset][0]
}

/**
 * The character set of a collation id (that of a handshake has 8 bits, that of COM_CHANGE_USER 16), or null
 * where it is none a session may use.
 */
export function clientCharset(collation: number): ClientCharset | null {
  const id =
    collation >= MARIADB_NOPAD && collation < 2 * MARIADB_NOPAD
      ? collation - MARIADB_NOPAD
      : collation
  if (UTF8MB4.has(id) || (id >= 224 && id <= 247) || (id >= 255 && id <= 323)) return 'utf8mb4'
  // MariaDB: utf8mb3 576…, utf8mb4 608… with the Croatian, Myanmar and Thai rules; 2048… the UCA 14.0.0 ones.
  if (id >= 608 && id <= 610) return 'utf8mb4'
  if (id >= 2048 && id < 2304) return 'utf8mb3'
  if (id >= 2304 && id < 2560) return 'utf8mb4'
  if (UTF8MB3.has(id) || (id >= 192 && id <= 215) || (id >= 576 && id <= 578)) return 'utf8mb3'
  return SINGLE_BYTE_BY_ID.get(id) ?? null
}
