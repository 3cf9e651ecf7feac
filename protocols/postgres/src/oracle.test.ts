/**
 * A second opinion: pg-protocol, which node-postgres speaks, reads what we write and writes what we
 * read. Where it decodes less than the protocol has, only what it decodes is compared.
 */

import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { parse, serialize } from 'pg-protocol'
import { describe, expect, test } from 'vitest'
import { backendMessage, text } from '../fixtures/arbitraries.ts'
import { type BackendMessage, encodeBackend } from './backend.ts'
import { decodeFrontend, type FrontendMessage } from './frontend.ts'
import { decodePasswordMessage, decodeSaslInitialResponse } from './sasl-messages.ts'
import { decodeOpening } from './startup.ts'

/** Messages pg-protocol knows. */
const UNKNOWN = new Set([
  'NegotiateProtocolVersion',
  'CopyBothResponse',
  'FunctionCallResponse',
  'AuthenticationUnsupported',
])

async function parsed(bytes: Buffer): Promise<Record<string, unknown>[]> {
  const stream = new PassThrough()
  const messages: Record<string, unknown>[] = []
  const done = parse(stream, (message) => messages.push(message as never))
  stream.end(bytes)
  await done
  return messages
}

/** What pg-protocol should have made of a message; its own words for the same things. */
function expectation(message: BackendMessage): Record<string, unknown> {
  switch (message.kind) {
    case 'DataRow':
      return {
        fieldCount: message.values.length,
        fields: message.values.map((value) =>
          value === null ? null : Buffer.from(value).toString(),
        ),
      }
    case 'RowDescription':
      return {
        fields: message.fields.map((field) =>
          expect.objectContaining({
            name: field.name,
            tableID: field.tableOid,
            columnID: field.columnAttribute,
            dataTypeID: field.typeOid,
            dataTypeSize: field.typeLength,
            dataTypeModifier: field.typeModifier,
            format: field.format === 0 ? 'text' : 'binary',
          }),
        ),
      }
    case 'ErrorResponse':
    case 'NoticeResponse': {
      const { severity, sqlstate, message: words, detail, hint, position, where } = message.fields
      return { severity, code: sqlstate, message: words, detail, hint, position, where }
    }
    case 'CommandComplete':
      return { text: message.tag }
    case 'ParameterStatus':
      return { parameterName: message.name, parameterValue: message.value }
    case 'NotificationResponse':
      return { processId: message.pid, channel: message.channel, payload: message.payload }
    case 'ReadyForQuery':
      return { status: message.status }
    case 'BackendKeyData':
      return { processID: message.pid }
    case 'ParameterDescription':
      return { dataTypeIDs: message.typeOids }
    case 'AuthenticationSASL':
      return { mechanisms: message.mechanisms }
    default:
      return {}
  }
}

/** An unsigned OID over 2^31 reads as negative there; below it the two agree. */
const comparable = backendMessage.filter((message) => {
  if (UNKNOWN.has(message.kind)) return false
  const oids =
    message.kind === 'ParameterDescription'
      ? message.typeOids
      : message.kind === 'RowDescription'
        ? message.fields.flatMap((field) => [field.tableOid, field.typeOid])
        : []
  return oids.every((oid) => oid < 2 ** 31)
})

describe('pg-protocol', () => {
  test('reads our server messages as we meant them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(comparable, { minLength: 1, maxLength: 5 }), async (messages) => {
        const read = await parsed(encodeBackend(...messages))
        expect(read).toHaveLength(messages.length)
        for (const [i, message] of messages.entries()) {
          expect(read[i]).toMatchObject(expectation(message))
        }
      }),
      { numRuns: 300 },
    )
  })

  const decode = (bytes: Buffer): FrontendMessage =>
    decodeFrontend(bytes[0]!, bytes, 5, bytes.length)
  const oid = fc.integer({ min: 0, max: 2 ** 31 - 1 })
  const value = fc.option(
    fc.oneof(
      text,
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    ),
  )

  test('writes client messages that we read as it meant them', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.array(oid),
        fc.array(value),
        fc.boolean(),
        oid,
        (name, other, query, types, values, binary, rows) => {
          expect(decode(serialize.query(query))).toEqual({ kind: 'Query', text: query })
          expect(decode(serialize.parse({ name, text: query, types }))).toEqual({
            kind: 'Parse',
            statement: name,
            text: query,
            parameterTypes: types,
          })
          expect(
            decode(serialize.bind({ portal: other, statement: name, values, binary })),
          ).toMatchObject({
            portal: other,
            statement: name,
            values: values.map((v) => (v === null ? null : Buffer.from(v as string))),
            resultFormats: [binary ? 1 : 0],
          })
          expect(decode(serialize.execute({ portal: name, rows }))).toEqual({
            kind: 'Execute',
            portal: name,
            maxRows: rows,
          })
          for (const type of ['S', 'P'] as const) {
            const target = type === 'S' ? 'statement' : 'portal'
            const describe = decode(serialize.describe({ type, name }))
            expect(describe).toEqual({ kind: 'Describe', target, name })
            expect(decode(serialize.close({ type, name }))).toEqual({ kind: 'Close', target, name })
          }
          expect(decode(serialize.copyFail(query))).toEqual({ kind: 'CopyFail', message: query })
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([
    ['Sync', serialize.sync()],
    ['Flush', serialize.flush()],
    ['Terminate', serialize.end()],
    ['CopyDone', serialize.copyDone()],
  ])('writes %s as we read it', (kind, bytes) => {
    expect(decode(bytes as Buffer)).toEqual({ kind })
  })

  test('writes start-up packets that we read as it meant them', () => {
    const opening = decodeOpening(serialize.startup({ user: 'sally', database: 'crm' }))
    expect(opening).toMatchObject({
      kind: 'startup',
      startup: { user: 'sally', database: 'crm', settings: [{ name: 'client_encoding' }] },
    })
    expect(decodeOpening(serialize.requestSsl()).kind).toBe('ssl-request')
    expect(decodeOpening(serialize.cancel(5, 0x01020304))).toMatchObject({
      request: { pid: 5, secret: Buffer.of(1, 2, 3, 4) },
    })
  })

  test('writes passwords and SASL as we read them', () => {
    const password = serialize.password('sécret')
    const read = decodePasswordMessage(password, 5, password.length)
    expect(Buffer.from(read).toString()).toBe('sécret')
    const sasl = serialize.sendSASLInitialResponseMessage('SCRAM-SHA-256', 'n,,n=,r=x')
    expect(decodeSaslInitialResponse(sasl, 5, sasl.length)).toEqual({
      mechanism: 'SCRAM-SHA-256',
      data: Buffer.from('n,,n=,r=x'),
    })
  })
})
