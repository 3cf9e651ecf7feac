/**
 * What sessions show their clients, written before it is shown: one file for all sessions, one write for
 * all that happened in a turn of the event loop. The archiver takes closed journals apart into a recording
 * per session (archiver.ts) and deletes them.
 *
 *   file     "SPJ3" | u32 length | JSON of JournalHead | batch …
 *   batch    u32 length | content | u32 check           content sealed where there is a key
 *   content  entries: u32 session | frame (frames.ts)   sessions are numbered within the journal
 *
 * The first entry of a session is of kind NAMES_SESSION, which no recording gets: its payload is the id.
 *
 * A process that dies leaves at most a torn last batch, which nobody was shown. Files are written over once
 * they have been taken apart: pages the system has already cost a third of new ones. What an earlier journal
 * has left behind the last batch is told by the check, which starts from a number drawn for the journal.
 */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { JOURNAL_BUFFER_BYTES } from '../limits.ts'
import { FRAME_HEAD_BYTES } from './frames.ts'

export const MAGIC = Buffer.from('SPJ3')
export const LENGTH_BYTES = 4
export const CHECK_BYTES = 4
export const SESSION_BYTES = 4
export const ENTRY_HEAD_BYTES = SESSION_BYTES + FRAME_HEAD_BYTES
/** Kind of an entry: no frame's. */
export const NAMES_SESSION = 0

const NAME = /^(\d{8,12})\.journal$/
const SECTOR_BYTES = 512

export interface JournalHead {
  readonly v: 1
  readonly journal: number
  /** Its checks start from it: 32 random bits. */
  readonly salt: number
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

/** What sealed parts of a journal are bound to. */
export const about = (journal: number): string => `journal ${journal}`

/**
 * The check of a batch of `length` bytes, from what follows its first entry's head: a word of every sector.
 * It stands behind them, and a write ends where its process was killed, so that it is there shows that they
 * are; the words show sectors that a power cut kept from the disk. A checksum of every byte costs more than
 * writing them.
 */
export function checkOf(
  salt: number,
  length: number,
  buf: Buffer,
  start: number,
  end: number,
): number {
  let check = salt ^ length
  for (let at = start; at + 4 <= end; at += SECTOR_BYTES) {
    check = Math.imul(check ^ buf.readUInt32LE(at), 0x9e3779b1)
    check ^= check >>> 15
  }
  return check >>> 0
}

/** A buffer for one writer after another. */
export function journalBuffer(): Buffer {
  return Buffer.allocUnsafe(JOURNAL_BUFFER_BYTES)
}
