/**
 * What sessions show their clients, written before it is shown: one file for all sessions, one write for
 * all that happened in a turn of the event loop. The archiver takes closed journals apart into a recording
 * per session (archiver.ts) and deletes them.
 *
 *   file   "SPJ1" | u32 length | JSON of JournalHead | batch …
 *   batch  u32 length | u32 CRC-32 of the content | content          content sealed where there is a key
 *   content: entries    u8 length of the session's id | id | frame (frames.ts)
 *
 * A process that dies leaves at most a torn last batch, which nobody was shown.
 */

import type { KeyObject } from 'node:crypto'
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AuditError, systemCodeOf } from '../errors.ts'
import { JOURNAL_BUFFER_BYTES } from '../limits.ts'
import { FRAME_HEAD_BYTES, type FrameKind } from './frames.ts'
import { newDataKey, seal, unseal, unwrapKey, type WrappingKey, wrapKey } from './keys.ts'

const MAGIC = Buffer.from('SPJ1')
const BATCH_HEAD_BYTES = 8
const NAME = /^(\d{8,12})\.journal$/

interface JournalHead {
  readonly v: 1
  readonly journal: number
  /** The key the batches are sealed with, wrapped; null: they are not. */
  readonly key: string | null
}

export function journalPath(directory: string, journal: number): string {
  return join(directory, `${String(journal).padStart(8, '0')}.journal`)
}

/** Numbers of the journals present, ascending. */
export function listJournals(directory: string): number[] {
  return readdirSync(directory)
    .map((name) => NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

const about = (journal: number): string => `journal ${journal}`

/** The journal being written. Everything throws the system's error when the disk refuses. */
export class JournalWriter {
  readonly journal: number
  readonly #fd: number
  readonly #key: KeyObject | null
  readonly #buffer: Buffer
  /** Free place in #buffer; entries begin behind room for the batch's head. */
  #end = BATCH_HEAD_BYTES
  #offset = 0
  readonly #headBytes: number

  /** `buffer`: lent by the caller, JOURNAL_BUFFER_BYTES long. */
  constructor(options: {
    directory: string
    journal: number
    wrapping: WrappingKey | null
    buffer: Buffer
  }) {
    const { journal, wrapping } = options
    this.journal = journal
    this.#buffer = options.buffer
    this.#key = wrapping === null ? null : newDataKey()
    this.#fd = openSync(journalPath(options.directory, journal), 'w', 0o600)
    const key =
      wrapping === null || this.#key === null ? null : wrapKey(this.#key, wrapping, about(journal))
    const head: JournalHead = { v: 1, journal, key }
    const json = Buffer.from(JSON.stringify(head))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(json.length)
    this.#write([Buffer.concat([MAGIC, length, json])])
    this.#headBytes = this.#offset
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
    return this.#end > BATCH_HEAD_BYTES
  }

  /** Whether an entry of this payload fits in what is left of the buffer. */
  hasRoomFor(id: Buffer, payloadBytes: number): boolean {
    return this.#end + 1 + id.length + FRAME_HEAD_BYTES + payloadBytes <= this.#buffer.length
  }

  /** Adds an entry, of which there must be room; returns where in `buffer` its payload goes. */
  entry(id: Buffer, kind: FrameKind, at: number, payloadBytes: number): number {
    const buffer = this.#buffer
    let to = this.#end
    buffer[to++] = id.length
    to += id.copy(buffer, to)
    buffer[to] = kind
    buffer.writeDoubleBE(at, to + 1)
    buffer.writeUInt32BE(payloadBytes, to + 9)
    to += FRAME_HEAD_BYTES
    this.#end = to + payloadBytes
    return to
  }

  /** Writes what was added since the last flush, as one batch. */
  flush(): void {
    if (!this.pending) return
    const buffer = this.#buffer
    const content = buffer.subarray(BATCH_HEAD_BYTES, this.#end)
    if (this.#key === null) {
      buffer.writeUInt32BE(content.length, 0)
      buffer.writeUInt32BE(crc32(content), 4)
      this.#write([buffer.subarray(0, this.#end)])
    } else {
      const sealed = seal(this.#key, content, about(this.journal))
      buffer.writeUInt32BE(sealed.length, 0)
      buffer.writeUInt32BE(crc32(sealed), 4)
      this.#write([buffer.subarray(0, BATCH_HEAD_BYTES), sealed])
    }
    this.#end = BATCH_HEAD_BYTES
  }

  close(): void {
    closeSync(this.#fd)
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

export interface JournalEntry {
  readonly session: string
  readonly kind: number
  readonly at: number
  /** The frame whole, head included: a view of the journal. */
  readonly frame: Buffer
}

/**
 * The entries of a journal in order, up to the first batch that is torn.
 * @throws AuditError key-missing; corrupt when it has no head
 */
export function* readJournal(
  directory: string,
  journal: number,
  wrapping: readonly WrappingKey[],
): Generator<JournalEntry> {
  const file = readFileSync(journalPath(directory, journal))
  const { head, from } = readHead(file)
  // Died while it was made: nothing was shown to anybody.
  if (head === null) return
  const key = head.key === null ? null : unwrapKey(head.key, wrapping, about(journal))
  for (let at = from; file.length - at >= BATCH_HEAD_BYTES; ) {
    const length = file.readUInt32BE(at)
    const crc = file.readUInt32BE(at + 4)
    const start = at + BATCH_HEAD_BYTES
    const end = start + length
    if (end > file.length) return
    const stored = file.subarray(start, end)
    if (crc32(stored) !== crc) return
    yield* entriesOf(key === null ? stored : unseal(key, stored, about(journal)))
    at = end
  }
}

function readHead(file: Buffer): { head: JournalHead | null; from: number } {
  if (file.length < 8 || !file.subarray(0, 4).equals(MAGIC)) return { head: null, from: 0 }
  const from = 8 + file.readUInt32BE(4)
  if (from > file.length) return { head: null, from: 0 }
  try {
    // Safe: it was written whole, by JournalWriter.
    return { head: JSON.parse(file.toString('utf8', 8, from)) as JournalHead, from }
  } catch (cause) {
    throw new AuditError('corrupt', `a journal’s head is damaged: ${systemCodeOf(cause)}`, {
      cause,
    })
  }
}

function* entriesOf(content: Buffer): Generator<JournalEntry> {
  for (let at = 0; at < content.length; ) {
    const idEnd = at + 1 + content.readUInt8(at)
    const length = content.readUInt32BE(idEnd + 9)
    const end = idEnd + FRAME_HEAD_BYTES + length
    yield {
      session: content.toString('latin1', at + 1, idEnd),
      kind: content.readUInt8(idEnd),
      at: content.readDoubleBE(idEnd + 1),
      frame: content.subarray(idEnd, end),
    }
    at = end
  }
}

/** A buffer for one writer after another. */
export function journalBuffer(): Buffer {
  return Buffer.allocUnsafe(JOURNAL_BUFFER_BYTES)
}
