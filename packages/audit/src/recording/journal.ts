/**
 * What sessions show their clients, written before it is shown: one file for all sessions, one write for
 * all that happened in a turn of the event loop. The archiver takes closed journals apart into a recording
 * per session (archiver.ts) and deletes them.
 *
 *   file   "SPJ2" | u32 length | JSON of JournalHead | batch …
 *   batch  u32 length | u32 CRC-32 of the content | content          content sealed where there is a key
 *   content: entries    u8 length of the session's id | id | frame (frames.ts)
 *
 * A process that dies leaves at most a torn last batch, which nobody was shown. Files are written over once
 * they have been taken apart: pages the system has already cost a third of new ones. What an earlier journal
 * has left behind the last batch is told by its checksum, which starts from the journal's number.
 */

import type { KeyObject } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AuditError, systemCodeOf } from '../errors.ts'
import { JOURNAL_BUFFER_BYTES } from '../limits.ts'
import { FRAME_HEAD_BYTES, type FrameKind } from './frames.ts'
import { newDataKey, seal, unseal, unwrapKey, type WrappingKey, wrapKey } from './keys.ts'

const MAGIC = Buffer.from('SPJ2')
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

/** A file to be written over. */
export function sparePath(directory: string, journal: number): string {
  return join(directory, `${String(journal).padStart(8, '0')}.spare`)
}

/** Paths of the files to be written over. */
export function listSpares(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.spare'))
    .map((name) => join(directory, name))
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
    const head: JournalHead = { v: 1, journal, key }
    const json = Buffer.from(JSON.stringify(head))
    const length = Buffer.alloc(4)
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
      buffer.writeUInt32BE(crc32(content, this.journal), 4)
      this.#write([buffer.subarray(0, this.#end)])
    } else {
      const sealed = seal(this.#key, content, about(this.journal))
      buffer.writeUInt32BE(sealed.length, 0)
      buffer.writeUInt32BE(crc32(sealed, this.journal), 4)
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

/** A journal to be read. */
export interface JournalFile {
  readonly journal: number
  /** What was written of it; null: whoever wrote it has died, so its end is found by the checksums. */
  readonly bytes: number | null
}

/** Reads journals into memory that is used again. */
export class JournalReader {
  readonly #directory: string
  readonly #wrapping: readonly WrappingKey[]
  #memory: Buffer = Buffer.alloc(0)

  constructor(directory: string, wrapping: readonly WrappingKey[]) {
    this.#directory = directory
    this.#wrapping = wrapping
  }

  /**
   * How much of a journal was written, and its entries in order, up to the first batch that is torn; valid until the
   * next is read.
   * @throws AuditError key-missing; corrupt when it has no head
   */
  read({ journal, bytes }: JournalFile): { bytes: number; entries: Iterable<JournalEntry> } {
    const file = this.#load(journal, bytes)
    const { head, from } = readHead(file)
    // Died while it was made: nothing was shown to anybody.
    if (head === null) return { bytes: 0, entries: [] }
    const key = head.key === null ? null : unwrapKey(head.key, this.#wrapping, about(journal))
    const written = file.subarray(0, bytes ?? endOfBatches(file, from, journal))
    return { bytes: written.length, entries: this.#entries(written, from, key, about(journal)) }
  }

  *#entries(
    written: Buffer,
    from: number,
    key: KeyObject | null,
    context: string,
  ): Generator<JournalEntry> {
    for (let at = from; at < written.length; ) {
      const start = at + BATCH_HEAD_BYTES
      const end = start + written.readUInt32BE(at)
      const stored = written.subarray(start, end)
      yield* entriesOf(key === null ? stored : unseal(key, stored, context))
      at = end
    }
  }

  #load(journal: number, bytes: number | null): Buffer {
    const fd = openSync(journalPath(this.#directory, journal), 'r')
    try {
      const size = bytes ?? fstatSync(fd).size
      if (this.#memory.length < size) this.#memory = Buffer.allocUnsafeSlow(size)
      let at = 0
      while (at < size) {
        const read = readSync(fd, this.#memory, at, size - at, at)
        if (read === 0) break
        at += read
      }
      return this.#memory.subarray(0, at)
    } finally {
      closeSync(fd)
    }
  }
}

/** Behind the last batch that is whole. */
function endOfBatches(file: Buffer, from: number, journal: number): number {
  let at = from
  while (file.length - at >= BATCH_HEAD_BYTES) {
    const start = at + BATCH_HEAD_BYTES
    const end = start + file.readUInt32BE(at)
    if (end > file.length) return at
    if (crc32(file.subarray(start, end), journal) !== file.readUInt32BE(at + 4)) return at
    at = end
  }
  return at
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
