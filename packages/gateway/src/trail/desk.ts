/** The gateway's side of the audit package's desk/contract.ts: what changes the log goes through the one process that writes it. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import {
  AuditError,
  type AuditEvent,
  type AuditLog,
  DESK_CHARS_MAX,
  type DeskAnswer,
  type DeskRequest,
  deskPath,
  eraseRecording,
  type Rewrapped,
} from '@sallyport/audit'
import { Ajv } from 'ajv'
import type { Keeper } from './keeper.ts'

/** One request, ms. */
const REQUEST_MS_MAX = 10_000
/** At a time. */
const CALLERS_MAX = 16

const text = { type: 'string', minLength: 1, maxLength: 4_096 } as const
const fields = (properties: Record<string, object>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
/** What a hold names: one of these. */
const on = {
  type: 'object',
  properties: {
    session: text,
    subject: text,
    time: fields({
      since: { type: 'integer', minimum: 0 },
      until: { type: 'integer', minimum: 0 },
    }),
  },
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
}
const isRequest = new Ajv({ discriminator: true }).compile<DeskRequest>({
  type: 'object',
  discriminator: { propertyName: 'do' },
  required: ['do'],
  oneOf: [
    fields({ do: { const: 'note-read' }, actor: text, action: text, query: { type: 'string' } }),
    fields({
      do: { const: 'hold' },
      on,
      state: { enum: ['placed', 'lifted'] },
      by: text,
      reason: text,
    }),
    fields({
      do: { const: 'erase' },
      session: text,
      what: { enum: ['recording', 'key'] },
      by: text,
      reason: text,
    }),
    fields({ do: { const: 'rotate-key' } }),
    fields({ do: { const: 'rewrap' }, by: text }),
    fields({ do: { const: 'prune' }, by: text, dryRun: { type: 'boolean' } }),
  ],
})

export interface DeskOptions {
  readonly audit: AuditLog
  readonly keeper: Keeper
  /** Directory of recordings. */
  readonly recordings: string
  /** @throws AuditError key-missing, unavailable */
  readonly rewrap: (by: string) => Promise<Rewrapped>
}

export class Desk {
  readonly #options: DeskOptions
  readonly #server: Server

  private constructor(options: DeskOptions) {
    this.#options = options
    this.#server = createServer((socket) => this.#receive(socket))
    this.#server.maxConnections = CALLERS_MAX
  }

  /** Null: the directory's name is too long for a socket. Rejects with the system's error. */
  static async open(options: DeskOptions): Promise<Desk | null> {
    const path = deskPath(options.audit.directory)
    if (path === null) return null
    const desk = new Desk(options)
    // Of a gateway that was killed: the lock on the log says that no other is running.
    rmSync(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      desk.#server.once('error', reject)
      desk.#server.listen(path, resolve)
    })
    chmodSync(path, 0o600)
    return desk
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #receive(socket: Socket): void {
    let asked = ''
    socket.setEncoding('utf8')
    socket.setTimeout(REQUEST_MS_MAX, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (chunk: string) => {
      asked += chunk
      if (asked.length > DESK_CHARS_MAX) socket.destroy()
      const end = asked.indexOf('\n')
      if (end < 0) return
      socket.removeAllListeners('data')
      socket.resume()
      void this.#answer(asked.slice(0, end)).then((answer) => {
        socket.end(`${JSON.stringify(answer)}\n`)
      })
    })
  }

  async #answer(line: string): Promise<DeskAnswer> {
    try {
      const request: unknown = JSON.parse(line)
      if (!isRequest(request)) throw new SyntaxError('no such request')
      return { ok: true, said: await this.#do(request) }
    } catch (error) {
      if (error instanceof AuditError) {
        return { ok: false, code: error.code, message: error.message }
      }
      return { ok: false, code: 'bad-request', message: 'the gateway does not know this request' }
    }
  }

  async #do(request: DeskRequest): Promise<string> {
    const { audit, recordings: directory } = this.#options
    switch (request.do) {
      case 'note-read': {
        const { actor, action, query } = request
        this.#record({ type: 'trail-read', v: 1, actor, action, query })
        return 'noted'
      }
      case 'hold': {
        const { on, state, by, reason } = request
        this.#record({ type: 'legal-hold', v: 1, ...on, state, by, reason })
        return `legal hold ${state}`
      }
      case 'erase': {
        const { session, what, by, reason } = request
        await eraseRecording({ directory, log: audit, session, what, by, reason })
        return `the ${what} of session ${session} is destroyed`
      }
      case 'prune':
        return JSON.stringify(await this.#options.keeper.prune(request))
      case 'rewrap':
        return JSON.stringify(await this.#options.rewrap(request.by))
      case 'rotate-key': {
        const { from, to, seq } = await audit.rotateKey()
        return `key ${to} has taken the place of ${from}, from record ${seq} on`
      }
    }
  }

  #record(event: AuditEvent): void {
    const { audit } = this.#options
    audit.append(event)
    audit.flush('fdatasync')
  }
}
