/** The journal being written (journal.ts). */

import type { KeyObject } from 'node:crypto'
import { randomInt } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, renameSync, writeSync, writevSync } from 'node:fs'
import { FRAME_HEAD_BYTES, type FrameKind } from './frames.ts'
import {
  about,
  CHECK_BYTES,
  checkOf,
  ENTRY_HEAD_BYTES,
  type JournalHead,
  journalPath,
  LENGTH_BYTES,
  MAGIC,
  NAMES_SESSION,
  SESSION_BYTES,
} from './journal.ts'
import { newDataKey, seal, type WrappingKey, wrapKey } from './keys.ts'

const SALTS = 2 ** 32
/** Kept free behind the entries: the check of their batch, and the beginning and check of one more. */
const SLACK_BYTES = CHECK_BYTES + LENGTH_BYTES + ENTRY_HEAD_BYTES + CHECK_BYTES

/** Everything throws the system's error when the disk refuses. */
export class JournalWriter {
  readonly journal: number
  readonly #fd: number
  readonly #key: KeyObject | null
  readonly #salt = randomInt(SALTS)
  readonly #buffer: Buffer
  /** Free place in #buffer; entries begin behind room for the batch's length. */
  #end = LENGTH_BYTES
  #offset = 0
  readonly #headBytes: number
  #sessions = 0

  /** `buffer`: lent by the caller, JOURNAL_BUFFER_BYTES long. `spare`: a file to be written over. */
  constructor(options: {
    directory: string
    journal: number
    wrapping: WrappingKey | null
    buffer: Buffer
    spare?: string | undefined
  }) {
    const { journal, wrapping } = options
    this.journal = journal
    this.#buffer = options.buffer
    this.#key = wrapping === null ? null : newDataKey()
    const path = journalPath(options.directory, journal)
    const { spare } = options
    this.#fd = spare === undefined ? openSync(path, 'w', 0o600) : openSync(spare, 'r+')
    const key =
      wrapping === null || this.#key === null ? null : wrapKey(this.#key, wrapping, about(journal))
    const head: JournalHead = { v: 1, journal, salt: this.#salt, key }
    const json = Buffer.from(JSON.stringify(head))
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(json.length)
    this.#write([Buffer.concat([MAGIC, length, json])])
    this.#headBytes = this.#offset
    // Only now: under its new name it has never had its old head.
    if (spare !== undefined) renameSync(spare, path)
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#offset
  }

  /** Something was written besides the head. */
  get hasEntries(): boolean {
    return this.#offset > this.#headBytes
  }

  get pending(): boolean {
    return this.#end > LENGTH_BYTES
  }

  /** Whether entries fit in what is left of the buffer. */
  hasRoomFor(entries: number, payloadBytes: number): boolean {
    const bytes = entries * ENTRY_HEAD_BYTES + payloadBytes + SLACK_BYTES
    return this.#end + bytes <= this.#buffer.length
  }

  /** Numbers a session, before its first entry; of what it takes there must be room. */
  name(id: Buffer): number {
    const session = this.#sessions++
    id.copy(this.#buffer, this.entry(session, NAMES_SESSION, 0, id.length))
    return session
  }

  /** Adds an entry, of which there must be room; returns where in `buffer` its payload goes. */
  entry(
    session: number,
    kind: FrameKind | typeof NAMES_SESSION,
    at: number,
    payloadBytes: number,
  ): number {
    const to = this.#end
    this.#putHead(to, { session, kind, at, payloadBytes })
    this.#end = to + ENTRY_HEAD_BYTES + payloadBytes
    return to + ENTRY_HEAD_BYTES
  }

  /** Writes what was added since the last flush, as one batch. */
  flush(): void {
    if (!this.pending) return
    this.#write(this.#batch())
    this.#end = LENGTH_BYTES
  }

  /** Likewise, and behind it an entry whose payload is not copied. */
  flushWith(session: number, kind: FrameKind, at: number, payload: Buffer): void {
    const before = this.pending ? this.#batch() : []
    this.#write([...before, ...this.#batchOf(session, kind, at, payload)])
    this.#end = LENGTH_BYTES
  }

  close(): void {
    closeSync(this.#fd)
  }

  #batch(): Buffer[] {
    const buffer = this.#buffer
    const end = this.#end
    const content = buffer.subarray(LENGTH_BYTES, end)
    if (this.#key !== null) return this.#sealedBatch(this.#key, [content])
    buffer.writeUInt32BE(content.length, 0)
    const from = LENGTH_BYTES + ENTRY_HEAD_BYTES
    buffer.writeUInt32BE(checkOf(this.#salt, content.length, buffer, from, end), end)
    return [buffer.subarray(0, end + CHECK_BYTES)]
  }

  /** What belongs to it and is not the payload is put behind the pending batch, in the slack. */
  #batchOf(session: number, kind: FrameKind, at: number, payload: Buffer): Buffer[] {
    const buffer = this.#buffer
    const from = this.#end + CHECK_BYTES
    const head = from + LENGTH_BYTES
    const behind = head + ENTRY_HEAD_BYTES
    this.#putHead(head, { session, kind, at, payloadBytes: payload.length })
    if (this.#key !== null) {
      return this.#sealedBatch(this.#key, [buffer.subarray(head, behind), payload])
    }
    const length = ENTRY_HEAD_BYTES + payload.length
    buffer.writeUInt32BE(length, from)
    buffer.writeUInt32BE(checkOf(this.#salt, length, payload, 0, payload.length), behind)
    return [buffer.subarray(from, behind), payload, buffer.subarray(behind, behind + CHECK_BYTES)]
  }

  #sealedBatch(key: KeyObject, content: readonly Buffer[]): Buffer[] {
    const sealed = seal(key, content, about(this.journal))
    const length = Buffer.allocUnsafe(LENGTH_BYTES)
    length.writeUInt32BE(sealed.length)
    const check = Buffer.allocUnsafe(CHECK_BYTES)
    const { length: bytes } = sealed
    check.writeUInt32BE(checkOf(this.#salt, bytes, sealed, ENTRY_HEAD_BYTES, bytes))
    return [length, sealed, check]
  }

  #putHead(
    to: number,
    entry: { session: number; kind: number; at: number; payloadBytes: number },
  ): void {
    const buffer = this.#buffer
    buffer.writeUInt32BE(entry.session, to)
    buffer[to + SESSION_BYTES] = entry.kind
    buffer.writeDoubleBE(entry.at, to + SESSION_BYTES + 1)
    buffer.writeUInt32BE(entry.payloadBytes, to + SESSION_BYTES + FRAME_HEAD_BYTES - 4)
  }

  /** All of it or nothing: after an error the same bytes go to the same place. */
  #write(parts: Buffer[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    try {
      const written =
        parts.length === 1
          ? // Safe: there is one.
            writeSync(this.#fd, parts[0] as Buffer, 0, length, this.#offset)
          : writevSync(this.#fd, parts, this.#offset)
      if (written !== length) {
        throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' })
      }
    } catch (error) {
      try {
        ftruncateSync(this.#fd, this.#offset)
      } catch {
        // The torn batch is dropped when the journal is read.
      }
      throw error
    }
    this.#offset += length
  }
}
