import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InputBuffer } from './input-buffer.ts'

/** A socket that reads: as many of `bytes` as the target takes; returns how many. */
function read(
  input: InputBuffer,
  bytes: Uint8Array,
  { viewsHeld = false, wanted = 0 } = {},
): number {
  const target = input.target(viewsHeld, wanted)
  const length = Math.min(target.length, bytes.length)
  target.set(bytes.subarray(0, length))
  input.arrived(length)
  return length
}

describe('the bytes of a leg', () => {
  test('come out as they went in, whatever is consumed and whichever views are held', () => {
    const step = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 9000 }),
      /** Of what is unconsumed, thousandths. */
      consumed: fc.nat({ max: 1000 }),
      keepsView: fc.boolean(),
      returned: fc.boolean(),
      asChunk: fc.boolean(),
      wanted: fc.nat({ max: 200_000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const input = new InputBuffer()
        let unconsumed = Buffer.alloc(0)
        let views: { view: Buffer; was: Buffer }[] = []
        for (const { bytes, consumed, keepsView, returned, asChunk, wanted } of steps) {
          if (returned && views.length > 0) {
            views = []
            input.viewsReturned()
          }
          if (asChunk) {
            // A chunk may only follow what no view is held of: TLS sockets hand over no target.
            views = []
            input.chunk(Buffer.from(bytes), wanted)
            unconsumed = Buffer.concat([unconsumed, bytes])
          } else {
            const length = read(input, bytes, { viewsHeld: views.length > 0, wanted })
            unconsumed = Buffer.concat([unconsumed, bytes.subarray(0, length)])
          }
          const present = input.store.subarray(input.from, input.to)
          expect(present.equals(unconsumed)).toBe(true)
          const take = Math.floor((unconsumed.length * consumed) / 1000)
          if (keepsView && take > 0) {
            const view = present.subarray(0, take)
            views.push({ view, was: Buffer.from(view) })
          }
          input.consumed(input.from + take)
          unconsumed = unconsumed.subarray(take)
          for (const { view, was } of views) expect(view.equals(was)).toBe(true)
        }
      }),
    )
  })

  test('take two stores in turn while a slow reader holds views and gives them back', () => {
    const input = new InputBuffer()
    const stores = new Set<ArrayBufferLike>()
    for (let i = 0; i < 50; i++) {
      read(input, Buffer.alloc(70_000, i), { viewsHeld: i > 0 })
      // Not the first three: the store grows.
      if (i > 2) stores.add(input.store.buffer)
      input.consumed(input.to)
      input.viewsReturned()
    }
    expect(stores.size).toBe(2)
  })

  test('take little room again once little comes', () => {
    const input = new InputBuffer()
    const small = input.target(false, 0).length
    for (let i = 0; i < 4; i++) {
      read(input, Buffer.alloc(70_000))
      input.consumed(input.to)
    }
    expect(input.target(false, 0).length).toBeGreaterThanOrEqual(64 * 1024)
    for (let i = 0; i < 200; i++) {
      read(input, Buffer.alloc(small - 1))
      input.consumed(input.to)
    }
    expect(input.target(false, 0).length).toBe(small)
  })

  test('take one store while the reader keeps up', () => {
    const input = new InputBuffer()
    const stores = new Set<ArrayBufferLike>()
    for (let i = 0; i < 50; i++) {
      read(input, Buffer.alloc(70_000, i))
      // Not the first two: the store grows.
      if (i > 1) stores.add(input.store.buffer)
      input.consumed(input.to)
    }
    expect(stores.size).toBe(1)
  })
})
