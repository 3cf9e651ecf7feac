/**
 * For tests: a small server that does what the words of a text say. With `refuses` it is a server that decides
 * like WordGatekeeper by itself: what its client reads is what a client of the relay has to read.
 *
 * Words: `rows N`, `mask rows N` (of SECRET), `limited rows N`, `fail`, anything else is OK; `;` between.
 */
import { encodeColumn, encodeColumnCount, encodePrepareOk, TYPE } from '../columns.ts'
import { COM } from '../commands.ts'
import { ER } from '../errors.ts'
import { encodePacket, PayloadCursor } from '../packets.ts'
import { decodeExecuteHead, Parameters, type ParameterType } from '../parameters.ts'
import { encodeEof, encodeOk, errorPayload, HEADER, plainOk, STATUS } from '../responses.ts'
import { encodeBinaryRow, encodeTextRow } from '../rows.ts'
import { refusalPayload } from './refusal-text.ts'
import { ANSWER, CLASSIC, column, LIMIT_ROWS } from './testing.ts'

export const SECRET = 'SECRET'
const SHOWN = '***'

interface ModelStatement {
  readonly text: string
  types: readonly ParameterType[] | null
  long: Buffer | null
  /** Rows of its cursor that have not been fetched; null: it has none. */
  cursor: number | null
  /** Rows of its cursor that have been. */
  sent: number
}

const DENIED = (message: string): Buffer => errorPayload(ER.TABLEACCESS_DENIED_ERROR, message)

export class ModelServer {
  /** Texts and executions that ran. */
  readonly ran: string[] = []
  readonly #refuses: boolean
  readonly #statements = new Map<number, ModelStatement>()
  readonly #cursor = new PayloadCursor()
  readonly #parameters = new Parameters()
  #nextId = 1
  #input = Buffer.alloc(0)
  #output: Buffer[] = []
  #sequence = 0

  constructor(options: { readonly refuses: boolean }) {
    this.#refuses = options.refuses
  }

  receive(bytes: Uint8Array): void {
    this.#input = Buffer.concat([this.#input, bytes])
    const cursor = this.#cursor
    while (cursor.next(this.#input, 0, this.#input.length) === 'payload') {
      const payload = Buffer.from(cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd))
      this.#input = this.#input.subarray(cursor.end)
      this.#sequence = cursor.packets
      this.#command(payload[0] ?? 0, payload.subarray(1))
    }
  }

  takeOutput(): Buffer {
    const taken = Buffer.concat(this.#output)
    this.#output = []
    return taken
  }

  #say(payload: Buffer): void {
    this.#output.push(encodePacket(this.#sequence & 0xff, payload))
    this.#sequence++
  }

  #ok(status = 2): void {
    this.#say(encodeOk(plainOk(status), { sessionTrack: false, header: HEADER.OK }))
  }

  #eof(status = 2): void {
    this.#say(encodeEof({ warnings: 0, status }))
  }

  #command(command: number, body: Buffer): void {
    switch (command) {
      case COM.PING:
        return this.#ok()
      case COM.INIT_DB:
        if (this.#refuses && body.toString() === 'refused') return this.#say(DENIED('no such door'))
        return this.#ok()
      case COM.PROCESS_KILL:
        return this.#say(ANSWER)
      case COM.QUERY:
        return this.#query(body.toString())
      case COM.STMT_PREPARE:
        return this.#prepare(body.toString())
      case COM.STMT_EXECUTE:
        return this.#execute(body)
      case COM.STMT_FETCH:
        return this.#fetch(body)
      case COM.STMT_RESET:
        return this.#reset(body)
      case COM.STMT_SEND_LONG_DATA:
        return this.#longData(body)
      case COM.STMT_CLOSE:
        this.#statements.delete(body.readUInt32LE())
        return
      case COM.RESET_CONNECTION:
        this.#statements.clear()
        return this.#ok()
      default:
        return this.#say(refusalPayload({ kind: 'unknown-command', command }, 'mysql'))
    }
  }

  #query(text: string): void {
    if (this.#refuses && text.includes('refuse')) return this.#say(DENIED('refused'))
    const texts = text.split(';')
    for (const [i, one] of texts.entries()) {
      this.ran.push(one)
      if (one.includes('fail')) return this.#say(errorPayload(ER.UNKNOWN_ERROR, 'failed'))
      const more = i < texts.length - 1 ? STATUS.MORE_RESULTS_EXISTS : 0
      const rows = rowsOf(one)
      if (rows === null) this.#ok(2 | more)
      else if (!this.#rows(one, rows, 'text', 2 | more)) return
    }
  }

  /** False: the limit has ended it. */
  #rows(text: string, rows: number, format: 'text' | 'binary', status: number): boolean {
    this.#describe()
    const limit = this.#refuses && text.includes('limited') ? LIMIT_ROWS : rows
    for (let i = 0; i < Math.min(rows, limit); i++) this.#row(text, i, format)
    if (rows > limit) {
      this.#say(DENIED('over the limit, stands'))
      return false
    }
    this.#eof(status)
    return true
  }

  #describe(): void {
    this.#say(encodeColumnCount({ count: 2, metadata: true }, CLASSIC))
    for (const name of ['n', 'v']) this.#say(encodeColumn(column(name), CLASSIC))
    this.#eof()
  }

  #row(text: string, index: number, format: 'text' | 'binary'): void {
    const masked = text.includes('mask')
    const number = masked && this.#refuses ? SHOWN : String(index)
    const value = masked ? (this.#refuses ? SHOWN : SECRET) : 'clear'
    const cells = [Buffer.from(number), index % 3 === 2 ? null : Buffer.from(value)]
    const types = [TYPE.VAR_STRING, TYPE.VAR_STRING]
    this.#say(format === 'text' ? encodeTextRow(cells) : encodeBinaryRow(cells, types))
  }

  #prepare(text: string): void {
    if (this.#refuses && text.includes('refuse')) return this.#say(DENIED('refused'))
    if (text.includes('fail')) return this.#say(errorPayload(ER.UNKNOWN_ERROR, 'failed'))
    const statementId = this.#nextId++
    this.#statements.set(statementId, { text, types: null, long: null, cursor: null, sent: 0 })
    const head = { statementId, columns: 0, parameters: 1, warnings: 0, metadata: true }
    this.#say(encodePrepareOk(head, CLASSIC))
    this.#say(encodeColumn(column('?'), CLASSIC))
    this.#eof()
  }

  #unknown(statementId: number, command: number): void {
    this.#say(refusalPayload({ kind: 'unknown-statement', statementId, command }, 'mysql'))
  }

  #execute(body: Buffer): void {
    const head = decodeExecuteHead(body, 0, body.length)
    const statement = this.#statements.get(head.statementId)
    if (statement === undefined) return this.#unknown(head.statementId, COM.STMT_EXECUTE)
    const parameters = this.#parameters
    const { long } = statement
    try {
      parameters.decodeExecute(body, head.bodyStart, body.length, {
        markers: 1,
        attributes: false,
        counted: false,
        known: statement.types,
        long: long === null ? null : new Map([[0, { bytes: long, cut: false }]]),
      })
    } catch {
      return this.#say(refusalPayload({ kind: 'malformed', command: COM.STMT_EXECUTE }, 'mysql'))
    }
    statement.long = null
    const value = parameters.text(0)
    if (this.#refuses && value === 'no') return this.#say(DENIED('refused value'))
    statement.types = parameters.types
    statement.cursor = null
    this.ran.push(`${statement.text} ${value}`)
    const rows = rowsOf(statement.text)
    if (rows === null) return this.#ok()
    if (head.flags === 0) {
      this.#rows(statement.text, rows, 'binary', 2)
      return
    }
    statement.cursor = rows
    statement.sent = 0
    this.#say(encodeColumnCount({ count: 2, metadata: true }, CLASSIC))
    for (const name of ['n', 'v']) this.#say(encodeColumn(column(name), CLASSIC))
    this.#eof(2 | STATUS.CURSOR_EXISTS)
  }

  #fetch(body: Buffer): void {
    const statementId = body.readUInt32LE()
    const statement = this.#statements.get(statementId)
    if (statement === undefined) return this.#unknown(statementId, COM.STMT_FETCH)
    if (statement.cursor === null)
      return this.#say(refusalPayload({ kind: 'no-cursor', statementId }, 'mysql'))
    const rows = Math.min(body.readUInt32LE(4), statement.cursor)
    const limited = this.#refuses && statement.text.includes('limited')
    const allowed = limited ? Math.min(rows, LIMIT_ROWS - statement.sent) : rows
    for (let i = 0; i < allowed; i++) this.#row(statement.text, i, 'binary')
    statement.sent += allowed
    statement.cursor -= rows
    const last = statement.cursor === 0
    if (last) statement.cursor = null
    if (allowed < rows) this.#say(DENIED('over the limit'))
    else this.#eof(2 | (last ? STATUS.LAST_ROW_SENT : STATUS.CURSOR_EXISTS))
  }

  #reset(body: Buffer): void {
    const statement = this.#statements.get(body.readUInt32LE())
    if (statement === undefined) return this.#unknown(body.readUInt32LE(), COM.STMT_RESET)
    statement.long = null
    statement.cursor = null
    this.#ok()
  }

  #longData(body: Buffer): void {
    const statement = this.#statements.get(body.readUInt32LE())
    if (statement === undefined || body.readUInt16LE(4) !== 0) return
    statement.long = Buffer.concat([statement.long ?? Buffer.alloc(0), body.subarray(6)])
  }
}

function rowsOf(text: string): number | null {
  const match = /rows (\d+)$/.exec(text)
  return match === null ? null : Number(match[1])
}
