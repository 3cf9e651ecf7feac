/**
 * Rows that are not of relations, as a principal under masks may read them: messages of SHOW WARNINGS and SHOW
 * ERRORS by their error number, counters of SHOW STATUS by their name; descriptions of tables without how much is
 * stored in them.
 */
import type { ResultPlan } from '@sallyport/policy'
import type { ColumnDefinition } from '@sallyport/protocol-mysql'
import type { CellMask } from '@sallyport/protocol-wire'
import { tellsAmount } from '@sallyport/sql'
import { redactErr } from './redaction.ts'

/** Counters that say nothing of what statements read: of the server, of connections, of how many statements. */
const HARMLESS =
  /^(ssl_|tls_|caching_sha2_|com_|wsrep_|rpl_|threads_|connection|aborted_|max_used_connections|uptime|compression|open_(files|tables|table_definitions|streams)$|opened_|prepared_stmt_count|questions|queries|mysqlx_|server_|current_tls)/i

/** Masks of the columns in order; undefined: as the plan has it. */
export function rowMasks(
  rows: NonNullable<ResultPlan['rows']>,
  columns: readonly ColumnDefinition[],
  /** Has a table of this name masked columns, or is it not known? */
  isProtected: (table: string) => boolean,
): readonly (CellMask | undefined)[] {
  switch (rows) {
    case 'metadata':
      return []
    case 'diagnostics':
      return messages()
    case 'counters':
      return counters()
    case 'temporary-amounts':
      return amounts(columns, () => true)
    case 'amounts':
      return amounts(columns, isProtected)
  }
}

/** Level, Code, Message. */
function messages(): (CellMask | undefined)[] {
  let errno = 0
  const code: CellMask = (src, start, end, out) => {
    errno = numberOf(src, start, end)
    return put(out, src.subarray(start, end))
  }
  const message: CellMask = (src, start, end, out) => {
    const err = { errno, sqlstate: null, message: src.toString('utf8', start, end) }
    return put(out, Buffer.from(redactErr(err).message, 'utf8'))
  }
  return [undefined, code, message]
}

/** Digits in a text row, a little-endian integer in a binary one. */
function numberOf(src: Buffer, start: number, end: number): number {
  const text = src.toString('latin1', start, end)
  return /^\d+$/.test(text) ? Number(text) : src.readUIntLE(start, Math.min(end - start, 4))
}

/** Variable_name, Value. */
function counters(): CellMask[] {
  let harmless = false
  const name: CellMask = (src, start, end, out) => {
    harmless = HARMLESS.test(src.toString('latin1', start, end))
    return put(out, src.subarray(start, end))
  }
  const value: CellMask = (src, start, end, out) =>
    put(out, harmless ? src.subarray(start, end) : ZERO)
  return [name, value]
}

/** Of SHOW TABLE STATUS and SHOW INDEX: what a row is about stands before what is told of it. */
function amounts(
  columns: readonly ColumnDefinition[],
  isProtected: (table: string) => boolean,
): (CellMask | undefined)[] {
  let hides = true
  const table: CellMask = (src, start, end, out) => {
    hides = isProtected(src.toString('utf8', start, end))
    return put(out, src.subarray(start, end))
  }
  const amount: CellMask = (src, start, end, out) =>
    hides ? -1 : put(out, src.subarray(start, end))
  return columns.map(({ name }, i) => (i === 0 ? table : tellsAmount(name) ? amount : undefined))
}

const ZERO = Buffer.from('0')

function put(out: Parameters<CellMask>[3], bytes: Buffer): number {
  out.ensure(bytes.length)
  bytes.copy(out.buf, out.at)
  out.at += bytes.length
  return bytes.length
}
