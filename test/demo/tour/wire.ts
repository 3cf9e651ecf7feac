/**
 * A PostgreSQL client that says exactly what it is told and reports every frame of the answer: for
 * pipelines, transaction states and COPY, where drivers smooth over what matters here. Encoding is
 * pg-protocol's, an implementation that is not ours.
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */
import { connect, type Socket } from 'node:net'
import { serialize } from 'pg-protocol'

const ANSWER_MS_MAX = 10_000

export interface Frame {
  readonly type: string
  readonly body: Buffer
}

export interface WireLogin {
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: string
}

/** Client messages, ready to be sent. */
export const say = {
  query: (sql: string): Buffer => serialize.query(sql),
  parse: (text: string, name = ''): Buffer => serialize.parse({ name, text, types: [] }),
  /** Parameters are text; `format` is what results come in. */
  bind: (values: (string | null)[] = [], format: 'text' | 'binary' = 'text'): Buffer =>
    serialize.bind({ values, binary: format === 'binary' }),
  execute: (): Buffer => serialize.execute({}),
  sync: (): Buffer => serialize.sync(),
} as const

export class WireClient {
  readonly #socket: Socket
  #pending: Buffer = Buffer.alloc(0)
  readonly #frames: Frame[] = []
  #ended = false
  #wake: (() => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    const end = (): void => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('close', end)
    socket.on('error', end)
  }

  /** Logs in with a clear-text password; throws the server's message when refused. */
  static async login({ port, user, database, password }: WireLogin): Promise<WireClient> {
    const client = new WireClient(connect({ host: '127.0.0.1', port }))
    client.send(serialize.startup({ user, database }))
    const [question] = await client.until('R')
    if (question?.body.readInt32BE(0) !== 3) throw new Error('no clear-text password asked for')
    client.send(serialize.password(password))
    await client.until('Z')
    return client
  }

  send(...messages: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(messages))
  }

  /** Frames up to and including the first one of `type`; throws at a FATAL error or when it never comes. */
  async until(type: string): Promise<Frame[]> {
    const deadline = Date.now() + ANSWER_MS_MAX
    for (;;) {
      const at = this.#frames.findIndex((frame) => frame.type === type)
      if (at >= 0) return this.#frames.splice(0, at + 1)
      const error = this.#frames.find((frame) => frame.type === 'E')
      if (this.#ended) {
        throw new Error(error === undefined ? 'connection closed' : errorOf(error).message)
      }
      if (Date.now() > deadline) throw new Error(`no \`${type}\` within ${ANSWER_MS_MAX} ms`)
      await this.#more(deadline - Date.now())
    }
  }

  /** Sends and waits for ReadyForQuery. */
  ask(...messages: readonly Buffer[]): Promise<Frame[]> {
    this.send(...messages)
    return this.until('Z')
  }

  close(): void {
    this.#socket.end(serialize.end())
    this.#socket.destroySoon()
  }

  #more(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#wake = done
    })
  }

  #take(chunk: Buffer): void {
    let buf = Buffer.concat([this.#pending, chunk])
    while (buf.length >= 5) {
      const end = 1 + buf.readInt32BE(1)
      if (buf.length < end) break
      const type = String.fromCharCode(buf[0] ?? 0)
      this.#frames.push({ type, body: Buffer.from(buf.subarray(5, end)) })
      buf = buf.subarray(end)
    }
    this.#pending = buf
    this.#wake?.()
  }
}

/** Message types in order, ReadyForQuery with its state: `TDCZI`. */
export function shapeOf(frames: readonly Frame[]): string {
  return frames
    .filter(({ type }) => type !== 'N' && type !== 'S')
    .map(({ type, body }) => (type === 'Z' ? `Z${body.toString('latin1')}` : type))
    .join('')
}

export interface WireError {
  readonly code: string
  readonly message: string
}

export function errorOf({ body }: Frame): WireError {
  const fields = new Map<string, string>()
  for (const part of body.toString('utf8').split('\0')) {
    if (part !== '') fields.set(part[0] ?? '', part.slice(1))
  }
  return { code: fields.get('C') ?? '', message: fields.get('M') ?? '' }
}

/** The bytes of a COPY TO STDOUT. */
export function copiedIn(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.filter(({ type }) => type === 'd').map(({ body }) => body))
}

/** The fields of every DataRow; null is SQL NULL. */
export function rowsIn(frames: readonly Frame[]): (Buffer | null)[][] {
  return frames.filter(({ type }) => type === 'D').map(({ body }) => fieldsOf(body))
}

function fieldsOf(body: Buffer): (Buffer | null)[] {
  const fields: (Buffer | null)[] = []
  let at = 2
  for (let i = 0; i < body.readInt16BE(0); i++) {
    const length = body.readInt32BE(at)
    at += 4
    fields.push(length < 0 ? null : body.subarray(at, at + length))
    at += Math.max(length, 0)
  }
  return fields
}
