/**
 * What cells of MySQL and MariaDB hold: by name where the type code does not tell enough, else by the code of the
 * column definition (enum_field_types). Numbers and times have a binary form of their own in the rows of
 * prepared statements; everything else is written as in text rows.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
 */
import { bytes, info, JSON_TEXT, OPAQUE, type Shape, TEXT, type TypeInfo } from './type-info.ts'

const little = (shape: Shape, text: string, binary: Buffer | number): TypeInfo => ({
  ...info(shape, text, binary),
  littleEndian: true,
})
/** The same bytes in both kinds of rows. */
const same = (shape: Shape, text: string): TypeInfo => info(shape, text, bytes(text))

/** 1900-01-01: year (little-endian), month, day; the length byte in front is not part of the cell. */
const YEAR_1900 = Buffer.of(0x6c, 0x07, 1, 1)
const DATETIME = little('timestamp', '1900-01-01 00:00:00', YEAR_1900)
const DECIMAL = same('numeric', '0')
const JSON_DOCUMENT = same('json', JSON_TEXT)
/** The empty string is what the server itself has for a value that is none of the list, and the empty set. */
const EMPTY = same('plain', '')

/** Their codes: decimal 0 and 246, tiny 1, short 2, long 3, float 4, double 5, … */
const BY_CODE: ReadonlyMap<number, TypeInfo> = new Map([
  [0, DECIMAL],
  [1, little('int1', '0', 1)],
  [2, little('int2', '0', 2)],
  [3, little('int4', '0', 4)],
  [4, little('float4', '0', 4)],
  [5, little('float8', '0', 8)],
  [7, DATETIME],
  [8, little('int8', '0', 8)],
  // INT24: four bytes in binary rows.
  [9, little('int4', '0', 4)],
  [10, little('date', '1900-01-01', YEAR_1900)],
  [11, little('plain', '00:00:00', 0)],
  [12, DATETIME],
  [13, little('plain', '1901', Buffer.of(0x6d, 0x07))],
  [15, TEXT],
  [16, same('plain', '\0')],
  // VECTOR: one dimension, 0.0.
  [242, same('plain', '\0\0\0\0')],
  [245, JSON_DOCUMENT],
  [246, DECIMAL],
  [247, EMPTY],
  [248, EMPTY],
  [249, TEXT],
  [250, TEXT],
  [251, TEXT],
  [252, TEXT],
  [253, TEXT],
  [254, TEXT],
  [255, geometry(1, 16)],
])

/** SRID 0, byte order, kind, then `rest` zero bytes: the coordinates of a point, or a count of 0. */
function geometry(kind: number, rest: number): TypeInfo {
  return same('plain', `\0\0\0\0\u0001${String.fromCharCode(kind)}\0\0\0${'\0'.repeat(rest)}`)
}

/** Codes under which a named type comes: strings and blobs, or its own. */
const TEXTS: ReadonlySet<number> = new Set([15, 245, 249, 250, 251, 252, 253, 254])
const LISTS: ReadonlySet<number> = new Set([247, 248, 254])
const PLACES: ReadonlySet<number> = new Set([255])
const VECTORS: ReadonlySet<number> = new Set([15, 242, 252, 253, 254])

interface Named {
  readonly info: TypeInfo
  readonly codes: ReadonlySet<number>
}

const named = (info: TypeInfo, codes: ReadonlySet<number>): Named => ({ info, codes })

/** Names as information_schema and MariaDB's extended metadata have them. */
const BY_NAME: ReadonlyMap<string, Named> = new Map([
  ['enum', named(EMPTY, LISTS)],
  ['set', named(EMPTY, LISTS)],
  ['json', named(JSON_DOCUMENT, TEXTS)],
  ['uuid', named(same('uuid', '00000000-0000-0000-0000-000000000000'), TEXTS)],
  ['inet4', named(same('plain', '0.0.0.0'), TEXTS)],
  ['inet6', named(same('plain', '::'), TEXTS)],
  ['vector', named(same('plain', '\0\0\0\0'), VECTORS)],
  ['xmltype', named(same('plain', '<redacted/>'), TEXTS)],
  ['geometry', named(geometry(1, 16), PLACES)],
  ['point', named(geometry(1, 16), PLACES)],
  ['linestring', named(geometry(2, 4), PLACES)],
  ['polygon', named(geometry(3, 4), PLACES)],
  ['multipoint', named(geometry(4, 4), PLACES)],
  ['multilinestring', named(geometry(5, 4), PLACES)],
  ['multipolygon', named(geometry(6, 4), PLACES)],
  ['geomcollection', named(geometry(7, 4), PLACES)],
  ['geometrycollection', named(geometry(7, 4), PLACES)],
])

/** Never throws: what is not known is opaque. A name that does not go with the code is not believed. */
export function mysqlTypeInfo(code: number, name: string | undefined, unsigned: boolean): TypeInfo {
  const told = name === undefined ? undefined : BY_NAME.get(name)
  const known = (told?.codes.has(code) === true ? told.info : BY_CODE.get(code)) ?? OPAQUE
  return unsigned ? { ...known, unsigned } : known
}

/** Does a binary row hold it in a form of its own? */
export function hasBinaryForm(code: number): boolean {
  return BY_CODE.get(code)?.littleEndian === true
}

export const MYSQL_TYPES: readonly number[] = [...BY_CODE.keys()]
export const MYSQL_TYPE_NAMES: readonly string[] = [...BY_NAME.keys()]
