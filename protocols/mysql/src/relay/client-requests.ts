/**
 * What becomes of each command: decided, then forwarded with one owed reply queued for it, or refused.
 *
 * Methods return false when the command was not consumed because the leg is parked; it is then offered again.
 * A text, an execution or a command that needs a decision is forwarded only after the gatekeeper admitted it.
 */
import { BulkParameters, decodeBulkHead } from '../bulk.ts'
import { ByteReader, ByteWriter, uint16At, uint32At, writeBytes, writeUint8 } from '../bytes.ts'
import { decodeChangeUser } from '../change-user.ts'
import { COM } from '../commands.ts'
import { ProtocolError } from '../errors.ts'
import { PAYLOAD_BYTES_MAX, PREPARED_STATEMENTS_MAX } from '../limits.ts'
import { encodePacket, type PayloadCursor, packetsOf } from '../packets.ts'
import { decodeExecuteHead, EXECUTE_FLAG, type ParameterType } from '../parameters.ts'
import { type Effect, type ExpectedInit, expect, REPLY, type ReplyKind } from './expected.ts'
import {
  type Admission,
  type Answer,
  type NotYet,
  type Refusal,
  type RelayRefusal,
  SETTLE,
  WAIT,
} from './gatekeeper.ts'
import { forgetLongData, keepLongData } from './long-data.ts'
import { mustWait, park } from './parking.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import { decodeSessionCommand, effectOf } from './session-command.ts'
import type { RelayState } from './state.ts'

/** Command byte, statement id, parameter number. */
export const LONG_DATA_HEAD_BYTES = 7

/** MariaDB: the statement prepared last, for clients that do not wait for its id. */
const LAST_PREPARED = 0xffff_ffff

const CURSORS =
  EXECUTE_FLAG.CURSOR_READ_ONLY | EXECUTE_FLAG.CURSOR_FOR_UPDATE | EXECUTE_FLAG.CURSOR_SCROLLABLE

/** A command's bytes: as they came, `[start, end)` of `buf`, and joined, `[payload, payloadEnd)` of `bytes`. */
interface Command {
  readonly command: number
  readonly buf: Buffer
  readonly start: number
  readonly end: number
  readonly bytes: Buffer
  /** Index behind the command byte. */
  readonly body: number
  readonly bodyEnd: number
  /** Sequence id of the reply's first packet. */
  readonly sequence: number
}

export class ClientRequests {
  readonly #state: RelayState
  readonly #statementBytesMax: number

  constructor(state: RelayState, statementBytesMax: number) {
    this.#state = state
    this.#statementBytesMax = statementBytesMax
  }

  /** One whole command, as the cursor found it in `buf`. False: not consumed, the leg is parked. */
  take(command: number, buf: Buffer, cursor: PayloadCursor): boolean {
    if (mustWait(this.#state)) return false
    const body = Math.min(cursor.payloadStart + 1, cursor.payloadEnd)
    const request: Command = {
      command,
      buf,
      start: cursor.start,
      end: cursor.end,
      bytes: cursor.bytes,
      body,
      bodyEnd: cursor.payloadEnd,
      sequence: cursor.packets & 0xff,
    }
    try {
      return this.#dispatch(request)
    } catch (error) {
      // Bytes the server would call malformed are answered, not died of: their end is known.
      // INVARIANT: decoders throw before anything of the command has been forwarded.
      if (!(error instanceof ProtocolError) || error.side === 'local') throw error
      this.refuse({ kind: 'malformed', command }, request.sequence)
      return true
    }
  }

  #dispatch(request: Command): boolean {
    switch (request.command) {
      case COM.QUERY:
        return this.#query(request)
      case COM.STMT_PREPARE:
        return this.#prepare(request)
      case COM.STMT_EXECUTE:
        return this.#execute(request)
      case COM.STMT_BULK_EXECUTE:
        return this.#bulkExecute(request)
      case COM.STMT_FETCH:
        return this.#fetch(request)
      case COM.STMT_RESET:
        return this.#reset(request)
      case COM.STMT_CLOSE:
        return this.#close(request)
      case COM.PING:
        return this.#send(REPLY.ok, request, {})
      case COM.INIT_DB:
      case COM.FIELD_LIST:
      case COM.PROCESS_KILL:
      case COM.STATISTICS:
      case COM.RESET_CONNECTION:
      case COM.SET_OPTION:
        return this.#sessionCommand(request)
      case COM.CHANGE_USER:
        return this.#changeUser(request)
      default:
        return this.#refused(request, { kind: 'unknown-command', command: request.command })
    }
  }

  refuse(reason: RelayRefusal, sequence: number): void {
    this.#state.inject(sequence, this.#state.gatekeeper.refusal(reason).error)
  }

  #refused(request: Command, reason: RelayRefusal): true {
    this.refuse(reason, request.sequence)
    return true
  }

  #query(request: Command): boolean {
    const { gatekeeper, queryAttributes, parameters } = this.#state
    const { bytes, body, bodyEnd } = request
    const text = queryAttributes ? parameters.decodeAttributes(bytes, body, bodyEnd) : body
    if (bodyEnd - text > this.#statementBytesMax) return this.#tooLong(request, bodyEnd - text)
    const attributes = queryAttributes && parameters.count > 0 ? parameters : null
    const verdict = gatekeeper.decideText('query', bytes, text, bodyEnd, attributes)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind !== 'admission') return this.#answer(request, verdict)
    const execution = gatekeeper.execution(verdict, null)
    if (typeof execution !== 'number') return this.#answer(request, execution)
    return this.#run(REPLY.query, request, text, { admission: verdict, execution })
  }

  #prepare(request: Command): boolean {
    const { gatekeeper, statements } = this.#state
    const { bytes, body, bodyEnd } = request
    if (bodyEnd - body > this.#statementBytesMax) return this.#tooLong(request, bodyEnd - body)
    if (statements.size >= PREPARED_STATEMENTS_MAX) {
      return this.#refused(request, { kind: 'too-many-statements' })
    }
    const verdict = gatekeeper.decideText('prepare', bytes, body, bodyEnd, null)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind !== 'admission') return this.#answer(request, verdict, 'forget-last-prepared')
    return this.#forwardText(REPLY.prepare, request, body, { admission: verdict })
  }

  #execute(request: Command): boolean {
    const state = this.#state
    const { gatekeeper, parameters } = state
    const { bytes, body, bodyEnd } = request
    const head = decodeExecuteHead(bytes, body, bodyEnd)
    const statement = this.#statement(head.statementId)
    if (statement === SETTLE) return this.#notYet(SETTLE)
    if (statement === undefined) return this.#unknown(request, head.statementId)
    parameters.decodeExecute(bytes, head.bodyStart, bodyEnd, {
      markers: statement.parameters,
      attributes: state.queryAttributes,
      counted: (head.flags & EXECUTE_FLAG.PARAMETER_COUNT_AVAILABLE) !== 0,
      known: statement.types,
      long: statement.long,
    })
    const verdict = gatekeeper.decideExecute(statement, parameters)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind !== 'admission') return this.#unexecuted(request, statement, verdict)
    const execution = gatekeeper.execution(verdict, parameters)
    if (typeof execution !== 'number') return this.#unexecuted(request, statement, execution)
    executed(statement, verdict, parameters.types)
    const cursor = (head.flags & CURSORS) !== 0
    const init = { admission: verdict, execution, statement, cursor }
    return this.#run(REPLY.execute, request, null, init)
  }

  /** Decided as one execution with all of its rows. Its reply is that of one. */
  #bulkExecute(request: Command): boolean {
    const { gatekeeper, bulk } = this.#state
    const { bytes, body, bodyEnd, command } = request
    if (!bulk) return this.#refused(request, { kind: 'unknown-command', command })
    const { statementId, bodyStart, ...flags } = decodeBulkHead(bytes, body, bodyEnd)
    const statement = this.#statement(statementId)
    if (statement === SETTLE) return this.#notYet(SETTLE)
    if (statement === undefined) return this.#unknown(request, statementId)
    if (statement.long !== null) {
      return this.#unexecuted(
        request,
        statement,
        gatekeeper.refusal({ kind: 'malformed', command }),
      )
    }
    const { parameters: markers, types: known } = statement
    const rows = new BulkParameters(bytes, bodyStart, bodyEnd, { markers, ...flags, known })
    const verdict = gatekeeper.decideBulk(statement, rows)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind !== 'admission') return this.#answer(request, verdict)
    const execution = gatekeeper.execution(verdict, rows)
    if (typeof execution !== 'number') return this.#answer(request, execution)
    executed(statement, verdict, rows.types)
    return this.#run(REPLY.execute, request, null, { admission: verdict, execution, statement })
  }

  /** A refused execution takes the long data with it, as a failed one does on the server. */
  #unexecuted(request: Command, statement: PreparedStatement, verdict: Refusal | Answer): true {
    if (statement.long !== null) {
      const reset = Buffer.alloc(5)
      reset[0] = COM.STMT_RESET
      reset.writeUInt32LE(statement.id, 1)
      this.#state.toUpstream.give(encodePacket(0, reset))
      this.#state.owe(expect(REPLY.ok, { fate: 'drop' }))
      forgetLongData(statement)
    }
    return this.#answer(request, verdict)
  }

  #fetch(request: Command): boolean {
    const state = this.#state
    const reader = new ByteReader(request.bytes, request.body, request.bodyEnd)
    const id = reader.uint32()
    const rows = reader.uint32()
    const statement = this.#statement(id)
    if (statement === SETTLE) return this.#notYet(SETTLE)
    if (statement === undefined) return this.#unknown(request, id)
    const { cursor } = statement
    if (cursor === null) {
      // The execution that opens it may be on its way.
      if (state.expected.size > 0) return park(state, 'settlement')
      return this.#refused(request, { kind: 'no-cursor', statementId: statement.id })
    }
    const execution = state.gatekeeper.decideFetch(statement, rows)
    if (isNotYet(execution)) return this.#notYet(execution)
    if (typeof execution !== 'number') return this.#answer(request, execution)
    const { admission } = cursor
    return this.#run(REPLY.fetch, request, null, { admission, execution, statement })
  }

  #reset(request: Command): boolean {
    const id = statementId(request)
    const statement = this.#statement(id)
    if (statement === SETTLE) return this.#notYet(SETTLE)
    if (statement === undefined) return this.#unknown(request, id)
    forgetLongData(statement)
    statement.cursor = null
    return this.#send(REPLY.ok, request, {})
  }

  /** Has no reply, whatever it names. */
  #close(request: Command): boolean {
    if (request.bodyEnd - request.body !== 4) return true
    const statement = this.#statement(statementId(request))
    if (statement === SETTLE) return this.#notYet(SETTLE)
    if (statement === undefined) return true
    this.#state.toUpstream.forward(request.buf, request.start, request.end)
    this.#state.close(statement)
    return true
  }

  /** Whose long data starts at `at` (its command byte); null: nobody's. */
  longData(
    buf: Buffer,
    at: number,
  ): { statement: PreparedStatement; parameter: number } | 'parked' | null {
    const statement = this.#statement(uint32At(buf, at + 1))
    const parameter = uint16At(buf, at + 5)
    if (statement === SETTLE) {
      this.#notYet(SETTLE)
      return 'parked'
    }
    if (statement === undefined || parameter >= statement.parameters) return null
    keepLongData(statement, parameter, buf.subarray(at, at))
    return { statement, parameter }
  }

  #sessionCommand(request: Command): boolean {
    const { gatekeeper } = this.#state
    const { bytes, body, bodyEnd } = request
    const command = decodeSessionCommand(request.command, bytes, body, bodyEnd)
    const verdict = gatekeeper.decideCommand(command)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind !== 'admission') return this.#answer(request, verdict)
    const execution = gatekeeper.execution(verdict, null)
    if (typeof execution !== 'number') return this.#answer(request, execution)
    const effect = effectOf(command)
    const barrier = verdict.barrier || effect !== 'none' || command.kind === 'init-db'
    const kind =
      command.kind === 'field-list'
        ? REPLY.fieldList
        : command.kind === 'statistics'
          ? REPLY.statistics
          : REPLY.ok
    return this.#send(kind, request, { admission: verdict, execution, effect, barrier })
  }

  /** Whoever is asked for a password next has had every answer: the relay is at its end. */
  #changeUser({ bytes, body, bodyEnd }: Command): boolean {
    const state = this.#state
    if (state.expected.size > 0) return this.#notYet(SETTLE)
    state.changeUser = decodeChangeUser(bytes, body, bodyEnd, state.clientCapabilities)
    return true
  }

  /** Forwards what executes a statement. `text`: where its text starts; null: there is none. */
  #run(
    kind: ReplyKind,
    request: Command,
    text: number | null,
    init: ExpectedInit & { readonly admission: Admission },
  ): true {
    const { limit, localFiles } = init.admission
    const limited = limit !== null && (limit.metered || limit.exceeded !== 'truncate')
    // What follows a request for a file is the file: no command may be there before the end of it.
    const barrier = init.admission.barrier || localFiles.length > 0
    const owed = { ...init, barrier, limited }
    return text === null
      ? this.#send(kind, request, owed)
      : this.#forwardText(kind, request, text, owed)
  }

  /** Forwards the admitted text in place of the one that starts at `text`. */
  #forwardText(
    kind: ReplyKind,
    request: Command,
    text: number,
    init: ExpectedInit & { readonly admission: Admission },
  ): true {
    const { barrier, text: admitted } = init.admission
    const owed = barrier && init.barrier !== true ? { ...init, barrier } : init
    if (admitted === null) return this.#send(kind, request, owed)
    const out = new ByteWriter({
      initialBytes: text - request.body + admitted.length + 1,
      bytesMax: PAYLOAD_BYTES_MAX,
    })
    writeUint8(out, request.command)
    writeBytes(out, request.bytes.subarray(request.body, text))
    writeBytes(out, admitted)
    this.#state.toUpstream.give(encodePacket(0, out.view()))
    const upstreamSequence = packetsOf(out.at) & 0xff
    this.#state.owe(expect(kind, { ...owed, upstreamSequence }, request.sequence))
    return true
  }

  /** Forwards the command as it came. */
  #send(kind: ReplyKind, request: Command, init: ExpectedInit): true {
    const { buf, start, end, sequence } = request
    this.#state.toUpstream.forward(buf, start, end)
    this.#state.owe(expect(kind, init, sequence))
    return true
  }

  #answer(request: Command, verdict: Refusal | Answer, effect: Effect = 'none'): true {
    const payload = verdict.kind === 'refusal' ? verdict.error : verdict.ok
    this.#state.inject(request.sequence, payload, effect)
    return true
  }

  #tooLong(request: Command, bytes: number): true {
    return this.#refused(request, { kind: 'statement-too-long', bytes })
  }

  #unknown(request: Command, id: number): true {
    const { command } = request
    return this.#refused(request, { kind: 'unknown-statement', statementId: id, command })
  }

  #notYet(verdict: NotYet): false {
    return park(this.#state, verdict === WAIT ? 'decision' : 'settlement')
  }

  #statement(id: number): PreparedStatement | typeof SETTLE | undefined {
    const state = this.#state
    if (id === LAST_PREPARED) {
      return state.expected.size > 0 ? SETTLE : (state.lastPrepared ?? undefined)
    }
    const known = state.statements.get(id)
    // The one that makes it known may be on its way.
    return known === undefined && state.expected.size > 0 ? SETTLE : known
  }
}

/** What the upstream does to the statement when it runs. */
function executed(
  statement: PreparedStatement,
  admission: Admission,
  types: readonly ParameterType[],
): void {
  statement.admission = admission
  if (types.length > 0) statement.types = types
  statement.cursor = null
  forgetLongData(statement)
}

function statementId(request: Command): number {
  return new ByteReader(request.bytes, request.body, request.bodyEnd).uint32()
}

function isNotYet(verdict: unknown): verdict is NotYet {
  return verdict === WAIT || verdict === SETTLE
}
