/**
 * MySQL's packets in a recording as what they show. A row may have been left out, never part of one.
 *
 * Rows are those behind a `result` frame, up to the packet that ends them. Of what else is sent an error says
 * what it is by itself; an OK is one where it answers a statement: those of COM_STMT_PREPARE look alike.
 */
import {
  decodeEof,
  decodeErr,
  decodeOk,
  HEADER,
  HEADER_BYTES,
  limits,
  type OkPacket,
  PayloadCursor,
  plainOk,
} from '@sallyport/protocol-mysql'
import { mysqlRow } from './mysql-cells.ts'
import type { Columns, OutputReader, ShownItem } from './replay.ts'

/** An EOF packet of those who did not do away with it; an OK in its place is longer. */
const EOF_BYTES = 5

export class MysqlOutput implements OutputReader {
  /** Bytes not taken yet, and how many are needed before it is worth looking again. */
  #pieces: Buffer[] = []
  #bytes = 0
  #wanted = HEADER_BYTES
  readonly #cursor = new PayloadCursor()
  /** Columns of the rows that are coming; null: none are. */
  #columns: Columns | null = null
  #rows = 0
  /** The packet before, which is an OK if it answers a statement. */
  #last: Buffer | null = null

  begins(columns: Columns): void {
    this.#columns = columns
    this.#rows = 0
    this.#last = null
  }

  omitted(rows: number): void {
    this.#rows += rows
  }

  *output(bytes: Buffer, at: number): Iterable<ShownItem> {
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes < this.#wanted) return
    const buf = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces)
    const cursor = this.#cursor
    let from = 0
    while (cursor.next(buf, from, buf.length) === 'payload') {
      const { bytes: packet, payloadStart, payloadEnd } = cursor
      yield* this.#packet(packet.subarray(payloadStart, payloadEnd), at)
      from = cursor.end
    }
    const rest = buf.subarray(from)
    this.#pieces = rest.length === 0 ? [] : [Buffer.from(rest)]
    this.#bytes = rest.length
    this.#wanted = cursor.wanted
  }

  *#packet(payload: Buffer, at: number): Iterable<ShownItem> {
    if (payload[0] === HEADER.ERR) {
      this.#columns = null
      this.#last = null
      const { errno, sqlstate, message } = decodeErr(payload)
      const report = { severity: `ERROR ${errno}`, sqlstate: sqlstate ?? 'HY000', message }
      yield { at, kind: 'error', report: { ...report, detail: null, hint: null } }
    } else if (this.#columns === null) {
      this.#last = Buffer.from(payload)
    } else if (endsRows(payload)) {
      const rows = this.#rows
      this.#columns = null
      yield { at, kind: 'complete', tag: tagOf(okOf(payload), rows) }
    } else {
      this.#rows++
      yield { at, kind: 'row', cells: mysqlRow(payload, this.#columns) }
    }
  }

  *completed(at: number): Iterable<ShownItem> {
    const last = this.#last
    this.#last = null
    if (last !== null && isOk(last)) yield { at, kind: 'complete', tag: tagOf(okOf(last), null) }
  }
}

function endsRows(payload: Buffer): boolean {
  return payload[0] === HEADER.EOF && payload.length < limits.PACKET_PAYLOAD_BYTES_MAX
}

function isOk(payload: Buffer): boolean {
  return payload[0] === HEADER.OK || payload[0] === HEADER.EOF
}

function okOf(payload: Buffer): OkPacket {
  if (payload.length === EOF_BYTES) {
    const { status, warnings } = decodeEof(payload)
    return { ...plainOk(status), warnings }
  }
  // Session state is there only where its flag says so, whatever the client can read.
  return decodeOk(payload, { sessionTrack: true, header: payload[0] ?? HEADER.OK })
}

/** `rows`: null where there was no result. As the stock client says it. */
function tagOf({ affectedRows, warnings, info }: OkPacket, rows: number | null): string {
  const parts = [
    rows === null ? `OK, ${counted(affectedRows, 'row')} affected` : counted(rows, 'row'),
  ]
  if (warnings > 0) parts.push(counted(warnings, 'warning'))
  if (info.length > 0) parts.push(Buffer.from(info).toString('utf8'))
  return parts.join(', ')
}

function counted(count: number | bigint, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`
}
