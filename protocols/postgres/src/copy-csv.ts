/**
 * COPY TO STDOUT in csv format: one record, its fields unquoted, masked, quoted again where the writer
 * would (CopyAttributeOutCSV): if forced, if it looks like NULL, if it holds a delimiter, quote, CR or
 * LF, or if it is `\.` alone on its line. NULL is the NULL text without quotes, and nothing else is.
 * Whether a masked field is quoted depends on the masked value only, so it tells nothing of the other.
 *
 *     field,"quo""ted",,last LF
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { type ByteWriter, writeRange } from './bytes.ts'
import {
  cellSink,
  equalsRange,
  malformed,
  maskCell,
  nullBytes,
  singleByte,
  wrongCount,
} from './copy-field.ts'
import type { CopyFormat, CsvCopyOptions } from './copy-rows.ts'
import { ProtocolError } from './errors.ts'

const LF = 0x0a
const CR = 0x0d
const END_MARK = Buffer.from('\\.')

export class CsvCopyRows implements CopyFormat {
  readonly #columns: readonly (CellMask | null)[]
  readonly #delimiter: number
  readonly #quote: number
  readonly #escape: number
  readonly #nullBytes: Buffer
  readonly #forceQuote: readonly boolean[]
  readonly #cell: ByteWriter = cellSink()
  readonly #raw: ByteWriter = cellSink()
  #header: boolean
  #scanned = 0
  #inQuotes = false
  /** Set by #fieldEnd for the field it found. */
  #fieldEscaped = false

  constructor(options: CsvCopyOptions) {
    this.#columns = options.columns
    const delimiter = options.delimiter ?? ','
    const quote = options.quote ?? '"'
    this.#delimiter = singleByte('DELIMITER', delimiter, '\r\n')
    this.#quote = singleByte('QUOTE', quote, `\r\n${delimiter}`)
    // A delimiter as escape is not ruled out by the server, only by good sense.
    this.#escape = singleByte('ESCAPE', options.escape ?? quote, '\r\n')
    this.#nullBytes = nullBytes(options.nullText ?? '', `\r\n${delimiter}${quote}`)
    this.#header = options.header ?? false
    this.#forceQuote = options.forceQuote ?? []
    if (options.forceQuote !== undefined && options.forceQuote.length !== this.#columns.length) {
      throw new ProtocolError('illegal-call', 'local', 'forceQuote and columns differ in length')
    }
  }

  rowEnd(buf: Buffer, start: number, end: number): number {
    const quote = this.#quote
    const escapeByte = this.#escape
    let inQuotes = this.#inQuotes
    let at = start + this.#scanned
    for (; at < end; at++) {
      const byte = buf[at]!
      if (inQuotes && byte === escapeByte && escapeByte !== quote) {
        if (at + 1 === end) break
        at++
      } else if (byte === quote) inQuotes = !inQuotes
      else if (byte === LF && !inQuotes) {
        this.#scanned = 0
        this.#inQuotes = false
        return at + 1
      }
    }
    this.#scanned = at - start
    this.#inQuotes = inQuotes
    return -1
  }

  rewriteRow(buf: Buffer, start: number, end: number, out: ByteSink): void {
    const columns = this.#columns
    const lineEnd = end - 1
    const header = this.#header
    this.#header = false
    let from = start
    let at = start
    for (let column = 0; column < columns.length; column++) {
      const fieldEnd = this.#fieldEnd(buf, at, lineEnd)
      const mask = columns[column]!
      const isNull = mask !== null && equalsRange(buf, at, fieldEnd, this.#nullBytes)
      if (mask !== null && !header && (!isNull || mask.masksNull === true)) {
        writeRange(out, buf, from, at)
        this.#maskField(mask, column, buf, isNull ? fieldEnd : at, fieldEnd, out)
        from = fieldEnd
      }
      const last = column === columns.length - 1
      if (last !== (fieldEnd === lineEnd)) throw wrongCount(column + 1, columns.length)
      at = fieldEnd + 1
    }
    if (columns.length === 0 && lineEnd !== start) throw wrongCount(1, 0)
    writeRange(out, buf, from, end)
  }

  /** Index of the delimiter or line end after the field at `start`; checks its quoting. */
  #fieldEnd(buf: Buffer, start: number, lineEnd: number): number {
    this.#fieldEscaped = false
    if (start < lineEnd && buf[start] === this.#quote) return this.#quotedEnd(buf, start, lineEnd)
    let at = start
    while (at < lineEnd && buf[at] !== this.#delimiter) {
      const byte = buf[at]
      if (byte === this.#quote || byte === CR || byte === LF) {
        throw malformed('a quote or line break in an unquoted field')
      }
      at++
    }
    return at
  }

  #quotedEnd(buf: Buffer, start: number, lineEnd: number): number {
    const quote = this.#quote
    const escapeByte = this.#escape
    for (let at = start + 1; at < lineEnd; at++) {
      const byte = buf[at]
      const next = at + 1 < lineEnd ? buf[at + 1] : -1
      if (byte === escapeByte && (next === quote || next === escapeByte)) {
        this.#fieldEscaped = true
        at++
      } else if (byte === quote) {
        if (at + 1 !== lineEnd && next !== this.#delimiter) {
          throw malformed('bytes after the closing quote of a field')
        }
        return at + 1
      } else if (byte === escapeByte) throw malformed('an escape before an ordinary character')
    }
    throw malformed('a quoted field without its closing quote')
  }

  #maskField(
    mask: CellMask,
    column: number,
    buf: Buffer,
    start: number,
    end: number,
    out: ByteSink,
  ): void {
    const written = this.#maskValue(mask, buf, start, end)
    if (written < 0) return writeRange(out, this.#nullBytes, 0, this.#nullBytes.length)
    const cell = this.#cell.buf
    if (!(this.#forceQuote[column] ?? false) && !this.#needsQuotes(cell, written)) {
      return writeRange(out, cell, 0, written)
    }
    const quote = this.#quote
    const escapeByte = this.#escape
    out.ensure(written * 2 + 2)
    const target = out.buf
    let to = out.at
    target[to++] = quote
    for (let i = 0; i < written; i++) {
      const byte = cell[i]!
      if (byte === quote || byte === escapeByte) target[to++] = escapeByte
      target[to++] = byte
    }
    target[to++] = quote
    out.at = to
  }

  #maskValue(mask: CellMask, buf: Buffer, start: number, end: number): number {
    if (start === end || buf[start] !== this.#quote) {
      return maskCell(mask, buf, start, end, this.#cell)
    }
    if (!this.#fieldEscaped) return maskCell(mask, buf, start + 1, end - 1, this.#cell)
    const raw = this.#raw
    raw.at = 0
    raw.ensure(end - start)
    for (let at = start + 1; at < end - 1; at++) {
      // #quotedEnd has seen that what follows an escape is a quote or an escape.
      if (buf[at] === this.#escape) at++
      raw.buf[raw.at++] = buf[at]!
    }
    return maskCell(mask, raw.buf, 0, raw.at, this.#cell)
  }

  #needsQuotes(cell: Buffer, length: number): boolean {
    if (equalsRange(cell, 0, length, this.#nullBytes)) return true
    if (this.#columns.length === 1 && equalsRange(cell, 0, length, END_MARK)) return true
    for (let i = 0; i < length; i++) {
      const byte = cell[i]
      if (byte === this.#delimiter || byte === this.#quote || byte === LF || byte === CR)
        return true
    }
    return false
  }

  checkEnd(): void {
    // Any record may be the last.
  }
}
