/**
 * Parameters of COM_STMT_EXECUTE and query attributes of COM_QUERY: where each lies, of what type, under what
 * name. One `Parameters` serves a session for its whole life; nothing is allocated where types are not new.
 *
 *     null bitmap | new types: 1 byte | types: n times type, flags (0x80 unsigned) [, lenenc name] | values
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { ByteReader, writeBytes, writeLenenc, writeUint8, writeUint32 } from './bytes.ts'
import { TYPE } from './columns.ts'
import { COM } from './commands.ts'
import { ProtocolError } from './errors.ts'
import { PARAMETERS_MAX, QUERY_ATTRIBUTES_MAX } from './limits.ts'
import { type BinaryValue, decodeValue, isTemporalLength, WIDTH, widthOf } from './values.ts'

/** Flags of COM_STMT_EXECUTE. */
export const EXECUTE_FLAG = {
  CURSOR_READ_ONLY: 0x01,
  CURSOR_FOR_UPDATE: 0x02,
  CURSOR_SCROLLABLE: 0x04,
  PARAMETER_COUNT_AVAILABLE: 0x08,
} as const

const EXECUTE_FLAGS_KNOWN = 0x0f
const UNSIGNED = 0x80

export interface ParameterType {
  /** One of TYPE. */
  readonly type: number
  readonly unsigned: boolean
  /** Empty for an unnamed one: a marker of the statement; else a query attribute. */
  readonly name: string
}

/** A value that came by COM_STMT_SEND_LONG_DATA. */
export interface LongData {
  /** What has been kept of it. */
  readonly bytes: Buffer
  /** It is longer than what was kept: nothing can be said of the value as a whole. */
  readonly cut: boolean
}

const NO_TYPES: readonly ParameterType[] = []

/** Valid, as everything it gives, until its next `decode…`. */
export class Parameters {
  #buf: Buffer = Buffer.alloc(0)
  #types: readonly ParameterType[] = NO_TYPES
  #starts = new Int32Array(16)
  /** Where the value ends; ABSENT for NULL, LONG for one of `#long`. */
  #ends = new Int32Array(16)
  #long: ReadonlyMap<number, LongData> | null = null
  /** Markers of the statement; what follows are query attributes. */
  markers = 0

  /** All of them, query attributes included. */
  get count(): number {
    return this.#types.length
  }

  /** The types in force, which the next COM_STMT_EXECUTE without new ones has too. */
  get types(): readonly ParameterType[] {
    return this.#types
  }

  typeOf(index: number): ParameterType {
    const type = this.#types[index]
    if (type === undefined) throw new ProtocolError('illegal-call', 'local', `parameter ${index}`)
    return type
  }

  /** Null for NULL. Strings and long data are views; long data may be cut, see `longData`. */
  value(index: number): BinaryValue | null {
    const type = this.typeOf(index)
    const end = this.#ends[index]!
    if (end === ABSENT) return null
    if (end === LONG) return this.longData(index)?.bytes ?? null
    return decodeValue(this.#buf, this.#starts[index]!, end, type)
  }

  /** The value as SQL would write it without quotes; null for NULL. Bytes that are not UTF-8 become U+FFFD. */
  text(index: number): string | null {
    const value = this.value(index)
    if (value === null || typeof value === 'string') return value
    return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value)
  }

  /** The long data of a parameter; null for one that came with the command. */
  longData(index: number): LongData | null {
    return this.#ends[index] === LONG ? (this.#long?.get(index) ?? null) : null
  }

  /** No parameters at all. */
  clear(): void {
    this.#types = NO_TYPES
    this.#long = null
    this.markers = 0
  }

  /**
   * Reads the query attributes in front of a COM_QUERY's text, with CLIENT_QUERY_ATTRIBUTES in force; `start`
   * is behind the command byte. Returns where the text starts. Throws ProtocolError.
   */
  decodeAttributes(buf: Buffer, start: number, end: number): number {
    this.clear()
    const reader = new ByteReader(buf, start, end)
    const count = reader.lenenc()
    if (reader.lenenc() !== 1) throw new ProtocolError('bad-value', 'remote', 'parameter sets')
    if (count > QUERY_ATTRIBUTES_MAX) throw tooMany(count)
    if (count === 0) return reader.at
    this.#read(reader, buf, { count, named: true, known: null, long: null })
    return reader.at
  }

  /**
   * Reads the body of a COM_STMT_EXECUTE behind its iteration count (see `decodeExecuteHead`). Throws
   * ProtocolError where it is not laid out as the statement's parameters need.
   */
  decodeExecute(buf: Buffer, start: number, end: number, layout: ExecuteLayout): void {
    this.clear()
    const reader = new ByteReader(buf, start, end)
    const counted = layout.attributes && layout.counted
    const count = counted ? reader.lenenc() : layout.markers
    if (count > PARAMETERS_MAX || count > layout.markers + QUERY_ATTRIBUTES_MAX) {
      throw tooMany(count)
    }
    if (count < layout.markers) {
      const what = `${count} parameters for ${layout.markers} markers`
      throw new ProtocolError('bad-value', 'remote', what)
    }
    if (count > 0) {
      const { known, long } = layout
      this.#read(reader, buf, { count, named: layout.attributes, known, long })
    }
    this.markers = layout.markers
    // Without a marker or attribute the server reads nothing behind the head, and clients leave things there.
    if (count > 0) reader.expectEnd()
  }

  /**
   * Reads the row of a COM_STMT_BULK_EXECUTE that starts at `start`, and returns where it ends. DEFAULT and IGNORE are
   * null here. Throws ProtocolError.
   */
  decodeBulkRow(buf: Buffer, start: number, end: number, types: readonly ParameterType[]): number {
    this.#types = types
    this.#buf = buf
    this.#long = null
    this.markers = types.length
    this.#makeRoom(types.length)
    const reader = new ByteReader(buf, start, end)
    for (let i = 0; i < types.length; i++) {
      const indicator = reader.uint8()
      if (indicator > INDICATORS_MAX) {
        throw new ProtocolError('bad-value', 'remote', `indicator ${indicator} of a batch`)
      }
      if (indicator === 0) this.#locate(reader, i)
      else this.#ends[i] = ABSENT
    }
    return reader.at
  }

  #read(reader: ByteReader, buf: Buffer, set: ParameterSet): void {
    const { count } = set
    const nulls = reader.at
    reader.skip((count + 7) >> 3)
    const fresh = reader.uint8()
    if (fresh > 1) throw new ProtocolError('bad-value', 'remote', 'new-parameters flag')
    if (fresh === 1)
      this.#types = sameTypes(reader, buf, set) ?? readTypes(reader, count, set.named)
    else if (set.known !== null && set.known.length === count) this.#types = set.known
    else throw new ProtocolError('bad-value', 'remote', 'parameters without their types')
    this.#buf = buf
    this.#long = set.long
    this.#makeRoom(count)
    for (let i = 0; i < count; i++) {
      // The server looks for long data first: the bitmap does not make it NULL.
      if (set.long?.has(i) === true) this.#ends[i] = LONG
      else if ((buf[nulls + (i >> 3)]! & (1 << (i & 7))) !== 0) this.#ends[i] = ABSENT
      else this.#locate(reader, i)
    }
  }

  #locate(reader: ByteReader, index: number): void {
    const { type } = this.typeOf(index)
    const width = widthOf(type)
    let length = width
    if (width === WIDTH.LENENC) length = reader.lenenc()
    else if (width === WIDTH.TEMPORAL) {
      length = reader.uint8()
      if (!isTemporalLength(type, length)) {
        throw new ProtocolError('bad-value', 'remote', `a temporal value of ${length} bytes`)
      }
    }
    this.#starts[index] = reader.at
    reader.skip(length)
    this.#ends[index] = type === TYPE.NULL ? ABSENT : reader.at
  }

  #makeRoom(count: number): void {
    if (this.#starts.length >= count) return
    this.#starts = new Int32Array(count)
    this.#ends = new Int32Array(count)
  }
}

/** See INDICATOR of `bulk.ts`. */
const INDICATORS_MAX = 3

const ABSENT = -1
const LONG = -2

interface ParameterSet {
  readonly count: number
  readonly named: boolean
  readonly known: readonly ParameterType[] | null
  readonly long: ReadonlyMap<number, LongData> | null
}

/** What the body of a COM_STMT_EXECUTE depends on. */
export interface ExecuteLayout {
  /** Parameters of the statement. */
  readonly markers: number
  /** CLIENT_QUERY_ATTRIBUTES is in force. */
  readonly attributes: boolean
  /** PARAMETER_COUNT_AVAILABLE is set. */
  readonly counted: boolean
  /** Types of the last execute, for one that brings none. */
  readonly known: readonly ParameterType[] | null
  /** What COM_STMT_SEND_LONG_DATA brought, by parameter. */
  readonly long: ReadonlyMap<number, LongData> | null
}

/** The types of the last execution, where the same come again without names, as most clients send them; else null. */
function sameTypes(
  reader: ByteReader,
  buf: Buffer,
  { count, named, known }: ParameterSet,
): readonly ParameterType[] | null {
  const each = named ? 3 : 2
  if (known === null || known.length !== count || reader.remaining < each * count) return null
  for (let i = 0, { at } = reader; i < count; i++, at += each) {
    const one = known[i]!
    if (buf[at] !== one.type || ((buf[at + 1]! & UNSIGNED) !== 0) !== one.unsigned) return null
    if (one.name !== '' || (named && buf[at + 2] !== 0)) return null
  }
  reader.skip(each * count)
  return known
}

/** `named`: each has its name behind it. Throws ProtocolError. */
export function readTypes(reader: ByteReader, count: number, named: boolean): ParameterType[] {
  const types: ParameterType[] = []
  for (let i = 0; i < count; i++) {
    const type = reader.uint8()
    const unsigned = (reader.uint8() & UNSIGNED) !== 0
    widthOf(type)
    types.push({ type, unsigned, name: named ? reader.lenencBytes().toString('utf8') : '' })
  }
  return types
}

function tooMany(count: number): ProtocolError {
  return new ProtocolError('too-large', 'remote', `${count} parameters`)
}

export interface ExecuteHead {
  readonly statementId: number
  /** EXECUTE_FLAG bits. */
  readonly flags: number
  /** Index behind the head: where the parameters are. */
  readonly bodyStart: number
}

/** Reads `buf[start, end)`, a COM_STMT_EXECUTE behind its command byte. */
export function decodeExecuteHead(buf: Buffer, start: number, end: number): ExecuteHead {
  const reader = new ByteReader(buf, start, end)
  const statementId = reader.uint32()
  const flags = reader.uint8()
  if ((flags & ~EXECUTE_FLAGS_KNOWN) !== 0) {
    throw new ProtocolError('bad-value', 'remote', `flags ${flags} of COM_STMT_EXECUTE`)
  }
  // Documented as always 1; the server does not look at it, and some clients leave it 0.
  reader.skip(4)
  return { statementId, flags, bodyStart: reader.at }
}

/** A parameter to be sent: its bytes as the binary protocol has them, without their length; null for NULL. */
export interface ParameterInit extends ParameterType {
  readonly bytes: Uint8Array | null
}

/** Appends bitmap, types and values: what is behind the count of parameters. */
export function writeParameters(
  out: ByteSink,
  parameters: readonly ParameterInit[],
  options: { readonly named: boolean; readonly types: boolean },
): void {
  const nulls = Buffer.alloc((parameters.length + 7) >> 3)
  parameters.forEach(({ bytes }, i) => {
    if (bytes === null) nulls[i >> 3]! |= 1 << (i & 7)
  })
  writeBytes(out, nulls)
  writeUint8(out, options.types ? 1 : 0)
  if (options.types) writeTypes(out, parameters, options.named)
  for (const { type, bytes } of parameters) if (bytes !== null) writeValue(out, type, bytes)
}

export function writeTypes(out: ByteSink, types: readonly ParameterType[], named: boolean): void {
  for (const { type, unsigned, name } of types) {
    writeUint8(out, type)
    writeUint8(out, unsigned ? UNSIGNED : 0)
    if (!named) continue
    writeLenenc(out, Buffer.byteLength(name))
    writeBytes(out, Buffer.from(name))
  }
}

/** `bytes`: as the binary protocol has them, without their length. */
export function writeValue(out: ByteSink, type: number, bytes: Uint8Array): void {
  const width = widthOf(type)
  if (width === WIDTH.LENENC) writeLenenc(out, bytes.length)
  else if (width === WIDTH.TEMPORAL) writeUint8(out, bytes.length)
  writeBytes(out, bytes)
}

/** Appends the payload of a COM_STMT_EXECUTE. `named`: CLIENT_QUERY_ATTRIBUTES is in force. */
export function writeExecute(
  out: ByteSink,
  execute: {
    readonly statementId: number
    readonly flags: number
    readonly parameters: readonly ParameterInit[]
  },
  options: { readonly named: boolean; readonly types: boolean },
): void {
  const { parameters, flags } = execute
  writeUint8(out, COM.STMT_EXECUTE)
  writeUint32(out, execute.statementId)
  writeUint8(out, flags)
  writeUint32(out, 1)
  if (options.named && (flags & EXECUTE_FLAG.PARAMETER_COUNT_AVAILABLE) !== 0) {
    writeLenenc(out, parameters.length)
  }
  if (parameters.length > 0) writeParameters(out, parameters, options)
}
