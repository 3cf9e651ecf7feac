/**
 * From column definitions to masks, once per admission and description: a statement that runs again is
 * described by the same bytes again, and comparing them costs less than reading them.
 */
import { ByteWriter, writeRange } from '../bytes.ts'
import type { CellMask } from '../cell-mask.ts'
import { type ColumnDefinition, decodeColumn } from '../columns.ts'
import { ProtocolError } from '../errors.ts'
import { DESCRIPTION_BYTES_MAX } from '../limits.ts'
import { HEADER_BYTES, packetLength } from '../packets.ts'
import type { Admission } from './gatekeeper.ts'
import type { RelayState } from './state.ts'

export interface MaskPlan {
  /** One mask or null per column. */
  readonly masks: readonly (CellMask | null)[]
  /** One of TYPE per column. */
  readonly types: Uint8Array
}

interface Known {
  readonly result: number
  readonly format: 'text' | 'binary'
  /** The definitions' packets, as they were sent. */
  readonly bytes: Buffer
  readonly plan: MaskPlan | null
}

export class Descriptions {
  readonly #state: RelayState
  readonly #known = new WeakMap<Admission, Known>()
  #bytes: ByteWriter | null = null

  constructor(state: RelayState) {
    this.#state = state
  }

  clear(): void {
    if (this.#bytes !== null) this.#bytes.at = 0
  }

  /** Column definitions, whole packets in `buf[start, end)`. */
  add(buf: Buffer, start: number, end: number): void {
    this.#bytes ??= new ByteWriter({ bytesMax: DESCRIPTION_BYTES_MAX })
    if (this.#bytes.at + end - start > DESCRIPTION_BYTES_MAX) {
      throw new ProtocolError('too-large', 'remote', 'column definitions over the cap')
    }
    writeRange(this.#bytes, buf, start, end)
  }

  /** The masks for what has been added; null: rows pass as they are. */
  planFor(admission: Admission, result: number, format: 'text' | 'binary'): MaskPlan | null {
    const bytes = this.#bytes?.view()
    if (bytes === undefined || bytes.length === 0) throw undescribed()
    const known = this.#known.get(admission)
    if (
      known !== undefined &&
      known.result === result &&
      known.format === format &&
      known.bytes.equals(bytes)
    ) {
      return known.plan
    }
    const columns = this.#decode(bytes)
    const masks = this.#state.gatekeeper.masksFor(admission, result, columns, format)
    if (masks !== null && masks.length !== columns.length) {
      const what = `${masks.length} masks for ${columns.length} columns`
      throw new ProtocolError('mask-contract', 'local', what)
    }
    const types = Uint8Array.from(columns, (column) => column.type)
    const plan = masks === null ? null : { masks, types }
    this.#known.set(admission, { result, format, bytes: Buffer.from(bytes), plan })
    return plan
  }

  #decode(bytes: Buffer): ColumnDefinition[] {
    const kept = Buffer.from(bytes)
    const columns: ColumnDefinition[] = []
    for (let at = 0; at < kept.length; ) {
      const start = at + HEADER_BYTES
      at = start + packetLength(kept, at)
      columns.push(decodeColumn(kept.subarray(start, at), this.#state.capabilities))
    }
    return columns
  }
}

export function undescribed(): ProtocolError {
  return new ProtocolError('undescribed-rows', 'local', 'rows to be masked came undescribed')
}
