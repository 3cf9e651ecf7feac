/**
 * Rewrites the payload of COPY ... TO STDOUT as it streams by, putting masked columns through the same
 * masks as DataRow values. Rows may span CopyData messages or share one; the payload is one stream.
 * It accepts exactly what the server's writer produces (copyto.c) and refuses the rest, so a field is
 * never taken for another. Only client encodings in which every byte of a multi-byte character has its
 * high bit set can be read this way: see `copyEncodingIsSafe`.
 *
 * https://www.postgresql.org/docs/18/sql-copy.html (File Formats)
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { ByteWriter } from './bytes.ts'
import { BinaryCopyRows } from './copy-binary.ts'
import { CsvCopyRows } from './copy-csv.ts'
import { TextCopyRows } from './copy-text.ts'
import { ProtocolError } from './errors.ts'
import { COLUMNS_MAX, COPY_ROW_BYTES_MAX } from './limits.ts'

interface CommonOptions {
  /** One entry per column of the COPY, null for one that passes as it is. */
  readonly columns: readonly (CellMask | null)[]
  /** Bytes one row may have; COPY_ROW_BYTES_MAX unless said. */
  readonly rowBytesMax?: number
}

export interface TextCopyOptions extends CommonOptions {
  readonly format: 'text'
  /** One ASCII character; TAB unless said. */
  readonly delimiter?: string
  /** `\N` unless said. */
  readonly nullText?: string
  /** The first line holds column names. */
  readonly header?: boolean
}

export interface CsvCopyOptions extends CommonOptions {
  readonly format: 'csv'
  /** One ASCII character; comma unless said. */
  readonly delimiter?: string
  /** One ASCII character; the double quote unless said. */
  readonly quote?: string
  /** One ASCII character; the same as `quote` unless said. */
  readonly escape?: string
  /** The empty string unless said. */
  readonly nullText?: string
  /** The first line holds column names. */
  readonly header?: boolean
  /** Per column, whether FORCE_QUOTE names it; none unless said. */
  readonly forceQuote?: readonly boolean[]
}

export interface BinaryCopyOptions extends CommonOptions {
  readonly format: 'binary'
}

export type CopyRowsOptions = TextCopyOptions | CsvCopyOptions | BinaryCopyOptions

/** One of the three formats: finds where a row ends, and rewrites a whole row. */
export interface CopyFormat {
  /**
   * Index after the row that starts at `start`, or -1 if it goes on past `end`; called again with more
   * bytes of the same row it takes up where it stopped, until it has found the end.
   */
  rowEnd(buf: Buffer, start: number, end: number): number
  /** Appends the row `buf[start, end)`, rewritten. */
  rewriteRow(buf: Buffer, start: number, end: number, out: ByteSink): void
  /** Throws 'malformed-copy' where the stream may not end here. */
  checkEnd(): void
}

// Source: PG_ENCODING_IS_CLIENT_ONLY, mb/pg_wchar.h. In these an ASCII byte may be half a character.
const EMBEDS_ASCII: ReadonlySet<string> = new Set([
  'SJIS',
  'BIG5',
  'GBK',
  'UHC',
  'GB18030',
  'JOHAB',
  'SHIFT_JIS_2004',
  'SHIFTJIS2004',
  'MSKANJI',
  'SHIFTJIS',
  'WIN932',
  'WINDOWS932',
  'WIN936',
  'WINDOWS936',
  'WIN949',
  'WINDOWS949',
  'WIN950',
  'WINDOWS950',
])

/**
 * Whether text and csv COPY can be rewritten under this client_encoding (as ParameterStatus names it).
 * Where it cannot, a COPY with masked columns has to be refused.
 */
export function copyEncodingIsSafe(clientEncoding: string): boolean {
  const upper = clientEncoding.toUpperCase()
  return !EMBEDS_ASCII.has(upper) && !EMBEDS_ASCII.has(upper.replace(/[^A-Z0-9]/g, ''))
}

/**
 * The payload of one COPY in, the rewritten payload out. Fails closed: the first malformed row throws a
 * ProtocolError, nothing of that call has been written, and every later call throws.
 */
export class CopyRowsRewriter {
  readonly #format: CopyFormat
  readonly #rowBytesMax: number
  /** The beginning of a row whose end has not come yet. */
  readonly #pending: ByteWriter
  #dead = false

  constructor(options: CopyRowsOptions) {
    if (options.columns.length > COLUMNS_MAX) {
      throw new ProtocolError(
        'too-large',
        'local',
        `${options.columns.length} columns, the cap is ${COLUMNS_MAX}`,
      )
    }
    this.#format = formatOf(options)
    this.#rowBytesMax = options.rowBytesMax ?? COPY_ROW_BYTES_MAX
    this.#pending = new ByteWriter({ initialBytes: 0, bytesMax: Number.MAX_SAFE_INTEGER })
  }

  /**
   * Takes the payload `buf[start, end)` of one CopyData and appends to `out` the rows that are whole,
   * rewritten; nothing where none is. `buf` is not kept. Throws 'malformed-copy', 'bad-count',
   * 'bad-length', 'too-large' for the stream, 'mask-contract' (local) for a mask.
   */
  write(buf: Buffer, start: number, end: number, out: ByteSink): void {
    if (this.#dead) throw new ProtocolError('illegal-call', 'local', 'the copy has already failed')
    const begin = out.at
    try {
      if (this.#pending.at === 0) this.#rows(buf, start, end, out)
      else this.#continue(buf, start, end, out)
    } catch (error) {
      this.#dead = true
      out.at = begin
      throw error
    }
  }

  /** At CopyDone. Throws 'malformed-copy' where a row, or a binary trailer, is missing its end. */
  end(_out: ByteSink): void {
    if (this.#dead) throw new ProtocolError('illegal-call', 'local', 'the copy has already failed')
    this.#dead = true
    if (this.#pending.at > 0) {
      throw new ProtocolError('malformed-copy', 'remote', 'the copy ends inside a row')
    }
    this.#format.checkEnd()
  }

  #continue(buf: Buffer, start: number, end: number, out: ByteSink): void {
    const pending = this.#pending
    pending.ensure(end - start)
    buf.copy(pending.buf, pending.at, start, end)
    const length = pending.at + end - start
    pending.at = 0
    this.#rows(pending.buf, 0, length, out)
  }

  #rows(buf: Buffer, start: number, end: number, out: ByteSink): void {
    let at = start
    while (at < end) {
      const rowEnd = this.#format.rowEnd(buf, at, end)
      const known = rowEnd < 0 ? end - at : rowEnd - at
      if (known > this.#rowBytesMax) {
        throw new ProtocolError(
          'too-large',
          'remote',
          `a copy row of ${known} bytes or more, the cap is ${this.#rowBytesMax}`,
        )
      }
      if (rowEnd < 0) return this.#keep(buf, at, end)
      this.#format.rewriteRow(buf, at, rowEnd, out)
      at = rowEnd
    }
  }

  /** `buf` may be the pending buffer itself: `copy` allows the overlap. */
  #keep(buf: Buffer, start: number, end: number): void {
    this.#pending.ensure(end - start)
    buf.copy(this.#pending.buf, 0, start, end)
    this.#pending.at = end - start
  }
}

function formatOf(options: CopyRowsOptions): CopyFormat {
  switch (options.format) {
    case 'text':
      return new TextCopyRows(options)
    case 'csv':
      return new CsvCopyRows(options)
    case 'binary':
      return new BinaryCopyRows(options)
  }
}
