/**
 * Lines of a segment as the index needs them. Nearly all of them are statements that were run before and
 * their outcomes: those are read by their places in the line, without parsing it. What stands anywhere else
 * than where the writer puts it is parsed like everything else; both ways give the same.
 *
 *     {"at":1767225600000,"event":{…,"ordinal":7,…,"session":"…",…},"prev":"<64 hex>","seq":1}
 *                                 ^event                            ^tail
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
const SESSION_LABEL = ',"session":"'
const SESSION = ascii(SESSION_LABEL)
const SQLSTATE = ascii(',"sqlstate":"')
const STATEMENT = ascii(',"statement":')
const STATUS = ascii(',"status":"')
const OUTCOME_END = ascii(',"type":"outcome","v":1}')
const ORDINAL = ',"ordinal":'
const TAIL = ascii(',"prev":"')
const SEQ = ascii('","seq":')
const OK = ascii('ok"')

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

/** A statement met before, and what stands between its ordinal and its session, and behind that. */
interface Known {
  readonly said: Said
  readonly between: Uint8Array
  readonly behind: Uint8Array
}

export class LineReader {
  /** By the text of the event without ordinal and session. */
  readonly #statements = new Map<string, Known>()
  /** By what stands before the ordinal, the fingerprint among it: the one met last. */
  readonly #latest = new Map<string, Known>()
  /** Falls with statements never met before; at 0 the next SPARED are parsed without being looked for. */
  #credit = CREDIT_MAX
  #spared = 0
  /** The batch, its text with a character for each byte, and where in it we are. */
  #bytes: Buffer = Buffer.alloc(0)
  #text = ''
  #at = 0
  #ordinalAt = -1

  /** `bytes` ends in a newline. */
  read(bytes: Buffer): Line[] {
    const lines: Line[] = []
    this.#bytes = bytes
    this.#text = bytes.toString('latin1')
    this.#ordinalAt = -1
    for (let start = 0; start < bytes.length; ) {
      const skimmed = this.#skim(start)
      const end = skimmed === null ? bytes.indexOf(NEWLINE, start) : this.#at
      const record = skimmed ?? parsed(bytes.subarray(start, end))
      lines.push({ start, end, record })
      start = end + 1
    }
    this.#text = ''
    return lines
  }

  /** Leaves off at the newline. Null: it must be parsed. */
  #skim(start: number): IndexedRecord | null {
    this.#at = start
    if (!this.#take(AT)) return null
    const at = this.#digits()
    if (at < 0 || !this.#take(EVENT)) return null
    const eventAt = this.#at - 1
    return this.#take(BYTES) ? this.#outcome(at) : this.#statement(at, eventAt)
  }

  #outcome(at: number): IndexedRecord | null {
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
    const status = this.#take(OK) ? 'ok' : this.#plain()
    if (status === null || !this.#take(OUTCOME_END)) return null
    const seq = this.#tail()
    if (seq <= 0) return null
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

  #statement(at: number, eventAt: number): IndexedRecord | null {
    if (this.#spared > 0) {
      this.#spared--
      return null
    }
    const ordinalAt = this.#nextOrdinal(eventAt)
    if (ordinalAt - eventAt > INDEX_STATEMENT_CHARS_MAX) return null
    const latest = this.#latest.get(this.#text.slice(eventAt, ordinalAt))
    const session = latest === undefined ? null : this.#sessionOf(latest, ordinalAt)
    if (latest === undefined || session === null) {
      return this.#otherStatement(at, eventAt, ordinalAt)
    }
    const seq = this.#tail()
    if (seq <= 0) return null
    if (this.#credit < CREDIT_MAX) this.#credit++
    const { event, terms } = latest.said
    return { seq, at, session, refers: null, event, terms }
  }

  /** Where the next ordinal is, whosever it is: looked for once, however many lines have none. */
  #nextOrdinal(from: number): number {
    if (this.#ordinalAt < from) {
      const found = this.#text.indexOf(ORDINAL, from)
      this.#ordinalAt = found < 0 ? Number.POSITIVE_INFINITY : found
    }
    return this.#ordinalAt
  }

  /** Past the event, if it is of this statement from its ordinal on: its session; else null. */
  #sessionOf({ between, behind }: Known, ordinalAt: number): string | null {
    this.#at = ordinalAt + ORDINAL.length
    if (this.#digits() < 0 || !this.#take(between)) return null
    const session = this.#plain()
    return session !== null && this.#take(behind) ? session : null
  }

  #otherStatement(at: number, eventAt: number, ordinalAt: number): IndexedRecord | null {
    const text = this.#text
    const end = eventEnd(this.#bytes, text.indexOf('\n', eventAt))
    if (ordinalAt >= end) return null
    this.#at = ordinalAt + ORDINAL.length
    if (this.#digits() < 0) return null
    const ordinalEnd = this.#at
    const sessionAt = text.indexOf(SESSION_LABEL, ordinalEnd)
    if (sessionAt < 0 || sessionAt >= end) return null
    const between = sessionAt + SESSION_LABEL.length
    this.#at = between
    const session = this.#plain()
    if (session === null || this.#at >= end) return null
    const behind = this.#at
    this.#at = end
    const seq = this.#tail()
    if (seq <= 0) return null
    const newlineAt = this.#at
    const rest =
      text.slice(eventAt, ordinalAt) + text.slice(ordinalEnd, sessionAt) + text.slice(behind, end)
    let known = this.#statements.get(rest)
    if (known !== undefined) this.#credit = Math.min(this.#credit + 1, CREDIT_MAX)
    else {
      if (--this.#credit === 0) {
        this.#credit = CREDIT_MAX
        this.#spared = SPARED
      }
      if (rest.length > INDEX_STATEMENT_CHARS_MAX) return null
      const bytes = this.#bytes
      const event = statementOf(bytes.subarray(eventAt, end), rest, session)
      if (event === null) return null
      if (this.#statements.size >= INDEX_STATEMENTS_MAX) {
        this.#statements.clear()
        this.#latest.clear()
      }
      known = {
        said: { event, terms: recordTermsOf(event) },
        between: new Uint8Array(bytes.subarray(ordinalEnd, between)),
        behind: new Uint8Array(bytes.subarray(behind, end)),
      }
      this.#statements.set(rest, known)
    }
    // Not a slice of the text, which would keep all of it.
    this.#latest.set(this.#bytes.toString('latin1', eventAt, ordinalAt), known)
    this.#at = newlineAt
    const { event, terms } = known.said
    return { seq, at, session, refers: null, event, terms }
  }

  /** From the end of the event to the newline: the record's number; not positive when it is something else. */
  #tail(): number {
    if (!this.#take(TAIL) || !isHash(this.#bytes, this.#at)) return -1
    this.#at += HASH_CHARS
    if (!this.#take(SEQ)) return -1
    const seq = this.#digits()
    const bytes = this.#bytes
    return bytes[this.#at++] === BRACE && bytes[this.#at] === NEWLINE ? seq : -1
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

/** Where the event of the line ends that ends at `newline`; negative when it ends in something else. */
function eventEnd(bytes: Uint8Array, newline: number): number {
  let seqAt = newline - 1
  while (isDigit(bytes[seqAt - 1])) seqAt--
  return seqAt - SEQ.length - HASH_CHARS - TAIL.length
}

/** 64 hexadecimal digits, as hashes are written. */
function isHash(bytes: Uint8Array, at: number): boolean {
  let all = 1
  for (let i = at; i < at + HASH_CHARS; i++) all &= HEX_DIGITS[bytes[i] ?? 0] ?? 0
  return all === 1
}

/** 1 for each. */
const HEX_DIGITS = new Uint8Array(256)
for (const digit of ascii('0123456789abcdef')) HEX_DIGITS[digit] = 1

function standsAt(bytes: Uint8Array, expected: Uint8Array, at: number): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false
  return true
}
