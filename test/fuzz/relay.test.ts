/**
 * Fuzzing of the PostgreSQL relay from both sides: damaged streams of messages in random portions. It may
 * answer with a ProtocolError or go on; it throws nothing else, asks for no buffer beyond its caps, and
 * never forwards a text that was not admitted. FUZZ_RUNS sets how many streams there are.
 */
import {
  type Admission,
  encodeBackend,
  encodeFrontend,
  type FrontendMessage,
  type Gatekeeper,
  limits,
  ProtocolError,
  Relay,
} from '@sallyport/protocol-postgres'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 4_000)
const FORBIDDEN = 'forbidden text'
const STATEMENT_BYTES_MAX = 4096

const refusal = (sqlstate: string) => ({
  kind: 'refusal' as const,
  error: encodeBackend({
    kind: 'ErrorResponse',
    fields: { severity: 'ERROR', sqlstate, message: 'refused' },
  }),
})

const admission: Admission = {
  kind: 'admission',
  masked: true,
  whole: false,
  described: false,
  returnsRows: true,
  limit: { rows: 3, bytes: 1000, exceeded: 'refuse', readOnly: true, metered: false },
  barrier: false,
  epoch: 1,
}

function gatekeeper(): Gatekeeper {
  let executions = 0
  return {
    decideText: (_via, _name, buf, start, end) =>
      buf.toString('latin1', start, end).includes(FORBIDDEN) ? refusal('42501') : admission,
    decideBind: (statement) => statement.admission,
    decideExecute: () => ++executions,
    execution: () => ++executions,
    decideFunctionCall: () => refusal('42501'),
    preparedBySql: () => undefined,
    declaredBySql: () => undefined,
    nameTaken: () => undefined,
    noSuchStatement: () => refusal('26000'),
    noSuchPortal: () => refusal('34000'),
    tooManyNames: () => refusal('54000'),
    nameTooLong: () => refusal('42622'),
    tooLong: () => refusal('54000'),
    malformed: () => refusal('08P01'),
    beyondLimit: () => 'refuse',
    meter: () => 'refuse',
    limitExceeded: () => refusal('53400'),
    resultCut: () => Buffer.alloc(0),
    cancel: () => undefined,
    masksFor: (_admission, _result, fields) =>
      fields.map(() => (_src, _start, _end, out) => {
        out.ensure(1)
        out.buf[out.at++] = 0x2a
        return 1
      }),
    copyOut: () => null,
    resultBegins: () => undefined,
    clientDataBegins: () => undefined,
    clientData: () => undefined,
    outcome: () => undefined,
    failed: () => undefined,
    redactReport: () => null,
    notification: () => 'drop',
    parameterStatus: () => undefined,
    ready: () => undefined,
  }
}

const text = fc.constantFrom(
  'ok',
  'select 1',
  FORBIDDEN,
  `/* */ ${FORBIDDEN}`,
  '',
  'ok '.repeat(1400),
)
const name = fc.constantFrom('', 'a', 'b', 'n'.repeat(64), 'é')
const target = fc.constantFrom<'statement' | 'portal'>('statement', 'portal')
const request: fc.Arbitrary<FrontendMessage> = fc.oneof(
  text.map((one): FrontendMessage => ({ kind: 'Query', text: one })),
  fc.tuple(name, text).map(
    ([statement, one]): FrontendMessage => ({
      kind: 'Parse',
      statement,
      text: one,
      parameterTypes: [],
    }),
  ),
  fc
    .tuple(
      name,
      name,
      fc.oneof(
        { weight: 40, arbitrary: fc.constantFrom(0, 1, 30, 600) },
        { weight: 1, arbitrary: fc.constant(300_000) },
      ),
    )
    .map(
      ([portal, statement, size]): FrontendMessage => ({
        kind: 'Bind',
        portal,
        statement,
        parameterFormats: [],
        values: size > 0 ? [Buffer.alloc(size, 0x78)] : [],
        resultFormats: [],
      }),
    ),
  name.map((portal): FrontendMessage => ({ kind: 'Execute', portal, maxRows: 0 })),
  fc
    .tuple(target, name)
    .map(([t, n]): FrontendMessage => ({ kind: 'Describe', target: t, name: n })),
  fc.tuple(target, name).map(([t, n]): FrontendMessage => ({ kind: 'Close', target: t, name: n })),
  fc
    .constantFrom<'Sync' | 'Flush' | 'CopyDone'>('Sync', 'Flush', 'CopyDone')
    .map((kind) => ({ kind })),
)

const reply = fc.oneof(
  fc
    .constantFrom(
      '3100000004',
      '3200000004',
      '3300000004',
      '5a0000000549',
      '5a0000000554',
      '43000000064f00',
      '6e00000004',
      '7400000006 0000',
      '4700000007 00 0000',
      '4800000009 00 0001 0000',
      '5400000006 0000',
      '440000000b 0001 0000000141',
      '6400000006 4142',
      '6300000004',
      '450000000c 43343235303100 00',
      '7300000004',
      '4900000004',
    )
    .map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex')),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
)

const move = fc.oneof(
  fc.record({
    from: fc.constant('client' as const),
    request,
    damage: fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 8 }),
  }),
  fc.record({ from: fc.constant('upstream' as const), bytes: reply }),
)

/** Texts of the whole Query and Parse messages in what was sent. */
function textsIn(sent: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at + 5 <= sent.length; ) {
    const end = at + 1 + sent.readUInt32BE(at + 1)
    const body = sent.toString('latin1', at + 5, Math.min(end, sent.length)).split('\0')
    if (sent[at] === 0x51) texts.push(body[0] ?? '')
    if (sent[at] === 0x50) texts.push(body[1] ?? '')
    at = end
  }
  return texts
}

test('any bytes from either side give a relay that goes on, or a ProtocolError', () => {
  fc.assert(
    fc.property(
      fc.array(move, { maxLength: 20 }),
      fc.constantFrom(3, 64, 1024, 70_000),
      (moves, portion) => {
        const relay = new Relay(gatekeeper(), {
          nonce: 'n',
          statementBytesMax: STATEMENT_BYTES_MAX,
        })
        const input = { client: Buffer.alloc(0), upstream: Buffer.alloc(0) }
        const feed = (from: 'client' | 'upstream', bytes: Buffer): void => {
          const all = Buffer.concat([input[from], bytes])
          const take = from === 'client' ? relay.fromClient : relay.fromUpstream
          const at = take.call(relay, all, 0, all.length)
          expect(at).toBeGreaterThanOrEqual(0)
          expect(at).toBeLessThanOrEqual(all.length)
          input[from] = all.subarray(at)
          const sent = relay.toUpstream.buffers.map((buf, i) =>
            buf.subarray(relay.toUpstream.starts[i], relay.toUpstream.ends[i]),
          )
          if (from === 'client') sentAll.push(...sent.map((one) => Buffer.from(one)))
          relay.toUpstream.clear()
          relay.toClient.clear()
          relay.sink.reset(false)
          expect(relay.wantedFromClient).toBeLessThanOrEqual(limits.BIND_INSPECTED_BYTES_MAX)
          expect(relay.wantedFromUpstream).toBeLessThanOrEqual(limits.MASKED_ROW_BYTES_MAX + 1)
        }
        const sentAll: Buffer[] = []
        try {
          for (const one of moves) {
            let bytes: Buffer
            if (one.from === 'upstream') bytes = one.bytes
            else {
              bytes = encodeFrontend(one.request)
              if (one.damage !== null) bytes[one.damage[0] % bytes.length] = one.damage[1]
            }
            for (let at = 0; at < bytes.length; at += portion) {
              feed(one.from, bytes.subarray(at, at + portion))
            }
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
        }
        for (const text of textsIn(Buffer.concat(sentAll))) {
          expect(text.includes(FORBIDDEN)).toBe(false)
        }
      },
    ),
    { numRuns: RUNS },
  )
})
