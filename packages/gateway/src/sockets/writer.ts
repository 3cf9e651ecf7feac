/** How a leg writes: what of its output the socket has not taken yet, and when it has. */
import type { Socket } from 'node:net'

const NOTHING = Buffer.alloc(0)

/** Bytes `starts[i]` to `ends[i]` of `buffers[i]`, in order. */
export interface Views {
  readonly buffers: readonly Buffer[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** What a machine wants written; see the protocols' output queues. */
export interface Output extends Views {
  /** Queues a whole buffer the caller gives away. */
  give(buf: Buffer): void
  readonly bytes: number
  readonly empty: boolean
  /** Some of it looks at buffers of others. */
  readonly holdsViews: boolean
  /** Replaces the views by one copy. */
  keep(): void
  clear(): void
}

export interface Writer {
  /** The socket has not taken everything; `drained` will be called when it has. */
  readonly backedUp: boolean
  /** What was written may not be changed while the writer is backed up. */
  write(views: Views): void
  /** Writes bytes that are nobody's views. */
  say(bytes: Buffer): void
}

/** By the socket's own stream: for TLS, and for sockets that somebody else is to have afterwards. */
export class StreamWriter implements Writer {
  readonly #socket: Socket
  readonly #drained: () => void
  #waiting = false

  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket
    this.#drained = drained
  }

  get backedUp(): boolean {
    if (this.#socket.writableLength === 0) return false
    this.#watchDrain()
    return true
  }

  write(views: Views): void {
    const socket = this.#socket
    const count = views.buffers.length
    if (count > 1) socket.cork()
    for (let i = 0; i < count; i++) socket.write(view(views, i))
    if (count > 1) socket.uncork()
    if (socket.writableLength > 0) this.#watchDrain()
  }

  say(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** An empty write completes only after all before it: no per-write callback is needed. */
  #watchDrain(): void {
    if (this.#waiting) return
    this.#waiting = true
    this.#socket.write(NOTHING, () => {
      this.#waiting = false
      if (this.#socket.destroyed) return
      if (this.#socket.writableLength > 0) this.#watchDrain()
      else this.#drained()
    })
  }
}

export function view(views: Views, index: number): Buffer {
  const buf = views.buffers[index] as Buffer
  const start = views.starts[index] as number
  const end = views.ends[index] as number
  return start === 0 && end === buf.length ? buf : buf.subarray(start, end)
}
