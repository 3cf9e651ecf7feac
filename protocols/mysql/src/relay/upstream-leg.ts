/**
 * The upstream's replies: matched with what is owed and passed to the client.
 *
 * A packet that is not owed is out of sync and ends the session; it is never guessed at. Rows go through
 * Results; everything else is looked at packet by packet, by what the reply is and how far it has come:
 *
 *     first --column count--> columns --[EOF]--> rows --EOF or OK--> first (more results) or the next reply
 *     first --prepare OK--> parameters --[EOF]--> columns --[EOF]--> the next reply
 *     first --OK--> first (more results) or the next reply          any --ERR--> the next reply
 */
import { decodeColumnCount, decodePrepareOk } from '../columns.ts'
import { ProtocolError } from '../errors.ts'
import { MASKED_ROW_BYTES_MAX, PACKET_PAYLOAD_BYTES_MAX } from '../limits.ts'
import { encodePacket, outOfOrder, PayloadCursor } from '../packets.ts'
import {
  decodeEof,
  decodeErr,
  decodeOk,
  type EofPacket,
  type ErrPacket,
  encodeEof,
  encodeOk,
  HEADER,
  type OkPacket,
  plainOk,
  STATUS,
} from '../responses.ts'
import { decodeSessionState } from '../session-state.ts'
import { type Expected, isRefused, NOTHING_SENT, REPLY } from './expected.ts'
import { completed, failed, pass, sayInstead } from './passing.ts'
import { probeAnswered, probeRow } from './probe.ts'
import { Results } from './results.ts'
import type { RelayState } from './state.ts'

/** How far the reply owed next has come. */
type Phase =
  | 'first'
  | 'columns'
  | 'columns-eof'
  | 'rows'
  | 'prepared-parameters'
  | 'prepared-parameters-eof'
  | 'prepared-columns'
  | 'prepared-columns-eof'

/** Errors after which the server closes the connection: shutdown, killed (both servers), timed out. */
const LAST_ERRORS: ReadonlySet<number> = new Set([1053, 1927, 3169, 4031])

export class UpstreamLeg {
  readonly #state: RelayState
  readonly #results: Results
  readonly #cursor = new PayloadCursor(MASKED_ROW_BYTES_MAX)
  #phase: Phase = 'first'
  /** Definitions still to come; columns of the result, or after the parameters of a prepared statement. */
  #left = 0
  #columns = 0
  /** The result at hand has OUT parameters of a procedure, so that another follows. */
  #outParameters = false
  /** The reply that has begun. */
  #entry: Expected | null = null
  /** Whole length wanted of the packet at the returned offset, bytes; 0 when its header is not there yet. */
  wanted = 0

  constructor(state: RelayState) {
    this.#state = state
    this.#results = new Results(state)
  }

  /** The client has got part of a packet and not the rest. */
  get midFrame(): boolean {
    return this.#results.midFrame
  }

  /** The client has got part of a reply and not the rest. */
  get midReply(): boolean {
    return this.#entry !== null
  }

  /** Takes packets from [start, end); returns where it stopped (an incomplete packet). */
  receive(buf: Buffer, start: number, end: number): number {
    const results = this.#results
    const cursor = this.#cursor
    let at = start
    this.wanted = 0
    while (at < end) {
      const entry = this.#state.expected.head()
      if (entry !== undefined && entry !== this.#entry) this.#enter(entry)
      if (entry?.fate === 'forward' && this.#phase === 'columns' && !entry.told) {
        at = results.columns(entry, buf, at, end, this.#left)
        this.#left -= results.passed
        if (this.#left === 0) this.#columnsDone(entry)
        if (results.passed > 0) continue
      }
      if (entry?.fate === 'forward' && this.#phase === 'rows') {
        at = results.rows(entry, buf, at, end)
        if (!results.atEnd) {
          this.wanted = results.wanted
          return at
        }
      }
      if (cursor.next(buf, at, end) !== 'payload') {
        this.wanted = cursor.wanted
        return at
      }
      if (entry === undefined) this.#unsolicited(buf)
      else this.#packet(entry, buf)
      at = cursor.end
    }
    return at
  }

  /** The first packet of a reply is there. */
  #enter(entry: Expected): void {
    this.#entry = entry
    this.#state.clientSequence = entry.sequence
    this.#state.upstreamSequence = entry.upstreamSequence
    this.#phase = 'first'
    if (entry.kind === REPLY.fetch) this.#rows(entry)
  }

  /** A server that closes the connection by itself may say why. */
  #unsolicited(buf: Buffer): void {
    const { bytes, payloadStart, start, end } = this.#cursor
    if (bytes[payloadStart] !== HEADER.ERR) throw outOfSync('a packet')
    this.#state.toClient.forward(buf, start, end)
    this.#state.farewell = true
  }

  #packet(entry: Expected, buf: Buffer): void {
    const state = this.#state
    // INVARIANT: whoever stopped reading the file would take what is left of it for commands.
    if (state.infile) throw outOfSync('a reply before the end of the file')
    const cursor = this.#cursor
    const { bytes, payloadStart, payloadEnd } = cursor
    if (payloadStart === payloadEnd) throw outOfSync('an empty packet')
    const header = bytes[payloadStart]!
    if (cursor.sequence !== state.upstreamSequence) {
      // What ends a connection does not always count on.
      if (header !== HEADER.ERR) throw outOfOrder(cursor.sequence)
      state.upstreamSequence = cursor.sequence
    }
    state.upstreamSequence = (state.upstreamSequence + cursor.packets) & 0xff
    // No row and no definition starts with this byte.
    if (header === HEADER.ERR) return this.#error(entry, buf)
    switch (this.#phase) {
      case 'first':
        return this.#first(entry, header, buf)
      case 'columns':
        return this.#column(entry, buf)
      case 'columns-eof':
        return this.#columnsEof(entry, buf)
      case 'rows':
        return this.#amongRows(entry, header, buf)
      default:
        return this.#prepared(entry, buf)
    }
  }

  /** Columns are known, or never will be: rows are next. */
  #rows(entry: Expected): void {
    this.#phase = 'rows'
    this.#results.begin(entry)
    this.#results.announce(entry)
  }

  #first(entry: Expected, header: number, buf: Buffer): void {
    switch (entry.kind) {
      case REPLY.query:
      case REPLY.execute:
        if (header === HEADER.OK) return this.#ok(entry, buf, HEADER.OK)
        if (header === HEADER.LOCAL_INFILE) return this.#localInfile(entry, buf)
        return this.#columnCount(entry, buf)
      case REPLY.prepare:
        return this.#prepareOk(entry, buf)
      case REPLY.ok:
        if (header === HEADER.OK) return this.#ok(entry, buf, HEADER.OK)
        if (header === HEADER.EOF) return this.#end(entry, buf)
        throw outOfSync('a reply')
      case REPLY.fieldList:
        if (header === HEADER.EOF) return this.#end(entry, buf)
        return pass(this.#state, entry, buf, this.#cursor)
      case REPLY.statistics:
        pass(this.#state, entry, buf, this.#cursor)
        return this.#over(entry, plainOk(this.#state.status))
      case REPLY.fetch:
        throw outOfSync('a packet before rows')
    }
  }

  #columnCount(entry: Expected, buf: Buffer): void {
    const { bytes, payloadStart, payloadEnd } = this.#cursor
    const { capabilities } = this.#state
    const { count, metadata } = decodeColumnCount(bytes, capabilities, payloadStart, payloadEnd)
    const { admission } = entry
    if ((admission?.masked || admission?.described) && !metadata && !entry.told) {
      this.#tell(entry, this.#state.gatekeeper.refusal({ kind: 'undescribed-rows' }).error)
    }
    pass(this.#state, entry, buf, this.#cursor)
    this.#columns = count
    this.#left = metadata ? count : 0
    this.#results.reset()
    if (metadata) this.#phase = 'columns'
    else this.#columnsDone(entry)
  }

  /** A definition that is for nobody, or so long that it takes several packets. */
  #column(entry: Expected, buf: Buffer): void {
    if ((entry.admission?.masked || entry.admission?.described) && !entry.told) {
      throw new ProtocolError('too-large', 'remote', 'a column definition over the cap')
    }
    pass(this.#state, entry, buf, this.#cursor)
    this.#left--
    if (this.#left === 0) this.#columnsDone(entry)
  }

  /** Definitions have come, or there are none. */
  #columnsDone(entry: Expected): void {
    if (this.#state.deprecateEof) this.#rows(entry)
    else this.#phase = 'columns-eof'
  }

  #columnsEof(entry: Expected, buf: Buffer): void {
    const eof = this.#decodedEof()
    this.#phase = 'rows'
    this.#outParameters = (eof.status & STATUS.PS_OUT_PARAMS) !== 0
    this.#results.begin(entry)
    const opened = entry.cursor && (eof.status & STATUS.CURSOR_EXISTS) !== 0
    if (opened) return this.#eof(entry, buf, eof)
    const replacement = discreet(entry, eof)
    if (replacement !== null) sayInstead(this.#state, entry, replacement)
    else pass(this.#state, entry, buf, this.#cursor)
    this.#results.announce(entry)
  }

  #amongRows(entry: Expected, header: number, buf: Buffer): void {
    const { payloadStart, payloadEnd } = this.#cursor
    if (header === HEADER.EOF && payloadEnd - payloadStart < PACKET_PAYLOAD_BYTES_MAX) {
      return this.#end(entry, buf)
    }
    if (entry.fate !== 'drop') throw outOfSync('a packet among rows')
    probeRow(this.#state, this.#payload(), this.#columns)
  }

  /** EOF, or the OK that has taken its place. */
  #end(entry: Expected, buf: Buffer): void {
    const { payloadStart, payloadEnd } = this.#cursor
    // COM_SET_OPTION and COM_STMT_FETCH too: five bytes are an EOF, an OK has seven at least.
    if (this.#state.deprecateEof && payloadEnd - payloadStart > 5) {
      return this.#ok(entry, buf, HEADER.EOF)
    }
    this.#eof(entry, buf, this.#decodedEof())
  }

  #eof(entry: Expected, buf: Buffer, eof: EofPacket): void {
    // MySQL takes MORE_RESULTS_EXISTS back before the EOF behind them, and sends the OK of the CALL all the same.
    const status = eof.status | (this.#outParameters ? STATUS.MORE_RESULTS_EXISTS : 0)
    this.#outParameters = false
    this.#endOfResult(entry, buf, plainOk(status, eof.warnings), discreet(entry, eof))
  }

  #ok(entry: Expected, buf: Buffer, header: number): void {
    const { upstreamTracks, clientTracks, gatekeeper } = this.#state
    const { bytes, payloadStart, payloadEnd } = this.#cursor
    const layout = { sessionTrack: upstreamTracks, header }
    const ok = decodeOk(bytes, layout, payloadStart, payloadEnd)
    if (ok.sessionState.length > 0) {
      gatekeeper.sessionChanged(decodeSessionState(ok.sessionState), entry.admission)
    }
    const said = discreetly(entry, ok)
    const rewritten = said !== ok || (upstreamTracks && !clientTracks && hasTail(ok))
    const replacement = rewritten ? encodeOk(said, { sessionTrack: clientTracks, header }) : null
    this.#endOfResult(entry, buf, ok, replacement)
  }

  /** `replacement`: the payload to send in place of the packet at hand. */
  #endOfResult(
    entry: Expected,
    buf: Buffer,
    ok: OkPacket,
    replacement: Buffer | null = null,
  ): void {
    const { admission } = entry
    const opened = entry.cursor && (ok.status & STATUS.CURSOR_EXISTS) !== 0
    if (opened && admission !== null) this.#results.openCursor(entry, admission)
    if (entry.told) pass(this.#state, entry, buf, this.#cursor)
    else if (entry.over && isRefused(entry) && admission !== null) {
      const stands = entry.kind !== REPLY.fetch
      this.#tell(entry, this.#state.gatekeeper.limitExceeded(admission, stands).error)
    } else {
      if (replacement === null) pass(this.#state, entry, buf, this.#cursor)
      else sayInstead(this.#state, entry, replacement)
      const more = entry.kind === REPLY.fetch && (ok.status & STATUS.LAST_ROW_SENT) === 0
      const status = opened || more ? 'cursor' : 'complete'
      completed(this.#state, entry, status, ok)
    }
    this.#results.reset()
    if ((ok.status & STATUS.MORE_RESULTS_EXISTS) === 0) return this.#over(entry, ok)
    this.#phase = 'first'
    entry.result++
    entry.rows = 0
    entry.bytes = 0
    entry.over = false
    entry.lifted = false
    entry.metered = NOTHING_SENT
    entry.spent = false
  }

  #error(entry: Expected, buf: Buffer): void {
    const state = this.#state
    const err = decodeErr(this.#payload())
    if (entry.fate === 'forward' && !entry.told) this.#passError(entry, err, buf)
    if (LAST_ERRORS.has(err.errno)) state.farewell = true
    if (entry.kind === REPLY.prepare) state.lastPrepared = null
    this.#results.reset()
    this.#over(entry, null)
  }

  #passError(entry: Expected, err: ErrPacket, buf: Buffer): void {
    const { gatekeeper } = this.#state
    const { admission, over } = entry
    if (over && isRefused(entry) && admission !== null) {
      return this.#tell(entry, gatekeeper.limitExceeded(admission, false).error)
    }
    const { bytes, payloadStart, payloadEnd } = this.#cursor
    const redacted = gatekeeper.redactError(admission, bytes, payloadStart, payloadEnd)
    if (redacted === null) pass(this.#state, entry, buf, this.#cursor)
    else sayInstead(this.#state, entry, redacted)
    failed(this.#state, entry, err)
  }

  /** The client gets this error in place of what is left of the reply. */
  #tell(entry: Expected, error: Buffer): void {
    sayInstead(this.#state, entry, error)
    entry.told = true
    failed(this.#state, entry, decodeErr(error))
  }

  /** The reply is at its end; null: by an error. */
  #over(entry: Expected, ok: OkPacket | null): void {
    const state = this.#state
    this.#phase = 'first'
    this.#entry = null
    if (ok !== null) {
      state.status = ok.status
      state.takeEffect(entry.effect)
    }
    state.answered()
    if (entry.fate === 'forward') state.gatekeeper.ready(state.status)
    else if (entry.kind === REPLY.query) probeAnswered(state, ok === null)
  }

  #localInfile(entry: Expected, buf: Buffer): void {
    const state = this.#state
    const name = this.#payload().subarray(1)
    const admitted = entry.admission?.localFiles.some((file) => name.equals(file)) === true
    if (entry.fate === 'forward' && !entry.told && admitted) {
      pass(this.#state, entry, buf, this.#cursor)
      state.infile = true
      state.infileTold = entry.admission?.described === true
      if (entry.admission !== null && state.infileTold) {
        state.gatekeeper.clientDataBegins(entry.admission)
      }
      return
    }
    // The server takes what comes next for the file: nothing may be there, and an empty packet ends it.
    if (state.expected.size > 1) throw outOfSync('a request for a file')
    state.toUpstream.give(encodePacket(state.upstreamSequence, NOTHING))
    state.upstreamSequence = (state.upstreamSequence + 1) & 0xff
    if (!entry.told && entry.fate === 'forward') {
      this.#tell(entry, state.gatekeeper.refusal({ kind: 'local-infile' }).error)
    }
  }

  #prepareOk(entry: Expected, buf: Buffer): void {
    const state = this.#state
    const ok = decodePrepareOk(this.#payload(), state.capabilities)
    const { admission } = entry
    if (admission === null) throw outOfSync('a prepared statement')
    const statement = {
      id: ok.statementId,
      admission,
      parameters: ok.parameters,
      types: null,
      long: null,
      longBytes: 0,
      cursor: null,
    }
    state.statements.set(ok.statementId, statement)
    state.lastPrepared = statement
    state.gatekeeper.prepared(statement)
    pass(this.#state, entry, buf, this.#cursor)
    this.#columns = ok.metadata ? ok.columns : 0
    this.#left = ok.metadata ? ok.parameters : 0
    if (this.#left > 0) this.#phase = 'prepared-parameters'
    else this.#preparedColumns(entry)
  }

  /** Definitions of parameters and columns, and their EOFs: nothing in them matters before execution. */
  #prepared(entry: Expected, buf: Buffer): void {
    pass(this.#state, entry, buf, this.#cursor)
    const { deprecateEof } = this.#state
    switch (this.#phase) {
      case 'prepared-parameters':
        if (--this.#left > 0) return
        if (!deprecateEof) this.#phase = 'prepared-parameters-eof'
        else this.#preparedColumns(entry)
        return
      case 'prepared-parameters-eof':
        decodeEof(this.#payload())
        return this.#preparedColumns(entry)
      case 'prepared-columns':
        if (--this.#left > 0) return
        if (!deprecateEof) this.#phase = 'prepared-columns-eof'
        else this.#over(entry, plainOk(this.#state.status))
        return
      default:
        decodeEof(this.#payload())
        return this.#over(entry, plainOk(this.#state.status))
    }
  }

  #preparedColumns(entry: Expected): void {
    this.#left = this.#columns
    if (this.#left > 0) this.#phase = 'prepared-columns'
    else this.#over(entry, plainOk(this.#state.status))
  }

  #decodedEof(): EofPacket {
    const { bytes, payloadStart, payloadEnd } = this.#cursor
    return decodeEof(bytes, payloadStart, payloadEnd)
  }

  #payload(): Buffer {
    const { bytes, payloadStart, payloadEnd } = this.#cursor
    return bytes.subarray(payloadStart, payloadEnd)
  }
}

const NOTHING = Buffer.alloc(0)

/** Whether indexes were of use, and how long it took: statistics of values decide it. */
const PLAN = STATUS.NO_GOOD_INDEX_USED | STATUS.NO_INDEX_USED | STATUS.QUERY_WAS_SLOW

/** Of a status, what a principal under masks may know. */
const shownStatus = ({ admission }: Expected, status: number): number =>
  admission?.masked === true ? status & ~PLAN : status

/** Does a reply tell how many warnings there were, where that would tell of values? */
function isTelling({ admission }: Expected, { warnings }: { readonly warnings: number }): boolean {
  return warnings > 0 && admission?.quiet === true
}

/** The EOF to send in place of one that tells too much; null: as it came. */
function discreet(entry: Expected, eof: EofPacket): Buffer | null {
  const status = shownStatus(entry, eof.status)
  const telling = isTelling(entry, eof)
  if (!telling && status === eof.status) return null
  return encodeEof({ warnings: telling ? 0 : eof.warnings, status })
}

/** The OK without what it tells too much; the same one where it does not. */
function discreetly(entry: Expected, ok: OkPacket): OkPacket {
  const status = shownStatus(entry, ok.status)
  const matched = entry.admission?.quiet === true ? unchanged(ok) : null
  if (status === ok.status && matched === null && !isTelling(entry, ok)) return ok
  const { affectedRows, info } = matched ?? ok
  const quiet = entry.admission?.quiet === true
  return quiet
    ? { ...ok, status, affectedRows, warnings: 0, info: withoutCount(info) }
    : { ...ok, status }
}

/**
 * Of an UPDATE, as many rows changed as were found: which had the value already would tell of values. Null: they are
 * as many, or it is none.
 */
function unchanged({ info }: OkPacket): Pick<OkPacket, 'affectedRows' | 'info'> | null {
  const text = Buffer.from(info).toString('latin1')
  const [, matched, changed] = /^Rows matched: (\d+) {2}Changed: (\d+)/.exec(text) ?? []
  if (matched === undefined || matched === changed) return null
  return {
    affectedRows: BigInt(matched),
    info: Buffer.from(text.replace(/Changed: \d+/, `Changed: ${matched}`), 'latin1'),
  }
}

/** `Rows matched: 1  Changed: 1  Warnings: 2`. */
function withoutCount(info: Uint8Array): Uint8Array {
  return Buffer.from(
    Buffer.from(info)
      .toString('latin1')
      .replace(/\bWarnings: \d+/, 'Warnings: 0'),
    'latin1',
  )
}

/** An OK whose layout differs with session tracking: there is something behind the warnings. */
function hasTail(ok: OkPacket): boolean {
  return ok.info.length > 0 || (ok.status & STATUS.SESSION_STATE_CHANGED) !== 0
}

function outOfSync(what: string): ProtocolError {
  return new ProtocolError('out-of-sync', 'remote', `${what} is not what the upstream owes`)
}
