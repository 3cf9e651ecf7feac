/**
 * Journals taken apart: each session's frames appended to its own recording. Taking a journal a second time
 * after a crash gives the same recordings. Runs in a thread of its own (archive-thread.ts).
 */

import { RECORDING_JOURNAL_BYTES } from '../limits.ts'
import { FRAME_KIND } from './frames.ts'
import { type JournalFile, JournalReader } from './journal-reader.ts'
import type { WrappingKey } from './keys.ts'
import { RecordingWriter, type Seal } from './recording-file.ts'

/** Levels of zstd. A journal that was closed because it was full is of more than could be packed well beside the sessions. */
const LEVEL = 1
const LEVEL_OF_MUCH = -5

export interface SessionSeal extends Seal {
  readonly session: string
  /** The session has ended: nothing is added any more. */
  readonly final: boolean
}

export class Archiver {
  readonly #directory: string
  readonly #journals: JournalReader
  readonly #wrapping: WrappingKey | null
  /** All that a journal or a recording may be under. */
  readonly #keys: readonly WrappingKey[]
  /** Recordings of sessions that live. */
  readonly #open = new Map<string, RecordingWriter>()

  constructor(options: {
    directory: string
    wrapping: WrappingKey | null
    previous?: readonly WrappingKey[]
  }) {
    const { directory, wrapping, previous = [] } = options
    this.#directory = directory
    this.#wrapping = wrapping
    this.#keys = wrapping === null ? previous : [wrapping, ...previous]
    this.#journals = new JournalReader(directory, this.#keys)
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
    const touched = new Map<string, RecordingWriter>()
    const ended = new Set<string>()
    const { journal } = file
    const { bytes, memory, eachFrame } = this.#journals.read(file)
    // INVARIANT: by what the journal holds and nothing else: taken again after a crash, it gives the same bytes.
    const level = bytes >= RECORDING_JOURNAL_BYTES ? LEVEL_OF_MUCH : LEVEL
    const source = { journal, memory, level }
    eachFrame((session, kind, start, end) => {
      let writer = touched.get(session)
      if (writer === undefined) {
        writer = this.#writerOf(session, journal)
        touched.set(session, writer)
      }
      writer.add(start, end, source)
      if (kind === FRAME_KIND.end) ended.add(session)
    })
    return [...touched].map(([session, writer]) => {
      const final = ended.has(session)
      writer.flush(source)
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
      const [directory, wrapping, keys] = [this.#directory, this.#wrapping, this.#keys]
      writer = RecordingWriter.open({ directory, session, journal, wrapping, keys })
      this.#open.set(session, writer)
    }
    return writer
  }
}
