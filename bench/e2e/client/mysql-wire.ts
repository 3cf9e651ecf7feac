/**
 * The cheapest MySQL client there can be: mysql2 logs it in, then it sends one prebuilt command again and again and
 * counts the bytes of the answers without looking at them. An answer is over when as many bytes have come as
 * the first had: what is asked must always be answered with as many.
 *
 * It trusts what it is connected to and checks nothing; it is of no use outside this benchmark.
 */
import type { Socket } from 'node:net'
import mysql from 'mysql2/promise'

export interface MysqlTarget {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The first answer is over when nothing has come for so long, ms. */
const SILENCE_MS = 300
const COM_QUERY = 0x03
const COM_STMT_EXECUTE = 0x17

export class MysqlWire {
  readonly #socket: Socket
  readonly #close: () => void
  #left = 0
  #total = 0
  #done: () => void = () => undefined
  #failed: (error: Error) => void = () => undefined

  /** Use `open`. */
  constructor(socket: Socket, close: () => void) {
    this.#socket = socket
    this.#close = close
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => {
      this.#total += chunk.length
      this.#left -= chunk.length
      if (this.#left <= 0) this.#done()
    })
    socket.on('close', () => this.#failed(new Error('the connection was closed')))
    socket.setNoDelay(true)
  }

  /** Logged in; `prepare`: a statement that is prepared first, with one integer parameter. */
  static async open(
    target: MysqlTarget,
    prepare: string | null,
  ): Promise<{ client: MysqlWire; execute: Buffer | null }> {
    const { host, port, user, password, database } = target
    const connection = await mysql.createConnection({ host, port, user, password, database })
    const statement = prepare === null ? null : await connection.prepare(prepare)
    // mysql2 keeps the id below its promise wrapper; its types do not tell.
    const id = (statement as unknown as { statement: { id: number } } | null)?.statement.id ?? null
    const inner = connection as unknown as { connection: { stream: Socket } }
    const client = new MysqlWire(inner.connection.stream, () => connection.destroy())
    return { client, execute: id === null ? null : executeCommand(id) }
  }

  /** Bytes of the answer to `command`, found by waiting for silence. */
  async measure(command: Buffer): Promise<number> {
    this.#total = 0
    this.#left = Number.MAX_SAFE_INTEGER
    this.#socket.write(command)
    for (let seen = -1; seen !== this.#total || seen === 0; ) {
      seen = this.#total
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS))
    }
    return this.#total
  }

  ask(command: Buffer, bytes: number): Promise<void> {
    this.#left = bytes
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      this.#socket.write(command)
    })
  }

  close(): void {
    this.#failed = () => undefined
    this.#close()
  }
}

export function queryCommand(sql: string): Buffer {
  const body = Buffer.from(`\u0003${sql}`, 'latin1')
  body[0] = COM_QUERY
  return packet(body)
}

/** One parameter: the LONGLONG 12345. */
function executeCommand(id: number): Buffer {
  const body = Buffer.alloc(22)
  body[0] = COM_STMT_EXECUTE
  body.writeUInt32LE(id, 1)
  body.writeUInt32LE(1, 6)
  // §COM_STMT_EXECUTE: null bitmap, new types, LONGLONG, flags, value.
  body[11] = 1
  body[12] = 8
  body.writeBigInt64LE(12_345n, 14)
  return packet(body)
}

function packet(body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  return Buffer.concat([head, body])
}
