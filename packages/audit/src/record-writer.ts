/**
 * Events to chained record lines in one preallocated buffer: the hot path, run twice per statement.
 *
 * `statement` and `outcome` are written by hand in canonical member order; every other event, and every
 * event over a cap, goes through fittedEventJson. Both give the same bytes. No I/O, no clock.
 *
 *   bytes:  \n record \n record \n … free …
 *             ^start                 ^#end
 */

import { canonicalJson } from './canonical.ts'
import { AuditError } from './errors.ts'
import type { AuditEvent, Outcome, RelationAccess, Statement } from './event.ts'
import { JsonWriter } from './json-writer.ts'
import { LIST_ITEMS_MAX, RECORD_BYTES_MAX, SQL_CHARS_MAX, STRING_CHARS_MAX } from './limits.ts'
import { HASH_BYTES, type MerkleFrontier, NO_HASH, putHash } from './merkle.ts'
import { fittedEventJson } from './shorten.ts'
import type { StatementForm, StatementOf } from './statement-form.ts'

const NEWLINE = 0x0a
/** The byte before each record is a newline; the first record needs one too. */
const START = 1

/** Where the chain stands: enough to go on with it. */
export interface ChainState {
  readonly seq: number
  readonly at: number
  /** Hash of record `seq`, hex. */
  readonly head: string
}

export const NEW_CHAIN: ChainState = { seq: 0, at: 0, head: NO_HASH }

export class RecordWriter {
  readonly #json: JsonWriter
  readonly #bytes: Buffer
  readonly #bufferBytes: number
  #end = START
  #seq: number
  #at: number
  /** Hash of record `#seq`. */
  readonly #head = Buffer.alloc(HASH_BYTES)
  /** Tree over the current segment's records. */
  readonly frontier: MerkleFrontier

  constructor(options: { bufferBytes: number; chain: ChainState; frontier: MerkleFrontier }) {
    // One whole record fits behind a buffer that is just under its cap.
    this.#bytes = Buffer.alloc(START + options.bufferBytes + RECORD_BYTES_MAX + 1, NEWLINE)
    this.#bufferBytes = options.bufferBytes
    this.#json = new JsonWriter(this.#bytes)
    this.#seq = options.chain.seq
    this.#at = options.chain.at
    this.#head.write(options.chain.head, 'hex')
    this.frontier = options.frontier
  }

  get chain(): ChainState {
    return { seq: this.#seq, at: this.#at, head: this.#head.toString('hex') }
  }

  /** Time of the newest record. */
  get at(): number {
    return this.#at
  }

  get seq(): number {
    return this.#seq
  }

  get pendingBytes(): number {
    return this.#end - START
  }

  get isFull(): boolean {
    return this.#end - START >= this.#bufferBytes
  }

  /** What is not yet on disk, whole lines. A view: valid until the next append or clear. */
  pending(): Buffer {
    return this.#bytes.subarray(START, this.#end)
  }

  /** Forgets the pending bytes; the chain goes on. */
  clear(): void {
    this.#end = START
  }

  /**
   * Adds a record; `at` is not before that of the last one. Returns its sequence number. Throws before
   * anything is changed.
   * @throws AuditError invalid-event; unavailable when the buffer is at its cap
   */
  append(event: AuditEvent, at: number): number {
    const json = this.#begin(at)
    const eventAt = json.at
    if (event.type === 'statement') writeStatement(json, event)
    else if (event.type === 'outcome') writeOutcome(json, event)
    else json.overflow = true
    if (json.overflow) {
      json.begin({ from: eventAt, to: this.#end + RECORD_BYTES_MAX })
      const text = fittedEventJson(event)
      // Fits: fittedEventJson leaves room for the frame, and the buffer a whole record.
      json.at += this.#bytes.write(text, json.at, 'utf8')
    }
    return this.#finish(at, event.type)
  }

  /** The same for a statement whose record is encoded already but for these. */
  appendForm(form: StatementForm, of: StatementOf, at: number): number {
    const { session, ordinal, sql, parameters } = of
    if (sql.length > SQL_CHARS_MAX) return this.append({ ...form.fields, ...of }, at)
    const json = this.#begin(at)
    json.piece(form.before)
    json.integer(ordinal)
    if (parameters !== undefined) {
      json.piece(PARAMETERS)
      writeStrings(json, parameters)
    }
    json.piece(form.between)
    json.string(session, STRING_CHARS_MAX)
    json.piece(SQL)
    const encoded = form.encoded(sql)
    if (encoded === null) json.string(sql, SQL_CHARS_MAX)
    else json.piece(encoded)
    json.piece(form.behind)
    if (json.overflow && parameters !== undefined) return this.append({ ...form.fields, ...of }, at)
    return this.#finish(at, 'statement')
  }

  #begin(at: number): JsonWriter {
    if (this.isFull) throw new AuditError('unavailable', 'audit buffer is full')
    const json = this.#json
    json.begin({ from: this.#end, to: this.#end + RECORD_BYTES_MAX })
    json.piece(AT)
    json.integer(at)
    json.piece(EVENT)
    return json
  }

  #finish(at: number, type: AuditEvent['type']): number {
    const json = this.#json
    const seq = this.#seq + 1
    json.piece(PREV)
    json.hex(this.#head)
    json.piece(SEQ)
    json.integer(seq)
    json.piece(END)
    if (json.overflow) throw new AuditError('invalid-event', `\`${type}\` does not fit a record`)
    const bytes = this.#bytes
    const start = this.#end
    const end = json.at
    // RFC 6962 leaf hash needs a 0x00 before the record: it borrows the newline that is there.
    bytes[start - 1] = 0
    putHash(this.#head, 0, bytes.subarray(start - 1, end))
    bytes[start - 1] = NEWLINE
    bytes[end] = NEWLINE
    this.#end = end + 1
    this.#seq = seq
    this.#at = at
    this.frontier.add(this.#head)
    return seq
  }
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const AT = ascii('{"at":')
const EVENT = ascii(',"event":')
const PREV = ascii(',"prev":"')
const SEQ = ascii('","seq":')
const END = ascii('}')
const BYTES = ascii('{"bytes":')
const MICROS = ascii(',"micros":')
const PARAMETERS = ascii(',"parameters":')
const ROWS = ascii(',"rows":')
const SESSION = ascii(',"session":')
const SQL = ascii(',"sql":')
const STATEMENT = ascii(',"statement":')
const OUTCOME_STATUS = ascii(',"status":')
const OUTCOME_END = ascii(',"type":"outcome","v":1}')

// Members in canonical order: code cut effects fingerprint masks ordinal parameters reason relations rule
// session sql tags type v verdict via withheld.
function writeStatement(json: JsonWriter, event: Statement): void {
  if (event.cut !== undefined) {
    json.overflow = true
    return
  }
  json.raw('{')
  if (event.code !== undefined) {
    json.raw('"code":')
    json.string(event.code, STRING_CHARS_MAX)
    json.raw(',')
  }
  json.raw('"effects":')
  writeStrings(json, event.effects)
  writeOptional(json, ',"fingerprint":', event.fingerprint)
  json.raw(',"masks":')
  writeStrings(json, event.masks)
  json.raw(',"ordinal":')
  json.integer(event.ordinal)
  if (event.parameters !== undefined) {
    json.raw(',"parameters":')
    writeStrings(json, event.parameters)
  }
  writeOptional(json, ',"reason":', event.reason)
  json.raw(',"relations":')
  writeRelations(json, event.relations)
  json.raw(',"rule":')
  writeStringOrNull(json, event.rule)
  json.raw(',"session":')
  json.string(event.session, STRING_CHARS_MAX)
  json.raw(',"sql":')
  json.string(event.sql, SQL_CHARS_MAX)
  if (event.tags !== undefined) writeTags(json, event.tags)
  json.raw(',"type":"statement","v":1,"verdict":')
  json.string(event.verdict, STRING_CHARS_MAX)
  json.raw(',"via":')
  json.string(event.via, STRING_CHARS_MAX)
  writeOptional(json, ',"withheld":', event.withheld)
  json.raw('}')
}

// bytes commandTag cut micros rows session sqlstate statement status type v
function writeOutcome(json: JsonWriter, event: Outcome): void {
  if (event.cut !== undefined) {
    json.overflow = true
    return
  }
  json.piece(BYTES)
  json.integer(event.bytes)
  writeOptional(json, ',"commandTag":', event.commandTag)
  json.piece(MICROS)
  json.integer(event.micros)
  json.piece(ROWS)
  json.integer(event.rows)
  json.piece(SESSION)
  json.string(event.session, STRING_CHARS_MAX)
  writeOptional(json, ',"sqlstate":', event.sqlstate)
  json.piece(STATEMENT)
  json.integer(event.statement)
  json.piece(OUTCOME_STATUS)
  json.string(event.status, STRING_CHARS_MAX)
  json.piece(OUTCOME_END)
}

function writeOptional(json: JsonWriter, label: string, text: string | undefined): void {
  if (text === undefined) return
  json.raw(label)
  json.string(text, STRING_CHARS_MAX)
}

function writeStringOrNull(json: JsonWriter, text: string | null): void {
  if (text === null) json.raw('null')
  else json.string(text, STRING_CHARS_MAX)
}

function writeStrings(json: JsonWriter, list: readonly (string | null)[]): void {
  if (list.length > LIST_ITEMS_MAX) {
    json.overflow = true
    return
  }
  json.raw('[')
  for (let i = 0; i < list.length; i++) {
    if (i > 0) json.raw(',')
    writeStringOrNull(json, list[i] ?? null)
  }
  json.raw(']')
}

function writeRelations(json: JsonWriter, list: readonly RelationAccess[]): void {
  if (list.length > LIST_ITEMS_MAX) {
    json.overflow = true
    return
  }
  json.raw('[')
  for (let i = 0; i < list.length; i++) {
    const relation = list[i]
    if (relation === undefined) continue
    json.raw(i > 0 ? ',{"access":' : '{"access":')
    json.string(relation.access, STRING_CHARS_MAX)
    json.raw(',"name":')
    json.string(relation.name, STRING_CHARS_MAX)
    json.raw('}')
  }
  json.raw(']')
}

function writeTags(json: JsonWriter, tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags)
  const fits =
    entries.length <= LIST_ITEMS_MAX &&
    entries.every(([tag, value]) => tag.length + value.length <= STRING_CHARS_MAX)
  if (!fits) {
    json.overflow = true
    return
  }
  json.raw(',"tags":')
  json.json(canonicalJson(tags))
}
