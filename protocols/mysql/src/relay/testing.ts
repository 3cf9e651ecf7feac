/**
 * For tests: a gatekeeper that decides by words in the text, and a client and a server by hand with a relay
 * between them. Bytes move only when told to.
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import type { BulkParameters } from '../bulk.ts'
import { type Capabilities, CLIENT } from '../capabilities.ts'
import { type ColumnDefinition, encodeColumn, encodeColumnCount, TYPE } from '../columns.ts'
import { COM } from '../commands.ts'
import { ER } from '../errors.ts'
import { encodePacket, HEADER_BYTES, packetLength } from '../packets.ts'
import type { Parameters } from '../parameters.ts'
import { decodeErr, encodeEof, encodeOk, errorPayload, HEADER, plainOk } from '../responses.ts'
import { encodeTextRow } from '../rows.ts'
import type { SessionChange } from '../session-state.ts'
import { widthOf } from '../values.ts'
import {
  type Admission,
  type Amount,
  type Answer,
  type BeyondLimit,
  type ExecutionOutcome,
  type Gatekeeper,
  type NotYet,
  type Refusal,
  type RelayRefusal,
  type ResultLimit,
  type SessionCommand,
  WAIT,
} from './gatekeeper.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import { refusalPayload } from './refusal-text.ts'
import { Relay, type RelayOptions } from './relay.ts'

export const BASICS =
  (CLIENT.PROTOCOL_41 |
    CLIENT.SECURE_CONNECTION |
    CLIENT.PLUGIN_AUTH |
    CLIENT.MULTI_STATEMENTS |
    CLIENT.MULTI_RESULTS |
    CLIENT.PS_MULTI_RESULTS) >>>
  0

export const CLASSIC: Capabilities = { flags: BASICS, mariadb: 0 }
export const MODERN: Capabilities = {
  flags: (BASICS | CLIENT.DEPRECATE_EOF | CLIENT.SESSION_TRACK) >>> 0,
  mariadb: 0,
}

/** Stars for text, zeros for what has a fixed width. */
export function maskOf(type: number): CellMask {
  const fixed = widthOf(type)
  return (_src: Buffer, start: number, end: number, out: ByteSink): number => {
    const length = fixed === -1 ? 3 : end - start
    out.ensure(length)
    out.buf.fill(fixed === -1 ? 0x2a : 0, out.at, out.at + length)
    out.at += length
    return length
  }
}

export const STARS: CellMask = maskOf(TYPE.VAR_STRING)

const exceededOf = (text: string): ResultLimit['exceeded'] =>
  text.includes('cut') ? 'truncate' : text.includes('asked') ? 'hold' : 'refuse'

/** Rows a `limited` text may send. */
export const LIMIT_ROWS = 2
/** A budget has so many for a result. */
const METER_ROWS = 3

/**
 * Words: `refuse`, `wait`, `answer`, `mask` (every column of that statement's result), `limited`, `cut`, `asked` (for leave, which there is once it is `open`), `rewrite` (to itself without
 * that word), `barrier`, `infile`, `recorded`.
 */
export class WordGatekeeper implements Gatekeeper {
  readonly asked: string[] = []
  readonly outcomes: ExecutionOutcome[] = []
  readonly refusals: RelayRefusal[] = []
  readonly changes: SessionChange[] = []
  readonly described: (readonly ColumnDefinition[])[] = []
  /** Of the client's files. */
  readonly sent: string[] = []
  readonly begun: { names: string; format: string; queued: number }[] = []
  readonly closedIds: number[] = []
  /** Bytes queued for the client. */
  queued = (): number => 0
  readonly commands: SessionCommand[] = []
  /** Rows that were asked for of a metered result. */
  readonly metered: number[] = []
  /** What the parameters of each execution said. */
  readonly executed: (string | null)[][] = []
  /** Answers `wait` from now on. */
  open = false
  cancels = 0
  /** Says that COM_PROCESS_KILL is done, without the upstream. */
  answersKill = false
  /** Refuses executions whose first parameter is this. */
  forbidden: string | null = null
  #executions = 0
  readonly #admissions = new Map<string, Admission>()
  readonly #texts = new Map<Admission, string>()

  decideText(
    via: 'query' | 'prepare',
    buf: Buffer,
    start: number,
    end: number,
    attributes: Parameters | null,
  ): Admission | Answer | Refusal | NotYet {
    const text = buf.toString('utf8', start, end)
    this.asked.push(`${via} ${text}`)
    if (attributes !== null) {
      this.executed.push(Array.from({ length: attributes.count }, (_, i) => attributes.text(i)))
    }
    if (text.includes('wait') && !this.open) return WAIT
    if (text.includes('refuse')) return refused('refused')
    if (text.includes('answer')) return { kind: 'answer', ok: ANSWER }
    return this.admit(text)
  }

  admit(text: string): Admission {
    const known = this.#admissions.get(text)
    if (known !== undefined) return known
    const limited = /limited|cut|asked/.test(text)
    const metered = text.includes('metered')
    const admission: Admission = {
      kind: 'admission',
      text: text.includes('rewrite') ? Buffer.from(text.replace('rewrite ', '')) : null,
      masked: text.includes('mask'),
      quiet: text.includes('quiet'),
      described: text.includes('recorded'),
      limit:
        limited || metered
          ? { rows: limited ? LIMIT_ROWS : null, bytes: null, exceeded: exceededOf(text), metered }
          : null,
      barrier: text.includes('barrier'),
      localFiles: text.includes('infile') ? [Buffer.from('x')] : [],
      epoch: 1,
    }
    this.#admissions.set(text, admission)
    this.#texts.set(admission, text)
    return admission
  }

  decideExecute(
    statement: PreparedStatement,
    parameters: Parameters,
  ): Admission | Answer | Refusal | NotYet {
    const values = Array.from({ length: parameters.count }, (_, i) => parameters.text(i))
    this.executed.push(values)
    if (this.forbidden !== null && values[0] === this.forbidden) return refused('refused value')
    return statement.admission
  }

  decideBulk(
    statement: PreparedStatement,
    rows: BulkParameters,
  ): Admission | Answer | Refusal | NotYet {
    for (const row of rows) {
      const verdict = this.decideExecute(statement, row)
      if (typeof verdict === 'symbol' || verdict.kind !== 'admission') return verdict
    }
    return statement.admission
  }

  decideFetch(): number {
    return ++this.#executions
  }

  decideCommand(command: SessionCommand): Admission | Answer | Refusal | NotYet {
    this.commands.push(command)
    if (command.kind === 'process-kill' && this.answersKill) return { kind: 'answer', ok: ANSWER }
    if (command.kind === 'init-db' && command.database === 'refused') return refused('no such door')
    return this.admit(command.kind)
  }

  execution(): number {
    return ++this.#executions
  }

  refusal(reason: RelayRefusal): Refusal {
    this.refusals.push(reason)
    return { kind: 'refusal', error: refusalPayload(reason, 'mysql') }
  }

  beyondLimit(admission: Admission): BeyondLimit {
    if (this.#texts.get(admission)?.includes('asked') !== true) return 'refuse'
    return this.open ? 'go-on' : WAIT
  }
  meter(_admission: Admission, wanted: Amount): Amount | typeof WAIT | 'refuse' {
    this.metered.push(wanted.rows)
    if (wanted.rows > METER_ROWS) return 'refuse'
    return this.open ? { rows: wanted.rows, bytes: wanted.bytes } : WAIT
  }
  limitExceeded(_admission: Admission, stands: boolean): Refusal {
    return refused(`over the limit${stands ? ', stands' : ''}`)
  }

  cancel(): void {
    this.cancels++
  }

  masksFor(
    admission: Admission,
    result: number,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): readonly (CellMask | null)[] | null {
    this.described.push(columns)
    const text = this.#texts.get(admission)?.split(';')[result]
    if (text !== undefined && !text.includes('mask')) return null
    return columns.map((column) => (format === 'text' ? STARS : maskOf(column.type)))
  }

  resultBegins(
    _admission: Admission,
    columns: readonly ColumnDefinition[],
    format: 'text' | 'binary',
  ): void {
    const names = columns.map(({ name }) => name).join()
    this.begun.push({ names, format, queued: this.queued() })
  }

  clientDataBegins(): void {
    this.sent.push('file:')
  }
  clientData(buf: Buffer, start: number, end: number): void {
    this.sent.push(buf.toString('latin1', start, end))
  }

  outcome(outcome: ExecutionOutcome): void {
    this.outcomes.push(outcome)
  }
  prepared(): void {}
  closed(statement: PreparedStatement): void {
    this.closedIds.push(statement.id)
  }
  redactError(
    _admission: Admission | null,
    buf: Buffer,
    start: number,
    end: number,
  ): Buffer | null {
    return buf.includes('leak', start) && buf.indexOf('leak', start) < end
      ? errorPayload(ER.UNKNOWN_ERROR, 'redacted')
      : null
  }
  sessionChanged(changes: readonly SessionChange[]): void {
    this.changes.push(...changes)
  }
  ready(): void {}
}

export const ANSWER: Buffer = encodeOk(plainOk(2), { sessionTrack: false, header: HEADER.OK })

function refused(message: string): Refusal {
  return { kind: 'refusal', error: errorPayload(ER.TABLEACCESS_DENIED_ERROR, message) }
}

/** A relay, and what it has been given and has said so far. */
export class Bench {
  readonly gatekeeper = new WordGatekeeper()
  readonly relay: Relay
  #fromClient = Buffer.alloc(0)
  #fromUpstream = Buffer.alloc(0)
  #toClient: Buffer[] = []
  #toUpstream: Buffer[] = []

  constructor(options: Partial<RelayOptions> = {}) {
    this.relay = new Relay(this.gatekeeper, {
      client: CLASSIC,
      upstream: CLASSIC,
      status: 2,
      ...options,
    })
    this.gatekeeper.queued = () => this.relay.toClient.bytes
  }

  /** The client writes; copied, because the relay may renumber packets in place. */
  client(bytes: Uint8Array): this {
    this.#fromClient = Buffer.concat([this.#fromClient, bytes])
    this.#feedClient()
    return this
  }

  /** The upstream writes. */
  upstream(bytes: Uint8Array): this {
    this.#fromUpstream = Buffer.concat([this.#fromUpstream, bytes])
    const at = this.relay.fromUpstream(this.#fromUpstream, 0, this.#fromUpstream.length)
    this.#drain()
    this.#fromUpstream = Buffer.from(this.#fromUpstream.subarray(at))
    this.#feedClient()
    return this
  }

  resume(): this {
    this.relay.resume()
    this.#feedClient()
    return this
  }

  cancelled(): this {
    this.relay.cancelled()
    this.#feedClient()
    return this
  }

  /** What the client, and the upstream, have got since last asked. */
  toClient(): Buffer {
    const taken = Buffer.concat(this.#toClient)
    this.#toClient = []
    return taken
  }
  toUpstream(): Buffer {
    const taken = Buffer.concat(this.#toUpstream)
    this.#toUpstream = []
    return taken
  }

  /** Bytes of the client, and of the upstream, that the relay has not taken. */
  get unread(): number {
    return this.#fromClient.length
  }
  get unreadUpstream(): number {
    return this.#fromUpstream.length
  }

  #feedClient(): void {
    const at = this.relay.fromClient(this.#fromClient, 0, this.#fromClient.length)
    this.#drain()
    this.#fromClient = Buffer.from(this.#fromClient.subarray(at))
  }

  #drain(): void {
    const { toUpstream, toClient, sink } = this.relay
    const views = (queue: typeof toClient): Buffer[] =>
      queue.buffers.map((buf, i) => Buffer.from(buf.subarray(queue.starts[i], queue.ends[i])))
    this.#toUpstream.push(...views(toUpstream))
    this.#toClient.push(...views(toClient))
    toUpstream.clear()
    toClient.clear()
    sink.reset(false)
  }
}

/** A command in its packet. */
export function command(code: number, body: string | Uint8Array = ''): Buffer {
  return encodePacket(0, Buffer.concat([Buffer.of(code), Buffer.from(body)]))
}

export function query(text: string): Buffer {
  return command(COM.QUERY, text)
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function column(name: string, type: number = TYPE.VAR_STRING): ColumnDefinition {
  return {
    catalog: 'def',
    schema: 'crm',
    table: 'people',
    orgTable: 'people',
    name,
    orgName: name,
    collation: 45,
    length: 100,
    type,
    flags: 0,
    decimals: 0,
    extended: Buffer.alloc(0),
  }
}

/** Payloads in packets numbered from `sequence` on. */
export function packets(payloads: readonly Uint8Array[], sequence = 1): Buffer {
  return Buffer.concat(payloads.map((payload, i) => encodePacket((sequence + i) & 0xff, payload)))
}

export const OK = (status = 2): Buffer =>
  encodeOk(plainOk(status), { sessionTrack: false, header: HEADER.OK })
export const EOF = (status = 2): Buffer => encodeEof({ warnings: 0, status })
export const ERR = (message: string): Buffer => errorPayload(ER.UNKNOWN_ERROR, message)

/** The payloads of a result with text rows, as CLASSIC has it. */
export function result(
  names: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  status = 2,
): Buffer[] {
  return [
    encodeColumnCount({ count: names.length, metadata: true }, CLASSIC),
    ...names.map((name) => encodeColumn(column(name), CLASSIC)),
    EOF(),
    ...rows.map((row) =>
      encodeTextRow(row.map((cell) => (cell === null ? null : Buffer.from(cell)))),
    ),
    EOF(status),
  ]
}

/** Packet by packet, sequence id and what matters: `1:OK 2:ERR 1142 refused 3:EOF 4:[bytes]`. */
export function tell(bytes: Buffer): string[] {
  const words: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + packetLength(bytes, at)
    const payload = bytes.subarray(at + HEADER_BYTES, end)
    words.push(`${bytes[at + 3]}:${wordFor(payload)}`)
    at = end
  }
  return words
}

function wordFor(payload: Buffer): string {
  if (payload[0] === HEADER.ERR) {
    const { errno, message } = decodeErr(payload)
    return `ERR ${errno} ${message}`
  }
  if (payload[0] === HEADER.OK && payload.length >= 7) return 'OK'
  if (payload[0] === HEADER.EOF && payload.length < 9) return 'EOF'
  if (payload.subarray(0, 4).toString('latin1') === '\x03def') return 'column'
  return payload.toString('latin1').replaceAll(/[^ -~]/g, '.')
}
