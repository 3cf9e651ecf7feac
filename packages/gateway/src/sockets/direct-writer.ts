/**
 * Writes to the handle of a socket, past its stream: for every write that would make a request and call back through the
 * stream's state and the queue of ticks, though nearly all of them are over when the call returns.
 *
 * The handle's methods are not documented. `direct-socket.ts` tries them before anything relies on them.
 */
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { type Views, view, type Writer } from './writer.ts'

/** What a handle wants of each write; it belongs to the handle until it calls back, if it says that it will. */
export interface WriteRequest {
  /** `status`: 0, or an error of the system. */
  oncomplete: ((status: number) => void) | null
  /** Below 0: it was not needed, the write is over. */
  getAsyncId(): number
  /** What is written must live as long. */
  bytes: readonly Buffer[] | null
}

/** 0, or an error of the system. */
export interface WriteHandle {
  writeBuffer(request: WriteRequest, bytes: Buffer): number
  writev(request: WriteRequest, pieces: readonly Buffer[], allBuffers: true): number
}

export type WriteRequestClass = new () => WriteRequest

/** Of all writers: not used yet, or not needed by the writes it was used for. */
let spare: WriteRequest | null = null

export class DirectWriter implements Writer {
  readonly #socket: Socket
  readonly #handle: WriteHandle
  readonly #requestClass: WriteRequestClass
  readonly #drained: () => void
  #pending = 0

  /** `socket`: is destroyed, with the error, when a write fails. */
  constructor(
    socket: Socket,
    handle: WriteHandle,
    requestClass: WriteRequestClass,
    drained: () => void,
  ) {
    this.#socket = socket
    this.#handle = handle
    this.#requestClass = requestClass
    this.#drained = drained
  }

  get backedUp(): boolean {
    return this.#pending > 0
  }

  write(views: Views): void {
    if (views.buffers.length === 1) {
      this.say(view(views, 0))
      return
    }
    const request = this.#request()
    const pieces = views.buffers.map((_, i) => view(views, i))
    this.#sent(request, this.#handle.writev(request, pieces, true), pieces)
  }

  say(bytes: Buffer): void {
    const request = this.#request()
    const status = this.#handle.writeBuffer(request, bytes)
    if (status === 0 && request.getAsyncId() < 0) spare = request
    else this.#sent(request, status, [bytes])
  }

  /** It is this write's alone until it is known not to have been needed. */
  #request(): WriteRequest {
    const request = spare ?? new this.#requestClass()
    spare = null
    return request
  }

  #sent(request: WriteRequest, status: number, bytes: readonly Buffer[]): void {
    if (status !== 0) {
      this.#failed(status)
    } else if (request.getAsyncId() >= 0) {
      this.#pending++
      request.bytes = bytes
      request.oncomplete = (ended) => this.#ended(ended)
    }
  }

  #ended(status: number): void {
    this.#pending--
    if (status !== 0) this.#failed(status)
    else if (this.#pending === 0 && !this.#socket.destroyed) this.#drained()
  }

  #failed(status: number): void {
    if (this.#socket.destroyed) return
    const code = getSystemErrorName(status)
    const error = new Error(`write ${code}`)
    this.#socket.destroy(Object.assign(error, { code, errno: status, syscall: 'write' }))
  }
}
