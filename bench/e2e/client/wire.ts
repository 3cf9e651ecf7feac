/**
 * The cheapest client there can be: it logs in, sends simple queries, and counts the bytes of results
 * without looking at rows, reading into one buffer. What a proxy costs must not hide behind its client.
 *
 * It trusts what it is connected to and checks nothing; it is of no use outside this benchmark.
 */
import { createConnection, type Socket } from 'node:net'
import { type Scram, scram } from './scram.ts'

const READ_BYTES = 256 * 1024
const ANSWER_MS_MAX = 120_000
/** ReadyForQuery with its length, and no transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
const AUTHENTICATION = 0x52
const ERROR_RESPONSE = 0x45

export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

export class WireClient {
  readonly #socket: Socket
  /** Where the bytes of an answer go; null: nobody waits. */
  #answer: ((bytes: Buffer) => void) | null = null
  #fail: ((error: Error) => void) | null = null

  /** Use `open`. */
  constructor(address: Address) {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    this.#socket = createConnection({
      host: address.host,
      port: address.port,
      onread: {
        buffer,
        callback: (bytes) => {
          this.#answer?.(buffer.subarray(0, bytes))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => this.#fail?.(error))
    this.#socket.on('close', () => this.#fail?.(new Error('the connection was closed')))
  }

  /** Resolves when the first ReadyForQuery has come. */
  static async open(address: Address): Promise<WireClient> {
    const client = new WireClient(address)
    await client.#login(address)
    return client
  }

  /** Bytes of the whole answer to one simple query. */
  async query(sql: string): Promise<number> {
    this.send(sql)
    return this.#untilReady()
  }

  /** Sends a query and waits for nothing. */
  send(sql: string): void {
    this.#socket.write(frame('Q', `${sql}\0`))
  }

  /** Reads no more: what the other side sends stays in the kernel's buffers until they are full. */
  stall(): void {
    this.#socket.pause()
  }

  close(): void {
    this.#fail = null
    this.#socket.destroy()
  }

  #login({ user, password, database }: Address): Promise<number> {
    const parameters = `user\0${user}\0database\0${database}\0\0`
    const startup = Buffer.alloc(8 + parameters.length)
    startup.writeUInt32BE(startup.length, 0)
    startup.writeUInt32BE(0x00030000, 4)
    startup.write(parameters, 8, 'latin1')
    this.#socket.write(startup)
    const exchange = scram(password)
    return this.#untilReady((bytes) => {
      const reply = bytes[0] === AUTHENTICATION ? answerTo(bytes, { password, exchange }) : null
      if (reply !== null) this.#socket.write(reply)
    })
  }

  #untilReady(see?: (bytes: Buffer) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      let total = 0
      const finish = (settle: () => void): void => {
        clearTimeout(late)
        this.#answer = null
        this.#fail = null
        settle()
      }
      const fail = (error: Error): void => finish(() => reject(error))
      const late = setTimeout(() => fail(new Error('no answer in time')), ANSWER_MS_MAX)
      // Reused by later reads: only the few bytes that might be half a ReadyForQuery are kept.
      let tail = Buffer.alloc(0)
      this.#fail = fail
      this.#answer = (bytes) => {
        if (total === 0 && bytes[0] === ERROR_RESPONSE) return fail(new Error(textOf(bytes)))
        total += bytes.length
        see?.(bytes)
        const end = bytes.length >= READY.length ? bytes : Buffer.concat([tail, bytes])
        tail = Buffer.from(end.subarray(-READY.length))
        if (tail.equals(READY)) finish(() => resolve(total))
      }
    })
  }
}

/** One Authentication message at the start of `bytes`, whole: they are short. */
function answerTo(
  bytes: Buffer,
  { password, exchange }: { password: string; exchange: Scram },
): Buffer | null {
  const body = bytes.toString('latin1', 9, 1 + bytes.readUInt32BE(1))
  switch (bytes.readUInt32BE(5)) {
    case 3:
      return frame('p', `${password}\0`)
    case 10: {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(exchange.first.length)
      return frame('p', `SCRAM-SHA-256\0${length.toString('latin1')}${exchange.first}`)
    }
    case 11:
      return frame('p', exchange.final(body))
    default:
      return null
  }
}

/** `body`: one character per byte. */
function frame(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + body.length)
  bytes.write(type, 0, 'latin1')
  bytes.writeUInt32BE(4 + body.length, 1)
  bytes.write(body, 5, 'latin1')
  return bytes
}

/** The fields of an ErrorResponse, for people. */
function textOf(bytes: Buffer): string {
  return bytes.toString('utf8', 5).split('\0').filter(Boolean).join(' | ')
}
