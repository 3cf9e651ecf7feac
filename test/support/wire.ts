/**
 * A PostgreSQL client that is only bytes: it logs in, sends the messages it is told to, and returns every
 * frame it gets. For tests that look at what is really on the wire, or send what no driver would.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import {
  type BackendMessage,
  ByteWriter,
  decodeBackend,
  type ErrorFields,
  encodeCancelRequest,
  encodeFrontend,
  type FrontendMessage,
  UpstreamLogin,
  writeStartupMessage,
} from '@sallyport/protocol-postgres'

export interface WireOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly parameters?: readonly (readonly [string, string])[]
  /** Protocol 3.`minor`; 0 unless said. */
  readonly minor?: 0 | 2
}

export interface Frame {
  /** Type byte as a character. */
  readonly type: string
  readonly message: BackendMessage
  readonly bytes: Buffer
}

/** Longest wait for a reply, milliseconds. */
const REPLY_MS_MAX = 60_000

export class WireRefused extends Error {
  readonly fields: ErrorFields
  constructor(fields: ErrorFields) {
    super(`${fields.sqlstate} ${fields.message}`)
    this.name = 'WireRefused'
    this.fields = fields
  }
}

export class WireClient implements AsyncDisposable {
  readonly socket: Socket
  readonly key: { readonly pid: number; readonly secret: Buffer } | null
  readonly parameters: ReadonlyMap<string, string>
  /** Everything that came after the login. */
  readonly received: Buffer[] = []
  readonly #frames: Frame[] = []
  #rest: Buffer
  #wake: (() => void) | null = null
  #ended = false

  private constructor(
    socket: Socket,
    session: { key: WireClient['key']; parameters: ReadonlyMap<string, string> },
    rest: Buffer,
  ) {
    this.socket = socket
    this.key = session.key
    this.parameters = session.parameters
    this.#rest = rest
    socket.on('data', (chunk: Buffer) => {
      this.received.push(chunk)
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#cut()
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
    this.#cut()
  }

  /** Sends a StartupMessage and no more: the login is the caller's, and its frames are among the others. */
  static begin(options: Omit<WireOptions, 'password'>): WireClient {
    const { host, port, user, database, parameters = [], minor = 0 } = options
    const socket = connect({ host, port, noDelay: true })
    socket.on('error', () => undefined)
    const startup = new ByteWriter()
    writeStartupMessage(startup, {
      minor,
      parameters: [['user', user], ['database', database], ...parameters],
    })
    socket.write(startup.take())
    return new WireClient(socket, { key: null, parameters: new Map() }, Buffer.alloc(0))
  }

  /** Throws WireRefused with the server's error. */
  static async connect(options: WireOptions): Promise<WireClient> {
    const { host, port, user, database, password, parameters = [], minor = 0 } = options
    const machine = new UpstreamLogin({
      tls: false,
      minor,
      parameters: [['user', user], ['database', database], ...parameters],
      password,
      nonce: randomBytes(18).toString('base64'),
      cleartextInClear: true,
    })
    const socket = connect({ host, port, noDelay: true })
    socket.on('error', () => undefined)
    const chunks: Buffer[] = []
    let wake: (() => void) | null = null
    let ended = false
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      wake?.()
    }
    const onClose = (): void => {
      ended = true
      wake?.()
    }
    socket.on('data', onData)
    socket.on('close', onClose)
    for (;;) {
      const event = machine.nextEvent()
      const out = machine.takeOutput()
      if (out.length > 0) socket.write(out)
      if (event.kind === 'need-data') {
        while (chunks.length === 0) {
          if (ended) throw new Error('closed during login')
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        machine.receive(chunks.shift() as Buffer)
      } else if (event.kind === 'error') {
        socket.destroy()
        throw new WireRefused(event.fields)
      } else if (event.kind === 'ready') {
        socket.off('data', onData)
        socket.off('close', onClose)
        const rest = Buffer.concat([machine.takeRemaining(), ...chunks])
        return new WireClient(socket, event.session, rest)
      } else if (event.kind !== 'notice') throw new Error(`unexpected ${event.kind}`)
    }
  }

  get ended(): boolean {
    return this.#ended
  }

  send(...messages: readonly FrontendMessage[]): void {
    this.socket.write(encodeFrontend(...messages))
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Frames up to and with the `count`th ReadyForQuery, or to the end of the connection. */
  replies(count = 1): Promise<Frame[]> {
    let left = count
    return this.until(({ type }) => type === 'Z' && --left === 0)
  }

  /** Frames up to and with the first for which `last` holds, or to the end of the connection. */
  async until(last: (frame: Frame) => boolean): Promise<Frame[]> {
    const taken: Frame[] = []
    const deadline = Date.now() + REPLY_MS_MAX
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) {
        taken.push(frame)
        if (last(frame)) return taken
        continue
      }
      if (this.#ended) return taken
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`no reply after ${say(taken)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** A simple Query and everything it is answered with. */
  query(text: string): Promise<Frame[]> {
    this.send({ kind: 'Query', text })
    return this.replies()
  }

  /** Parse, Bind, Describe, Execute, Sync of one text under unnamed names. */
  extended(
    text: string,
    values: readonly (string | null)[] = [],
    format: 0 | 1 = 0,
  ): Promise<Frame[]> {
    this.send(...extended(text, values, format))
    return this.replies()
  }

  close(): void {
    this.socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return
    this.send({ kind: 'Terminate' })
    this.socket.end()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.socket.destroy(), 1000)
      this.socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #cut(): void {
    let at = 0
    const buf = this.#rest
    while (buf.length - at >= 5) {
      const end = at + 1 + buf.readUInt32BE(at + 1)
      if (end > buf.length) break
      const bytes = Buffer.from(buf.subarray(at, end))
      const message = decodeBackend(bytes[0] as number, bytes, 5, bytes.length)
      this.#frames.push({ type: String.fromCharCode(bytes[0] as number), message, bytes })
      at = end
    }
    this.#rest = buf.subarray(at)
  }
}

export function extended(
  text: string,
  values: readonly (string | null)[] = [],
  format: 0 | 1 = 0,
): FrontendMessage[] {
  return [
    { kind: 'Parse', statement: '', text, parameterTypes: [] },
    {
      kind: 'Bind',
      portal: '',
      statement: '',
      parameterFormats: [],
      values: values.map((value) => (value === null ? null : Buffer.from(value))),
      resultFormats: [format],
    },
    { kind: 'Describe', target: 'portal', name: '' },
    { kind: 'Execute', portal: '', maxRows: 0 },
    { kind: 'Sync' },
  ]
}

/** Frame types in order, runs counted, errors with their code: `T D3 C Z`. */
export function say(frames: readonly Frame[]): string {
  const words: string[] = []
  let run = 0
  for (const [i, { type, message }] of frames.entries()) {
    run++
    if (frames[i + 1]?.type === type && type === 'D') continue
    if (message.kind === 'ErrorResponse') words.push(`E:${message.fields.sqlstate}`)
    else if (message.kind === 'NoticeResponse') words.push(`N:${message.fields.sqlstate}`)
    else if (message.kind === 'ReadyForQuery') words.push(`Z:${message.status}`)
    else if (message.kind === 'CommandComplete') words.push(`C:${message.tag}`)
    else words.push(type === 'D' ? `D${run}` : type)
    run = 0
  }
  return words.join(' ')
}

/** The cells of every DataRow as text; null for NULL. */
export function cells(frames: readonly Frame[]): (string | null)[][] {
  return frames.flatMap(({ message }) =>
    message.kind === 'DataRow'
      ? [message.values.map((value) => (value === null ? null : Buffer.from(value).toString()))]
      : [],
  )
}

export function errorsOf(frames: readonly Frame[]): ErrorFields[] {
  return frames.flatMap(({ message }) => (message.kind === 'ErrorResponse' ? [message.fields] : []))
}

/** Sends a CancelRequest on a connection of its own; resolves when the server has closed it. */
export function cancelAt(
  address: { readonly host: string; readonly port: number },
  key: { readonly pid: number; readonly secret: Uint8Array },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(address, () => socket.end(encodeCancelRequest(key)))
    socket.resume()
    socket.once('error', reject)
    socket.once('close', () => resolve())
  })
}
