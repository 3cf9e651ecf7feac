/**
 * The rows of a COM_STMT_BULK_EXECUTE (MariaDB): one prepared statement, run for each row of parameters.
 *
 *     statement id: 4 | flags: 2 | types: n times type, flags (0x80 unsigned) | rows: n times indicator [, value]
 *
 * https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute
 */
import type { ByteSink } from '@sallyport/protocol-wire'
import { ByteReader, writeUint8, writeUint16, writeUint32 } from './bytes.ts'
import type { ColumnDefinition } from './columns.ts'
import { COM } from './commands.ts'
import { ProtocolError } from './errors.ts'
import { Parameters, type ParameterType, readTypes, writeTypes, writeValue } from './parameters.ts'

/** Flags of COM_STMT_BULK_EXECUTE. UNIT_RESULTS needs a capability: the reply has a row for each row of the batch. */
export const BULK_FLAG = { SEND_TYPES: 0x80, UNIT_RESULTS: 0x40 } as const
const FLAGS = BULK_FLAG.SEND_TYPES | BULK_FLAG.UNIT_RESULTS

/** In front of each value. What it gives DEFAULT and IGNORE, the server knows. */
export const INDICATOR = { NONE: 0, NULL: 1, DEFAULT: 2, IGNORE: 3 } as const

/** The columns of that result. */
const UNIT_COLUMNS = ['Id', 'Affected_rows']

/** Has a result the columns of the one that says what each row of a batch did? Another may be given them. */
export function areUnitColumns(columns: readonly ColumnDefinition[]): boolean {
  return (
    columns.length === UNIT_COLUMNS.length &&
    columns.every(({ name, orgTable }, i) => name === UNIT_COLUMNS[i] && orgTable === '')
  )
}

export interface BulkHead {
  readonly statementId: number
  readonly sendsTypes: boolean
  readonly unitResults: boolean
  /** Index behind the head: where the types or rows are. */
  readonly bodyStart: number
}

/** Reads `buf[start, end)`, a COM_STMT_BULK_EXECUTE behind its command byte. Throws ProtocolError. */
export function decodeBulkHead(buf: Buffer, start: number, end: number): BulkHead {
  const reader = new ByteReader(buf, start, end)
  const statementId = reader.uint32()
  const flags = reader.uint16()
  if ((flags & ~FLAGS) !== 0) {
    throw new ProtocolError('bad-value', 'remote', `flags ${flags} of COM_STMT_BULK_EXECUTE`)
  }
  return {
    statementId,
    sendsTypes: (flags & BULK_FLAG.SEND_TYPES) !== 0,
    unitResults: (flags & BULK_FLAG.UNIT_RESULTS) !== 0,
    bodyStart: reader.at,
  }
}

/** Valid, as everything it gives, as long as the bytes it was made of. */
export class BulkParameters {
  readonly types: readonly ParameterType[]
  /** How many there are. */
  readonly rows: number
  /** The reply ends with a result that says of each row what it did. */
  readonly unitResults: boolean
  readonly #buf: Buffer
  readonly #start: number
  readonly #end: number

  /**
   * Reads `buf[start, end)`, what is behind the head. `known`: types of the last execute, for one that brings none.
   * Throws ProtocolError where it is not laid out as the statement's parameters need.
   */
  constructor(
    buf: Buffer,
    start: number,
    end: number,
    layout: {
      readonly markers: number
      readonly sendsTypes: boolean
      readonly unitResults?: boolean
      readonly known: readonly ParameterType[] | null
    },
  ) {
    const { markers, sendsTypes, unitResults = false, known } = layout
    this.unitResults = unitResults
    const reader = new ByteReader(buf, start, end)
    const types = sendsTypes ? readTypes(reader, markers, false) : known
    if (types === null || types.length !== markers || markers === 0) {
      throw new ProtocolError('bad-value', 'remote', 'a batch without types of parameters')
    }
    this.types = types
    this.#buf = buf
    this.#start = reader.at
    this.#end = end
    let rows = 0
    const row = new Parameters()
    let at = this.#start
    do {
      at = row.decodeBulkRow(buf, at, end, types)
      rows++
    } while (at < end)
    this.rows = rows
  }

  /** One after the other, in the same object. */
  *[Symbol.iterator](): Generator<Parameters, undefined> {
    const row = new Parameters()
    for (let at = this.#start; at < this.#end; ) {
      at = row.decodeBulkRow(this.#buf, at, this.#end, this.types)
      yield row
    }
  }
}

/** Of one parameter of a row: its bytes, or what there is in place of them. */
export type BulkValue = Uint8Array | 'null' | 'default' | 'ignore'

/** Appends the payload of a COM_STMT_BULK_EXECUTE. `types`: sent with it, or those of the last execute. */
export function writeBulkExecute(
  out: ByteSink,
  statementId: number,
  types: { readonly sent: boolean; readonly all: readonly ParameterType[] },
  rows: readonly (readonly BulkValue[])[],
): void {
  writeUint8(out, COM.STMT_BULK_EXECUTE)
  writeUint32(out, statementId)
  writeUint16(out, types.sent ? BULK_FLAG.SEND_TYPES : 0)
  if (types.sent) writeTypes(out, types.all, false)
  for (const row of rows) {
    for (const [i, type] of types.all.entries()) {
      const value = row[i] ?? 'null'
      writeUint8(out, typeof value === 'string' ? OTHERS[value] : INDICATOR.NONE)
      if (typeof value !== 'string') writeValue(out, type.type, value)
    }
  }
}

const OTHERS = {
  null: INDICATOR.NULL,
  default: INDICATOR.DEFAULT,
  ignore: INDICATOR.IGNORE,
} as const
