/** Chunks of a socket one at a time, for logins: paused between them, nothing lost at hand-over. */
import type { Socket } from 'node:net'

const NOTHING = Buffer.alloc(0)

export class ChunkReader {
  readonly #socket: Socket
  #queue: Buffer[] = []
  #ended = false
  #wake: (() => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.pause()
  }

  /** The next chunk; null when the peer has closed or the socket failed. */
  async next(): Promise<Buffer | null> {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#socket.resume()
      })
    }
    return this.#queue.shift() ?? null
  }

  /** Lets go of the socket, paused; returns what was read and not asked for. */
  release(): Buffer {
    this.#socket.pause()
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('error', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    if (this.#queue.length === 0) return NOTHING
    const rest = Buffer.concat(this.#queue)
    this.#queue = []
    return rest
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#queue.push(chunk)
    this.#socket.pause()
    this.#awake()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#awake()
  }

  #awake(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
