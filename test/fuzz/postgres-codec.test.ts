/**
 * Long byte-stream fuzzing of the PostgreSQL codec: 10,000 random or damaged streams per decoder. A
 * decoder may give a message or a ProtocolError that blames the peer; nothing else, and quickly. The
 * seed of a run is printed on failure; FUZZ_SEED repeats it.
 */

import {
  BACKEND,
  type BackendMessage,
  ByteWriter,
  bindNames,
  ClientLogin,
  type CopyRowsOptions,
  CopyRowsRewriter,
  closeTarget,
  decodeBackend,
  decodeBearer,
  decodeDataRow,
  decodeErrorFields,
  decodeFrontend,
  decodeOpening,
  decodePasswordMessage,
  decodeSaslInitialResponse,
  describeTarget,
  encodeBackend,
  encodeCancelRequest,
  encodeFrontend,
  encodeSslRequest,
  executeTarget,
  FRONTEND,
  FrameCursor,
  type FrontendMessage,
  frameTable,
  ProtocolError,
  parseHead,
  parseScramVerifier,
  parseStartupOptions,
  queryText,
  rewriteDataRow,
  rewriteErrorResponse,
  SCRAM_SHA_256,
  ScramClient,
  ScramServer,
  scramVerifierFor,
  UpstreamLogin,
  writeStartupMessage,
} from '@sallyport/protocol-postgres'
import type { CellMask } from '@sallyport/protocol-wire'
import { describe, expect, test } from 'vitest'
import { damaged, fuzzer, pieces, SEED } from './streams.ts'

const { fuzz } = fuzzer(ProtocolError)

const text = Buffer.from('naïve €')
const fields = { severity: 'ERROR', sqlstate: '42501', message: 'no', detail: 'd', hint: 'h' }
const BACKEND_SEEDS: readonly BackendMessage[] = [
  { kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
  { kind: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) },
  { kind: 'BackendKeyData', pid: 7, secret: Buffer.alloc(32, 1) },
  { kind: 'NegotiateProtocolVersion', version: 3 << 16, unrecognized: ['_pq_.a', '_pq_.b'] },
  {
    kind: 'RowDescription',
    fields: ['id', 'name'].map((name) => ({
      name,
      tableOid: 16_384,
      columnAttribute: 1,
      typeOid: 25,
      typeLength: -1,
      typeModifier: -1,
      format: 0,
    })),
  },
  { kind: 'DataRow', values: [text, null, Buffer.alloc(0), Buffer.alloc(200, 0x61)] },
  { kind: 'ErrorResponse', fields },
  { kind: 'NoticeResponse', fields },
  { kind: 'ParameterDescription', typeOids: [25, 20, 0] },
  { kind: 'CopyOutResponse', format: 1, columnFormats: [1, 0] },
  { kind: 'CommandComplete', tag: 'SELECT 3' },
  { kind: 'NotificationResponse', pid: 1, channel: 'door', payload: 'knock' },
  { kind: 'ParameterStatus', name: 'TimeZone', value: 'UTC' },
  { kind: 'FunctionCallResponse', value: text },
  { kind: 'ReadyForQuery', status: 'T' },
]
const FRONTEND_SEEDS: readonly FrontendMessage[] = [
  { kind: 'Query', text: 'SELECT 1' },
  { kind: 'Parse', statement: 's', text: 'SELECT $1', parameterTypes: [25, 0] },
  {
    kind: 'Bind',
    portal: 'p',
    statement: 's',
    parameterFormats: [0, 1],
    values: [text, null],
    resultFormats: [1],
  },
  { kind: 'Execute', portal: 'p', maxRows: 10 },
  { kind: 'Describe', target: 'statement', name: 's' },
  { kind: 'Close', target: 'portal', name: 'p' },
  { kind: 'CopyFail', message: 'no' },
  {
    kind: 'FunctionCall',
    functionOid: 177,
    argumentFormats: [1],
    arguments: [text, null],
    resultFormat: 1,
  },
]
const backendFrames = BACKEND_SEEDS.map((message) => encodeBackend(message))
const frontendFrames = FRONTEND_SEEDS.map((message) => encodeFrontend(message))
const bodies = (frames: readonly Buffer[]): Buffer[] => frames.map((frame) => frame.subarray(5))

function startupPacket(minor: number, parameters: [string, string][]): Buffer {
  const out = new ByteWriter()
  writeStartupMessage(out, { minor, parameters })
  return out.take()
}

const OPENINGS = [
  startupPacket(0, [
    ['user', 'sally'],
    ['database', 'crm'],
    ['options', '-c search_path=a\\ b --work_mem=1MB'],
  ]),
  startupPacket(2, [
    ['user', 'sally'],
    ['_pq_.x', 'y'],
    ['replication', 'database'],
  ]),
  encodeSslRequest(),
  encodeCancelRequest({ pid: 1, secret: Buffer.alloc(32) }),
]

describe(`bytes of a peer (seed ${SEED})`, () => {
  test('frames: the same ones, however the stream is cut', () => {
    fuzz([Buffer.concat(backendFrames)], (bytes, random) => {
      const whole = framesOf([bytes])
      const cut = framesOf(pieces(random, bytes))
      expect(cut).toEqual(whole)
      if (whole.at(-1) === 'refused') throw new ProtocolError('bad-length', 'remote', 'as found')
    })
  })

  test('server messages', () => {
    fuzz(backendFrames, (bytes) => {
      const type = bytes[0] ?? 0
      const message = decodeBackend(type, bytes, Math.min(5, bytes.length), bytes.length)
      // What was understood can be said again, and is understood the same way.
      const again = encodeBackend(message)
      expect(decodeBackend(again[0]!, again, 5, again.length)).toEqual(message)
    })
  })

  test('client messages', () => {
    fuzz(frontendFrames, (bytes) => {
      const type = bytes[0] ?? 0
      const message = decodeFrontend(type, bytes, Math.min(5, bytes.length), bytes.length)
      const again = encodeFrontend(message)
      expect(decodeFrontend(again[0]!, again, 5, again.length)).toEqual(message)
    })
  })

  const heads = { queryText, parseHead, bindNames, executeTarget, describeTarget, closeTarget }
  test.each(Object.entries(heads))('%s', (_name, read) => {
    fuzz(bodies(frontendFrames), (bytes) => {
      read(bytes, 0, bytes.length)
    })
  })

  const values: Record<string, (bytes: Buffer) => unknown> = {
    decodeErrorFields: (bytes) => decodeErrorFields(bytes),
    decodePasswordMessage: (bytes) => decodePasswordMessage(bytes, 0, bytes.length),
    decodeSaslInitialResponse: (bytes) => decodeSaslInitialResponse(bytes, 0, bytes.length),
    decodeBearer: (bytes) => decodeBearer(bytes),
    parseStartupOptions: (bytes) => parseStartupOptions(bytes.toString()),
    decodeOpening: (bytes) => decodeOpening(bytes),
  }
  test.each(Object.entries(values))('%s', (_name, read) => {
    const seeds = [
      ...bodies(backendFrames),
      ...OPENINGS,
      Buffer.from('token\0'),
      Buffer.from('n,,\x01auth=Bearer abc.def\x01\x01'),
      Buffer.from('-c search_path=a\\ b --work_mem=1MB -es -f s'),
      Buffer.concat([Buffer.from('SCRAM-SHA-256\0\0\0\0\x02ab', 'latin1')]),
    ]
    fuzz(seeds, read)
  })
})

/** Frame types found in pieces fed one after the other, with `refused` where the cursor throws. */
function framesOf(chunks: readonly Buffer[]): string[] {
  const cursor = new FrameCursor(frameTable('backend'))
  const found: string[] = []
  let input = Buffer.alloc(0)
  try {
    for (const chunk of chunks) {
      input = Buffer.concat([input, chunk])
      let at = 0
      while (cursor.next(input, at, input.length) === 'frame') {
        found.push(`${cursor.type}:${cursor.frameEnd - cursor.start}`)
        at = cursor.frameEnd
      }
      input = input.subarray(at)
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    found.push('refused')
  }
  return found
}

const stars: CellMask = (_src, _start, _end, out) => {
  out.ensure(3)
  out.buf.fill('*', out.at, out.at + 3)
  out.at += 3
  return 3
}

const same: CellMask = (src, start, end, out) => {
  out.ensure(end - start)
  src.copy(out.buf, out.at, start, end)
  out.at += end - start
  return end - start
}

describe(`rewriting (seed ${SEED})`, () => {
  test('DataRow: exactly the rows that decode, and no masked value survives', () => {
    const row = encodeBackend({
      kind: 'DataRow',
      values: [Buffer.from('public'), Buffer.from('SECRET-SECRET'), null],
    })
    fuzz([row], (bytes) => {
      const frame = Buffer.from(bytes)
      if (frame.length >= 5) {
        frame[0] = BACKEND.DATA_ROW
        frame.writeInt32BE(frame.length - 1, 1)
      }
      const out = new ByteWriter()
      let expected: (Uint8Array | null)[] | null = null
      try {
        expected = frame.length < 5 ? null : decodeDataRow(frame, 5, frame.length)
      } catch {
        expected = null
      }
      if (expected === null || expected.length !== 3) {
        expect(() => rewriteDataRow(frame, 0, frame.length, [null, stars, null], out)).toThrow(
          ProtocolError,
        )
        expect(out.at).toBe(0)
        throw new ProtocolError('bad-count', 'remote', 'as expected')
      }
      rewriteDataRow(frame, 0, frame.length, [null, stars, null], out)
      const made = decodeDataRow(out.view(), 5, out.at)
      expected[1] = expected[1] === null ? null : Buffer.from('***')
      expect(made.map(String)).toEqual(expected.map(String))
    })
  })

  const csv = 'id,"na""me",\n1,"a\nb",x\n2,,"\\."\n'
  const tsv = '1\ta\\tb\t\\N\n2\t\\\\\t\n'
  const tuple = Buffer.from('0003000000016100000002626cffffffff', 'hex')
  const binary = Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1'),
    tuple,
    tuple,
    Buffer.of(255, 255),
  ])
  const copies: [CopyRowsOptions['format'], Buffer][] = [
    ['text', Buffer.from(tsv)],
    ['csv', Buffer.from(csv)],
    ['binary', binary],
  ]
  test.each(copies)('COPY %s: the same rows, however the stream is cut', (format, seed) => {
    fuzz([seed], (bytes, random) => {
      const columns = [null, random.pick([stars, same]), null]
      const whole = copied({ format, columns }, [bytes])
      const cut = copied({ format, columns }, pieces(random, bytes))
      expect(cut).toEqual(whole)
      if (whole === null) throw new ProtocolError('malformed-copy', 'remote', 'as found')
    })
  })

  test('errors', () => {
    fuzz([backendFrames[6]!, backendFrames[7]!], (bytes) => {
      const out = new ByteWriter()
      if (bytes[0] !== BACKEND.ERROR_RESPONSE && bytes[0] !== BACKEND.NOTICE_RESPONSE) {
        throw new ProtocolError('unknown-message', 'remote', 'not a report')
      }
      if (bytes.length < 5) throw new ProtocolError('truncated', 'remote', 'no header')
      rewriteErrorResponse(bytes, 0, bytes.length, (f) => ({ ...f, message: 'redacted' }), out)
      expect(decodeErrorFields(out.view(), 5).message).toBe('redacted')
    })
  })
})

/** What a copy came out as, or null where it was refused. */
function copied(options: CopyRowsOptions, chunks: readonly Buffer[]): string | null {
  const copy = new CopyRowsRewriter(options)
  const out = new ByteWriter()
  try {
    for (const chunk of chunks) copy.write(chunk, 0, chunk.length, out)
    copy.end(out)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.side !== 'remote') throw error
    return null
  }
  return out.view().toString('latin1')
}

describe(`logins (seed ${SEED})`, () => {
  test('a client: asked about before it is let in, whatever it sends', () => {
    const password = Buffer.from('p\0\0\0\x0asecre\0', 'latin1')
    const seeds = OPENINGS.map((opening) => Buffer.concat([opening, password]))
    fuzz(seeds, (bytes, random) => {
      const login = new ClientLogin({ encrypted: random.below(2) === 0 })
      let asked = false
      for (const piece of pieces(random, bytes)) {
        login.receive(piece)
        const event = login.nextEvent()
        if (event.kind === 'tls-requested' || event.kind === 'cancel') return
        if (event.kind === 'startup') {
          login.askPassword()
          asked = true
        }
        if (event.kind === 'password') {
          expect(asked).toBe(true)
          login.refuse(fields)
          return
        }
      }
    })
  })

  test('an upstream: not believed unless it proves itself, whatever it sends', () => {
    const verifier = scramVerifierFor({ password: 'pw', salt: Buffer.from('salt'), iterations: 1 })
    fuzz([Buffer.from([0])], (_bytes, random) => {
      const nonce = 'fuzz-nonce-of-the-client-side'
      const login = new UpstreamLogin({
        tls: false,
        encrypted: true,
        minor: 2,
        parameters: [['user', 'sally']],
        password: 'pw',
        nonce,
        methods: ['scram-sha-256'],
      })
      const script = scramScript(verifier, nonce)
      const broken = random.below(script.length)
      for (const [i, frame] of script.entries()) {
        const sent = i === broken ? damaged(random, frame) : frame
        login.receive(sent)
        const event = login.nextEvent()
        if (event.kind === 'error') throw new ProtocolError('bad-value', 'remote', 'refused')
        if (event.kind !== 'ready') continue
        // Only damage that left the proof as it was may end here.
        expect(broken === 2 ? sent.includes(frame) : true).toBe(true)
      }
    })
  })

  test('SCRAM messages', () => {
    const verifier = scramVerifierFor({ password: 'pw', salt: Buffer.from('salt'), iterations: 1 })
    const nonce = 'fuzz-nonce-of-the-client-side'
    const make = (): [ScramClient, ScramServer] => [
      new ScramClient({ password: 'pw', nonce, binding: { kind: 'none' } }),
      new ScramServer({ verifier, nonce, mechanism: SCRAM_SHA_256, endPoint: null }),
    ]
    fuzz([Buffer.from([0])], (_bytes, random) => {
      const [client, server] = make()
      const hurt = (message: string): string =>
        random.below(3) > 0 ? message : damaged(random, Buffer.from(message)).toString('latin1')
      const first = client.first()
      const toServer = hurt(first)
      const serverFirst = server.first(toServer)
      const toClient = hurt(serverFirst)
      const final = client.final(toClient)
      const serverFinal = server.final(hurt(final))
      // Whatever got this far was not changed where it counts: both sides hash what they saw.
      expect([toServer, toClient]).toEqual([first, serverFirst])
      client.verify(serverFinal)
    })
  })

  test('verifiers', () => {
    const seed = 'SCRAM-SHA-256$7:c2FsdA==$'
    const key = Buffer.alloc(32).toString('base64')
    fuzz([Buffer.from(`${seed}${key}:${key}`)], (bytes) => {
      parseScramVerifier(bytes.toString('latin1'))
    })
  })

  test('the tables hold every type byte they list', () => {
    expect(Object.values(FRONTEND)).toHaveLength(14)
    expect(Object.values(BACKEND)).toHaveLength(24)
  })
})

/** What a server says in a login by SCRAM, frame by frame, for a client of this nonce. */
function scramScript(verifier: ReturnType<typeof scramVerifierFor>, nonce: string): Buffer[] {
  const client = new ScramClient({ password: 'pw', nonce, binding: { kind: 'none' } })
  const server = new ScramServer({
    verifier,
    nonce: 'fuzz-nonce-of-the-server-side',
    mechanism: SCRAM_SHA_256,
    endPoint: null,
  })
  const first = server.first(client.first())
  const final = server.final(client.final(first))
  return [
    encodeBackend({ kind: 'AuthenticationSASL', mechanisms: [SCRAM_SHA_256] }),
    encodeBackend({ kind: 'AuthenticationSASLContinue', data: Buffer.from(first) }),
    encodeBackend({ kind: 'AuthenticationSASLFinal', data: Buffer.from(final) }),
    encodeBackend({ kind: 'AuthenticationOk' }),
    encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
  ]
}
