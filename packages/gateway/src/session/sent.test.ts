import type { SessionRecording } from '@sallyport/audit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SentData, type SentPlan } from './sent.ts'

const PLAIN: SentPlan = { mask: null, binary: false }
const LINES = 'one\ntwo\nthree\nfour\n'

/** What is told of `text`, sent in pieces of such lengths. */
function kept(
  text: string,
  plan: SentPlan,
  bounds: { rows?: number; bytes?: number } = {},
  sizes: readonly number[] = [],
) {
  let input = ''
  const omitted: { rows: number; bytes: number }[] = []
  // Safe: of a recording no more is used.
  const recording = {
    input: (buf: Buffer, start: number, end: number) => {
      input += buf.toString('latin1', start, end)
    },
    omitted: (what: { rows: number; bytes: number }) => omitted.push(what),
  } as unknown as SessionRecording
  const { rows = null, bytes = null } = bounds
  const sent = new SentData(recording, { rows, bytes, parameters: true })
  sent.begins(plan)
  const buf = Buffer.from(text)
  const pieces = [...sizes]
  for (let at = 0; at < buf.length; ) {
    const to = Math.min(at + (pieces.shift() ?? buf.length), buf.length)
    sent.take(buf, at, to)
    at = to
  }
  sent.ends()
  return { input, omitted }
}

test('data is kept whole, and nothing is said to be missing', () => {
  expect(kept(LINES, PLAIN)).toEqual({ input: LINES, omitted: [] })
})

test('no more lines are kept than policy says, and the others are counted', () => {
  const { input, omitted } = kept(LINES, PLAIN, { rows: 2 })
  expect(input).toBe('one\ntwo\n')
  expect(omitted).toEqual([{ rows: 2, bytes: 11 }])
})

test('however it is cut, no more bytes are kept than policy says', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 })
  const bounds = fc.record({ rows: fc.nat(5), bytes: fc.nat(25) })
  fc.assert(
    fc.property(sizes, bounds, (cuts, { rows, bytes }) => {
      const { input, omitted } = kept(LINES, PLAIN, { rows, bytes }, cuts)
      const lost = omitted[0]?.bytes ?? 0
      expect(LINES.startsWith(input)).toBe(true)
      expect(input.length + lost).toBe(LINES.length)
      expect(input.length).toBeLessThanOrEqual(bytes)
      expect(input.split('\n').length - 1).toBeLessThanOrEqual(rows)
    }),
  )
})

test('what may not be kept is counted', () => {
  expect(kept(LINES, null)).toEqual({ input: '', omitted: [{ rows: 4, bytes: LINES.length }] })
})

test('nothing is kept from where a mask cannot tell fields apart', () => {
  const mask: NonNullable<SentPlan>['mask'] = (buf, start, end, put) => {
    if (buf.toString('latin1', start, end).includes('three')) throw new Error('what is this')
    put(buf, start, end)
  }
  const { input, omitted } = kept(LINES, { mask, binary: false }, {}, [4, 4, 6])
  expect(input).toBe('one\ntwo\n')
  expect(omitted).toEqual([{ rows: 2, bytes: 11 }])
})
