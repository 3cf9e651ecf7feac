import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter, writeBytes } from './bytes.ts'
import { PACKET_PAYLOAD_BYTES_MAX } from './limits.ts'
import { closePacket, encodePacket, openPacket, PayloadCursor, packetsOf } from './packets.ts'

/** Payloads found in `bytes`, and what is left of them. */
function walk(bytes: Buffer, cursor = new PayloadCursor()): { found: Buffer[]; at: number } {
  const found: Buffer[] = []
  let at = 0
  while (cursor.next(bytes, at, bytes.length) === 'payload') {
    found.push(Buffer.from(cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd)))
    at = cursor.end
  }
  return { found, at }
}

describe('framing', () => {
  test('payloads come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (payloads) => {
        const bytes = Buffer.concat(payloads.map((payload, i) => encodePacket(i, payload)))
        expect(walk(bytes).found).toEqual(payloads.map((payload) => Buffer.from(payload)))
      }),
    )
  })

  test('cut anywhere, the rest is asked for', () => {
    const bytes = encodePacket(0, Buffer.from('payload'))
    const cursor = new PayloadCursor()
    for (let end = 0; end < bytes.length; end++) {
      expect(cursor.next(bytes, 0, end)).toBe(end < 4 ? 'short' : 'partial')
      expect(cursor.wanted).toBe(end < 4 ? 4 : bytes.length)
    }
  })

  test.each([
    [PACKET_PAYLOAD_BYTES_MAX - 1, 1],
    [PACKET_PAYLOAD_BYTES_MAX, 2],
    [PACKET_PAYLOAD_BYTES_MAX + 1, 2],
    [2 * PACKET_PAYLOAD_BYTES_MAX, 3],
  ])(
    'a payload of %i bytes takes %i packets, the last of them empty at a multiple',
    (length, packets) => {
      const payload = Buffer.alloc(length, 'x')
      payload[length - 1] = 0x79
      const bytes = encodePacket(254, payload)
      expect(packetsOf(length)).toBe(packets)
      expect(bytes.length).toBe(length + 4 * packets)
      const cursor = new PayloadCursor()
      expect(cursor.next(bytes, 0, bytes.length)).toBe('payload')
      expect([cursor.packets, cursor.sequence, cursor.end]).toEqual([packets, 254, bytes.length])
      expect(cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd).equals(payload)).toBe(
        true,
      )
      // Without the last packet it is not over.
      expect(cursor.next(bytes, 0, bytes.length - 4 - (length % PACKET_PAYLOAD_BYTES_MAX))).toBe(
        packets === 1 ? 'short' : 'partial',
      )
      const out = new ByteWriter()
      const start = openPacket(out)
      writeBytes(out, payload)
      expect(closePacket(out, start, 254)).toBe((254 + packets) & 0xff)
      expect(out.view().equals(bytes)).toBe(true)
    },
  )

  test('over the cap it is refused by its header', () => {
    const cursor = new PayloadCursor(10)
    expect(cursor.next(encodePacket(0, Buffer.alloc(10)), 0, 14)).toBe('payload')
    expect(() => cursor.next(encodePacket(0, Buffer.alloc(11)), 0, 4)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('a continuation that does not count on is out of order', () => {
    const bytes = encodePacket(0, Buffer.alloc(PACKET_PAYLOAD_BYTES_MAX))
    bytes[PACKET_PAYLOAD_BYTES_MAX + 7] = 2
    expect(() => walk(bytes)).toThrow(expect.objectContaining({ code: 'packets-out-of-order' }))
  })
})
