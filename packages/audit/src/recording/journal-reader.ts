/** A journal as it is read (journal.ts). */

import type { KeyObject } from 'node:crypto'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { AuditError, systemCodeOf } from '../errors.ts'
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
import { unseal, unwrapKey, type WrappingKey, wrappedBy } from './keys.ts'

/** A journal to be read. */
export interface JournalFile {
  readonly journal: number
  /** What was written of it; null: whoever wrote it has died, so its end is found by the checks. */
  readonly bytes: number | null
}

/** Takes a frame, head included: where it is in the reader's memory. */
export type TakeFrame = (session: string, kind: number, start: number, end: number) => void

export interface Journal {
  /** Written of it, up to the first batch that is torn. */
  readonly bytes: number
  /** Holds the frames until the next journal is read. */
  readonly memory: Buffer
  /** Each frame in order. @throws AuditError corrupt */
  eachFrame(take: TakeFrame): void
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

  /** @throws AuditError key-missing; corrupt when it is no journal, or one of another release */
  read({ journal, bytes }: JournalFile): Journal {
    const file = this.#load(journal, bytes)
    const { head, from } = readHead(file)
    // Died while it was made: nothing was shown to anybody.
    if (head === null) return { bytes: 0, memory: file, eachFrame: () => {} }
    const key = head.key === null ? null : unwrapKey(head.key, this.#wrapping, about(journal))
    const end = bytes ?? endOfBatches(file, from, head.salt)
    const memory = file.subarray(0, end)
    const eachFrame = (take: TakeFrame) => {
      const names: string[] = []
      for (let at = from; at < end; ) {
        const start = at + LENGTH_BYTES
        const behind = start + memory.readUInt32BE(at)
        const stop = key === null ? behind : unsealInPlace(memory, start, behind, key, journal)
        framesOf(memory, start, stop, { names, take })
        at = behind + CHECK_BYTES
      }
    }
    return { bytes: end, memory, eachFrame }
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
function endOfBatches(file: Buffer, from: number, salt: number): number {
  let at = from
  while (file.length - at >= LENGTH_BYTES + CHECK_BYTES) {
    const start = at + LENGTH_BYTES
    const length = file.readUInt32BE(at)
    const end = start + length
    if (end + CHECK_BYTES > file.length) return at
    const check = checkOf(salt, length, file, start + ENTRY_HEAD_BYTES, end)
    if (check !== file.readUInt32BE(end)) return at
    at = end + CHECK_BYTES
  }
  return at
}

function readHead(file: Buffer): { head: JournalHead | null; from: number } {
  if (file.length < MAGIC.length + LENGTH_BYTES) return { head: null, from: 0 }
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new AuditError('corrupt', 'not a journal that this release can read')
  }
  const start = MAGIC.length + LENGTH_BYTES
  const from = start + file.readUInt32BE(MAGIC.length)
  if (from > file.length) return { head: null, from: 0 }
  try {
    // Safe: it was written whole, by JournalWriter.
    return { head: JSON.parse(file.toString('utf8', start, from)) as JournalHead, from }
  } catch (cause) {
    throw new AuditError('corrupt', `a journal’s head is damaged: ${systemCodeOf(cause)}`, {
      cause,
    })
  }
}

/** The id of the key that a journal needs; null: none, or it is not there any more. */
export function keyOfJournal(directory: string, journal: number): string | null {
  const path = journalPath(directory, journal)
  if (!existsSync(path)) return null
  const fd = openSync(path, 'r')
  try {
    const start = Buffer.alloc(HEAD_BYTES_MAX)
    const { head } = readHead(start.subarray(0, readSync(fd, start, 0, start.length, 0)))
    return head?.key == null ? null : wrappedBy(head.key)
  } finally {
    closeSync(fd)
  }
}
/** Far more than JournalWriter writes. */
const HEAD_BYTES_MAX = 4_096

/** Puts what was sealed where it was sealed, and says where that ends. */
function unsealInPlace(
  memory: Buffer,
  start: number,
  end: number,
  key: KeyObject,
  journal: number,
): number {
  return start + unseal(key, memory.subarray(start, end), about(journal)).copy(memory, start)
}

function framesOf(
  memory: Buffer,
  start: number,
  stop: number,
  { names, take }: { names: string[]; take: TakeFrame },
): void {
  for (let at = start; at < stop; ) {
    const session = memory.readUInt32BE(at)
    const payload = at + ENTRY_HEAD_BYTES
    const kind = memory.readUInt8(at + SESSION_BYTES)
    const end = payload + memory.readUInt32BE(payload - 4)
    if (kind === NAMES_SESSION) names[session] = memory.toString('latin1', payload, end)
    else {
      const name = names[session]
      if (name === undefined || end > stop) {
        throw new AuditError('corrupt', 'a batch of a journal does not hold entries')
      }
      take(name, kind, at + SESSION_BYTES, end)
    }
    at = end
  }
}
