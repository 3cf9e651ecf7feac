/**
 * Segment files: `00000001.jsonl`, `00000002.jsonl`, … one record a line. Names, listing, reading lines.
 */

import { createHash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { READ_BYTES, RECORD_BYTES_MAX } from './limits.ts'

const SEGMENT_NAME = /^(\d{8,12})\.jsonl$/
const NEWLINE = 0x0a

export function segmentPath(directory: string, segment: number): string {
  return join(directory, `${String(segment).padStart(8, '0')}.jsonl`)
}

/** Numbers of the segments present, ascending. */
export function listSegments(directory: string): number[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .map((name) => SEGMENT_NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

/**
 * line: a whole line, newline excluded. torn: bytes after the last newline. oversized: no newline within
 * RECORD_BYTES_MAX; reading stops there. `bytes` is a view, valid until the next call.
 */
export type Line = WholeLine | UnfinishedLine | { readonly kind: 'end'; readonly offset: number }

export interface WholeLine {
  readonly kind: 'line'
  readonly bytes: Buffer
  readonly offset: number
}

export interface UnfinishedLine {
  readonly kind: 'torn' | 'oversized'
  readonly bytes: Buffer
  readonly offset: number
}

/** Reads a file line by line in READ_BYTES steps; memory does not grow with the file. */
export class LineReader {
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES + RECORD_BYTES_MAX + 1)
  #from = 0
  #to = 0
  /** File offset of #buffer[#from]. */
  #offset: number
  #ended = false

  constructor(path: string, offset = 0) {
    this.#fd = openSync(path, 'r')
    this.#offset = offset
  }

  /** Size of the file now. */
  size(): number {
    return fstatSync(this.#fd).size
  }

  next(): Line {
    for (;;) {
      const newline = this.#buffer.subarray(this.#from, this.#to).indexOf(NEWLINE)
      if (newline >= 0) {
        const line = this.#take(newline)
        this.#from++
        this.#offset++
        return { kind: 'line', ...line }
      }
      const held = this.#to - this.#from
      if (held > RECORD_BYTES_MAX) return { kind: 'oversized', ...this.#take(held) }
      if (!this.#fill()) {
        if (held === 0) return { kind: 'end', offset: this.#offset }
        return { kind: 'torn', ...this.#take(held) }
      }
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #take(length: number): { bytes: Buffer; offset: number } {
    const offset = this.#offset
    const bytes = this.#buffer.subarray(this.#from, this.#from + length)
    this.#from += length
    this.#offset += length
    return { bytes, offset }
  }

  #fill(): boolean {
    if (this.#ended) return false
    this.#buffer.copyWithin(0, this.#from, this.#to)
    this.#to -= this.#from
    this.#from = 0
    const room = Math.min(READ_BYTES, this.#buffer.length - this.#to)
    const read = readSync(this.#fd, this.#buffer, this.#to, room, this.#offset + this.#to)
    this.#to += read
    if (read === 0) this.#ended = true
    return read > 0
  }
}

/** The last whole line of a file, newline excluded; null when there is none within a record's reach. */
export function lastLine(path: string): Buffer | null {
  const { bytes } = readTail(path)
  const end = bytes.lastIndexOf(NEWLINE)
  if (end < 0) return null
  const before = end === 0 ? -1 : bytes.lastIndexOf(NEWLINE, end - 1)
  return bytes.subarray(before + 1, end)
}

/** Offset just behind the last newline of a file. */
export function endOfLines(path: string): number {
  const { bytes, offset } = readTail(path)
  return offset + bytes.lastIndexOf(NEWLINE) + 1
}

function readTail(path: string): { bytes: Buffer; offset: number } {
  const fd = openSync(path, 'r')
  try {
    const size = fstatSync(fd).size
    const bytes = Buffer.alloc(Math.min(size, RECORD_BYTES_MAX + 2))
    const offset = size - bytes.length
    readSync(fd, bytes, 0, bytes.length, offset)
    return { bytes, offset }
  } finally {
    closeSync(fd)
  }
}

/** Length and SHA-256 (hex) of a file from `offset` to its end. */
export function digestFrom(path: string, offset: number): { bytes: number; sha256: string } {
  const digest = createHash('sha256')
  const chunk = Buffer.allocUnsafe(READ_BYTES)
  const fd = openSync(path, 'r')
  try {
    let at = offset
    for (;;) {
      const read = readSync(fd, chunk, 0, chunk.length, at)
      if (read === 0) return { bytes: at - offset, sha256: digest.digest('hex') }
      digest.update(chunk.subarray(0, read))
      at += read
    }
  } finally {
    closeSync(fd)
  }
}
