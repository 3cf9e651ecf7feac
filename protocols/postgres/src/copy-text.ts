/**
 * COPY TO STDOUT in text format: one row, its fields unescaped, masked, escaped again.
 * The escapes are the writer's (CopyAttributeOutText): \b \f \n \r \t \v, \\ and \delimiter. The
 * reader of COPY FROM also knows octal and hex; the writer never uses them, so here they are malformed.
 *
 *     field TAB field TAB ... field LF
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
import type { CopyFormat, TextCopyOptions } from './copy-rows.ts'

const LF = 0x0a
const BACKSLASH = 0x5c
const DELIMITER_FORBIDDEN = '\\.abcdefghijklmnopqrstuvwxyz0123456789\r\n'

/** Letter after the backslash for each control character that has one. */
const LETTER: ReadonlyMap<number, number> = new Map([
  [0x08, 0x62],
  [0x0c, 0x66],
  [LF, 0x6e],
  [0x0d, 0x72],
  [0x09, 0x74],
  [0x0b, 0x76],
])

export class TextCopyRows implements CopyFormat {
  readonly #columns: readonly (CellMask | null)[]
  readonly #delimiter: number
  readonly #nullBytes: Buffer
  /**
   * Whether a value may look like NULL, as with `NULL 'none'`. Such a field is masked: otherwise the
   * client, who chose the text, would read values equal to it in clear. Empty text says nothing.
   */
  readonly #maskNull: boolean
  /** By byte: 0 stands for itself, otherwise the byte to write after a backslash. */
  readonly #escape = new Uint8Array(256)
  /** By byte after a backslash: the byte meant plus one, or 0 where the writer never writes it. */
  readonly #unescape = new Uint16Array(256)
  readonly #cell: ByteWriter = cellSink()
  readonly #raw: ByteWriter = cellSink()
  #header: boolean
  #scanned = 0

  constructor(options: TextCopyOptions) {
    this.#columns = options.columns
    const delimiter = options.delimiter ?? '\t'
    this.#delimiter = singleByte('DELIMITER', delimiter, DELIMITER_FORBIDDEN)
    const nullText = options.nullText ?? '\\N'
    this.#nullBytes = nullBytes(nullText, `\r\n${delimiter}`)
    this.#header = options.header ?? false
    for (const byte of [BACKSLASH, this.#delimiter]) this.#escape[byte] = byte
    for (const [byte, letter] of LETTER) this.#escape[byte] = letter
    for (let byte = 0; byte < 256; byte++) {
      const escaped = this.#escape[byte]!
      if (escaped !== 0) this.#unescape[escaped] = byte + 1
    }
    this.#maskNull = nullText !== '' && this.#couldBeValue(this.#nullBytes)
  }

  #couldBeValue(text: Buffer): boolean {
    for (let at = 0; at < text.length; at++) {
      const byte = text[at]!
      if (byte === BACKSLASH) {
        at++
        if (at === text.length || this.#unescape[text[at]!] === 0) return false
      } else if (this.#escape[byte] !== 0) return false
    }
    return true
  }

  rowEnd(buf: Buffer, start: number, end: number): number {
    const at = buf.indexOf(LF, start + this.#scanned)
    if (at < 0 || at >= end) {
      this.#scanned = end - start
      return -1
    }
    this.#scanned = 0
    return at + 1
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
      const isNull = mask !== null && this.#isNull(buf, at, fieldEnd)
      if (mask !== null && !header && (!isNull || mask.masksNull === true)) {
        writeRange(out, buf, from, at)
        this.#maskField(mask, buf, isNull ? fieldEnd : at, fieldEnd, out)
        from = fieldEnd
      }
      const last = column === columns.length - 1
      if (last !== (fieldEnd === lineEnd)) throw wrongCount(column + 1, columns.length)
      at = fieldEnd + 1
    }
    if (columns.length === 0 && lineEnd !== start) throw wrongCount(1, 0)
    writeRange(out, buf, from, end)
  }

  #isNull(buf: Buffer, start: number, end: number): boolean {
    return !this.#maskNull && equalsRange(buf, start, end, this.#nullBytes)
  }

  #fieldEnd(buf: Buffer, start: number, lineEnd: number): number {
    const delimiter = this.#delimiter
    let at = start
    while (at < lineEnd) {
      const byte = buf[at]!
      if (byte === delimiter) return at
      at += byte === BACKSLASH ? 2 : 1
    }
    if (at > lineEnd) throw malformed('a backslash at the end of a line')
    return at
  }

  #maskField(mask: CellMask, buf: Buffer, start: number, end: number, out: ByteSink): void {
    const written = this.#maskValue(mask, buf, start, end)
    if (written < 0) return writeRange(out, this.#nullBytes, 0, this.#nullBytes.length)
    const escapes = this.#escape
    const cell = this.#cell.buf
    out.ensure(written * 2)
    const target = out.buf
    let to = out.at
    for (let i = 0; i < written; i++) {
      const byte = cell[i]!
      const escaped = escapes[byte]!
      if (escaped !== 0) {
        target[to++] = BACKSLASH
        target[to++] = escaped
      } else target[to++] = byte
    }
    out.at = to
  }

  #maskValue(mask: CellMask, buf: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#escape[buf[at]!] === 0) at++
    if (at === end) return maskCell(mask, buf, start, end, this.#cell)
    this.#unescapeField(buf, start, end)
    return maskCell(mask, this.#raw.buf, 0, this.#raw.at, this.#cell)
  }

  #unescapeField(buf: Buffer, start: number, end: number): void {
    const raw = this.#raw
    raw.at = 0
    raw.ensure(end - start)
    for (let at = start; at < end; at++) {
      let byte = buf[at]!
      if (byte === BACKSLASH) {
        at++
        const meant = this.#unescape[buf[at]!]!
        if (meant === 0) throw malformed('an escape that is not one of the writer')
        byte = meant - 1
      } else if (this.#escape[byte] !== 0) throw malformed('a control character without its escape')
      raw.buf[raw.at++] = byte
    }
  }

  checkEnd(): void {
    // Any line may be the last.
  }
}
