/**
 * Recordings as a gateway writes them: what sessions show their clients, noted as it happens and written in
 * one go before any of it is shown.
 *
 * Behind it journals are closed every RECORDING_JOURNAL_MS or RECORDING_JOURNAL_BYTES, taken apart by the
 * archiver and deleted once the log holds the seals of what became of them.
 */

import { mkdirSync, rmSync } from 'node:fs'
import { AuditError, systemCodeOf } from '../errors.ts'
import type { AuditEvent } from '../event.ts'
import {
  RECORDING_JOURNAL_BYTES,
  RECORDING_JOURNAL_MS,
  RECORDING_JOURNALS_MAX,
  RECORDING_PIECE_BYTES,
} from '../limits.ts'
import { ArchiveWorker } from './archive-worker.ts'
import type { SessionSeal } from './archiver.ts'
import {
  FRAME_KIND,
  type FrameKind,
  type RecordingEnd,
  type RecordingOpen,
  type ResultShape,
} from './frames.ts'
import { JournalWriter, journalBuffer, journalPath, listJournals } from './journal.ts'
import { type WrappingKey, wrappingKey } from './keys.ts'

export interface RecordingsOptions {
  /** Journals and recordings lie here. */
  readonly directory: string
  /** The clock, milliseconds since 1970. */
  readonly now: () => number
  /** 32 bytes: data keys are wrapped by it. Null: recordings are not encrypted. */
  readonly key: Uint8Array | null
  /** Appends to the log and writes it; throws when that cannot be done. */
  readonly record: (events: readonly AuditEvent[]) => void
  /** Called once each time writing or archiving begins to fail. */
  readonly onFailure: (error: AuditError) => void
}

/** One session's recording, while it lives. Nothing here is on disk before `flush` of its Recordings. */
export interface SessionRecording {
  /** Bytes about to be sent to the client, behind the masks. Copied. */
  output(buf: Buffer, start: number, end: number): void
  /** Data the client sent. Copied. */
  input(buf: Buffer, start: number, end: number): void
  /** The output so far ends the answer to this statement. */
  answered(statement: number): void
  /** How rows without a description are to be read; said once for each. */
  shape(shape: ResultShape): void
  /** What follows are rows of this shape. */
  result(shape: number): void
  /** Rows that are sent to the client and not recorded. */
  omitted(what: { rows: number; bytes: number }): void
  end(reason: string): void
}

export class Recordings {
  readonly #options: RecordingsOptions
  readonly #wrapping: WrappingKey | null
  readonly #buffer = journalBuffer()
  readonly #archiver: ArchiveWorker
  readonly #timer: NodeJS.Timeout
  #journal: JournalWriter
  /** Journals closed and not archived. */
  #waiting = 0
  #failed = false

  constructor(options: RecordingsOptions) {
    const { directory, key } = options
    this.#options = options
    this.#wrapping = key === null ? null : wrappingKey(key)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const left = listJournals(directory)
    this.#archiver = new ArchiveWorker({
      directory,
      key,
      onArchived: (journal, seals) => this.#archived(journal, seals),
      onFailure: options.onFailure,
    })
    this.#journal = this.#nextJournal((left.at(-1) ?? 0) + 1)
    for (const journal of left) this.#toArchiver(journal)
    this.#timer = setInterval(() => this.#rotateSoon(), RECORDING_JOURNAL_MS)
    this.#timer.unref()
  }

  /** False: nothing may be shown, so nothing should be run. */
  get available(): boolean {
    return !this.#failed && this.#waiting < RECORDING_JOURNALS_MAX
  }

  get pending(): boolean {
    return this.#journal.pending
  }

  /** Begins a session's recording. @throws AuditError unavailable */
  open(open: RecordingOpen): SessionRecording {
    if (!this.available) throw unavailable()
    const id = Buffer.from(open.session, 'latin1')
    this.#json(id, FRAME_KIND.open, open)
    return {
      output: (buf, start, end) => this.#bytes(id, FRAME_KIND.output, buf, start, end),
      input: (buf, start, end) => this.#bytes(id, FRAME_KIND.input, buf, start, end),
      answered: (statement) => this.#number(id, FRAME_KIND.answered, statement),
      shape: (shape) => this.#json(id, FRAME_KIND.shape, shape),
      result: (shape) => this.#number(id, FRAME_KIND.result, shape),
      omitted: ({ rows, bytes }) => {
        const at = this.#entry(id, FRAME_KIND.omitted, 16)
        this.#buffer.writeDoubleBE(rows, at)
        this.#buffer.writeDoubleBE(bytes, at + 8)
      },
      end: (reason) => this.#json(id, FRAME_KIND.end, { reason } satisfies RecordingEnd),
    }
  }

  /** Writes what was noted. @throws AuditError unavailable: show nothing of it */
  flush(): void {
    if (!this.#journal.pending) return
    if (this.#waiting >= RECORDING_JOURNALS_MAX) throw this.#fail(unavailable())
    try {
      this.#journal.flush()
      if (this.#journal.bytes >= RECORDING_JOURNAL_BYTES) this.#rotate()
    } catch (cause) {
      throw this.#fail(cause)
    }
    this.#failed = false
  }

  /** Archives everything. Sessions must have ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    try {
      this.flush()
    } finally {
      this.#journal.close()
      this.#toArchiver(this.#journal.journal)
      await this.#archiver.close()
    }
  }

  /** Resolves when everything flushed so far is in recordings. */
  async archived(): Promise<void> {
    this.#rotateSoon()
    await this.#archiver.settled()
  }

  #entry(id: Buffer, kind: FrameKind, bytes: number): number {
    if (!this.#journal.hasRoomFor(id, bytes)) this.flush()
    return this.#journal.entry(id, kind, this.#options.now(), bytes)
  }

  #bytes(id: Buffer, kind: FrameKind, buf: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += RECORDING_PIECE_BYTES) {
      const to = Math.min(at + RECORDING_PIECE_BYTES, end)
      buf.copy(this.#buffer, this.#entry(id, kind, to - at), at, to)
    }
  }

  #number(id: Buffer, kind: FrameKind, number: number): void {
    this.#buffer.writeDoubleBE(number, this.#entry(id, kind, 8))
  }

  #json(id: Buffer, kind: FrameKind, value: object): void {
    const json = Buffer.from(JSON.stringify(value))
    json.copy(this.#buffer, this.#entry(id, kind, json.length))
  }

  #nextJournal(journal: number): JournalWriter {
    const { directory } = this.#options
    return new JournalWriter({
      directory,
      journal,
      wrapping: this.#wrapping,
      buffer: this.#buffer,
    })
  }

  /** Only right after a flush: entries of one journal do not move to the next. */
  #rotate(): void {
    const closed = this.#journal
    this.#journal = this.#nextJournal(closed.journal + 1)
    closed.close()
    this.#toArchiver(closed.journal)
  }

  /** Also how a failed disk is tried again. */
  #rotateSoon(): void {
    try {
      this.flush()
      if (this.#journal.hasEntries) this.#rotate()
    } catch {
      // It has failed, and said so.
    }
  }

  #toArchiver(journal: number): void {
    this.#waiting++
    this.#archiver.add(journal)
  }

  #archived(journal: number, seals: readonly SessionSeal[]): void {
    this.#options.record(
      seals.map(({ session, bytes, sha256, final }) => {
        return { type: 'recording-sealed', v: 1, session, bytes, sha256, final }
      }),
    )
    rmSync(journalPath(this.#options.directory, journal))
    this.#waiting--
  }

  #fail(cause: unknown): AuditError {
    const code = cause instanceof AuditError ? 'backlog' : systemCodeOf(cause)
    const message = `recordings cannot be written: ${code}`
    const error = new AuditError('unavailable', message, { cause })
    if (!this.#failed) this.#options.onFailure(error)
    this.#failed = true
    return error
  }
}

function unavailable(): AuditError {
  return new AuditError('unavailable', 'recordings cannot be written')
}
