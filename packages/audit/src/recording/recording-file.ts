/**
 * A session's recording: `recordings/3f/3f2a….rec`, and its key beside it where it is encrypted.
 *
 *   file    "SPR1" | u8: 1 when encrypted | block …
 *   block   u32 journal it came from | u32 stored length | stored
 *   stored  zstd of frames (frames.ts), sealed where there is a key
 *
 * Only ever appended to. Its SHA-256 goes into the log (`recording-sealed`), so that the log proves it.
 */

import { createHash, type Hash, type KeyObject } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writevSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { AuditError } from '../errors.ts'
import { RECORDING_BLOCK_BYTES, RECORDING_BLOCK_BYTES_MAX } from '../limits.ts'
import { decodeFrames, type RecordingFrame } from './frames.ts'
import { newDataKey, seal, unseal, unwrapKey, type WrappingKey, wrapKey } from './keys.ts'

const MAGIC = Buffer.from('SPR1')
const HEAD_BYTES = 5
const BLOCK_HEAD_BYTES = 8
const SESSION_ID = /^[0-9A-Za-z_-]{2,200}$/

/** @throws AuditError invalid-option for an id that is no name of a file */
export function recordingPath(directory: string, session: string): string {
  if (!SESSION_ID.test(session)) {
    throw new AuditError('invalid-option', `\`${session}\` is not the id of a session`)
  }
  return join(directory, session.slice(0, 2), `${session}.rec`)
}

export function recordingKeyPath(directory: string, session: string): string {
  return recordingPath(directory, session).replace(/\.rec$/, '.key')
}

/** A data key under another wrapping key, before it takes the place of the one under the key before. */
export function nextKeyPath(directory: string, session: string): string {
  return `${recordingKeyPath(directory, session)}.next`
}

/** What a file holds up to a place. */
export interface Seal {
  readonly bytes: number
  /** Of those bytes, hex. */
  readonly sha256: string
}

/** What frames come from, and at which level of zstd they are packed. */
export interface Source {
  readonly journal: number
  readonly memory: Buffer
  readonly level: number
}

/** Appends to one recording. Holds no descriptor between calls: there may be thousands. */
export class RecordingWriter {
  readonly #path: string
  readonly #session: string
  readonly #key: KeyObject | null
  readonly #hash: Hash
  #bytes: number
  /** Frames that wait for a block: of each, where it begins and ends in the journal's memory. */
  #pending: number[] = []
  #pendingBytes = 0

  /** Use `open`. */
  constructor(parts: {
    path: string
    session: string
    key: KeyObject | null
    hash: Hash
    bytes: number
  }) {
    this.#path = parts.path
    this.#session = parts.session
    this.#key = parts.key
    this.#hash = parts.hash
    this.#bytes = parts.bytes
  }

  /**
   * Opens a session's recording to append what `journal` holds of it. What an archiver that died has
   * already taken from that journal is taken back first.
   */
  static open(options: {
    directory: string
    session: string
    journal: number
    /** Of a new recording. */
    wrapping: WrappingKey | null
    /** Of one that is there. */
    keys: readonly WrappingKey[]
  }): RecordingWriter {
    const { directory, session, keys } = options
    const path = recordingPath(directory, session)
    // Shorter than its head: an archiver died while it was made, and nothing is in it.
    if (!existsSync(path) || statSync(path).size < HEAD_BYTES) {
      return RecordingWriter.#create(path, options)
    }
    const content = readFileSync(path)
    const keep = beginningOf(content, options.journal)
    const fd = openSync(path, 'r+')
    try {
      ftruncateSync(fd, keep)
    } finally {
      closeSync(fd)
    }
    const isEncrypted = content[MAGIC.length] === 1
    const keyFile = recordingKeyPath(directory, session)
    const key = isEncrypted ? unwrapKey(readFileSync(keyFile, 'utf8'), keys, session) : null
    const hash = createHash('sha256').update(content.subarray(0, keep))
    return new RecordingWriter({ path, session, key, hash, bytes: keep })
  }

  static #create(
    path: string,
    options: { directory: string; session: string; wrapping: WrappingKey | null },
  ): RecordingWriter {
    const { directory, session, wrapping } = options
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    let key: KeyObject | null = null
    if (wrapping !== null) {
      key = newDataKey()
      const wrapped = wrapKey(key, wrapping, session)
      writeFileSync(recordingKeyPath(directory, session), wrapped, { mode: 0o600, flush: true })
    }
    const head = Buffer.concat([MAGIC, Buffer.from([key === null ? 0 : 1])])
    writeFileSync(path, head, { mode: 0o600 })
    const hash = createHash('sha256').update(head)
    return new RecordingWriter({ path, session, key, hash, bytes: head.length })
  }

  /** Adds a whole frame of `source`, which stays where it is until the next flush. */
  add(start: number, end: number, source: Source): void {
    if (this.#pendingBytes + end - start > RECORDING_BLOCK_BYTES) this.flush(source)
    this.#pending.push(start, end)
    this.#pendingBytes += end - start
  }

  flush({ journal, memory, level }: Source): void {
    if (this.#pendingBytes === 0) return
    const plain = joined(memory, this.#pending, this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    const packed = zstdCompressSync(plain, {
      // Room for what does not pack: then it is one piece.
      chunkSize: plain.length + (plain.length >> 7) + 1024,
      params: { [constants.ZSTD_c_compressionLevel]: level },
    })
    const stored = this.#key === null ? packed : seal(this.#key, [packed], this.#session)
    const head = Buffer.allocUnsafe(BLOCK_HEAD_BYTES)
    head.writeUInt32BE(journal, 0)
    head.writeUInt32BE(stored.length, 4)
    this.#append([head, stored])
  }

  /** Makes it durable. */
  sync(): void {
    const fd = openSync(this.#path, 'r+')
    try {
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }

  seal(): Seal {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') }
  }

  #append(parts: readonly Buffer[]): void {
    const fd = openSync(this.#path, 'r+')
    try {
      // All or an error: regular files take less only when there is no room, which the next write says.
      const bytes = parts.reduce((sum, part) => sum + part.length, 0)
      if (writevSync(fd, parts, this.#bytes) !== bytes) {
        throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' })
      }
    } finally {
      closeSync(fd)
    }
    for (const part of parts) {
      this.#bytes += part.length
      this.#hash.update(part)
    }
  }
}

/** For one block after another: a thread compresses one at a time. */
const BLOCK = Buffer.allocUnsafeSlow(RECORDING_BLOCK_BYTES)

/** Ranges of `memory` one behind the other; valid until the next call. */
function joined(memory: Buffer, ranges: readonly number[], bytes: number): Buffer {
  // Safe: they come in pairs.
  if (ranges.length === 2) return memory.subarray(ranges[0] as number, ranges[1] as number)
  let at = 0
  for (let i = 0; i < ranges.length; i += 2) {
    at += memory.copy(BLOCK, at, ranges[i] as number, ranges[i + 1] as number)
  }
  return BLOCK.subarray(0, bytes)
}

/** Length of what came from journals before `journal`, whole blocks. */
function beginningOf(content: Buffer, journal: number): number {
  let at = HEAD_BYTES
  while (content.length - at >= BLOCK_HEAD_BYTES) {
    const end = at + BLOCK_HEAD_BYTES + content.readUInt32BE(at + 4)
    if (end > content.length || content.readUInt32BE(at) >= journal) break
    at = end
  }
  return at
}

export interface ReadRecordingOptions {
  /** Of recordings: `recordings` in the log's directory unless configured elsewhere. */
  readonly directory: string
  readonly session: string
  /** Keys its data key may be wrapped by. */
  readonly keys?: readonly WrappingKey[]
}

/**
 * The frames of a session's recording in order, block by block: memory does not grow with it.
 * @throws AuditError not-found; key-missing: erased, or wrapped by another key; corrupt
 */
export function* readRecording(options: ReadRecordingOptions): Generator<RecordingFrame> {
  const { directory, session } = options
  const path = recordingPath(directory, session)
  if (!existsSync(path)) {
    throw new AuditError('not-found', `there is no recording of session \`${session}\``)
  }
  const fd = openSync(path, 'r')
  try {
    const head = readAt(fd, 0, HEAD_BYTES)
    if (head.length < HEAD_BYTES || !head.subarray(0, 4).equals(MAGIC)) throw damaged(session)
    const key = head[MAGIC.length] === 1 ? dataKeyOf(options) : null
    const size = fstatSync(fd).size
    for (let at = HEAD_BYTES; size - at >= BLOCK_HEAD_BYTES; ) {
      const length = readAt(fd, at, BLOCK_HEAD_BYTES).readUInt32BE(4)
      const start = at + BLOCK_HEAD_BYTES
      // The last block of a recording that is being written, or was when its process died.
      if (start + length > size) return
      if (length > RECORDING_BLOCK_BYTES_MAX) throw damaged(session)
      const stored = readAt(fd, start, length)
      yield* decodeFrames(unpack(key === null ? stored : unseal(key, stored, session), session))
      at = start + length
    }
  } finally {
    closeSync(fd)
  }
}

function unpack(packed: Buffer, session: string): Buffer {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: RECORDING_BLOCK_BYTES_MAX })
  } catch (cause) {
    throw new AuditError('corrupt', `a block of recording \`${session}\` is damaged`, { cause })
  }
}

function dataKeyOf({ directory, session, keys }: ReadRecordingOptions): KeyObject {
  const file = recordingKeyPath(directory, session)
  if (!existsSync(file)) {
    throw new AuditError('key-missing', `the key of recording \`${session}\` has been destroyed`)
  }
  return unwrapKey(readFileSync(file, 'utf8'), keys ?? [], session)
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at))
}

function damaged(session: string): AuditError {
  return new AuditError('corrupt', `the recording of session \`${session}\` is damaged`)
}

/** Length and SHA-256 of a recording's first `bytes`; shorter when the file is. */
export function sealOf(directory: string, session: string, bytes: number): Seal | null {
  const path = recordingPath(directory, session)
  if (!existsSync(path)) return null
  const digest = createHash('sha256')
  const fd = openSync(path, 'r')
  try {
    let at = 0
    while (at < bytes) {
      const chunk = readAt(fd, at, Math.min(RECORDING_BLOCK_BYTES, bytes - at))
      if (chunk.length === 0) break
      digest.update(chunk)
      at += chunk.length
    }
    return { bytes: at, sha256: digest.digest('hex') }
  } finally {
    closeSync(fd)
  }
}
