/** What COM_STMT_SEND_LONG_DATA has brought, kept so that whoever decides an execution can look at it. */
import { LONG_DATA_KEPT_BYTES_MAX } from '../limits.ts'
import type { LongData } from '../parameters.ts'
import type { PreparedStatement } from './prepared-statement.ts'

/** A value that grows; doubling, because a client may send it byte by byte. */
export class KeptLongData implements LongData {
  #store: Buffer = Buffer.alloc(0)
  #length = 0
  cut = false

  get bytes(): Buffer {
    return this.#store.subarray(0, this.#length)
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#store.length) {
      const grown = Buffer.alloc(Math.max(length, this.#store.length * 2))
      this.#store.copy(grown, 0, 0, this.#length)
      this.#store = grown
    }
    this.#store.set(piece, this.#length)
    this.#length = length
  }
}

/** Keeps `piece` behind what has come of the parameter, up to LONG_DATA_KEPT_BYTES_MAX a statement. */
export function keepLongData(
  statement: PreparedStatement,
  parameter: number,
  piece: Uint8Array,
): void {
  const kept = Math.min(LONG_DATA_KEPT_BYTES_MAX - statement.longBytes, piece.length)
  statement.longBytes += kept
  statement.long ??= new Map()
  let value = statement.long.get(parameter)
  if (value === undefined) {
    value = new KeptLongData()
    statement.long.set(parameter, value)
  }
  value.append(piece.subarray(0, kept))
  if (kept < piece.length) value.cut = true
}

export function forgetLongData(statement: PreparedStatement): void {
  statement.long = null
  statement.longBytes = 0
}
