import { describe, expect, test } from 'vitest'
import { GrowingSink } from './growing-sink.ts'
import { OutputQueue } from './output-queue.ts'

function write(sink: GrowingSink, bytes: Uint8Array): void {
  sink.ensure(bytes.length)
  sink.buf.set(bytes, sink.at)
  sink.at += bytes.length
}

describe('a growing sink', () => {
  test('has no buffer before something is written', () => {
    expect(new GrowingSink(1024).buf).toHaveLength(0)
  })

  test('keeps what was written, and views of it, when it grows', () => {
    const sink = new GrowingSink(16)
    write(sink, Buffer.from('0123456789'))
    const view = sink.buf.subarray(0, 10)
    write(sink, Buffer.alloc(100, 0x78))
    expect(sink.buf.toString('latin1', 0, 12)).toBe('0123456789xx')
    expect(view.toString('latin1')).toBe('0123456789')
  })

  test('gives up a buffer in use, and takes one of that size next', () => {
    const sink = new GrowingSink(16)
    write(sink, Buffer.alloc(100, 1))
    const held = sink.buf
    sink.reset(true)
    write(sink, Buffer.alloc(1, 2))
    expect(sink.buf).not.toBe(held)
    expect(sink.buf).toHaveLength(held.length)
    expect(held[0]).toBe(1)
  })

  test('writes on in the same buffer when nobody holds it', () => {
    const sink = new GrowingSink(16)
    write(sink, Buffer.alloc(100))
    const before = sink.buf
    sink.reset(false)
    write(sink, Buffer.alloc(100))
    expect(sink.buf).toBe(before)
  })

  test('takes no next buffer larger than sixteen of the first', () => {
    const sink = new GrowingSink(16)
    write(sink, Buffer.alloc(10_000))
    sink.reset(false)
    write(sink, Buffer.alloc(1))
    expect(sink.buf).toHaveLength(256)
  })

  test('keeps at most a first buffer when it shrinks', () => {
    const sink = new GrowingSink(16)
    write(sink, Buffer.alloc(10))
    sink.reset(false)
    sink.shrink()
    expect(sink.buf).toHaveLength(16)
    write(sink, Buffer.alloc(100))
    sink.reset(false)
    sink.shrink()
    expect(sink.buf).toHaveLength(0)
    write(sink, Buffer.alloc(1))
    expect(sink.buf).toHaveLength(16)
  })
})

describe('an output queue', () => {
  test('makes one view of touching pieces of one buffer', () => {
    const out = new OutputQueue()
    const buf = Buffer.from('abcdef')
    out.forward(buf, 0, 2)
    out.forward(buf, 2, 4)
    out.forward(buf, 5, 6)
    out.forward(buf, 6, 6)
    expect([out.starts, out.ends, out.bytes]).toEqual([[0, 5], [4, 6], 5])
  })

  test('is empty after it is cleared, and starts over', () => {
    const out = new OutputQueue()
    out.give(Buffer.from('abc'))
    out.give(Buffer.from('def'))
    out.clear()
    expect([out.empty, out.holdsViews, out.starts, out.ends, out.bytes]).toEqual([
      true,
      false,
      [],
      [],
      0,
    ])
    out.give(Buffer.from('g'))
    expect(out.buffers.map(String)).toEqual(['g'])
  })

  test('holds no views once it has kept a copy, and looks at others again after more', () => {
    const out = new OutputQueue()
    const buf = Buffer.from('abcdef')
    out.forward(buf, 0, 3)
    expect(out.holdsViews).toBe(true)
    out.keep()
    buf.fill(0)
    expect(out.holdsViews).toBe(false)
    expect(out.buffers[0]?.toString('latin1')).toBe('abc')
    out.forward(buf, 0, 1)
    expect(out.holdsViews).toBe(true)
  })
})
