/** The relay between a scripted client and a model of the server: what the client gets, and what is sent. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrontend, type FrontendMessage } from '../frontend.ts'
import { ModelServer, OWN_TEXT, Pair, SECRET, tell } from './testing.ts'

const SYNC: FrontendMessage = { kind: 'Sync' }
const query = (text: string): FrontendMessage => ({ kind: 'Query', text })
const parse = (statement: string, text: string): FrontendMessage => ({
  kind: 'Parse',
  statement,
  text,
  parameterTypes: [],
})
const bind = (portal: string, statement: string): FrontendMessage => ({
  kind: 'Bind',
  portal,
  statement,
  parameterFormats: [],
  values: [],
  resultFormats: [],
})
const execute = (portal: string, maxRows = 0): FrontendMessage => ({
  kind: 'Execute',
  portal,
  maxRows,
})
const describeOf = (target: 'statement' | 'portal', name: string): FrontendMessage => ({
  kind: 'Describe',
  target,
  name,
})
const closeOf = (target: 'statement' | 'portal', name: string): FrontendMessage => ({
  kind: 'Close',
  target,
  name,
})
const data = (text: string): FrontendMessage => ({ kind: 'CopyData', data: Buffer.from(text) })
const COPY_FAIL: FrontendMessage = { kind: 'CopyFail', message: 'no' }
const COPY_DONE: FrontendMessage = { kind: 'CopyDone' }
const run = (text: string): FrontendMessage[] => [parse('', text), bind('', ''), execute('')]

/** The reply stream, when everything moves as fast as it can. */
function through(messages: readonly FrontendMessage[], pair = new Pair()): string {
  pair.client(encodeFrontend(...messages))
  pair.run()
  return tell(Buffer.concat(pair.received)).join(' ')
}

/** What a server that refuses by itself answers. */
function directly(messages: readonly FrontendMessage[]): { words: string[]; server: ModelServer } {
  const server = new ModelServer({ refuses: true })
  server.receive(encodeFrontend(...messages))
  return { words: tell(server.takeOutput()), server }
}

describe('replies', () => {
  test.each<[string, FrontendMessage[], string]>([
    ['a Query', [query('rows 1')], 'T D:clear rows 1 C:SELECT 1 Z:I'],
    [
      'several statements in one',
      [query('begin;rows 1;insert a')],
      'C:BEGIN T D:clear rows 1 C:SELECT 1 C:INSERT 0 1 Z:T',
    ],
    ['an empty Query', [query('empty')], 'I Z:I'],
    ['an error in a Query', [query('fail')], 'E:22012 Z:I'],
    ['the extended protocol', [...run('rows 1'), SYNC], '1 2 D:clear rows 1 C:SELECT 1 Z:I'],
    [
      'an error skips to Sync',
      [...run('fail'), ...run('insert a'), SYNC, query('rows 0')],
      '1 2 E:22012 Z:I T C:SELECT 0 Z:I',
    ],
    [
      'rows under masks',
      [query('mask 1'), ...run('mask 1'), SYNC],
      'T D:***** C:SELECT 1 Z:I 1 2 D:***** C:SELECT 1 Z:I',
    ],
    [
      'masks per result of one Query',
      [query('rows 1;mask 1;rows 1')],
      'T D:clear rows 1 C:SELECT 1 T D:***** C:SELECT 1 T D:clear rows 1 C:SELECT 1 Z:I',
    ],
    [
      'a portal in parts',
      [parse('', 'mask 3'), bind('p', ''), execute('p', 2), execute('p', 2), SYNC],
      '1 2 D:***** D:***** s D:***** C:SELECT 1 Z:I',
    ],
    ['a refused Query', [query('refuse'), query('rows 0')], 'E:42501 Z:I T C:SELECT 0 Z:I'],
    ['a refused Parse', [...run('refuse'), SYNC, query('rows 0')], 'E:42501 Z:I T C:SELECT 0 Z:I'],
    ['a statement that does not exist', [bind('', 'none'), SYNC], 'E:26000 Z:I'],
    ['a portal that does not exist', [execute('none'), SYNC], 'E:34000 Z:I'],
    [
      'a refused function call',
      [
        {
          kind: 'FunctionCall',
          functionOid: 1,
          argumentFormats: [],
          arguments: [],
          resultFormat: 0,
        },
      ],
      'E:42501 Z:I',
    ],
    [
      'COPY FROM, its data sent before it was asked for',
      [query('copyin'), data('a'), COPY_DONE, query('rows 0')],
      'G C:COPY 1 Z:I T C:SELECT 0 Z:I',
    ],
    [
      'COPY FROM in the extended protocol',
      [...run('copyin'), data('a'), COPY_DONE, SYNC],
      '1 2 G C:COPY 1 Z:I',
    ],
    [
      'COPY FROM with a Sync before its data',
      [...run('copyin'), SYNC, data('a'), COPY_DONE, SYNC],
      '1 2 G C:COPY 1 Z:I',
    ],
    [
      'COPY FROM with a Sync amid its data',
      [...run('copyin'), data('a'), SYNC, COPY_DONE, SYNC],
      '1 2 G C:COPY 1 Z:I',
    ],
    [
      'COPY FROM that fails on its data',
      [query('copybad'), data('a'), data('b'), COPY_DONE, query('rows 0')],
      'G E:22P04 Z:I T C:SELECT 0 Z:I',
    ],
    [
      'a limit exceeded in a Query',
      [query('limit 5'), query('rows 0')],
      'T D:clear limit 5 D:clear limit 5 E:53400 Z:I T C:SELECT 0 Z:I',
    ],
    [
      'a limit exceeded with a pipeline behind it',
      [...run('insert a'), ...run('limit 5'), ...run('insert b'), SYNC],
      '1 2 C:INSERT 0 1 1 2 D:clear limit 5 D:clear limit 5 E:53400 Z:I',
    ],
  ])('%s', (_, messages, expected) => {
    expect(through(messages)).toBe(expected)
  })

  test.each([
    ['Query', [query('copyin'), data('one\n'), data('two'), COPY_DONE]],
    ['Execute', [...run('copyin'), data('one\n'), data('two'), COPY_DONE, SYNC]],
  ])('of the data of a COPY in the recording is told, by %s', (_, messages) => {
    const pair = new Pair()
    through(messages, pair)
    expect(pair.gatekeeper.sent.join('')).toBe('text:one\ntwo')
  })

  test('a refusal inside a block fails the block', () => {
    const pair = new Pair()
    expect(through([query('begin'), query('insert a')], pair)).toContain('Z:T')
    pair.received.length = 0
    expect(through([query('refuse'), query('rows 0'), query('commit')], pair)).toBe(
      'E:42501 Z:E E:25P02 Z:E C:ROLLBACK Z:I',
    )
    expect(pair.server.committed).toEqual([])
  })

  test('COPY FROM that fails before its data, a Sync already sent', () => {
    const pair = new Pair()
    through([...run('copytrigger'), SYNC], pair)
    expect(through([query('rows 0')], pair)).toBe('1 2 G E:P0001 Z:I T C:SELECT 0 Z:I')
  })

  test('COPY FROM with a Sync before its data, then a name that does not exist', () => {
    const pair = new Pair()
    through([...run('copyin'), SYNC], pair)
    through([data('x'), COPY_DONE], pair)
    expect(through([bind('', 'none'), SYNC], pair)).toBe('1 2 G C:COPY 1 E:26000 Z:I')
    expect(pair.server.committed).toEqual([])
  })

  test('COPY FROM that fails on its data, a Sync already ignored', () => {
    const pair = new Pair()
    through([...run('copybad'), SYNC], pair)
    through([data('x')], pair)
    expect(through([SYNC, query('rows 0')], pair)).toBe('1 2 G E:22P04 Z:I T C:SELECT 0 Z:I')
    expect(pair.relay.quiescent).toBe(true)
  })

  test('a refusal takes back what came before it in an implicit transaction', () => {
    const pair = new Pair()
    through([...run('insert a'), ...run('refuse'), ...run('insert b'), SYNC], pair)
    expect(pair.server.committed).toEqual([])
    expect(pair.server.status).toBe('I')
  })

  test('a refusal after COPY FROM with an early Sync takes the copied rows back', () => {
    const pair = new Pair()
    pair.client(encodeFrontend(...run('copyin'), SYNC))
    pair.run()
    pair.client(encodeFrontend(data('a'), COPY_DONE))
    pair.run()
    pair.client(encodeFrontend(...run('refuse'), SYNC))
    pair.run()
    expect(tell(Buffer.concat(pair.received)).join(' ')).toBe(
      '1 2 G E:42501 Z:I'.replace('G ', 'G C:COPY 1 '),
    )
    expect(pair.server.committed).toEqual([])
  })
})

describe('what is sent to the server', () => {
  test('a refused text never is', () => {
    const pair = new Pair()
    through(
      [query('refuse'), ...run('refuse'), SYNC, query('begin'), query('refuse;insert a')],
      pair,
    )
    expect(pair.server.seen.filter((text) => text.includes('refuse') && text !== OWN_TEXT)).toEqual(
      [],
    )
  })

  test('a text that waits for its decision, and what is behind it, only after', () => {
    const pair = new Pair()
    pair.client(encodeFrontend(query('wait rows 1'), query('insert a')))
    expect(pair.serve(1000)).toBe(false)
    expect(pair.unread).toBeGreaterThan(0)
    pair.run()
    expect(pair.server.seen).toEqual(['wait rows 1', 'insert a'])
  })

  test('a barrier holds back the texts behind it until it is answered', () => {
    const pair = new Pair()
    pair.client(encodeFrontend(...run('set x'), ...run('rows 1'), SYNC))
    pair.serve(1 << 20)
    expect(pair.server.seen).toEqual(['set x'])
    pair.run()
    expect(pair.server.seen).toEqual(['set x', 'rows 1'])
  })

  test('a name of an unanswered segment is waited for', () => {
    const pair = new Pair()
    pair.client(encodeFrontend(parse('a', 'rows 1'), SYNC, bind('', 'a'), execute(''), SYNC))
    pair.serve(1 << 20)
    expect(pair.unread).toBeGreaterThan(0)
    pair.run()
    expect(pair.unread).toBe(0)
  })

  test('a statement over the cap is refused and its bytes are dropped, however they come', () => {
    for (const text of ['x'.repeat(300)]) {
      for (const messages of [[query(text)], [parse('', text), bind('', ''), SYNC]]) {
        const pair = new Pair({ statementBytesMax: 100 })
        for (const byte of encodeFrontend(...messages, query('rows 0'))) {
          pair.client(Buffer.from([byte]))
        }
        pair.run()
        expect(tell(Buffer.concat(pair.received)).join(' ')).toBe('E:54000 Z:I T C:SELECT 0 Z:I')
        expect(pair.server.seen).toEqual(['rows 0'])
      }
    }
  })
})

describe('a name', () => {
  /** What a script of names does to either side; masked texts show what a wrong belief would let through. */
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant<FrontendMessage[]>([SYNC]) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('a', 'b', ''), fc.constantFrom('rows 1', 'mask 1', 'bad'))
        .map(([name, text]) => [parse(name, text)]),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom('a', 'b', '').map((name) => [closeOf('statement', name)]),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom('a', 'b', '').map((name) => [bind('', name), execute('')]),
    },
    { weight: 2, arbitrary: fc.constant(run('fail')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<FrontendMessage[]>([query('rows 1')], [query('begin')]),
    },
  )

  test('whose Parse fails and whose Close is skipped is what it was before both', () => {
    const script = [
      ...[parse('a', 'mask 1'), SYNC, parse('a', 'rows 1'), SYNC],
      ...[...run('fail'), closeOf('statement', 'a'), SYNC],
      ...[bind('', 'a'), execute(''), SYNC],
    ]
    const pair = new Pair()
    const words = '1 Z:I E:42P05 Z:I 1 2 E:22012 Z:I 2 D:***** C:SELECT 1 Z:I'
    expect(through(script, pair)).toBe(words)
    expect(Buffer.concat(pair.received).includes(SECRET)).toBe(false)
  })

  test('stands for what it stands for at the server, whatever fails in a pipeline', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 24 }), (steps) => {
        const pair = new Pair()
        through([...steps.flat(), SYNC], pair)
        const received = Buffer.concat(pair.received)
        expect(received.includes(SECRET)).toBe(false)
        expect(tell(received)).toEqual(directly([...steps.flat(), SYNC]).words)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a malformed message', () => {
  const EXTENDED: readonly [string, string][] = [
    ['a Describe of neither', '44 00000006 5a00'],
    ['a Describe of nothing', '44 00000004'],
    ['a Close without a name', '43 00000005 53'],
    ['a Parse without a text', '50 00000005 00'],
    ['a Parse of fewer types than it says', '50 0000000c 00 726f777300 0002'],
    ['a Parse of more', '50 0000000d 00 726f777300 0000 00'],
    ['a Bind cut short', '42 00000007 0000 00'],
    ['a Bind of a value of length -2', '42 00000010 0000 0000 0001 fffffffe 0000'],
    ['a Bind of an unknown format', '42 0000000e 0000 0000 0000 0001 0002'],
    ['a Bind with something behind it', '42 0000000d 0000 0000 0000 0000 00'],
    ['an Execute cut short', '45 00000006 0000'],
    ['a Flush of something', '48 00000005 00'],
  ]
  const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
  const said = (pair: Pair): string => tell(Buffer.concat(pair.received)).join(' ')

  test.each(EXTENDED)('%s: an error, and the rest is skipped to Sync', (_, hex) => {
    const pair = new Pair()
    pair.client(encodeFrontend(query('begin'), ...run('rows 1')))
    pair.client(bytesOf(hex))
    pair.client(encodeFrontend(...run('insert a'), SYNC, query('rows 1'), query('rollback')))
    pair.run()
    const block = 'C:BEGIN Z:T 1 2 D:clear rows 1 C:SELECT 1'
    expect(said(pair)).toBe(`${block} E:08P01 Z:E E:25P02 Z:E C:ROLLBACK Z:I`)
  })

  test.each([
    ['a Query with something behind its text', '51 00000007 410041'],
    ['a Query without its NUL', '51 00000006 4141'],
    ['a FunctionCall cut short', '46 00000005 00'],
  ])('%s: an error and ReadyForQuery', (_, hex) => {
    const pair = new Pair()
    pair.client(bytesOf(hex))
    pair.client(encodeFrontend(query('begin')))
    pair.client(bytesOf(hex))
    pair.client(encodeFrontend(query('rollback')))
    pair.run()
    expect(said(pair)).toBe('E:08P01 Z:I C:BEGIN Z:T E:08P01 Z:E C:ROLLBACK Z:I')
  })
})

describe('out of sync', () => {
  test.each([
    ['a reply nobody is owed', [], '31 00000004'],
    ['a completion where a Parse is owed', [parse('', 'rows 1')], '43 00000006 5300'],
    ['rows where a Sync is owed', [SYNC], '44 00000006 0000'],
    ['an unknown message', [query('rows 1')], '40 00000004'],
    ['a ReadyForQuery of an unknown status', [query('rows 1')], '5a 00000005 58'],
    ['a length below four', [query('rows 1')], '43 00000003'],
  ])('%s is an error', (_, messages, hex) => {
    const pair = new Pair()
    pair.client(encodeFrontend(...messages))
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    expect(() => pair.relay.fromUpstream(bytes, 0, bytes.length)).toThrow()
  })

  test.each([
    ['an unknown message', '40 00000004'],
    ['a password after login', '70 00000005 00'],
    ['a length below four', '51 00000003'],
    ['a Sync of a megabyte', '53 00100000'],
  ])('%s from the client is an error', (_, hex) => {
    const pair = new Pair()
    expect(() => pair.client(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow()
  })

  test('a masked row without a description ends the session', () => {
    const pair = new Pair()
    pair.client(encodeFrontend(query('mask 1')))
    const row = Buffer.from('4400000010000100000006736563726574', 'hex')
    expect(() => pair.relay.fromUpstream(row, 0, row.length)).toThrow(/undescribed|without/)
  })

  test('a Bind announcing a gigabyte asks for no buffer of that size', () => {
    const pair = new Pair()
    const head = Buffer.from('423ffffffe61', 'hex')
    pair.client(head)
    expect(pair.relay.wantedFromClient).toBeLessThan(1024)
  })
})

test.each([
  ['goes on in pieces where nobody reads its rows', 'rows 1', true],
  ['is taken whole where its rows are masked', 'mask 1', false],
  ['is taken whole where its rows are read: their formats are the last of it', 'copyin', false],
])('a long Bind %s', (_, text, passes) => {
  const pair = new Pair()
  pair.client(encodeFrontend(parse('a', text), SYNC))
  pair.run()
  const long = { ...bind('', 'a'), values: [Buffer.alloc(300_000)], resultFormats: [1] } as const
  const frame = encodeFrontend(long)
  pair.client(frame.subarray(0, 1000))
  expect(pair.relay.wantedFromClient).toBe(passes ? 0 : frame.length)
  expect(pair.unread).toBe(passes ? 0 : 1000)
})

const SCRIPT: FrontendMessage[] = [
  ...run('mask 2'),
  describeOf('portal', ''),
  SYNC,
  parse('a', 'rows 1'),
  describeOf('statement', 'a'),
  bind('p', 'a'),
  execute('p', 1),
  closeOf('portal', 'p'),
  { kind: 'Flush' },
  SYNC,
  query('begin;rows 2;mask 1'),
  ...run('refuse'),
  SYNC,
  query('rollback'),
  query('copyin'),
  data('abc'),
  COPY_DONE,
  ...run('set x'),
  ...run('limit 5'),
  SYNC,
  query('wait rows 1'),
]

test('bytes in any portions give the same replies', () => {
  const expected = through(SCRIPT)
  const bytes = encodeFrontend(...SCRIPT)
  for (let at = 0; at <= bytes.length; at++) {
    const pair = new Pair()
    pair.client(bytes.subarray(0, at))
    pair.client(bytes.subarray(at))
    pair.run()
    expect(tell(Buffer.concat(pair.received)).join(' ')).toBe(expected)
  }
  for (const chunk of [1, 2, 3, 5, 7, 64]) {
    const pair = new Pair()
    for (let at = 0; at < bytes.length; at += chunk) {
      pair.client(bytes.subarray(at, at + chunk))
      pair.serve(chunk)
      pair.answer(chunk)
    }
    pair.run(chunk)
    expect(tell(Buffer.concat(pair.received)).join(' ')).toBe(expected)
  }
})

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('rows 0', 'rows 1', 'rows 2', 'insert a', 'insert b') },
  { weight: 3, arbitrary: fc.constantFrom('mask 1', 'mask 3', 'begin', 'commit', 'rollback') },
  { weight: 2, arbitrary: fc.constantFrom('refuse', 'fail', 'bad', 'set x', 'wait rows 1') },
  { weight: 2, arbitrary: fc.constantFrom('alone rows 1', 'alone mask 1') },
  { weight: 1, arbitrary: fc.constantFrom('empty', 'limit 1', 'limit 5', 'hold 1', 'hold 5') },
)
const simpleText = fc.oneof(
  text,
  fc
    .array(
      text.filter((one) => !/^(limit|wait|alone|hold)/.test(one)),
      {
        minLength: 2,
        maxLength: 3,
      },
    )
    .map((texts) => texts.join(';')),
)
const statementName = fc.constantFrom('', '', 'a', 'b')
const portalName = fc.constantFrom('', '', 'p')
const target = fc.constantFrom<'statement' | 'portal'>('statement', 'portal')

const copying = (fromQuery: boolean): fc.Arbitrary<FrontendMessage[]> =>
  fc
    .tuple(
      fc.constantFrom('copyin', 'copyin', 'copybad', 'copytrigger'),
      fc.array(fc.constantFrom(data('x'), data('y')), { maxLength: 2 }),
      fc.constantFrom(COPY_DONE, COPY_FAIL),
    )
    .map(([kind, rows, end]) =>
      fromQuery
        ? [query(kind), ...rows, end]
        : [...run(kind), ...rows, end, SYNC, parse('', 'rows 0')],
    )

const step: fc.Arbitrary<FrontendMessage[]> = fc.oneof(
  { weight: 4, arbitrary: text.map((one) => run(one)) },
  { weight: 3, arbitrary: fc.tuple(statementName, text).map(([name, one]) => [parse(name, one)]) },
  { weight: 3, arbitrary: fc.tuple(portalName, statementName).map(([p, s]) => [bind(p, s)]) },
  {
    weight: 3,
    arbitrary: fc.tuple(portalName, fc.constantFrom(0, 0, 1, 2)).map(([p, n]) => [execute(p, n)]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(target, statementName)
      .map(([t, n]) => [describeOf(t, n === 'b' ? 'p' : n)]),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(target, statementName).map(([t, n]) => [closeOf(t, n === 'b' ? 'p' : n)]),
  },
  { weight: 4, arbitrary: fc.constant<FrontendMessage[]>([SYNC]) },
  { weight: 1, arbitrary: fc.constant<FrontendMessage[]>([{ kind: 'Flush' as const }]) },
  {
    weight: 3,
    arbitrary: simpleText.map((one) =>
      // A Query commits as it completes, and what was pipelined in front of it without a Sync too.
      /^(limit|hold)/.test(one) ? [SYNC, query(one)] : [query(one)],
    ),
  },
  { weight: 1, arbitrary: copying(true) },
  { weight: 1, arbitrary: copying(false) },
)

/** Which of client, server, relay moves next, and by how many bytes. */
const schedule = fc.array(
  fc.tuple(fc.constantFrom('client', 'serve', 'answer', 'settle'), fc.integer({ min: 1, max: 60 })),
  {
    maxLength: 60,
  },
)

test('any pipeline, in any interleaving, is answered as by a server that refuses by itself', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), schedule, (steps, moves) => {
      const messages = [...steps.flat(), SYNC, COPY_FAIL, SYNC]
      const { words, server } = directly(messages)
      // Something else than COPY data was sent to a COPY: the server closes, and so does the relay.
      fc.pre(!server.dead)
      const pair = new Pair()
      let bytes = encodeFrontend(...messages)
      for (const [who, count] of moves) {
        if (who === 'client') {
          pair.client(bytes.subarray(0, count))
          bytes = bytes.subarray(count)
        } else if (who === 'serve') pair.serve(count)
        else if (who === 'answer') pair.answer(count)
        else pair.settle()
      }
      pair.client(bytes)
      pair.run()
      expect(tell(Buffer.concat(pair.received))).toEqual(words)
      expect(Buffer.concat(pair.received).includes(SECRET)).toBe(false)
      expect(pair.unread).toBe(0)
      expect(pair.relay.quiescent).toBe(true)
      expect(pair.server.committed).toEqual(server.committed)
      expect(pair.server.status).toBe(server.status)
      expect([...pair.server.portals.keys()]).toEqual([...server.portals.keys()])
      for (const seen of pair.server.seen) {
        expect(seen === OWN_TEXT || pair.gatekeeper.admitted.has(seen)).toBe(true)
      }
      const answered = pair.gatekeeper.outcomes.map(({ execution }) => execution)
      expect(new Set(answered)).toEqual(new Set(pair.gatekeeper.started))
    }),
    { numRuns: Number(process.env['RELAY_RUNS'] ?? 1500) },
  )
})
