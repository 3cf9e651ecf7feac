/**
 * COPY TO STDOUT in binary format: a header, tuples, a trailer. Values reach the masks in the binary
 * representation of their type, as in a binary DataRow.
 *
 *     | PGCOPY\n\377\r\n\0 | Int32 flags | Int32 length | extension |
 *     | Int16 n | n times: Int32 length or -1, bytes |  ...  | Int16 -1 |
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { int32At, putInt32, uint16At, writeRange } from './bytes.ts'
import { malformed, wrongCount } from './copy-field.ts'
import type { BinaryCopyOptions, CopyFormat } from './copy-rows.ts'
import { ProtocolError } from './errors.ts'
import { COPY_HEADER_EXTENSION_BYTES_MAX } from './limits.ts'

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const HEADER_BYTES = SIGNATURE.length + 8
const TRAILER = 0xffff

type Phase = 'header' | 'tuples' | 'ended'

export class BinaryCopyRows implements CopyFormat {
  readonly #columns: readonly (CellMask | null)[]
  #phase: Phase = 'header'
  /** Of the tuple being scanned: its bytes and fields whose extent is known. */
  #scanned = 0
  #fields = 0

  constructor(options: BinaryCopyOptions) {
    this.#columns = options.columns
  }

  rowEnd(buf: Buffer, start: number, end: number): number {
    switch (this.#phase) {
      case 'header':
        return headerEnd(buf, start, end)
      case 'tuples':
        return this.#tupleEnd(buf, start, end)
      case 'ended':
        throw new ProtocolError('trailing-bytes', 'remote', 'bytes after the trailer of a copy')
    }
  }

  #tupleEnd(buf: Buffer, start: number, end: number): number {
    if (end - start < 2) return -1
    const count = uint16At(buf, start)
    if (count === TRAILER) return start + 2
    if (count !== this.#columns.length) throw wrongCount(count, this.#columns.length)
    let at = start + Math.max(2, this.#scanned)
    while (this.#fields < count) {
      if (end - at < 4) return this.#incomplete(at - start)
      const length = int32At(buf, at)
      if (length < -1) {
        throw new ProtocolError('bad-length', 'remote', `a copy value of length ${length}`)
      }
      const next = at + 4 + Math.max(length, 0)
      if (next > end) return this.#incomplete(at - start)
      at = next
      this.#fields++
    }
    this.#scanned = 0
    this.#fields = 0
    return at
  }

  #incomplete(scanned: number): number {
    this.#scanned = scanned
    return -1
  }

  rewriteRow(buf: Buffer, start: number, end: number, out: ByteSink): void {
    if (this.#phase === 'header') this.#phase = 'tuples'
    else if (uint16At(buf, start) === TRAILER) this.#phase = 'ended'
    else return this.#rewriteTuple(buf, start, end, out)
    writeRange(out, buf, start, end)
  }

  #rewriteTuple(buf: Buffer, start: number, end: number, out: ByteSink): void {
    let from = start
    let at = start + 2
    for (const mask of this.#columns) {
      const length = int32At(buf, at)
      const valueStart = at + 4
      at = valueStart + Math.max(length, 0)
      if (mask === null || (length < 0 && mask.masksNull !== true)) continue
      writeRange(out, buf, from, valueStart)
      from = at
      const valueAt = out.at
      const written = mask(buf, valueStart, at, out)
      if (written === -1 ? out.at !== valueAt : written < 0 || out.at !== valueAt + written) {
        throw new ProtocolError(
          'mask-contract',
          'local',
          'a mask did not write the length it returned',
        )
      }
      putInt32(out.buf, valueAt - 4, written)
    }
    writeRange(out, buf, from, end)
  }

  checkEnd(): void {
    if (this.#phase !== 'ended') throw malformed('a binary copy without its trailer')
  }
}

/** Index after the header, or -1. Flags 16 to 31 are critical, and none is known. */
function headerEnd(buf: Buffer, start: number, end: number): number {
  const seen = Math.min(SIGNATURE.length, end - start)
  for (let i = 0; i < seen; i++) {
    if (buf[start + i] !== SIGNATURE[i]) throw malformed('a binary copy without its signature')
  }
  if (end - start < HEADER_BYTES) return -1
  const flags = int32At(buf, start + SIGNATURE.length)
  if (flags >>> 16 !== 0) throw malformed('a binary copy with critical flags')
  const extension = int32At(buf, start + SIGNATURE.length + 4)
  if (extension < 0 || extension > COPY_HEADER_EXTENSION_BYTES_MAX) {
    throw new ProtocolError('bad-length', 'remote', `a copy header extension of ${extension} bytes`)
  }
  const total = start + HEADER_BYTES + extension
  return total <= end ? total : -1
}
