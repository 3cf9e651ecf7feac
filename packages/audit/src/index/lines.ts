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
const COMMA = 0x2c
const BACKSLASH = 0x5c
const BRACKET = 0x5d
const BRACE = 0x7d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** Of a whole number that is surely safe. */
const DIGITS_MAX = 15
const HASH_CHARS = 64
/** Statements remembered that are alike to their ordinal. */
const ALIKE_MAX = 4
const NONE: readonly Known[] = []
/**
 * Statements that are all different cost more to be remembered than to be parsed. With this many more misses than
 * hits, so many are not looked for.
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
const SQL = ascii(',"sql":"')
const SESSION_LABEL = ',"session":"'
const SESSION = ascii(SESSION_LABEL)
const SQLSTATE = ascii(',"sqlstate":"')
const STATEMENT = ascii(',"statement":')
const STATUS = ascii(',"status":"')
const OUTCOME_END = ascii(',"type":"outcome","v":1}')
const ORDINAL = ',"ordinal":'
const PARAMETERS = ascii(',"parameters":[')
const NULL = ascii('null')
const TAIL = ascii(',"prev":"')
const SEQ = ascii('","seq":')
const OK = ascii('ok"')

/** What a record says by itself. The index has its terms once for all lines that differ in `IndexedRecord` and text. */
export interface Said {
  /** Of lines that have one text, the first: its ordinal, parameters and session are its own. */
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

/**
 * A statement met before, and what its line has between its ordinal (and its parameters, where it has any) and its
 * session, as its text (to the quote behind it), and behind that.
 */
interface Known extends Said {
  readonly between: Uint8Array
  readonly sql: Uint8Array
  readonly behind: Uint8Array
}

export class LineReader {
  /** By what stands before the ordinal, the fingerprint among it: those met lately, which differ in what follows. */
  readonly #statements = new Map<string, readonly Known[]>()
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
    const known = this.#statements.get(this.#text.slice(eventAt, ordinalAt)) ?? NONE
    for (const one of known) {
      const record = this.#statementLike(one, at, ordinalAt)
      if (record === null) continue
      if (this.#credit < CREDIT_MAX) this.#credit++
      return record
    }
    if (--this.#credit === 0) {
      this.#credit = CREDIT_MAX
      this.#spared = SPARED
    }
    const learned = this.#learn(known, eventAt, ordinalAt)
    return learned === null ? null : this.#statementLike(learned, at, ordinalAt)
  }

  /** Where the next ordinal is, whosever it is: looked for once, however many lines have none. */
  #nextOrdinal(from: number): number {
    if (this.#ordinalAt < from) {
      const found = this.#text.indexOf(ORDINAL, from)
      this.#ordinalAt = found < 0 ? Number.POSITIVE_INFINITY : found
    }
    return this.#ordinalAt
  }

  /** Null: it differs in more than ordinal, parameters, session and text. */
  #statementLike(known: Known, at: number, ordinalAt: number): IndexedRecord | null {
    this.#at = ordinalAt + ORDINAL.length
    if (this.#digits() < 0 || !this.#skipParameters() || !this.#take(known.between)) return null
    const session = this.#plain()
    if (session === null || !this.#take(SQL)) return null
    const sql = this.#take(known.sql) ? null : this.#quoted()
    if (sql === undefined || !this.#take(known.behind)) return null
    const seq = this.#tail()
    if (seq <= 0) return null
    const event = sql === null ? known.event : { ...known.event, sql }
    return { seq, at, session, refers: null, event, terms: known.terms }
  }

  /** Remembers the statement that stands here; null: it is none. */
  #learn(known: readonly Known[], eventAt: number, ordinalAt: number): Known | null {
    const bytes = this.#bytes
    const text = this.#text
    const newline = text.indexOf('\n', eventAt)
    const end = eventEnd(bytes, newline)
    if (ordinalAt >= end || end - eventAt > INDEX_STATEMENT_CHARS_MAX) return null
    this.#at = ordinalAt + ORDINAL.length
    if (this.#digits() < 0 || !this.#skipParameters()) return null
    const from = this.#at
    const between = text.indexOf(SESSION_LABEL, from) + SESSION_LABEL.length
    this.#at = between
    const session = between > from && between < end ? this.#plain() : null
    if (session === null) return null
    if (!this.#take(SQL)) return null
    const sqlAt = this.#at
    const sql = this.#quoted()
    const sqlEnd = this.#at
    if (sql === undefined || sqlEnd >= end) return null
    const event = eventOf(bytes.subarray(eventAt, end))
    // What was left out below is what it says of these, and nothing else says them again.
    const rest = text.slice(eventAt, ordinalAt) + text.slice(from, between - SESSION_LABEL.length)
    if (event?.['session'] !== session || event['sql'] !== sql) return null
    if (!isStatement(event) || isAmbiguous(rest + text.slice(sqlEnd, end))) return null
    if (this.#statements.size >= INDEX_STATEMENTS_MAX) this.#statements.clear()
    const one: Known = {
      event,
      terms: recordTermsOf(event),
      between: new Uint8Array(bytes.subarray(from, between)),
      sql: new Uint8Array(bytes.subarray(sqlAt, sqlEnd)),
      behind: new Uint8Array(bytes.subarray(sqlEnd, end)),
    }
    // Not a slice of the text, which would keep all of it.
    const before = bytes.toString('latin1', eventAt, ordinalAt)
    this.#statements.set(before, [one, ...known.slice(0, ALIKE_MAX - 1)])
    return one
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

  /** Past what was bound, if anything: `null` and strings of printable ASCII; false: something else is there. */
  #skipParameters(): boolean {
    if (!this.#take(PARAMETERS)) return true
    const bytes = this.#bytes
    if (bytes[this.#at] === BRACKET) {
      this.#at++
      return true
    }
    for (;;) {
      if (bytes[this.#at] === QUOTE) {
        this.#at++
        if (!this.#skipPlain()) return false
      } else if (!this.#take(NULL)) return false
      const next = bytes[this.#at++]
      if (next === BRACKET) return true
      if (next !== COMMA) return false
    }
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

  /** The rest of a string, with its quote; undefined: it is none. */
  #quoted(): string | undefined {
    const bytes = this.#bytes
    const from = this.#at
    let at = from
    let isPlain = true
    for (let code = bytes[at] ?? 0; code !== QUOTE; code = bytes[++at] ?? 0) {
      if (code < 0x20) return undefined
      if (code >= 0x7f || code === BACKSLASH) isPlain = false
      if (code === BACKSLASH) at++
    }
    this.#at = at + 1
    if (isPlain) return bytes.toString('latin1', from, at)
    const text = parseJson(bytes.subarray(from - 1, at + 1))
    return typeof text === 'string' ? text : undefined
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

function isStatement(event: StoredEvent): boolean {
  return (
    event.type === 'statement' && typeof event.v === 'number' && event['statement'] === undefined
  )
}

/** Whether an event without its ordinal, session and text may have another member of one of these names. */
function isAmbiguous(rest: string): boolean {
  return ['"session":', '"ordinal":', '"sql":', '\\u'].some((text) => rest.includes(text))
}

function eventOf(bytes: Buffer): StoredEvent | null {
  const value = parseJson(bytes)
  // Safe: the caller checks type and version.
  return isMap(value) ? (value as StoredEvent) : null
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes))
  } catch {
    return undefined
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
