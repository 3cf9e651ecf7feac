/**
 * What a cell holds, by the type its result metadata names, and how that type is written in each format.
 * PostgreSQL: pg_type.dat (18); MySQL and MariaDB: mysql-types.ts. Types not listed have no constant that is sure
 * to decode, so a masked cell of one becomes NULL.
 */
import { hasBinaryForm, mysqlTypeInfo } from './mysql-types.ts'
import {
  bytes,
  info,
  JSON_TEXT,
  OPAQUE,
  plain,
  REDACTED,
  TEXT,
  type TypeInfo,
  zeros,
} from './type-info.ts'

export interface CellType {
  readonly engine: 'postgres' | 'mysql' | 'mariadb'
  /** PostgreSQL: type OID. MySQL, MariaDB: column type code of the column definition. */
  readonly typeId: number
  /**
   * PostgreSQL: needed only for types without a fixed OID (`citext`). MySQL, MariaDB: what the code does not tell
   * (`enum`, `set`, `json`, `uuid`, `point`, …).
   */
  readonly typeName?: string
  readonly format: 'text' | 'binary'
  /** MySQL: the UNSIGNED flag. */
  readonly unsigned?: boolean
  /** The base type of a domain. */
  readonly base?: CellType
  /** The element type of an array that is not built in. */
  readonly element?: CellType
}

/** 1900-01-01 in days from 2000-01-01. */
const EPOCH_1900_DAYS = -36_524
const MICROS_PER_DAY = 86_400_000_000n

const int32 = (value: number): Buffer => {
  const buffer = zeros(4)
  buffer.writeInt32BE(value)
  return buffer
}
const int64 = (value: bigint): Buffer => {
  const buffer = zeros(8)
  buffer.writeBigInt64BE(value)
  return buffer
}
const double = (...values: number[]): Buffer => {
  const buffer = zeros(values.length * 8)
  values.forEach((value, i) => {
    buffer.writeDoubleBE(value, i * 8)
  })
  return buffer
}

const INT4 = info('int4', '0', 4)
const INT8 = info('int8', '0', 8)
const RANGE = plain('empty', Buffer.of(1))
const MULTIRANGE = plain('{}', 4)
const OID = plain('0', 4)
/** regclass and its kin print `-` for 0. */
const REG = plain('-', 4)

const POSTGRES: ReadonlyMap<number, TypeInfo> = new Map<number, TypeInfo>([
  [16, plain('f', 1)],
  [17, info('bytea', `\\x${bytes(REDACTED).toString('hex')}`, bytes(REDACTED))],
  [18, info('char', '*', bytes('*'))],
  [19, TEXT],
  [20, INT8],
  [21, info('int2', '0', 2)],
  [22, plain('', Buffer.concat([int32(0), int32(0), int32(21)]))],
  [23, INT4],
  [24, REG],
  [25, TEXT],
  [26, OID],
  [27, plain('(0,0)', 6)],
  [28, OID],
  [29, OID],
  [30, plain('', Buffer.concat([int32(0), int32(0), int32(26)]))],
  [114, info('json', JSON_TEXT, bytes(JSON_TEXT))],
  [142, plain('<redacted/>', bytes('<redacted/>'))],
  [600, plain('(0,0)', 16)],
  [601, plain('[(0,0),(0,0)]', 32)],
  [602, plain('((0,0))', Buffer.concat([Buffer.of(1), int32(1), double(0, 0)]))],
  [603, plain('(0,0),(0,0)', 32)],
  [604, plain('((0,0))', Buffer.concat([int32(1), double(0, 0)]))],
  [628, plain('{1,0,0}', double(1, 0, 0))],
  [650, plain('0.0.0.0/32', Buffer.of(2, 32, 1, 4, 0, 0, 0, 0))],
  [700, info('float4', '0', 4)],
  [701, info('float8', '0', 8)],
  [705, TEXT],
  [718, plain('<(0,0),0>', 24)],
  [774, plain('00:00:00:00:00:00:00:00', 8)],
  [790, plain('$0.00', 8)],
  [829, plain('00:00:00:00:00:00', 6)],
  [869, plain('0.0.0.0', Buffer.of(2, 32, 0, 4, 0, 0, 0, 0))],
  [1042, info('bpchar', REDACTED, bytes(REDACTED))],
  [1043, TEXT],
  [1082, info('date', '1900-01-01', int32(EPOCH_1900_DAYS))],
  [1083, plain('00:00:00', 8)],
  [1114, info('timestamp', '1900-01-01 00:00:00', int64(BigInt(EPOCH_1900_DAYS) * MICROS_PER_DAY))],
  [
    1184,
    info('timestamptz', '1900-01-01 00:00:00+00', int64(BigInt(EPOCH_1900_DAYS) * MICROS_PER_DAY)),
  ],
  [1186, plain('00:00:00', 16)],
  [1266, plain('00:00:00+00', 12)],
  [1560, plain('0', Buffer.concat([int32(1), Buffer.of(0)]))],
  [1562, plain('0', Buffer.concat([int32(1), Buffer.of(0)]))],
  [1700, info('numeric', '0', 8)],
  [1790, TEXT],
  [2202, REG],
  [2203, REG],
  [2204, REG],
  [2205, REG],
  [2206, REG],
  [2275, TEXT],
  [2278, plain('', 0)],
  [2950, info('uuid', '00000000-0000-0000-0000-000000000000', 16)],
  [3220, plain('0/0', 8)],
  [3614, plain('', 4)],
  [3615, plain('', 4)],
  [3734, REG],
  [3769, REG],
  [3802, info('jsonb', JSON_TEXT, Buffer.concat([Buffer.of(1), bytes(JSON_TEXT)]))],
  [3904, RANGE],
  [3906, RANGE],
  [3908, RANGE],
  [3910, RANGE],
  [3912, RANGE],
  [3926, RANGE],
  [4072, plain('$', Buffer.concat([Buffer.of(1), bytes('$')]))],
  [4089, REG],
  [4096, REG],
  [4191, REG],
  [4451, MULTIRANGE],
  [4532, MULTIRANGE],
  [4533, MULTIRANGE],
  [4534, MULTIRANGE],
  [4535, MULTIRANGE],
  [4536, MULTIRANGE],
  [5069, plain('0', 8)],
])

/** Array OID → element OID. */
const ARRAYS: ReadonlyMap<number, number> = new Map([
  [143, 142], [199, 114], [629, 628], [651, 650], [719, 718], [775, 774], [791, 790], [1000, 16], [1001, 17],
  [1002, 18], [1003, 19], [1005, 21], [1006, 22], [1007, 23], [1008, 24], [1009, 25], [1010, 27], [1011, 28],
  [1012, 29], [1013, 30], [1014, 1042], [1015, 1043], [1016, 20], [1017, 600], [1018, 601], [1019, 602],
  [1020, 603], [1021, 700], [1022, 701], [1027, 604], [1028, 26], [1040, 829], [1041, 869], [1115, 1114],
  [1182, 1082], [1183, 1083], [1185, 1184], [1187, 1186], [1231, 1700], [1263, 2275], [1270, 1266],
  [1561, 1560], [1563, 1562], [2201, 1790], [2207, 2202], [2208, 2203], [2209, 2204], [2210, 2205],
  [2211, 2206], [2951, 2950], [3221, 3220], [3643, 3614], [3645, 3615], [3735, 3734], [3770, 3769],
  [3807, 3802], [3905, 3904], [3907, 3906], [3909, 3908], [3911, 3910], [3913, 3912], [3927, 3926],
  [4073, 4072], [4090, 4089], [4097, 4096], [4192, 4191], [6150, 4451], [6151, 4532], [6152, 4533],
  [6153, 4534], [6155, 4535], [6157, 4536], [271, 5069],
]) // biome-ignore format: a table of pairs

function arrayInfo(element: number, delimiter: string): TypeInfo {
  return {
    ...info('array', '{}', Buffer.concat([int32(0), int32(0), uint32(element)])),
    element,
    delimiter,
  }
}
const uint32 = (value: number): Buffer => {
  const buffer = zeros(4)
  buffer.writeUInt32BE(value >>> 0)
  return buffer
}

/** Never throws: what is not known is opaque. */
export function typeInfo(cell: CellType): TypeInfo {
  if (cell.base !== undefined) return typeInfo(cell.base)
  if (cell.engine !== 'postgres') {
    return mysqlTypeInfo(cell.typeId, cell.typeName, cell.unsigned === true)
  }
  const known = POSTGRES.get(cell.typeId)
  if (known !== undefined) return known
  const element = ARRAYS.get(cell.typeId)
  if (element !== undefined) return arrayInfo(element, element === 603 ? ';' : ',')
  if (cell.element !== undefined) return arrayInfo(cell.element.typeId, ',')
  return cell.typeName === 'citext' ? TEXT : OPAQUE
}

/** The form its bytes have: most types of MySQL have but one. */
export function formOf({ engine, format, typeId }: CellType): CellType['format'] {
  return engine === 'postgres' || hasBinaryForm(typeId) ? format : 'text'
}

/** Every type with a constant, for tests and documentation. */
export const POSTGRES_TYPES: readonly number[] = [...POSTGRES.keys(), ...ARRAYS.keys()]
