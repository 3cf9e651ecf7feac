import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backendMessage, frontendMessage } from '../fixtures/arbitraries.ts'
import { type BackendMessage, decodeBackend, encodeBackend } from './backend.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND, FRONTEND } from './frames.ts'
import {
  decodeFrontend,
  encodeFrontend,
  type FrontendMessage,
  parameterFormat,
} from './frontend.ts'
import { COLUMNS_MAX, NAME_BYTES_MAX, STATEMENT_BYTES_MAX } from './limits.ts'

const backendOf = (frame: Uint8Array): BackendMessage =>
  decodeBackend(frame[0]!, frame, 5, frame.length)
const frontendOf = (frame: Uint8Array): FrontendMessage =>
  decodeFrontend(frame[0]!, frame, 5, frame.length)

/** A frame around a body given in hex with blanks. */
function frame(type: string, body: string): Buffer {
  const bytes = Buffer.from(body.replaceAll(' ', ''), 'hex')
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

/** Messages whose last field is "the rest", so that fewer or more bytes are another such message. */
const OPEN_ENDED = new Set([
  'AuthenticationSASLContinue',
  'AuthenticationSASLFinal',
  'AuthenticationUnsupported',
  'AuthenticationReply',
  'BackendKeyData',
  'CopyData',
])

describe.each([
  ['server', backendMessage, encodeBackend, backendOf],
  ['client', frontendMessage, encodeFrontend, frontendOf],
] as const)('%s messages', (_side, arbitrary, encodeAny, decode) => {
  // Safe: each row pairs an encoder with the messages of its own direction.
  const encode = encodeAny as (message: BackendMessage | FrontendMessage) => Buffer
  const messages = arbitrary as fc.Arbitrary<BackendMessage | FrontendMessage>

  test('come back from their bytes', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decode(encode(message))).toEqual(message)
      }),
    )
  })

  test('are refused when cut at any offset', () => {
    fc.assert(
      fc.property(messages, (message) => {
        if (OPEN_ENDED.has(message.kind)) return
        const bytes = encode(message)
        for (let end = 5; end < bytes.length; end++) {
          expect(() => decode(bytes.subarray(0, end))).toThrow(ProtocolError)
        }
      }),
    )
  })

  test('are refused with a byte too many', () => {
    fc.assert(
      fc.property(messages, fc.nat(255), (message, byte) => {
        if (OPEN_ENDED.has(message.kind)) return
        expect(() => decode(Buffer.concat([encode(message), Buffer.of(byte)]))).toThrow(
          ProtocolError,
        )
      }),
    )
  })

  test('are read inside a larger buffer without looking outside', () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ maxLength: 9 }), (message, around) => {
        const bytes = encode(message)
        const all = Buffer.concat([around, bytes, around])
        const start = around.length + 5
        const end = around.length + bytes.length
        const read = arbitrary === (backendMessage as unknown) ? decodeBackend : decodeFrontend
        expect(read(bytes[0]!, all, start, end)).toEqual(message)
      }),
    )
  })

  test('are messages or ProtocolErrors, whatever the bytes', () => {
    const type = fc.constantFrom(...Object.values(BACKEND), ...Object.values(FRONTEND), 0, 0x7a)
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 60 }), (first, body) => {
        try {
          decode(Buffer.concat([Buffer.of(first, 0, 0, 0, 0), body]))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
          expect(error).toMatchObject({ side: 'remote' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('what a body may not say', () => {
  test.each([
    ['an authentication method that is not listed', 'R', '0000000d', 'unsupported-authentication'],
    ['an md5 salt of three bytes', 'R', '00000005 010203', 'truncated'],
    ['a mechanism list without its end', 'R', '0000000a 4100', 'unterminated-string'],
    ['a cancel secret of three bytes', 'K', '00000001 010203', 'bad-length'],
    ['a cancel secret of 257 bytes', 'K', `00000001 ${'00'.repeat(257)}`, 'bad-length'],
    ['a transaction status of its own', 'Z', '58', 'bad-value'],
    ['a row with more columns than it counts', 'D', '0001 ffffffff ffffffff', 'trailing-bytes'],
    ['a value of length -2', 'D', '0001 fffffffe', 'bad-length'],
    ['a value longer than the row', 'D', '0001 00000002 41', 'truncated'],
    ['a format code of 2', 'T', '0001 6100 00000000 0000 00000019 ffff ffffffff 0002', 'bad-value'],
    ['a binary column in a textual copy', 'H', '00 0001 0001', 'bad-value'],
    ['a copy format of 2', 'G', '02 0000', 'bad-value'],
    ['an error without a message', 'E', '53 4500 43 5858303030 00 00', 'bad-value'],
    ['an error field twice', 'E', '53 4500 43 5800 4d 00 43 5900 00', 'bad-value'],
    ['an error without its end', 'E', '53 4500 43 5800 4d 00', 'truncated'],
    ['more protocol options than bytes', 'v', '00030002 7fffffff', 'bad-count'],
    ['a negative count of protocol options', 'v', '00030002 ffffffff', 'bad-count'],
    ['a column name that is not utf-8', 'T', '0001 ff00', 'invalid-utf8'],
    ['a body where there is none', '1', '00', 'trailing-bytes'],
  ])('refuses %s from a server', (_name, type, body, code) => {
    expect(() => backendOf(frame(type, body))).toThrow(expect.objectContaining({ code }))
  })

  test.each([
    ['a Query that goes on after its NUL', 'Q', '4100 42', 'trailing-bytes'],
    ['a Query without its NUL', 'Q', '4142', 'unterminated-string'],
    ['a Query that is not utf-8', 'Q', 'c328 00', 'invalid-utf8'],
    ['a Parse with fewer types than it counts', 'P', '00 00 0002 00000019', 'truncated'],
    ['a Bind whose parameter length is -2', 'B', '00 00 0000 0001 fffffffe 0000', 'bad-length'],
    ['a Bind of two formats and three values', 'B', '00 00 0002 0000 0000 0003', 'bad-count'],
    ['a Bind with a format of 2', 'B', '00 00 0001 0002 0000 0000', 'bad-value'],
    ['a Bind that goes on', 'B', '00 00 0000 0000 0000 00', 'trailing-bytes'],
    ['a Describe of neither statement nor portal', 'D', '58 00', 'bad-value'],
    ['an Execute without its limit', 'E', '00', 'truncated'],
    ['a Sync with a body', 'S', '00', 'trailing-bytes'],
    ['a message that is not listed', 'Y', '', 'unknown-message'],
  ])('refuses %s from a client', (_name, type, body, code) => {
    expect(() => frontendOf(frame(type, body))).toThrow(expect.objectContaining({ code }))
  })

  test('ignores error fields it does not know', () => {
    const bytes = frame('E', '53 4500 7a 7a00 43 5800 4d 6d00 00')
    expect(backendOf(bytes)).toEqual({
      kind: 'ErrorResponse',
      fields: { severity: 'E', sqlstate: 'X', message: 'm' },
    })
  })

  test('reads a row limit below zero as none', () => {
    expect(frontendOf(frame('E', '00 ffffffff'))).toMatchObject({ maxRows: 0 })
  })
})

describe('caps', () => {
  test('a statement is taken at its cap and refused one byte over', () => {
    const text = 'x'.repeat(STATEMENT_BYTES_MAX)
    expect(frontendOf(encodeFrontend({ kind: 'Query', text }))).toEqual({ kind: 'Query', text })
    expect(() => frontendOf(encodeFrontend({ kind: 'Query', text: `${text}x` }))).toThrow(
      expect.objectContaining({ code: 'too-large', sqlstate: '54000' }),
    )
  })

  test('the caller can set the cap of statements', () => {
    const query = encodeFrontend({ kind: 'Query', text: '12345' })
    const decode = (statementBytesMax: number) =>
      decodeFrontend(query[0]!, query, 5, query.length, { statementBytesMax })
    expect(decode(5)).toEqual({ kind: 'Query', text: '12345' })
    expect(() => decode(4)).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('a name is taken at its cap and refused one byte over', () => {
    const name = 'x'.repeat(NAME_BYTES_MAX)
    const close = (text: string) =>
      frontendOf(encodeFrontend({ kind: 'Close', target: 'portal', name: text }))
    expect(close(name)).toMatchObject({ name })
    expect(() => close(`${name}x`)).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('a row is taken with the most columns there can be and refused with one more', () => {
    const row = (columns: number): Buffer =>
      encodeBackend({ kind: 'DataRow', values: new Array(columns).fill(null) })
    expect(backendOf(row(COLUMNS_MAX))).toMatchObject({ kind: 'DataRow' })
    expect(() => backendOf(row(COLUMNS_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('a Bind carries 65,535 values', () => {
    const values = new Array(65_535).fill(null)
    const bind = { kind: 'Bind', portal: '', statement: '', parameterFormats: [], values } as const
    expect(frontendOf(encodeFrontend({ ...bind, resultFormats: [] }))).toMatchObject({ values })
  })
})

describe('parameterFormat', () => {
  test.each([
    [[], 3, 0],
    [[1], 3, 1],
    [[0, 1], 1, 1],
  ] as const)('of %j for parameter %i is %i', (parameterFormats, index, expected) => {
    expect(parameterFormat({ parameterFormats }, index)).toBe(expected)
  })
})
