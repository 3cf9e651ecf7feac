/**
 * One socket of a session: bytes in, output queues out, back-pressure told.
 *
 * A plain socket reads directly into the input buffer and is written past its stream where that is possible
 * (direct-socket.ts); TLS hands over chunks of its own, which are used as they are.
 */
import type { Socket } from 'node:net'
import { busyPoll } from './busy-poll.ts'
import { moveToDirect } from './direct-socket.ts'
import { InputBuffer } from './input-buffer.ts'
import { type Output, StreamWriter, type Writer } from './writer.ts'

/** Output of several pieces below this many bytes is joined: one write costs less than a list of them. */
const JOIN_BYTES_MAX = 16 * 1024

export interface LegOwner {
  /** Takes what it can of [start, end); returns where it stopped. */
  take(buf: Buffer, start: number, end: number): number
  /** Whole length of the frame at the returned offset, bytes; 0 when not known yet. */
  wanted(): number
  /** More must not be read now, with `unread` bytes not taken yet: parked, or what was read is not written on. */
  heldBack(unread: number): boolean
  /** Views of what was read are queued somewhere, or being written. */
  viewsHeld(): boolean
  /** Every byte written so far has been taken by the socket. */
  drained(): void
  closed(reason: 'end' | 'error', error?: Error): void
}

export interface LegOptions {
  /** What was read behind the login. */
  readonly rest: Buffer
  /** Try to read and write directly; not for a socket that somebody else is to have afterwards. */
  readonly direct: boolean
  /** Somebody else waits for the end of the socket as it was handed over. */
  readonly watched: boolean
}

export class Leg {
  readonly #socket: Socket
  #owner: LegOwner
  readonly #writer: Writer
  readonly #input = new InputBuffer()
  #hasRead = false
  /** Where the socket reads to. */
  #target: Buffer | null = null
  /** The socket is being read: it does not have to be told so again. */
  #reading = false
  #done = false
  #taking = false
  #takeAgain = false

  /** `socket`: handed over, paused; nobody else reads or writes it from now on. */
  constructor(socket: Socket, owner: LegOwner, options: LegOptions) {
    this.#owner = owner
    const moved = options.direct
      ? moveToDirect(socket, {
          watched: options.watched,
          nextBuffer: () => this.#nextBuffer(),
          onBytes: (bytes) => this.#arrived(bytes),
          drained: () => this.#drained(),
        })
      : null
    this.#socket = moved?.socket ?? socket
    this.#writer = moved?.writer ?? new StreamWriter(socket, () => this.#drained())
    if (moved === null) this.#socket.on('data', (chunk: Buffer) => this.#chunk(chunk))
    const rest = moved === null ? options.rest : Buffer.concat([options.rest, moved.rest])
    if (rest.length > 0) this.#input.chunk(rest, 0)
    this.#socket.on('end', () => this.#closed('end'))
    this.#socket.on('close', () => this.#closed('end'))
    this.#socket.on('error', (error: Error) => this.#closed('error', error))
    this.#socket.setNoDelay(true)
  }

  /** Another owner has it from now on; `rest`: what the last one took and did not want, in front of what is unread. */
  handTo(owner: LegOwner, rest: Buffer): void {
    this.#owner = owner
    if (rest.length === 0) return
    const input = this.#input
    const unread = Buffer.concat([rest, input.store.subarray(input.from, input.to)])
    input.consumed(input.to)
    input.chunk(unread, 0)
  }

  /** The peer has gone, or has been sent away. */
  get closed(): boolean {
    return this.#done || this.#socket.destroyed || this.#socket.readableEnded
  }

  /** The socket has not taken everything yet; `drained` will be told when it has. */
  get backedUp(): boolean {
    return !this.#done && this.#writer.backedUp
  }

  /** Hands unconsumed bytes in again, and reads on when nothing holds it back. */
  resume(): void {
    if (this.#done) return
    if (this.#input.hasLent && !this.#owner.viewsHeld()) this.#input.viewsReturned()
    if (this.#input.length > 0) this.#process()
    if (this.#reading || this.#done || this.#owner.heldBack(this.#input.length)) return
    this.#reading = true
    this.#socket.resume()
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    this.#socket.pause()
  }

  /** Writes everything queued and clears the queue. */
  write(out: Output): void {
    if (!out.empty && !this.#done) {
      if (out.buffers.length > 1 && out.bytes <= JOIN_BYTES_MAX) out.keep()
      this.#writer.write(out)
    }
    out.clear()
  }

  /** Writes bytes that are nobody's views. */
  say(bytes: Buffer): void {
    if (!this.#done) this.#writer.say(bytes)
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

  #drained(): void {
    if (!this.#done) this.#owner.drained()
  }

  #chunk(chunk: Buffer): void {
    if (this.#done) return
    busyPoll.read()
    try {
      this.#input.chunk(chunk, this.#owner.wanted())
      this.#process()
      if (!this.#done && this.#owner.heldBack(this.#input.length)) this.pause()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** A bug of ours in a socket's callback ends this session and not the process. */
  #failed(error: unknown): void {
    this.#closed(
      'error',
      error instanceof Error ? error : new Error('not an error', { cause: error }),
    )
  }

  /**
   * Undefined: the last one again, which costs less than handing it over. Asked for once while this is being made,
   * when nothing has been read and the owner is not ready.
   */
  #nextBuffer(): Buffer | undefined {
    const owner = this.#input.length === 0 && !this.#hasRead ? null : this.#owner
    const next = this.#input.target(owner?.viewsHeld() ?? false, owner?.wanted() ?? 0)
    if (next === this.#target) return undefined
    this.#target = next
    return next
  }

  #arrived(bytes: number): boolean {
    if (this.#done) return false
    busyPoll.read()
    this.#hasRead = true
    try {
      this.#input.arrived(bytes)
      this.#process()
      if (this.#done) return false
      if (!this.#owner.heldBack(this.#input.length)) return true
      this.#reading = false
      return false
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  /** Taking may lead back here (a write drains, a turn passes): then what is taken is not taken twice. */
  #process(): void {
    if (this.#taking) {
      this.#takeAgain = true
      return
    }
    const input = this.#input
    this.#taking = true
    do {
      this.#takeAgain = false
      if (this.#owner.wanted() > input.length) break
      input.consumed(this.#owner.take(input.store, input.from, input.to))
    } while (this.#takeAgain && !this.#done && input.length > 0)
    this.#taking = false
  }

  #closed(reason: 'end' | 'error', error?: Error): void {
    if (this.#done) return
    this.#done = true
    this.#socket.destroy()
    this.#owner.closed(reason, error)
  }
}
