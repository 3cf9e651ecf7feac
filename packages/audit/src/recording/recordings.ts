/**
 * Recordings as a gateway writes them: what sessions show their clients, noted as it happens and written in
 * one go before any of it is shown.
 *
 * Behind it journals are closed every RECORDING_JOURNAL_MS or RECORDING_JOURNAL_BYTES, taken apart by the
 * archiver and deleted once the log holds the seals of what became of them.
 */

import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { AuditError, systemCodeOf } from '../errors.ts'
import type { AuditEvent } from '../event.ts'
import {
  JOURNAL_SPARES_MAX,
  RECORDING_DIRECT_BYTES,
  RECORDING_JOURNAL_BYTES,
  RECORDING_JOURNAL_MS,
  RECORDING_JOURNALS_BEHIND,
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
import { journalBuffer, journalPath, listJournals, listSpares, sparePath } from './journal.ts'
import type { JournalFile } from './journal-reader.ts'
import { JournalWriter } from './journal-writer.ts'
import { type WrappingKey, wrappingKey } from './keys.ts'

export interface RecordingsOptions {
  /** Journals and recordings lie here. */
  readonly directory: string
  /** The clock, milliseconds since 1970. */
  readonly now: () => number
  /** 32 bytes: data keys are wrapped by it. Null: recordings are not encrypted. */
  readonly key: Uint8Array | null
  /** Keys of before: what a run before has left under them is completed. */
  readonly previousKeys?: readonly Uint8Array[]
  /** Appends to the log and writes it; throws when that cannot be done. */
  readonly record: (events: readonly AuditEvent[]) => void
  /** Called once each time writing or archiving begins to fail. */
  readonly onFailure: (error: AuditError) => void
}

/** One session's recording, while it lives. What is told it is on disk after `flush` of its Recordings. */
export interface SessionRecording {
  /** Something it was told waits for `flush`. */
  readonly pending: boolean
  /** True: the archiver is behind, so what is long had better wait; `goOn` is called when it need not. */
  mustWait(goOn: () => void): boolean
  /**
   * Bytes about to be sent to the client, behind the masks. Copied, or, from RECORDING_DIRECT_BYTES on, written
   * at once with all that waits.
   * @throws AuditError unavailable
   */
  output(buf: Buffer, start: number, end: number): void
  /** Data the client sent, likewise. */
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

const NOBODY = Buffer.alloc(0)

/** A session as it is recorded. */
interface Live {
  readonly id: Buffer
  /** Its number in the journal that it was named in last, and which that was. */
  number: number
  journal: number
  /** Which write takes the newest of it to the disk. */
  write: number
}

export class Recordings {
  readonly #options: RecordingsOptions
  readonly #wrapping: WrappingKey | null
  readonly #buffer = journalBuffer()
  readonly #archiver: ArchiveWorker
  readonly #timer: NodeJS.Timeout
  #journal: JournalWriter
  /** Files of journals that were taken apart, to be written over. */
  readonly #spares: string[] = []
  /** Goes up with every write. */
  #writes = 0
  /** Journals closed and not archived. */
  #waiting = 0
  /** Called once the archiver is no longer behind. */
  readonly #held = new Set<() => void>()
  #failed = false

  constructor(options: RecordingsOptions) {
    const { directory, key, previousKeys = [] } = options
    this.#options = options
    this.#wrapping = key === null ? null : wrappingKey(key)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const left = listJournals(directory)
    for (const spare of listSpares(directory)) rmSync(spare)
    this.#archiver = new ArchiveWorker({
      directory,
      key,
      previousKeys,
      onArchived: (journal, seals) => this.#archived(journal, seals),
      onFailure: (error) => {
        options.onFailure(error)
        // Waiting does not help any more.
        this.#letGoOn()
      },
    })
    this.#journal = this.#nextJournal((left.at(-1) ?? 0) + 1)
    for (const journal of left) this.#toArchiver({ journal, bytes: null })
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
    const session: Live = { id, number: 0, journal: 0, write: -1 }
    this.#json(session, FRAME_KIND.open, open)
    const isPending = () => session.write === this.#writes
    return {
      get pending() {
        return isPending()
      },
      mustWait: (goOn) => this.#mustWait(goOn),
      output: (buf, start, end) => this.#bytes(session, FRAME_KIND.output, buf, start, end),
      input: (buf, start, end) => this.#bytes(session, FRAME_KIND.input, buf, start, end),
      answered: (statement) => this.#number(session, FRAME_KIND.answered, statement),
      shape: (shape) => this.#json(session, FRAME_KIND.shape, shape),
      result: (shape) => this.#number(session, FRAME_KIND.result, shape),
      omitted: ({ rows, bytes }) => {
        const at = this.#entry(session, FRAME_KIND.omitted, 16)
        this.#buffer.writeDoubleBE(rows, at)
        this.#buffer.writeDoubleBE(bytes, at + 8)
      },
      end: (reason) => this.#json(session, FRAME_KIND.end, { reason } satisfies RecordingEnd),
    }
  }

  /** Writes what was noted. @throws AuditError unavailable: show nothing of it */
  flush(): void {
    // What failed may wait no more: then the name of nobody shows whether the disk takes anything.
    if (this.#failed && !this.#journal.pending) this.#journal.name(NOBODY)
    if (this.#journal.pending) this.#write((journal) => journal.flush())
  }

  /** Archives everything. Sessions must have ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    try {
      this.flush()
    } finally {
      this.#journal.close()
      this.#toArchiver(this.#journal)
      await this.#archiver.close()
      for (const spare of this.#spares.splice(0)) rmSync(spare)
    }
  }

  /** Resolves when everything flushed so far is in recordings. */
  async archived(): Promise<void> {
    this.#rotateSoon()
    await this.#archiver.settled()
  }

  #write(write: (journal: JournalWriter) => void): void {
    if (this.#waiting >= RECORDING_JOURNALS_MAX) throw this.#fail(unavailable())
    try {
      write(this.#journal)
      this.#writes++
      if (this.#journal.bytes >= RECORDING_JOURNAL_BYTES) this.#rotate()
    } catch (cause) {
      throw this.#fail(cause)
    }
    this.#failed = false
  }

  /** The session's number, after making room for an entry of its own. */
  #roomFor(session: Live, bytes: number): number {
    // Two entries: it may have to be named.
    if (!this.#journal.hasRoomFor(2, session.id.length + bytes)) this.flush()
    if (session.journal !== this.#journal.journal) {
      session.journal = this.#journal.journal
      session.number = this.#journal.name(session.id)
    }
    return session.number
  }

  #entry(session: Live, kind: FrameKind, bytes: number): number {
    const number = this.#roomFor(session, bytes)
    session.write = this.#writes
    return this.#journal.entry(number, kind, this.#options.now(), bytes)
  }

  #bytes(session: Live, kind: FrameKind, buf: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += RECORDING_PIECE_BYTES) {
      const to = Math.min(at + RECORDING_PIECE_BYTES, end)
      if (to - at < RECORDING_DIRECT_BYTES) {
        copy(buf, at, to, this.#buffer, this.#entry(session, kind, to - at))
      } else {
        const number = this.#roomFor(session, 0)
        const payload = buf.subarray(at, to)
        this.#write((journal) => journal.flushWith(number, kind, this.#options.now(), payload))
      }
    }
  }

  #number(session: Live, kind: FrameKind, number: number): void {
    this.#buffer.writeDoubleBE(number, this.#entry(session, kind, 8))
  }

  #json(session: Live, kind: FrameKind, value: object): void {
    const json = Buffer.from(JSON.stringify(value))
    json.copy(this.#buffer, this.#entry(session, kind, json.length))
  }

  #nextJournal(journal: number): JournalWriter {
    const { directory } = this.#options
    return new JournalWriter({
      directory,
      journal,
      wrapping: this.#wrapping,
      buffer: this.#buffer,
      spare: this.#spares.pop(),
    })
  }

  /** Only right after a flush: entries of one journal do not move to the next. */
  #rotate(): void {
    const closed = this.#journal
    this.#journal = this.#nextJournal(closed.journal + 1)
    closed.close()
    this.#toArchiver(closed)
  }

  /** Also how a failed disk is tried again. */
  #rotateSoon(): void {
    try {
      this.flush()
      if (this.#journal.hasEntries) this.#rotate()
      // What was shown is not to lie about while nothing is written over it.
      else for (const spare of this.#spares.splice(0)) remove(spare)
    } catch {
      // It has failed, and said so.
    }
  }

  #toArchiver({ journal, bytes }: JournalFile): void {
    this.#waiting++
    this.#archiver.add({ journal, bytes })
  }

  #archived(journal: number, seals: readonly SessionSeal[]): void {
    this.#options.record(
      seals.map(({ session, bytes, sha256, final }) => {
        return { type: 'recording-sealed', v: 1, session, bytes, sha256, final }
      }),
    )
    this.#letGo(journal)
    this.#waiting--
    if (this.#waiting < RECORDING_JOURNALS_BEHIND) this.#letGoOn()
  }

  #mustWait(goOn: () => void): boolean {
    if (this.#waiting < RECORDING_JOURNALS_BEHIND || this.#archiver.failing) return false
    this.#held.add(goOn)
    return true
  }

  #letGoOn(): void {
    const held = [...this.#held]
    this.#held.clear()
    for (const goOn of held) goOn()
  }

  /** Its file is written over by a later journal, or goes. */
  #letGo(journal: number): void {
    const { directory } = this.#options
    const path = journalPath(directory, journal)
    if (this.#spares.length < JOURNAL_SPARES_MAX) {
      const spare = sparePath(directory, journal)
      renameSync(path, spare)
      this.#spares.push(spare)
    } else remove(path)
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

/** Up to this, bytes, a loop beats the call into native code. */
const LOOP_BYTES_MAX = 128

function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > LOOP_BYTES_MAX) from.copy(to, at, start, end)
  // Safe: within both.
  else for (let i = start; i < end; i++) to[at + i - start] = from[i] as number
}

function unavailable(): AuditError {
  return new AuditError('unavailable', 'recordings cannot be written')
}

/** Not here and now: a file of this size takes milliseconds. One that stays is dealt with at the next start. */
function remove(path: string): void {
  void rm(path, { force: true }).catch(() => {})
}
