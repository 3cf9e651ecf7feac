/**
 * Journals taken apart: each session's frames appended to its own recording. Taking a journal a second time
 * after a crash gives the same recordings. Runs in a thread of its own (archive-thread.ts).
 */

import { FRAME_KIND } from './frames.ts'
import { type JournalFile, JournalReader } from './journal.ts'
import type { WrappingKey } from './keys.ts'
import { RecordingWriter, type Seal } from './recording-file.ts'

export interface SessionSeal extends Seal {
  readonly session: string
  /** The session has ended: nothing is added any more. */
  readonly final: boolean
}

export class Archiver {
  readonly #directory: string
  readonly #journals: JournalReader
  readonly #wrapping: WrappingKey | null
  /** Recordings of sessions that live. */
  readonly #open = new Map<string, RecordingWriter>()

  constructor(options: { directory: string; wrapping: WrappingKey | null }) {
    this.#directory = options.directory
    this.#wrapping = options.wrapping
    const keys = options.wrapping === null ? [] : [options.wrapping]
    this.#journals = new JournalReader(options.directory, keys)
  }

  /** Appends what a journal holds, all or, when it throws, as if none; what each touched recording holds now. */
  archive(journal: JournalFile): SessionSeal[] {
    try {
      return this.#take(journal)
    } catch (error) {
      // Opened again, they drop what this journal has left in them.
      this.#open.clear()
      throw error
    }
  }

  #take(file: JournalFile): SessionSeal[] {
    const touched = new Set<string>()
    const ended = new Set<string>()
    const { journal } = file
    for (const { session, kind, frame } of this.#journals.read(file)) {
      this.#writerOf(session, journal).add(frame, journal)
      touched.add(session)
      if (kind === FRAME_KIND.end) ended.add(session)
    }
    return [...touched].map((session) => {
      const final = ended.has(session)
      const writer = this.#writerOf(session, journal)
      writer.flush(journal)
      if (final) {
        writer.sync()
        this.#open.delete(session)
      }
      return { session, final, ...writer.seal() }
    })
  }

  #writerOf(session: string, journal: number): RecordingWriter {
    let writer = this.#open.get(session)
    if (writer === undefined) {
      const directory = this.#directory
      writer = RecordingWriter.open({ directory, session, journal, wrapping: this.#wrapping })
      this.#open.set(session, writer)
    }
    return writer
  }
}
