/**
 * The client's commands: framed, put in order, and handed to ClientRequests one by one.
 *
 * Nothing is copied: forwarded commands leave as views of the read buffer. Long data and a file the upstream
 * reads leave in pieces; a command over its cap is discarded unseen, and refused when its end has come.
 */
import { COM } from '../commands.ts'
import { EXECUTE_BYTES_MAX, PACKET_PAYLOAD_BYTES_MAX, SMALL_COMMAND_BYTES_MAX } from '../limits.ts'
import { HEADER_BYTES, outOfOrder, PayloadCursor, packetLength, sequenceId } from '../packets.ts'
import { ClientRequests, LONG_DATA_HEAD_BYTES } from './client-requests.ts'
import type { RelayRefusal } from './gatekeeper.ts'
import { keepLongData } from './long-data.ts'
import { mustWait } from './parking.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import type { RelayState } from './state.ts'

/** A payload whose bytes are let through, or not, as they come. */
type Stream =
  | { readonly kind: 'discard'; readonly refusal: RelayRefusal | null }
  | {
      readonly kind: 'long-data'
      readonly statement: PreparedStatement
      readonly parameter: number
      /** Bytes of its head that have not passed. */
      head: number
    }

export class ClientLeg {
  readonly #state: RelayState
  readonly #requests: ClientRequests
  readonly #cursor = new PayloadCursor()
  readonly #statementBytesMax: number
  #stream: Stream | null = null
  /** Bytes left of the packet that is passing, and whether the payload goes on in another. */
  #passing = 0
  #continues = false
  /** Sequence id of the next packet of what is streamed. */
  #sequence = 0
  /** Whole length wanted of the command at the returned offset, bytes; 0 when not known yet. */
  wanted = 0
  /** The client said COM_QUIT, or COM_CHANGE_USER. */
  terminated = false

  constructor(state: RelayState, statementBytesMax: number) {
    this.#state = state
    this.#requests = new ClientRequests(state, statementBytesMax)
    this.#statementBytesMax = statementBytesMax
  }

  /** A command is half sent. */
  get streaming(): boolean {
    return this.#stream !== null
  }

  /** Takes commands from [start, end); returns where it stopped: incomplete, parked or terminated. */
  receive(buf: Buffer, start: number, end: number): number {
    let at = start
    this.wanted = 0
    while (at < end && !this.terminated) {
      const before = at
      if (this.#stream !== null) at = this.#streamed(this.#stream, buf, at, end)
      else if (this.#state.infile) at = this.#file(buf, at, end)
      else if (this.#state.parked !== 'no') break
      else at = this.#command(buf, at, end)
      if (at === before) break
    }
    return at
  }

  #command(buf: Buffer, at: number, end: number): number {
    if (end - at < HEADER_BYTES) return at
    const length = packetLength(buf, at)
    if (sequenceId(buf, at) !== 0) throw outOfOrder(sequenceId(buf, at))
    if (length > 0 && end - at === HEADER_BYTES) return at
    // A packet without a byte is a command without a name.
    const command = length === 0 ? 0 : buf[at + HEADER_BYTES]!
    if (command === COM.STMT_SEND_LONG_DATA) return this.#beginLongData(buf, at, end, length)
    const cap = this.#capOf(command)
    if (length > cap) {
      // Before anything else: a command that waits here keeps its place.
      if (mustWait(this.#state)) return at
      return this.#begin(buf, at, { kind: 'discard', refusal: this.#tooLong(command, length) })
    }
    const found = this.#cursor.next(buf, at, end)
    // One of many packets: it is known to be too long only by and by.
    if (this.#cursor.wanted - HEADER_BYTES > cap + HEADER_BYTES * this.#cursor.packets) {
      if (mustWait(this.#state)) return at
      const refusal = this.#tooLong(command, this.#cursor.wanted)
      return this.#begin(buf, at, { kind: 'discard', refusal })
    }
    if (found !== 'payload') {
      this.wanted = this.#cursor.wanted
      return at
    }
    if (command === COM.QUIT) {
      this.terminated = true
      return this.#cursor.end
    }
    if (!this.#requests.take(command, buf, this.#cursor)) return at
    if (this.#state.changeUser !== null) this.terminated = true
    return this.#cursor.end
  }

  #capOf(command: number): number {
    switch (command) {
      case COM.QUERY:
      case COM.STMT_PREPARE:
        // Query attributes come in front of the text: they have room beside it.
        return this.#statementBytesMax + 1 + (command === COM.QUERY ? SMALL_COMMAND_BYTES_MAX : 0)
      case COM.STMT_EXECUTE:
      case COM.STMT_BULK_EXECUTE:
        return EXECUTE_BYTES_MAX
      default:
        return SMALL_COMMAND_BYTES_MAX
    }
  }

  #tooLong(command: number, bytes: number): RelayRefusal {
    const isText = command === COM.QUERY || command === COM.STMT_PREPARE
    if (isText) return { kind: 'statement-too-long', bytes }
    return { kind: 'command-too-long', command, bytes }
  }

  /** From the packet at `at` on, whose header is there, the payload is streamed. */
  #begin(buf: Buffer, at: number, stream: Stream): number {
    this.#stream = stream
    this.#sequence = 0
    return this.#header(stream, buf, at)
  }

  #header(stream: Stream, buf: Buffer, at: number): number {
    const length = packetLength(buf, at)
    const id = sequenceId(buf, at)
    if (id !== this.#sequence) throw outOfOrder(id)
    this.#sequence = (this.#sequence + 1) & 0xff
    this.#passing = length
    this.#continues = length === PACKET_PAYLOAD_BYTES_MAX
    if (stream.kind === 'long-data') this.#state.toUpstream.forward(buf, at, at + HEADER_BYTES)
    if (length === 0) this.#endOfPacket(stream)
    return at + HEADER_BYTES
  }

  #streamed(stream: Stream, buf: Buffer, at: number, end: number): number {
    if (this.#passing === 0) {
      return end - at < HEADER_BYTES ? at : this.#header(stream, buf, at)
    }
    const to = Math.min(at + this.#passing, end)
    if (stream.kind === 'long-data') {
      this.#state.toUpstream.forward(buf, at, to)
      const head = Math.min(stream.head, to - at)
      stream.head -= head
      keepLongData(stream.statement, stream.parameter, buf.subarray(at + head, to))
    }
    this.#passing -= to - at
    if (this.#passing === 0) this.#endOfPacket(stream)
    return to
  }

  #endOfPacket(stream: Stream): void {
    if (this.#continues) return
    this.#stream = null
    if (stream.kind === 'discard' && stream.refusal !== null) {
      this.#requests.refuse(stream.refusal, this.#sequence)
    }
  }

  /** COM_STMT_SEND_LONG_DATA has no reply: what is wrong with it shows when the statement is executed. */
  #beginLongData(buf: Buffer, at: number, end: number, length: number): number {
    if (length < LONG_DATA_HEAD_BYTES) {
      return this.#begin(buf, at, { kind: 'discard', refusal: null })
    }
    const headEnd = at + HEADER_BYTES + LONG_DATA_HEAD_BYTES
    if (end < headEnd) {
      this.wanted = headEnd - at
      return at
    }
    if (mustWait(this.#state)) return at
    const target = this.#requests.longData(buf, at + HEADER_BYTES)
    if (target === 'parked') return at
    if (target === null) return this.#begin(buf, at, { kind: 'discard', refusal: null })
    const { statement, parameter } = target
    const head = LONG_DATA_HEAD_BYTES
    return this.#begin(buf, at, { kind: 'long-data', statement, parameter, head })
  }

  /** The content of a file, in packets to an empty one, which the upstream has asked for. */
  #file(buf: Buffer, at: number, end: number): number {
    const state = this.#state
    if (this.#passing > 0) {
      const to = Math.min(at + this.#passing, end)
      state.toUpstream.forward(buf, at, to)
      if (state.infileTold) state.gatekeeper.clientData(buf, at, to)
      this.#passing -= to - at
      return to
    }
    if (end - at < HEADER_BYTES) return at
    if (sequenceId(buf, at) !== state.clientSequence) throw outOfOrder(sequenceId(buf, at))
    buf[at + 3] = state.upstreamSequence
    state.clientSequence = (state.clientSequence + 1) & 0xff
    state.upstreamSequence = (state.upstreamSequence + 1) & 0xff
    state.toUpstream.forward(buf, at, at + HEADER_BYTES)
    this.#passing = packetLength(buf, at)
    // Behind a packet that is full, an empty one belongs to it.
    if (this.#passing === 0 && !this.#continues) state.infile = false
    this.#continues = this.#passing === PACKET_PAYLOAD_BYTES_MAX
    return at + HEADER_BYTES
  }
}
