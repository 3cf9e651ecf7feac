/**
 * The files a log writes: the current segment and heads.jsonl. Positions are ours, not the file system's,
 * so a write that failed half way is simply made again over itself.
 */

import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { endOfLines, segmentPath } from './segments.ts'

const fdatasyncAsync = promisify(fdatasync)

/** Owner only: a trail names people and holds their statements. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** A file written at its end only. */
export class AppendFile {
  readonly #fd: number
  #offset: number
  /** Something was written and not yet seen through to the disk by write(). */
  #isDirty = false

  /** Opens or creates the file and drops everything from `offset` on. */
  constructor(path: string, offset: number) {
    // Not 'a': on Linux an append descriptor ignores positions.
    this.#fd = openSync(path, flagsFor(offset), FILE_MODE)
    this.#offset = offset
    ftruncateSync(this.#fd, offset)
  }

  get offset(): number {
    return this.#offset
  }

  /**
   * Writes all of it, or throws the system's error and takes back what it wrote of it. After an error the
   * same bytes go to the same place.
   */
  write(bytes: Uint8Array, options: { sync: boolean }): void {
    try {
      this.#writeAll(bytes)
      if (options.sync && this.#isDirty) {
        fdatasyncSync(this.#fd)
        this.#isDirty = false
      }
    } catch (error) {
      this.#takeBack()
      throw error
    }
    this.#offset += bytes.length
  }

  sync(): Promise<void> {
    return fdatasyncAsync(this.#fd)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #writeAll(bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) {
      this.#isDirty = true
      const wrote = writeSync(this.#fd, bytes, done, bytes.length - done, this.#offset + done)
      if (wrote === 0)
        throw Object.assign(new Error('the file takes no more bytes'), { code: 'EIO' })
      done += wrote
    }
  }

  #takeBack(): void {
    try {
      ftruncateSync(this.#fd, this.#offset)
    } catch {
      // A disk that refuses even this leaves a torn line: the next open drops it, and verification sees it.
    }
  }
}

/** At 0 the file is made or emptied; further on it must exist. */
function flagsFor(offset: number): string {
  return offset === 0 ? 'w' : 'r+'
}

export function openSegment(
  directory: string,
  place: { segment: number; offset: number },
): AppendFile {
  return new AppendFile(segmentPath(directory, place.segment), place.offset)
}

/** Opens heads.jsonl behind its last whole line: a torn one was never relied on by anyone. */
export function openHeads(path: string): AppendFile {
  if (!existsSync(path)) return new AppendFile(path, 0)
  const end = endOfLines(path)
  return new AppendFile(path, end)
}

export function createDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the directory's own entries durable, so that a new segment survives a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows gives no handle on a directory.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The same at once, for a flush that promises as much. */
export function syncDirectoryNow(directory: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
