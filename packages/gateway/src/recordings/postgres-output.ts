/** PostgreSQL's bytes in a recording as what they show. A row may have been left out, never part of one. */
import { type BackendMessage, decodeBackend, HEADER_BYTES } from '@sallyport/protocol-postgres'
import { binaryText } from './postgres-binary.ts'
import type { Columns, OutputReader, ShownItem, ShownReport } from './replay.ts'

const NOTHING = Buffer.alloc(0)

export class PostgresOutput implements OutputReader {
  #rest: Buffer = NOTHING
  /** How the rows at hand are to be read. */
  #columns: Columns = []

  begins(columns: Columns): void {
    this.#columns = columns
  }

  /** The server's own word says how many there were. */
  omitted(): void {}

  completed(): Iterable<ShownItem> {
    return []
  }

  *output(bytes: Buffer, at: number): Iterable<ShownItem> {
    const buf = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let from = 0
    while (buf.length - from >= HEADER_BYTES) {
      const end = from + 1 + buf.readUInt32BE(from + 1)
      if (end > buf.length) break
      const type = buf[from] as number
      const item = this.#item(decodeBackend(type, buf, from + HEADER_BYTES, end), at)
      if (item !== null) yield item
      from = end
    }
    this.#rest = Buffer.from(buf.subarray(from))
  }

  #item(message: BackendMessage, at: number): ShownItem | null {
    switch (message.kind) {
      case 'RowDescription': {
        const columns = message.fields.map(
          ({ name, typeOid, format }) =>
            ({ name, type: typeOid, format: format === 1 ? 'binary' : 'text' }) as const,
        )
        this.#columns = columns
        return { at, kind: 'columns', columns }
      }
      case 'DataRow':
        return { at, kind: 'row', cells: message.values.map((value, i) => this.#cell(value, i)) }
      case 'CopyData':
        return { at, kind: 'copied', bytes: Buffer.from(message.data) }
      case 'CommandComplete':
        return { at, kind: 'complete', tag: message.tag }
      case 'EmptyQueryResponse':
        return { at, kind: 'complete', tag: '' }
      case 'PortalSuspended':
        return { at, kind: 'complete', tag: 'SUSPENDED' }
      case 'ErrorResponse':
        return { at, kind: 'error', report: reportOf(message.fields) }
      case 'NoticeResponse':
        return { at, kind: 'notice', report: reportOf(message.fields) }
      default:
        return null
    }
  }

  #cell(value: Uint8Array | null, i: number): string | null {
    if (value === null) return null
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
    const column = this.#columns[i]
    return column?.format === 'binary' ? binaryText(column.type, bytes) : bytes.toString('utf8')
  }
}

interface Fields {
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

function reportOf({ severity, sqlstate, message, detail, hint }: Fields): ShownReport {
  return { severity, sqlstate, message, detail: detail ?? null, hint: hint ?? null }
}
