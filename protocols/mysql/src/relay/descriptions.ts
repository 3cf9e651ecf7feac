/**
 * From column definitions to columns and masks, once per admission and description: a statement that runs again
 * is described by the same bytes again, and comparing them costs less than reading them.
 */
import { ByteWriter, ownCopy, writeRange } from '../bytes.ts'
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

/** A result as the server described it. */
export interface Described {
  readonly columns: readonly ColumnDefinition[]
  readonly format: 'text' | 'binary'
  /** Null: its rows pass as they are. */
  readonly plan: MaskPlan | null
}

interface Known extends Described {
  readonly result: number
  /** The definitions' packets, as they were sent. */
  readonly bytes: Buffer
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

  /** What the definitions added say of a result. Throws where there are none. */
  of(admission: Admission, result: number, format: 'text' | 'binary'): Described {
    const bytes = this.#bytes?.view()
    if (bytes === undefined || bytes.length === 0) throw undescribed()
    const known = this.#known.get(admission)
    if (
      known !== undefined &&
      known.result === result &&
      known.format === format &&
      known.bytes.equals(bytes)
    ) {
      return known
    }
    const columns = this.#decode(bytes)
    const plan = admission.masked ? this.#planFor(admission, result, columns, format) : null
    const described = { result, format, bytes: ownCopy(bytes), columns, plan }
    this.#known.set(admission, described)
    return described
  }

  #planFor(
    admission: Admission,
    result: number,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): MaskPlan | null {
    const masks = this.#state.gatekeeper.masksFor(admission, result, columns, format)
    if (masks === null) return null
    if (masks.length !== columns.length) {
      const what = `${masks.length} masks for ${columns.length} columns`
      throw new ProtocolError('mask-contract', 'local', what)
    }
    return { masks, types: Uint8Array.from(columns, (column) => column.type) }
  }

  #decode(bytes: Buffer): ColumnDefinition[] {
    const kept = ownCopy(bytes)
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
  return new ProtocolError(
    'undescribed-rows',
    'local',
    'rows to be masked or recorded came undescribed',
  )
}
