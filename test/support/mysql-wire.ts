/**
 * A MySQL client that is only bytes: it logs in, sends the commands it is told to, and returns every packet it
 * gets. For tests that look at what is really on the wire.
 */
import { connect, type Socket } from 'node:net'
import {
  type Capabilities,
  CLIENT,
  COM,
  decodeColumnCount,
  decodeErr,
  type ErrPacket,
  encodePacket,
  HEADER,
  has,
  PayloadCursor,
  STATUS,
  UpstreamLogin,
} from '@sallyport/protocol-mysql'

export interface MysqlWireOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** CLIENT bits to ask for besides those of every client of these tests. */
  readonly capabilities?: number
}

/** What one command is answered with. */
export interface MysqlReply {
  /** Payloads without packet headers, in order. */
  readonly packets: readonly Buffer[]
  readonly error: ErrPacket | null
  /** SERVER_STATUS bits at its end. */
  readonly status: number
  /** Rows, undecoded, of all results. */
  readonly rows: readonly Buffer[]
}

/** Longest wait for a reply, milliseconds. */
const REPLY_MS_MAX = 15_000
const CAPABILITIES =
  CLIENT.PROTOCOL_41 |
  CLIENT.SECURE_CONNECTION |
  CLIENT.PLUGIN_AUTH |
  CLIENT.PLUGIN_AUTH_LENENC |
  CLIENT.TRANSACTIONS |
  CLIENT.MULTI_STATEMENTS |
  CLIENT.MULTI_RESULTS |
  CLIENT.PS_MULTI_RESULTS |
  CLIENT.DEPRECATE_EOF

/** Commands whose replies are not laid out as results are, by their last packet. */
const ANSWERED_BY: Readonly<Record<number, (payload: Buffer) => boolean>> = {
  [COM.FIELD_LIST]: (payload) => payload[0] === HEADER.EOF,
  [COM.STATISTICS]: () => true,
}

export class MysqlWire implements AsyncDisposable {
  readonly socket: Socket
  readonly #capabilities: Capabilities
  readonly #cursor = new PayloadCursor()
  #rest: Buffer
  #wake: (() => void) | null = null
  #ended = false

  private constructor(socket: Socket, capabilities: Capabilities, rest: Buffer) {
    this.socket = socket
    this.#capabilities = capabilities
    this.#rest = rest
    socket.on('data', (chunk: Buffer) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
  }

  /** Throws with the server's words where it refuses. */
  static async connect(options: MysqlWireOptions): Promise<MysqlWire> {
    const { host, port, user, password, database, capabilities = 0 } = options
    const login = new UpstreamLogin({
      tls: false,
      encrypted: true,
      user,
      password,
      database,
      capabilities: { flags: (CAPABILITIES | capabilities) >>> 0, mariadb: 0 },
      collation: 0,
      attributes: [],
    })
    const socket = connect({ host, port, noDelay: true })
    socket.on('error', () => undefined)
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      login.receive(chunk as Buffer)
      const event = login.nextEvent()
      const out = login.takeOutput()
      if (out.length > 0) socket.write(out)
      if (event.kind === 'need-data') continue
      if (event.kind === 'ready') {
        const agreed = event.session.capabilities
        if (!has(agreed, CLIENT.DEPRECATE_EOF)) throw new Error('old server')
        return new MysqlWire(socket, agreed, Buffer.from(login.takeRemaining()))
      }
      socket.destroy()
      throw new Error(event.kind === 'error' ? event.err.message : event.kind)
    }
    throw new Error('closed during login')
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  get ended(): boolean {
    return this.#ended
  }

  query(text: string): Promise<MysqlReply> {
    this.#send(COM.QUERY, Buffer.from(text))
    return this.#results([])
  }

  /** Commands sent in one write, before any of them is answered. */
  async pipeline(texts: readonly string[]): Promise<MysqlReply[]> {
    const commands = texts.map((text) =>
      encodePacket(0, Buffer.of(COM.QUERY, ...Buffer.from(text))),
    )
    this.socket.write(Buffer.concat(commands))
    const replies: MysqlReply[] = []
    for (const _ of texts) replies.push(await this.#results([]))
    return replies
  }

  command(code: number, body: Uint8Array = Buffer.alloc(0)): Promise<MysqlReply> {
    this.#send(code, body)
    return ANSWERED_BY[code] === undefined ? this.#results([]) : this.#until(ANSWERED_BY[code])
  }

  /** Prepares, executes, closes: rows in binary, through a cursor where it is asked for. */
  async execute(text: string, { cursor = false } = {}): Promise<MysqlReply> {
    this.#send(COM.STMT_PREPARE, Buffer.from(text))
    const prepared = [await this.#payload()]
    const [ok] = prepared as [Buffer]
    if (ok[0] === HEADER.ERR) return replyOf(prepared, [], 0)
    const definitions = ok.readUInt16LE(5) + ok.readUInt16LE(7)
    for (let i = 0; i < definitions; i++) prepared.push(await this.#payload())
    const execute = Buffer.alloc(9)
    ok.copy(execute, 0, 1, 5)
    execute[4] = cursor ? 1 : 0
    execute.writeUInt32LE(1, 5)
    this.#send(COM.STMT_EXECUTE, execute)
    const head = await this.#results(prepared)
    const reply =
      (head.status & STATUS.CURSOR_EXISTS) === 0 ? head : await this.#fetched(head, execute)
    this.#send(COM.STMT_CLOSE, execute.subarray(0, 4))
    return reply
  }

  close(): void {
    this.socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  /** All rows of a cursor, a few at a time. */
  async #fetched(head: MysqlReply, execute: Buffer): Promise<MysqlReply> {
    const fetch = Buffer.alloc(8)
    execute.copy(fetch, 0, 0, 4)
    fetch.writeUInt32LE(3, 4)
    const packets = [...head.packets]
    const rows: Buffer[] = []
    for (;;) {
      this.#send(COM.STMT_FETCH, fetch)
      const status = await this.#rows(packets, rows)
      if (packets.at(-1)?.[0] === HEADER.ERR || (status & STATUS.LAST_ROW_SENT) !== 0)
        return replyOf(packets, rows, status)
    }
  }

  async #until(isLast: (payload: Buffer) => boolean): Promise<MysqlReply> {
    const packets: Buffer[] = []
    for (;;) {
      const payload = await this.#payload()
      packets.push(payload)
      if (payload[0] === HEADER.ERR || isLast(payload)) return replyOf(packets, [], 0)
    }
  }

  async #results(packets: Buffer[]): Promise<MysqlReply> {
    const rows: Buffer[] = []
    for (;;) {
      const first = await this.#payload()
      packets.push(first)
      if (first[0] === HEADER.ERR) return replyOf(packets, rows, 0)
      let status: number
      if (first[0] === HEADER.OK) status = statusOf(first)
      else if (first[0] === HEADER.LOCAL_INFILE) {
        this.socket.write(encodePacket(2, Buffer.alloc(0)))
        continue
      } else if (first[0] === HEADER.EOF) return replyOf(packets, rows, first.readUInt16LE(3))
      else {
        const { count, metadata } = decodeColumnCount(first, this.#capabilities)
        for (let i = metadata ? count : 0; i > 0; i--) packets.push(await this.#payload())
        status = await this.#rows(packets, rows)
        if (packets.at(-1)?.[0] === HEADER.ERR) return replyOf(packets, rows, 0)
      }
      if ((status & STATUS.MORE_RESULTS_EXISTS) === 0) return replyOf(packets, rows, status)
    }
  }

  /** Rows up to the OK or ERR behind them; a cursor's head has none. */
  async #rows(packets: Buffer[], rows: Buffer[]): Promise<number> {
    for (;;) {
      const payload = await this.#payload()
      packets.push(payload)
      if (payload[0] === HEADER.ERR) return 0
      if (payload[0] === HEADER.EOF && payload.length < 0xff_ffff) return statusOf(payload)
      rows.push(payload)
    }
  }

  #send(code: number, body: Uint8Array): void {
    this.socket.write(encodePacket(0, Buffer.concat([Buffer.of(code), body])))
  }

  async #payload(): Promise<Buffer> {
    const deadline = Date.now() + REPLY_MS_MAX
    const cursor = this.#cursor
    while (cursor.next(this.#rest, 0, this.#rest.length) !== 'payload') {
      if (this.#ended) throw new Error('closed')
      const left = deadline - Date.now()
      if (left <= 0) throw new Error('no reply')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const payload = Buffer.from(cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd))
    this.#rest = this.#rest.subarray(cursor.end)
    return payload
  }
}

function replyOf(packets: readonly Buffer[], rows: readonly Buffer[], status: number): MysqlReply {
  const last = packets.at(-1)
  const error = last !== undefined && last[0] === HEADER.ERR ? decodeErr(last) : null
  return { packets, error, status, rows }
}

/** Of an OK packet: behind two numbers of one byte, or as many as their first byte says. */
function statusOf(ok: Buffer): number {
  let at = 1
  for (let i = 0; i < 2; i++) at += { 252: 3, 253: 4, 254: 9 }[ok[at] ?? 0] ?? 1
  return ok.readUInt16LE(at)
}
