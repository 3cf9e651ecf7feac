import type { SessionRecording } from '@sallyport/audit'
import { OutputQueue } from '@sallyport/protocol-wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ShownOptions } from '../shown.ts'
import { PostgresShown } from './shown.ts'

const ALL: ShownOptions = { rows: null, bytes: null, parameters: true, redacts: false }

function frame(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + body.length)
  bytes.write(type, 0)
  bytes.writeUInt32BE(4 + body.length, 1)
  bytes.write(body, 5)
  return bytes
}

/** What a recording is told, in words. */
function recorder() {
  const told: string[] = []
  let output = ''
  const say = (words: string) => {
    if (output !== '') told.push(output)
    output = ''
    told.push(words)
  }
  const recording: SessionRecording = {
    pending: true,
    mustWait: () => false,
    output: (buf, start, end) => {
      output += buf.toString('latin1', start, end).replaceAll(/[^ -~]/g, '')
    },
    input: () => {},
    answered: (statement) => say(`answered ${statement}`),
    shape: () => {},
    result: () => {},
    omitted: ({ rows }) => say(`omitted ${rows}`),
    end: () => {},
  }
  return { recording, told: () => (output === '' ? told : [...told, output]) }
}

describe('the output of a PostgreSQL session', () => {
  test('is kept whole, with marks where they belong', () => {
    const { recording, told } = recorder()
    const shown = new PostgresShown(recording, ALL)
    const out = new OutputQueue()
    out.give(frame('T', 'one'))
    out.give(frame('D', 'row'))
    out.give(frame('C', 'SELECT'))
    shown.answered(7, out.bytes)
    out.give(frame('Z', 'I'))
    shown.take(out, 0)
    expect(told()).toEqual(['ToneDrowC\nSELECT'.replace('\n', ''), 'answered 7', 'ZI'])
  })

  test('loses the rows of a result that shows protected values, and of no other', () => {
    const { recording, told } = recorder()
    const shown = new PostgresShown(recording, ALL)
    const out = new OutputQueue()
    shown.begins({ queued: 0, hides: true, portal: null })
    for (const text of ['T', 'D', 'D', 'C']) out.give(frame(text, 'x'))
    shown.answered(1, out.bytes)
    shown.begins({ queued: out.bytes, hides: false, portal: null })
    for (const text of ['T', 'D', 'C']) out.give(frame(text, 'y'))
    shown.answered(2, out.bytes)
    shown.take(out, 0)
    expect(told()).toEqual(['Tx', 'omitted 2', 'Cx', 'answered 1', 'TyDyCy', 'answered 2'])
  })

  test('keeps the first rows, counts the others, and starts anew with the next result', () => {
    const { recording, told } = recorder()
    const shown = new PostgresShown(recording, { ...ALL, rows: 1 })
    const out = new OutputQueue()
    for (const text of ['D', 'D', 'D', 'C', 'D', 'C']) out.give(frame(text, 'x'))
    shown.take(out, 0)
    expect(told()).toEqual(['Dx', 'omitted 2', 'CxDxCx'])
  })

  test('is the same however it is cut into reads', () => {
    const frames = fc.array(
      fc.tuple(fc.constantFrom('D', 'T', 'C', 'd'), fc.integer({ min: 0, max: 30 })),
    )
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }))
    fc.assert(
      fc.property(frames, cuts, (kinds, sizes) => {
        const messages = kinds.map(([type, size]) => frame(type, 'x'.repeat(size)))
        const whole = recorder()
        const all = new OutputQueue()
        for (const message of messages) all.give(message)
        new PostgresShown(whole.recording, { ...ALL, rows: 2, bytes: 40 }).take(all, 0)
        const parts = recorder()
        const shown = new PostgresShown(parts.recording, { ...ALL, rows: 2, bytes: 40 })
        const pieces = [...sizes]
        for (const message of messages) {
          // As the relay passes a long row on: its head with what is there, the rest as it comes.
          for (let at = 0; at < message.length; ) {
            const to = Math.min(
              message.length,
              at + Math.max(pieces.shift() ?? 40, at === 0 ? 5 : 1),
            )
            const out = new OutputQueue()
            out.forward(message, at, to)
            shown.take(out, 0)
            at = to
          }
        }
        expect(parts.told()).toEqual(whole.told())
      }),
    )
  })

  test('does not take again what was taken before', () => {
    const { recording, told } = recorder()
    const shown = new PostgresShown(recording, ALL)
    const out = new OutputQueue()
    out.give(frame('C', 'a'))
    shown.take(out, 0)
    const before = out.bytes
    out.keep()
    out.give(frame('C', 'b'))
    shown.answered(1, out.bytes)
    shown.take(out, before)
    expect(told()).toEqual(['CaCb', 'answered 1'])
  })
})
