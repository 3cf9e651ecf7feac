/**
 * Authenticated upstream connections kept for the next client of exactly the same shape (credential,
 * database, start-up parameters). A connection is kept only after DISCARD ALL came back with no
 * transaction open; anything else closes it. Off unless a connection's `reuse` asks for it: only a fresh
 * session cannot be told from a fresh session.
 */
import { encodeFrontend } from '@sallyport/protocol-postgres'
import type { OpenUpstream } from './postgres.ts'

/** How long DISCARD ALL may take, milliseconds. */
const RESET_MS_MAX = 5_000
const RESET_REPLY_BYTES_MAX = 64 * 1024
/** CommandComplete `DISCARD ALL`, ReadyForQuery idle; ParameterStatus frames may come before. */
const READY_IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

interface Spare {
  readonly upstream: OpenUpstream
  readonly timer: NodeJS.Timeout
}

export class SpareUpstreams {
  readonly #max: number
  readonly #idleMs: number
  readonly #spares = new Map<string, Spare[]>()
  #count = 0
  #closed = false

  constructor(limits: { max: number; idleSeconds: number }) {
    this.#max = limits.max
    this.#idleMs = limits.idleSeconds * 1000
  }

  take(shape: string): OpenUpstream | null {
    const spare = this.#spares.get(shape)?.pop()
    if (spare === undefined) return null
    this.#count--
    clearTimeout(spare.timer)
    spare.upstream.socket.removeAllListeners()
    return spare.upstream
  }

  /** Takes the connection over: resets it, and keeps it or closes it. False: it is not wanted. */
  give(shape: string, upstream: OpenUpstream): boolean {
    if (this.#closed || this.#count >= this.#max) return false
    this.#count++
    void resetSession(upstream).then(
      () => this.#keep(shape, upstream),
      () => {
        this.#count--
        upstream.socket.destroy()
      },
    )
    return true
  }

  close(): void {
    this.#closed = true
    for (const spares of this.#spares.values()) {
      for (const { upstream, timer } of spares) {
        clearTimeout(timer)
        upstream.socket.destroy()
      }
    }
    this.#spares.clear()
  }

  #keep(shape: string, upstream: OpenUpstream): void {
    if (this.#closed) {
      upstream.socket.destroy()
      return
    }
    const spares = this.#spares.get(shape) ?? []
    this.#spares.set(shape, spares)
    const drop = (): void => {
      const at = spares.indexOf(spare)
      if (at >= 0) {
        spares.splice(at, 1)
        this.#count--
      }
      clearTimeout(timer)
      upstream.socket.destroy()
    }
    const timer = setTimeout(drop, this.#idleMs)
    timer.unref()
    const spare: Spare = { upstream, timer }
    // Whatever an idle server says (it shut down, it was terminated) makes it useless.
    for (const event of ['data', 'end', 'error', 'close']) upstream.socket.once(event, drop)
    upstream.socket.resume()
    spares.push(spare)
  }
}

function resetSession(upstream: OpenUpstream): Promise<void> {
  const { socket } = upstream
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const done = (settle: () => void): void => {
      clearTimeout(timer)
      for (const event of ['data', 'end', 'error', 'close']) socket.removeAllListeners(event)
      settle()
    }
    const fail = (): void => done(() => reject(new Error('reset failed')))
    const timer = setTimeout(fail, RESET_MS_MAX)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length > RESET_REPLY_BYTES_MAX) return fail()
      if (received.subarray(-READY_IDLE.length).equals(READY_IDLE)) {
        done(
          received.includes('DISCARD ALL\0') ? resolve : () => reject(new Error('reset refused')),
        )
      }
    })
    socket.on('end', fail)
    socket.on('error', fail)
    socket.on('close', fail)
    socket.resume()
    socket.write(encodeFrontend({ kind: 'Query', text: 'DISCARD ALL' }))
  })
}
