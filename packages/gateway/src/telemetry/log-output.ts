/**
 * Where the process log goes: lines are written at once and never waited for. What cannot be written, because the disk
 * is full or its reader slow, is kept up to a bound and tried again; what is over that is lost, and a line says how much.
 * The gateway goes on either way: it is not to stand still, nor to end, for its log.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'

/** Bytes of lines that wait. */
export const LOG_WAITING_BYTES_MAX = 1_048_576
/** Until they are tried again, ms. */
export const LOG_RETRY_MS = 100

export class LogOutput implements DestinationStream {
  readonly #fd: number
  readonly #waiting: Buffer[] = []
  #bytes = 0
  /** Of the first line that waits, what is written. */
  #written = 0
  #lost = 0
  #retry: NodeJS.Timeout | null = null

  constructor(fd: number) {
    this.#fd = fd
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > LOG_WAITING_BYTES_MAX) this.#lost++
    else this.#keep(bytes)
    if (this.#retry === null) this.#drain()
  }

  #keep(bytes: Buffer): void {
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
  }

  #drain(): void {
    this.#retry = null
    try {
      this.#writeWaiting()
      if (this.#lost === 0) return
      this.#keep(lostLine(this.#lost))
      this.#lost = 0
      this.#writeWaiting()
    } catch {
      this.#retry = setTimeout(() => this.#drain(), LOG_RETRY_MS)
      this.#retry.unref()
    }
  }

  #writeWaiting(): void {
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      this.#written += writeSync(this.#fd, line, this.#written)
      if (this.#written < line.length) continue
      this.#waiting.shift()
      this.#bytes -= line.length
      this.#written = 0
    }
  }
}

/**
 * The same pipe or terminal, but never waited for: who started this process may have left it blocking, and its flags are
 * everybody's who has it. What cannot be opened anew (a file, a socket) is as it was.
 */
export function unblocked(fd: number): number {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return fd
  }
}

function lostLine(lost: number): Buffer {
  const time = new Date().toISOString()
  const msg = 'log lines could not be written and are lost'
  return Buffer.from(`${JSON.stringify({ level: 'warn', time, name: 'sallyport', lost, msg })}\n`)
}
