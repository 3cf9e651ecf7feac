/**
 * One socket of a session: chunks in, output queues out, back-pressure told.
 *
 * A chunk is the socket's own buffer and never reused, so views of it may be given away. The incomplete
 * frame at its end is joined with what comes next; a frame longer than a chunk gets a buffer of its own
 * size once, into which the rest is copied.
 */
import type { Socket } from 'node:net'
import type { OutputQueue } from '@sallyport/protocol-postgres'

/** Output of several pieces below this many bytes is joined: one write costs less than a list of them. */
const JOIN_BYTES_MAX = 16 * 1024
const NOTHING = Buffer.alloc(0)

export interface LegOwner {
  /** Takes what it can of [start, end); returns where it stopped. */
  take(buf: Buffer, start: number, end: number): number
  /** Whole length of the frame at the returned offset, bytes; 0 when not known yet. */
  wanted(): number
  /** More must not be read now: parked, or what was read has not been written on yet. */
  heldBack(): boolean
  /** Every byte written so far has been taken by the socket. */
  drained(): void
  closed(reason: 'end' | 'error', error?: Error): void
}

export class Leg {
  #socket: Socket
  #owner: LegOwner
  #store: Buffer
  #from = 0
  #to = 0
  #waitingForDrain = false
  #done = false

  /** `socket`: handed over; nobody else reads or writes it from now on. */
  constructor(socket: Socket, owner: LegOwner, rest: Buffer = NOTHING) {
    this.#socket = socket
    this.#owner = owner
    this.#store = rest
    this.#to = rest.length
    socket.on('data', (chunk: Buffer) => this.#chunk(chunk))
    socket.on('end', () => this.#closed('end'))
    socket.on('close', () => this.#closed('end'))
    socket.on('error', (error: Error) => this.#closed('error', error))
    socket.setNoDelay(true)
  }

  /** The socket has not taken everything yet; `drained` will be told when it has. */
  get backedUp(): boolean {
    if (this.#done || this.#socket.writableLength === 0) return false
    this.#watchDrain()
    return true
  }

  /** Hands unconsumed bytes in again, and reads on when nothing holds it back. */
  resume(): void {
    if (this.#done) return
    if (this.#to > this.#from) this.#process()
    if (!this.#done && !this.#owner.heldBack()) this.#socket.resume()
  }

  pause(): void {
    this.#socket.pause()
  }

  /** Writes everything queued and clears the queue. */
  write(out: OutputQueue): void {
    const { buffers, starts, ends } = out
    const count = buffers.length
    if (count === 0 || this.#done) {
      out.clear()
      return
    }
    const socket = this.#socket
    if (count === 1) {
      socket.write(view(out, 0))
    } else if (out.bytes <= JOIN_BYTES_MAX) {
      const joined = Buffer.allocUnsafe(out.bytes)
      let at = 0
      for (let i = 0; i < count; i++) {
        at += (buffers[i] as Buffer).copy(joined, at, starts[i], ends[i])
      }
      socket.write(joined)
    } else {
      socket.cork()
      for (let i = 0; i < count; i++) socket.write(view(out, i))
      socket.uncork()
    }
    out.clear()
    this.#watchDrain()
  }

  /** Sends `last` (already framed) and closes; the peer gets `graceMs` to read it. */
  end(last: Buffer, graceMs: number): void {
    if (this.#done) return
    this.#done = true
    const socket = this.#socket
    const timer = setTimeout(() => socket.destroy(), graceMs)
    socket.once('close', () => clearTimeout(timer))
    socket.removeAllListeners('data')
    socket.resume()
    socket.end(last)
  }

  destroy(): void {
    this.#done = true
    this.#socket.destroy()
  }

  /** Lets go of the socket: somebody else owns it now. */
  release(): void {
    this.#done = true
    for (const event of ['data', 'end', 'close', 'error']) this.#socket.removeAllListeners(event)
    this.#socket.pause()
  }

  /** An empty write completes only after all before it: no per-write callback is needed. */
  #watchDrain(): void {
    if (this.#waitingForDrain || this.#socket.writableLength === 0) return
    this.#waitingForDrain = true
    this.#socket.write(NOTHING, () => {
      this.#waitingForDrain = false
      if (this.#done) return
      if (this.#socket.writableLength > 0) this.#watchDrain()
      else this.#owner.drained()
    })
  }

  #chunk(chunk: Buffer): void {
    if (this.#done) return
    const left = this.#to - this.#from
    if (left === 0) {
      this.#store = chunk
      this.#from = 0
      this.#to = chunk.length
    } else if (this.#store.length - this.#to >= chunk.length && this.#owned) {
      chunk.copy(this.#store, this.#to)
      this.#to += chunk.length
    } else {
      const size = Math.max(left + chunk.length, this.#owner.wanted())
      const store = Buffer.allocUnsafeSlow(size)
      this.#store.copy(store, 0, this.#from, this.#to)
      chunk.copy(store, left)
      this.#store = store
      this.#owned = true
      this.#from = 0
      this.#to = left + chunk.length
    }
    this.#process()
    if (!this.#done && this.#owner.heldBack()) this.#socket.pause()
  }

  /** `#store` is a buffer of ours with room behind, not a chunk of the socket's. */
  #owned = false

  #process(): void {
    const wanted = this.#owner.wanted()
    if (wanted > this.#to - this.#from) return
    this.#from = this.#owner.take(this.#store, this.#from, this.#to)
    if (this.#from === this.#to) {
      this.#store = NOTHING
      this.#owned = false
      this.#from = 0
      this.#to = 0
    }
  }

  #closed(reason: 'end' | 'error', error?: Error): void {
    if (this.#done) return
    this.#done = true
    this.#socket.destroy()
    this.#owner.closed(reason, error)
  }
}

function view(out: OutputQueue, index: number): Buffer {
  const buf = out.buffers[index] as Buffer
  const start = out.starts[index] as number
  const end = out.ends[index] as number
  return start === 0 && end === buf.length ? buf : buf.subarray(start, end)
}
