/**
 * Lines of a segment as the index needs them. Nearly all of them are statements that were run before and
 * their outcomes: those are read by their places in the line, without parsing it. What stands anywhere else
 * than where the writer puts it is parsed like everything else; both ways give the same.
 *
 *     {"at":1767225600000,"event":{…,"ordinal":7,…,"session":"…",…},"prev":"<64 hex>","seq":1}
 *                                 ^event                           ^tail
 */

import type { Outcome, StoredEvent } from '../event.ts'
import { INDEX_STATEMENT_CHARS_MAX, INDEX_STATEMENTS_MAX } from '../limits.ts'
import { decodeRecord, isMap } from '../record.ts'
import { recordTermsOf } from './terms.ts'

const NEWLINE = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE = 0x7d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** Of a whole number that is surely safe. */
const DIGITS_MAX = 15
const HASH_CHARS = 64
/**
 * Texts with literals are all different: remembering them costs more than parsing them. With this many more misses
 * than hits, so many statements are not looked for.
 */
const CREDIT_MAX = 64
const SPARED = 2048
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const AT = ascii('{"at":')
const EVENT = ascii(',"event":{')
const BYTES = ascii('"bytes":')
const COMMAND_TAG = ascii(',"commandTag":"')
const MICROS = ascii(',"micros":')
const ROWS = ascii(',"rows":')
const SESSION = ascii(',"session":"')
const SQLSTATE = ascii(',"sqlstate":"')
const STATEMENT = ascii(',"statement":')
const STATUS = ascii(',"status":"')
const OUTCOME_END = ascii(',"type":"outcome","v":1}')
const TAIL = ascii('},"prev":"')
const SEQ = ascii('","seq":')

/** What a record says by itself. The index has it once for all lines that differ in `IndexedRecord` alone. */
export interface Said {
  /** Of such lines the first: its ordinal and session are its own. */
  readonly event: StoredEvent
  readonly terms: readonly string[]
}

export interface IndexedRecord extends Said {
  readonly seq: number
  readonly at: number
  readonly session: string | null
  /** The statement it is about. */
  readonly refers: number | null
}

/** A line, [start, end) of the bytes read, without its newline; `record` null when it is none. */
export interface Line {
  readonly start: number
  readonly end: number
  readonly record: IndexedRecord | null
}

const OUTCOME_TERMS = recordTermsOf({ type: 'outcome', v: 1 })

export class LineReader {
  /** By the text of the event without ordinal and session. */
  readonly #statements = new Map<string, Said>()
  /** Falls with statements never met before; at 0 the next SPARED are parsed without being looked for. */
  #credit = CREDIT_MAX
  #spared = 0
  /** The batch, its text with a character for each byte, and where in it we are. */
  #bytes: Buffer = Buffer.alloc(0)
  #text = ''
  #at = 0

  /** `bytes` ends in a newline. */
  read(bytes: Buffer): Line[] {
    const lines: Line[] = []
    this.#bytes = bytes
    this.#text = bytes.toString('latin1')
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(NEWLINE, start)
      const record = this.#skim(start, end) ?? parsed(bytes.subarray(start, end))
      lines.push({ start, end, record })
      start = end + 1
    }
    this.#text = ''
    return lines
  }

  /** Null: it must be parsed. */
  #skim(start: number, end: number): IndexedRecord | null {
    const bytes = this.#bytes
    this.#at = start
    if (!this.#take(AT)) return null
    const at = this.#digits()
    if (at < 0 || !this.#take(EVENT)) return null
    const eventAt = this.#at - 1
    // From the end: digits of the number, then what stands before them.
    let seqAt = end - 1
    if (bytes[seqAt] !== BRACE) return null
    while (isDigit(bytes[seqAt - 1])) seqAt--
    const tail = seqAt - SEQ.length - HASH_CHARS - TAIL.length
    if (tail <= eventAt || !standsAt(bytes, TAIL, tail)) return null
    if (!standsAt(bytes, SEQ, seqAt - SEQ.length) || !isHash(bytes, tail + TAIL.length)) return null
    this.#at = seqAt
    const seq = this.#digits()
    if (seq <= 0) return null
    this.#at = eventAt + 1
    return this.#take(BYTES)
      ? this.#outcome(seq, at, tail + 1)
      : this.#statement(seq, at, eventAt, tail + 1)
  }

  #outcome(seq: number, at: number, end: number): IndexedRecord | null {
    const bytes = this.#digits()
    if (bytes < 0 || (this.#take(COMMAND_TAG) && !this.#skipPlain())) return null
    if (!this.#take(MICROS)) return null
    const micros = this.#digits()
    if (micros < 0 || !this.#take(ROWS)) return null
    const rows = this.#digits()
    if (rows < 0 || !this.#take(SESSION)) return null
    const session = this.#plain()
    if (session === null || (this.#take(SQLSTATE) && !this.#skipPlain())) return null
    if (!this.#take(STATEMENT)) return null
    const statement = this.#digits()
    if (statement < 0 || !this.#take(STATUS)) return null
    const status = this.#plain()
    if (status === null || !this.#take(OUTCOME_END) || this.#at !== end) return null
    const event = {
      type: 'outcome',
      v: 1,
      session,
      statement,
      status,
      rows,
      bytes,
      micros,
    } as const
    // Safe: a status is what the writer wrote, as it is in a parsed line.
    const said = event as Outcome & StoredEvent
    return { seq, at, session, refers: statement, event: said, terms: OUTCOME_TERMS }
  }

  #statement(seq: number, at: number, eventAt: number, end: number): IndexedRecord | null {
    if (this.#spared > 0) {
      this.#spared--
      return null
    }
    const text = this.#text
    const ordinalAt = text.indexOf(',"ordinal":', this.#at)
    if (ordinalAt < 0 || ordinalAt >= end) return null
    this.#at = ordinalAt + ',"ordinal":'.length
    if (this.#digits() < 0) return null
    const ordinalEnd = this.#at
    const sessionAt = text.indexOf(',"session":"', ordinalEnd)
    if (sessionAt < 0 || sessionAt >= end) return null
    this.#at = sessionAt + ',"session":"'.length
    const session = this.#plain()
    if (session === null || this.#at >= end) return null
    const rest =
      text.slice(eventAt, ordinalAt) + text.slice(ordinalEnd, sessionAt) + text.slice(this.#at, end)
    let said = this.#statements.get(rest)
    if (said !== undefined) this.#credit = Math.min(this.#credit + 1, CREDIT_MAX)
    else {
      if (--this.#credit === 0) {
        this.#credit = CREDIT_MAX
        this.#spared = SPARED
      }
      if (rest.length > INDEX_STATEMENT_CHARS_MAX) return null
      const event = statementOf(this.#bytes.subarray(eventAt, end), rest, session)
      if (event === null) return null
      if (this.#statements.size >= INDEX_STATEMENTS_MAX) this.#statements.clear()
      said = { event, terms: recordTermsOf(event) }
      this.#statements.set(rest, said)
    }
    return { seq, at, session, refers: null, event: said.event, terms: said.terms }
  }

  #take(expected: Uint8Array): boolean {
    if (!standsAt(this.#bytes, expected, this.#at)) return false
    this.#at += expected.length
    return true
  }

  /** A whole number; negative when there is none. */
  #digits(): number {
    const bytes = this.#bytes
    const from = this.#at
    let at = from
    let value = 0
    for (let code = bytes[at]; isDigit(code); code = bytes[++at]) {
      value = value * 10 + (code - DIGIT_0)
    }
    const digits = at - from
    this.#at = at
    const leads = digits > 1 && bytes[from] === DIGIT_0
    return digits === 0 || digits > DIGITS_MAX || leads ? -1 : value
  }

  /** Past the rest of a string of printable ASCII without escapes, with its quote; false: it is another. */
  #skipPlain(): boolean {
    const bytes = this.#bytes
    let at = this.#at
    for (let code = bytes[at] ?? 0; code !== QUOTE; code = bytes[++at] ?? 0) {
      if (code < 0x20 || code >= 0x7f || code === BACKSLASH) return false
    }
    this.#at = at + 1
    return true
  }

  #plain(): string | null {
    const from = this.#at
    // Not a slice of the text, which would keep all of it.
    return this.#skipPlain() ? this.#bytes.toString('latin1', from, this.#at - 1) : null
  }
}

function parsed(line: Buffer): IndexedRecord | null {
  const record = decodeRecord(line)
  if (record === null) return null
  const { seq, at, event } = record
  const { session, statement } = event
  return {
    seq,
    at,
    session: typeof session === 'string' ? session : null,
    refers: typeof statement === 'number' ? statement : null,
    event,
    terms: recordTermsOf(event),
  }
}

/** A statement's event, where what was left out of `rest` is its session and its ordinal; else null. */
function statementOf(bytes: Buffer, rest: string, session: string): StoredEvent | null {
  if (rest.includes('"session":') || rest.includes('"ordinal":')) return null
  const event = eventOf(bytes)
  if (event === null || event.type !== 'statement' || typeof event.v !== 'number') return null
  return event['session'] === session && event['statement'] === undefined ? event : null
}

function eventOf(bytes: Buffer): StoredEvent | null {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes))
    // Safe: the caller checks type and version.
    return isMap(value) ? (value as StoredEvent) : null
  } catch {
    return null
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isDigit(code: number | undefined): code is number {
  return code !== undefined && code >= DIGIT_0 && code <= DIGIT_9
}

/** 64 hexadecimal digits, as hashes are written. */
function isHash(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + HASH_CHARS; i++) {
    const code = bytes[i] ?? 0
    if (!isDigit(code) && !(code >= 0x61 && code <= 0x66)) return false
  }
  return true
}

function standsAt(bytes: Uint8Array, expected: Uint8Array, at: number): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false
  return true
}
