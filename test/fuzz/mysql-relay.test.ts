/**
 * Fuzzing of the MySQL relay from both sides: damaged conversations in random portions. It may answer with a
 * ProtocolError or go on; it throws nothing else, asks for no buffer beyond its caps, and never forwards a
 * text that was not admitted.
 */
import {
  type Admission,
  CLIENT,
  COM,
  type ColumnDefinition,
  ER,
  type ExecutionOutcome,
  encodeBinaryRow,
  encodeColumn,
  encodeColumnCount,
  encodeEof,
  encodeOk,
  encodePacket,
  encodePrepareOk,
  encodeTextRow,
  errorPayload,
  type Gatekeeper,
  HEADER,
  limits,
  PayloadCursor,
  ProtocolError,
  plainOk,
  Relay,
  refusalPayload,
  TYPE,
} from '@sallyport/protocol-mysql'
import type { CellMask } from '@sallyport/protocol-wire'
import { describe, expect, test } from 'vitest'
import { damaged, fuzzer, Random, SEED } from './streams.ts'

const { fuzz } = fuzzer(ProtocolError)
const FORBIDDEN = 'forbidden text'
const SECRET = 'SECRET-SECRET'
const CAPABILITIES = {
  flags: (CLIENT.PROTOCOL_41 | CLIENT.MULTI_STATEMENTS | CLIENT.QUERY_ATTRIBUTES) >>> 0,
  mariadb: 0,
}

const admission: Admission = {
  kind: 'admission',
  text: null,
  masked: true,
  quiet: true,
  described: true,
  limit: { rows: 3, bytes: 1000, exceeded: 'refuse', metered: false },
  barrier: false,
  localFiles: [],
  epoch: 1,
}

/** As wide as what it hides. */
const zeros: CellMask = (_src, start, end, out) => {
  out.ensure(end - start)
  out.buf.fill(0, out.at, out.at + end - start)
  out.at += end - start
  return end - start
}

const refusal = { kind: 'refusal' as const, error: errorPayload(ER.TABLEACCESS_DENIED_ERROR, 'no') }

function gatekeeper(outcomes: ExecutionOutcome[], cancel: () => void): Gatekeeper {
  let executions = 0
  return {
    decideText: (_via, buf, start, end) =>
      buf.toString('latin1', start, end).includes(FORBIDDEN) ? refusal : admission,
    decideExecute: (statement, parameters) => {
      for (let i = 0; i < parameters.count; i++) parameters.text(i)
      return statement.admission
    },
    decideBulk: (statement, rows) => {
      for (const row of rows) for (let i = 0; i < row.count; i++) row.text(i)
      return statement.admission
    },
    decideFetch: () => ++executions,
    decideCommand: () => ({ ...admission, masked: false }),
    execution: () => ++executions,
    refusal: (reason) => ({ kind: 'refusal', error: refusalPayload(reason, 'mysql') }),
    beyondLimit: () => 'refuse',
    meter: () => 'refuse',
    limitExceeded: () => refusal,
    cancel,
    masksFor: (_admission, _result, columns) => columns.map(() => zeros),
    resultBegins: () => undefined,
    clientDataBegins: () => undefined,
    clientData: () => undefined,
    outcome: (outcome) => outcomes.push(outcome),
    prepared: () => undefined,
    closed: () => undefined,
    redactError: () => null,
    sessionChanged: () => undefined,
    ready: () => undefined,
  }
}

const column: ColumnDefinition = {
  catalog: 'def',
  schema: 'crm',
  table: 'people',
  orgTable: 'people',
  name: 'name',
  orgName: 'name',
  collation: 45,
  length: 255,
  type: TYPE.VAR_STRING,
  flags: 0,
  decimals: 0,
  extended: Buffer.alloc(0),
}

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value, 4 * i)
  })
  return bytes
}

const command = (code: number, ...parts: readonly Uint8Array[]): Buffer =>
  encodePacket(0, Buffer.concat([Buffer.of(code), ...parts]))
const query = (text: string): Buffer => command(COM.QUERY, Buffer.of(0, 1), Buffer.from(text))
const packets = (...payloads: readonly Buffer[]): Buffer =>
  Buffer.concat(payloads.map((payload, i) => encodePacket(1 + i, payload)))

const definition = encodeColumn(column, CAPABILITIES)
const eof = (status = 2): Buffer => encodeEof({ warnings: 0, status })
const ok = (status = 2): Buffer =>
  encodeOk(plainOk(status), { sessionTrack: false, header: HEADER.OK })
const described = [encodeColumnCount({ count: 1, metadata: true }, CAPABILITIES), definition, eof()]
const textRow = encodeTextRow([Buffer.from(SECRET)])
const binaryRow = encodeBinaryRow([Buffer.from(SECRET)], [TYPE.VAR_STRING])
const prepareOk = encodePrepareOk(
  { statementId: 1, columns: 1, parameters: 1, warnings: 0, metadata: true },
  CAPABILITIES,
)
// One parameter with its type: `a`.
const parameter = Buffer.from('00' + '01' + 'fd0000' + '0161', 'hex')

/** A conversation: what the client says, and what the upstream answers to it. */
const CONVERSATION: readonly (readonly [client: Buffer, upstream: Buffer])[] = [
  [query('select 1'), packets(...described, textRow, textRow, eof())],
  [query(`select '${FORBIDDEN}'`), Buffer.alloc(0)],
  [query('a; b'), packets(ok(8), ...described, eof())],
  [
    command(COM.STMT_PREPARE, Buffer.from('select ?')),
    packets(prepareOk, definition, eof(), definition, eof()),
  ],
  [
    command(COM.STMT_EXECUTE, uint32(1), Buffer.of(0), uint32(1), parameter),
    packets(...described, binaryRow, binaryRow, binaryRow, binaryRow, eof()),
  ],
  [
    command(COM.STMT_EXECUTE, uint32(1), Buffer.of(1), uint32(1), parameter),
    packets(...described.slice(0, 2), eof(0x42)),
  ],
  [command(COM.STMT_FETCH, uint32(1, 5)), packets(binaryRow, eof(0x82))],
  [command(COM.STMT_SEND_LONG_DATA, uint32(1), Buffer.of(0, 0), Buffer.alloc(50)), Buffer.alloc(0)],
  [command(COM.STMT_RESET, uint32(1)), packets(ok())],
  [command(COM.INIT_DB, Buffer.from('crm')), packets(ok())],
  [command(COM.FIELD_LIST, Buffer.from('people\0')), packets(definition, eof())],
  [command(COM.SET_OPTION, Buffer.of(0, 0)), packets(eof())],
  [command(COM.STATISTICS), packets(Buffer.from('Uptime: 1'))],
  [query('fails'), packets(errorPayload(ER.PARSE_ERROR, 'You have an error'))],
  [command(COM.RESET_CONNECTION), packets(ok())],
  [command(COM.PING), packets(ok())],
  [command(0x0d), Buffer.alloc(0)],
]

class Session {
  readonly outcomes: ExecutionOutcome[] = []
  #cancelling = false
  readonly relay = new Relay(
    gatekeeper(this.outcomes, () => {
      this.#cancelling = true
    }),
    {
      client: CAPABILITIES,
      upstream: CAPABILITIES,
      status: 2,
      statementBytesMax: 4096,
    },
  )
  #fromClient = Buffer.alloc(0)
  #fromUpstream = Buffer.alloc(0)
  #toUpstream = Buffer.alloc(0)
  readonly toClient: Buffer[] = []
  readonly #cursor = new PayloadCursor()

  client(bytes: Uint8Array): void {
    this.#fromClient = Buffer.concat([this.#fromClient, bytes])
    const at = this.relay.fromClient(this.#fromClient, 0, this.#fromClient.length)
    this.#drain()
    this.#fromClient = Buffer.from(this.#fromClient.subarray(at))
    expect(this.relay.wantedFromClient).toBeLessThanOrEqual(limits.EXECUTE_BYTES_MAX + 64)
  }

  upstream(bytes: Uint8Array): void {
    this.#fromUpstream = Buffer.concat([this.#fromUpstream, bytes])
    const at = this.relay.fromUpstream(this.#fromUpstream, 0, this.#fromUpstream.length)
    this.#drain()
    this.#fromUpstream = Buffer.from(this.#fromUpstream.subarray(at))
    expect(this.relay.wantedFromUpstream).toBeLessThanOrEqual(limits.MASKED_ROW_BYTES_MAX + 64)
    if (this.#cancelling) {
      this.#cancelling = false
      this.relay.cancelled()
    }
    this.client(Buffer.alloc(0))
  }

  #drain(): void {
    const { toUpstream, toClient, sink } = this.relay
    const views = (queue: typeof toClient): Buffer[] =>
      queue.buffers.map((buf, i) => Buffer.from(buf.subarray(queue.starts[i], queue.ends[i])))
    this.#toUpstream = Buffer.concat([this.#toUpstream, ...views(toUpstream)])
    this.toClient.push(...views(toClient))
    toUpstream.clear()
    toClient.clear()
    sink.reset(false)
    this.#inspect()
  }

  /** No text that the upstream gets as one may hold what was refused. */
  #inspect(): void {
    const cursor = this.#cursor
    while (cursor.next(this.#toUpstream, 0, this.#toUpstream.length) === 'payload') {
      const payload = cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd)
      const isText = payload[0] === COM.QUERY || payload[0] === COM.STMT_PREPARE
      if (isText) expect(payload.includes(FORBIDDEN)).toBe(false)
      this.#toUpstream = this.#toUpstream.subarray(cursor.end)
    }
  }
}

/** Damages one side of one or more turns. */
function hold(random: Random, side: 'client' | 'upstream' | 'neither'): Session {
  const session = new Session()
  const broken = random.below(CONVERSATION.length)
  for (const [turn, [client, upstream]] of CONVERSATION.entries()) {
    const said = side === 'client' && turn === broken ? damaged(random, client) : client
    const answered = side === 'upstream' && turn === broken ? damaged(random, upstream) : upstream
    const [here, there] = [random.below(said.length + 1), random.below(answered.length + 1)]
    session.client(said.subarray(0, here))
    session.client(said.subarray(here))
    session.upstream(answered.subarray(0, there))
    session.upstream(answered.subarray(there))
  }
  return session
}

describe(`a conversation (seed ${SEED})`, () => {
  const seed = [Buffer.from([0])]

  test('undamaged: everything is answered, nothing masked shows', () => {
    const random = new Random(SEED)
    for (let i = 0; i < 100; i++) {
      const session = hold(random, 'neither')
      expect(session.relay.quiescent).toBe(true)
      expect(Buffer.concat(session.toClient).includes(SECRET)).toBe(false)
      expect(session.outcomes.filter(({ status }) => status === 'error')).toHaveLength(2)
    }
  })

  test('with a damaged client', () => {
    fuzz(seed, (_bytes, random) => {
      hold(random, 'client')
    })
  })

  test('with a damaged upstream', () => {
    fuzz(seed, (_bytes, random) => {
      hold(random, 'upstream')
    })
  })
})
