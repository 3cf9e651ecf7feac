import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { frontendMessage } from '../fixtures/arbitraries.ts'
import { ProtocolError } from './errors.ts'
import { encodeFrontend, type FrontendMessage } from './frontend.ts'
import {
  bindNames,
  closeTarget,
  describeTarget,
  executeTarget,
  parseHead,
  queryText,
} from './frontend-heads.ts'

/** What the partial readers see of a message, or undefined where there is none for its kind. */
function headOf(message: FrontendMessage, frame: Buffer): unknown {
  const text = ({ start, end }: { start: number; end: number }): string =>
    frame.toString('utf8', start, end)
  switch (message.kind) {
    case 'Query':
      return { text: text(queryText(frame, 5, frame.length)) }
    case 'Parse': {
      const head = parseHead(frame, 5, frame.length)
      return { statement: head.statement, text: text(head.text) }
    }
    case 'Bind':
      return bindNames(frame, 5, frame.length)
    case 'Execute':
      return executeTarget(frame, 5, frame.length)
    case 'Describe':
      return describeTarget(frame, 5, frame.length)
    case 'Close':
      return closeTarget(frame, 5, frame.length)
    default:
      return undefined
  }
}

describe('partial readers of client messages', () => {
  test('agree with the full decoder on every message', () => {
    fc.assert(
      fc.property(frontendMessage, (message) => {
        const head = headOf(message, encodeFrontend(message))
        if (head !== undefined) expect(message).toMatchObject(head as object)
      }),
      { numRuns: 500 },
    )
  })

  const readers = { queryText, parseHead, bindNames, executeTarget, describeTarget, closeTarget }
  test.each(Object.entries(readers))(
    '%s gives a head or a ProtocolError on any bytes',
    (_n, read) => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
          try {
            read(Buffer.from(bytes), 0, bytes.length)
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        }),
        { numRuns: 500 },
      )
    },
  )

  test.each([
    ['a Query with more after its NUL', () => queryText(Buffer.from('a\0b'), 0, 3)],
    ['a Parse whose types do not fill it', () => parseHead(Buffer.from('\0\0\0\x01\0'), 0, 5)],
    ['a Parse without a type count', () => parseHead(Buffer.from('\0\0'), 0, 2)],
    ['a Describe with more after its name', () => describeTarget(Buffer.from('Sa\0b'), 0, 4)],
    ['an empty Describe', () => describeTarget(Buffer.from(''), 0, 0)],
  ])('refuse %s', (_name, read) => {
    expect(read).toThrow(ProtocolError)
  })
})
