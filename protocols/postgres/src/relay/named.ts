/**
 * Prepared statements and portals as the server will have them once every request sent so far succeeds.
 *
 * Entries are installed when the request is forwarded and taken back when the server turns out to have
 * skipped or refused it. A name changed in an earlier, unsettled segment may not be used yet: the relay
 * waits for that segment's ReadyForQuery first (see Relay, "Waiting").
 */

import type { CellMask } from '@sallyport/protocol-wire'
import type { FieldDescription } from '../backend.ts'
import type { Admission } from './gatekeeper.ts'

export interface PreparedStatement {
  readonly name: string
  /** Replaced when the statement is decided again because what it means has changed. */
  admission: Admission
  readonly segment: number
  /** Type OIDs that its Parse gave to parameters, as they lay there: int32 each; null: none. */
  readonly types: Buffer | null
  /** Descriptions of it that are owed. */
  asked: number
  /** From the server's RowDescription; `undefined` not yet known, null when it returns no rows. */
  fields: readonly FieldDescription[] | null | undefined
}

export interface Portal {
  readonly name: string
  /** Null for a cursor declared by SQL. */
  readonly statement: PreparedStatement | null
  /** Result format codes of the Bind: none = all text, one = for all, else one per column. */
  readonly formats: readonly number[]
  readonly segment: number
  readonly admission: Admission
  /** Survives the transaction (a cursor WITH HOLD). */
  readonly held: boolean
  /** From a RowDescription of the portal itself; see PreparedStatement.fields. */
  fields: readonly FieldDescription[] | null | undefined
  /** Compiled on the first row; undefined = not compiled, null = nothing to mask. */
  masks: readonly (CellMask | null)[] | null | undefined
  /** Rows and bytes sent of it so far, over all its executions: what a limit on the result counts. */
  rows: number
  bytes: number
  /** It may pass its limit. */
  lifted: boolean
}

/**
 * What names stand for. The unnamed one comes and goes with every statement of most drivers, so it has a place of its own;
 * most sessions have no other.
 */
export class Names<T extends { readonly name: string }> {
  #unnamed: T | undefined
  #named: Map<string, T> | null = null

  get size(): number {
    return (this.#unnamed === undefined ? 0 : 1) + (this.#named?.size ?? 0)
  }

  get(name: string): T | undefined {
    return name === '' ? this.#unnamed : this.#named?.get(name)
  }

  set(value: T): void {
    if (value.name === '') this.#unnamed = value
    else {
      this.#named ??= new Map()
      this.#named.set(value.name, value)
    }
  }

  delete(name: string): void {
    if (name === '') this.#unnamed = undefined
    else this.#named?.delete(name)
  }

  clear(): void {
    this.#unnamed = undefined
    this.#named = null
  }

  *values(): Iterable<T> {
    if (this.#unnamed !== undefined) yield this.#unnamed
    if (this.#named !== null) yield* this.#named.values()
  }

  deleteWhere(isOver: (value: T) => boolean): void {
    if (this.#unnamed !== undefined && isOver(this.#unnamed)) this.#unnamed = undefined
    if (this.#named === null || this.#named.size === 0) return
    for (const [name, value] of this.#named) if (isOver(value)) this.#named.delete(name)
  }
}

/**
 * Names of statements and portals are kept as the bytes they came in (latin1, one character a byte): two
 * names the server tells apart are never one name here. These turn them into what SQL calls them and back.
 */
export function sqlName(wire: string): string {
  return isAscii(wire) ? wire : Buffer.from(wire, 'latin1').toString('utf8')
}

export function wireName(sql: string): string {
  return isAscii(sql) ? sql : Buffer.from(sql, 'utf8').toString('latin1')
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false
  return true
}

export function formatOf(formats: readonly number[], column: number): 'text' | 'binary' {
  const code = formats.length === 0 ? 0 : formats.length === 1 ? formats[0] : formats[column]
  return code === 1 ? 'binary' : 'text'
}
