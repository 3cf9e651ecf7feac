/**
 * From column definitions to columns and masks. A statement that runs again is described by the same bytes again, and
 * comparing them costs less than reading them: equal bytes give the same array of columns, so that what was made for
 * one (its masks) is found by identity. Sessions of one process share them, and each looks first at those it met last.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { ownCopy } from '@sallyport/protocol-wire'
import { ByteWriter, writeRange } from '../bytes.ts'
import type { Capabilities } from '../capabilities.ts'
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

/** Descriptions a session remembers, latest first. */
const DESCRIPTIONS_MAX = 4
/** Descriptions all sessions remember; beyond it they begin anew. */
const SHARED_DESCRIPTIONS_MAX = 1024
/** Longer ones are decoded each time, bytes. */
const REMEMBERED_BYTES_MAX = 4096

interface Description {
  /** The definitions' packets, as they were sent. */
  readonly bytes: Buffer
  readonly columns: readonly ColumnDefinition[]
  readonly types: Uint8Array
}

/** By capabilities and bytes, one character a byte. */
const SHARED = new Map<string, Description>()

interface Known extends Described {
  readonly admission: Admission
  readonly result: number
}

export class Descriptions {
  readonly #state: RelayState
  readonly #met: Description[] = []
  #latest: Known | null = null
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
    const added = this.#bytes
    if (added === null || added.at === 0) throw undescribed()
    const { columns, types } = this.#metBefore(added) ?? this.#meet(added.view())
    const latest = this.#latest
    if (
      latest?.admission === admission &&
      latest.result === result &&
      latest.format === format &&
      latest.columns === columns
    ) {
      return latest
    }
    const masks = admission.masked ? this.#masksFor(admission, result, columns, format) : null
    const plan = masks === null ? null : { masks, types }
    this.#latest = { admission, result, format, columns, plan }
    return this.#latest
  }

  #metBefore({ buf, at }: ByteWriter): Description | null {
    for (const one of this.#met) {
      const { bytes } = one
      if (bytes.length === at && buf.compare(bytes, 0, at, 0, at) === 0) return one
    }
    return null
  }

  #masksFor(
    admission: Admission,
    result: number,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): readonly (CellMask | null)[] | null {
    const masks = this.#state.gatekeeper.masksFor(admission, result, columns, format)
    if (masks === null) return null
    if (masks.length !== columns.length) {
      const what = `${masks.length} masks for ${columns.length} columns`
      throw new ProtocolError('mask-contract', 'local', what)
    }
    return masks
  }

  #meet(bytes: Buffer): Description {
    const { capabilities } = this.#state
    if (bytes.length > REMEMBERED_BYTES_MAX) return decoded(bytes, capabilities)
    const key = `${capabilities.flags} ${capabilities.mariadb} ${bytes.toString('latin1')}`
    let description = SHARED.get(key)
    if (description === undefined) {
      description = decoded(bytes, capabilities)
      if (SHARED.size >= SHARED_DESCRIPTIONS_MAX) SHARED.clear()
      SHARED.set(key, description)
    }
    if (this.#met.length >= DESCRIPTIONS_MAX) this.#met.pop()
    this.#met.unshift(description)
    return description
  }
}

function decoded(bytes: Buffer, capabilities: Capabilities): Description {
  const kept = ownCopy(bytes)
  const columns: ColumnDefinition[] = []
  for (let at = 0; at < kept.length; ) {
    const start = at + HEADER_BYTES
    at = start + packetLength(kept, at)
    columns.push(decodeColumn(kept.subarray(start, at), capabilities))
  }
  return { bytes: kept, columns, types: Uint8Array.from(columns, (column) => column.type) }
}

export function undescribed(): ProtocolError {
  return new ProtocolError(
    'undescribed-rows',
    'local',
    'rows to be masked or recorded came undescribed',
  )
}
