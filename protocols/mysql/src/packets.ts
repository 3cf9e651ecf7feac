/**
 * Framing: packets of a 3-byte length and a sequence id, joined to payloads and split again. Knows nothing
 * of meanings, and allocates nothing per packet where a payload fits one.
 *
 *     0        3    4             4 + length
 *     | length | id | payload ... |        length 0xffffff: the payload goes on in the next packet,
 *                                          which is empty where it ended exactly here
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { putUint24, uint24At } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { PACKET_PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX } from './limits.ts'

/** Length and sequence id. */
export const HEADER_BYTES = 4

/** Payload length the header at `at` names; the caller has four bytes. */
export function packetLength(buf: Uint8Array, at: number): number {
  return uint24At(buf, at)
}

/** Sequence id of the packet at `at`; the caller has four bytes. */
export function sequenceId(buf: Uint8Array, at: number): number {
  return buf[at + 3]!
}

/**
 * What `PayloadCursor.next` found: `payload` all of it; `partial` its packets so far are sound, but it is
 * not all there (`wanted` bytes from `start` are, as far as known); `short` not even a header.
 */
export type PayloadFound = 'payload' | 'partial' | 'short'

/**
 * Walks payloads in place. The fields describe the payload last found and change with the next call, so one
 * cursor serves a connection for its whole life.
 */
export class PayloadCursor {
  /** Index of the first header. */
  start = 0
  /** The payload is `bytes[payloadStart, payloadEnd)`; a copy where it came in several packets. */
  bytes: Buffer = Buffer.alloc(0)
  payloadStart = 0
  payloadEnd = 0
  /** Index after its last packet. */
  end = 0
  /** Bytes from `start` needed, as far as known. */
  wanted = 0
  /** Packets it takes, 1 unless it is long. */
  packets = 0
  /** Sequence id of its first packet. */
  sequence = 0
  readonly #payloadBytesMax: number

  constructor(payloadBytesMax: number = PAYLOAD_BYTES_MAX) {
    this.#payloadBytesMax = payloadBytesMax
  }

  /**
   * Looks at `buf[start, end)`. Throws 'too-large' over the cap, before any of the payload has to be there,
   * and 'packets-out-of-order' where a continuation does not have the next id.
   */
  next(buf: Buffer, start: number, end: number): PayloadFound {
    this.start = start
    this.end = start
    this.packets = 0
    this.wanted = HEADER_BYTES
    let total = 0
    for (let at = start; ; ) {
      if (end - at < HEADER_BYTES) {
        this.wanted = at - start + HEADER_BYTES
        return this.packets === 0 ? 'short' : 'partial'
      }
      const length = packetLength(buf, at)
      const id = sequenceId(buf, at)
      if (this.packets === 0) this.sequence = id
      else if (id !== ((this.sequence + this.packets) & 0xff)) throw outOfOrder(id)
      total += length
      if (total > this.#payloadBytesMax) throw tooLarge(total, this.#payloadBytesMax)
      this.packets++
      const packetEnd = at + HEADER_BYTES + length
      if (packetEnd > end) {
        this.wanted = packetEnd - start
        return 'partial'
      }
      at = packetEnd
      if (length < PACKET_PAYLOAD_BYTES_MAX) {
        this.#found(buf, start, at, total)
        return 'payload'
      }
    }
  }

  #found(buf: Buffer, start: number, end: number, total: number): void {
    this.end = end
    this.wanted = end - start
    if (this.packets === 1) {
      this.bytes = buf
      this.payloadStart = start + HEADER_BYTES
      this.payloadEnd = end
      return
    }
    this.bytes = joinPackets(buf, start, end, total)
    this.payloadStart = 0
    this.payloadEnd = total
  }
}

/** The payload of the whole packets in `buf[start, end)`, `total` bytes, copied. */
export function joinPackets(buf: Buffer, start: number, end: number, total: number): Buffer {
  const joined = Buffer.allocUnsafe(total)
  let filled = 0
  for (let at = start; at < end; ) {
    const from = at + HEADER_BYTES
    at = from + packetLength(buf, at)
    filled += buf.copy(joined, filled, from, at)
  }
  return joined
}

/** Packets a payload of `length` bytes takes. */
export function packetsOf(length: number): number {
  return Math.floor(length / PACKET_PAYLOAD_BYTES_MAX) + 1
}

/** Makes room for the header of a packet; returns what `closePacket` needs. */
export function openPacket(out: ByteSink): number {
  const start = out.at
  out.ensure(HEADER_BYTES)
  out.at += HEADER_BYTES
  return start
}

/**
 * Completes the packet opened at `start` with the sequence id `sequence`, splitting its payload where it has
 * to be; returns the id after its last packet.
 */
export function closePacket(out: ByteSink, start: number, sequence: number): number {
  const length = out.at - start - HEADER_BYTES
  if (length >= PACKET_PAYLOAD_BYTES_MAX) return splitPacket(out, start, length, sequence)
  putUint24(out.buf, start, length)
  out.buf[start + 3] = sequence
  return (sequence + 1) & 0xff
}

function splitPacket(out: ByteSink, start: number, length: number, sequence: number): number {
  const more = packetsOf(length) - 1
  out.ensure(more * HEADER_BYTES)
  const { buf } = out
  // Backwards: every piece moves over memory whose own content has moved already.
  for (let piece = more; piece >= 0; piece--) {
    const from = start + HEADER_BYTES + piece * PACKET_PAYLOAD_BYTES_MAX
    const size = Math.min(PACKET_PAYLOAD_BYTES_MAX, start + HEADER_BYTES + length - from)
    const header = from + (piece - 1) * HEADER_BYTES
    buf.copyWithin(header + HEADER_BYTES, from, from + size)
    putUint24(buf, header, size)
    buf[header + 3] = sequence + piece
  }
  out.at += more * HEADER_BYTES
  return (sequence + more + 1) & 0xff
}

/** `payload` in packets from the id `sequence` on, copied. */
export function encodePacket(sequence: number, payload: Uint8Array): Buffer {
  const packets = packetsOf(payload.length)
  const out = Buffer.allocUnsafe(payload.length + packets * HEADER_BYTES)
  let at = 0
  for (let i = 0; i < packets; i++) {
    const from = i * PACKET_PAYLOAD_BYTES_MAX
    const size = Math.min(PACKET_PAYLOAD_BYTES_MAX, payload.length - from)
    putUint24(out, at, size)
    out[at + 3] = sequence + i
    out.set(payload.subarray(from, from + size), at + HEADER_BYTES)
    at += HEADER_BYTES + size
  }
  return out
}

export function outOfOrder(id: number): ProtocolError {
  return new ProtocolError('packets-out-of-order', 'remote', `sequence id ${id} is not the next`)
}

function tooLarge(length: number, max: number): ProtocolError {
  return new ProtocolError('too-large', 'remote', `a payload of ${length} bytes, the cap is ${max}`)
}
