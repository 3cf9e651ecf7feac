/**
 * Random pipelines, sent to the server and through the gateway: the same frames must come back.
 *
 * Four gateways: one that allows everything; one whose principal is under masks (so that results are
 * described, and every statement takes that way) but reads nothing masked; one that refuses a relation
 * that exists there and does not exist where the direct connection looks; and one that asks the server for an
 * estimate of everything. A refusal must leave pipeline, transaction and connection exactly as the server's own
 * error at that place does.
 */
import { encodeFrontend, type FrontendMessage } from '@sallyport/protocol-postgres'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { type Frame, WireClient } from '../support/wire.ts'

const RUNS = Number(process.env['SALLYPORT_PIPELINE_RUNS'] ?? 100)

const POLICIES = {
  open: `version: 1
rules:
  - name: all
    who: everyone
    allow: { effects: ['*', unknown], functions: ['*'], settings: ['*'] }
`,
  masked: `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: [public.people.email], with: redact }
`,
  refusing: `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
  - { name: not this, who: everyone, deny: { relations: [public.vault] } }
`,
  estimated: `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*', unknown], functions: ['*'], settings: ['*'] } }
limits:
  - { name: few, who: everyone, estimated-rows: 1000000 }
`,
}
type Kind = keyof typeof POLICIES

const SCHEMA = `CREATE TABLE public.log (n int NOT NULL);
CREATE TABLE public.people (id int, email text);
INSERT INTO public.people VALUES (1, 'a@example.com'), (2, 'b@example.com');`
const VAULT = 'SELECT n FROM public.vault'

/** A frame that is not laid out as its type is: its bytes. */
type Malformed = Buffer
type Message = FrontendMessage | Malformed
/** What one step of a pipeline sends; COPY is sent with its data, as a driver does. */
type Step = readonly Message[]

const TEXTS = [
  'SELECT 1',
  'SELECT 1 AS a, NULL AS b',
  'SELECT generate_series(1, 5)',
  'SELECT id FROM public.people ORDER BY id',
  'INSERT INTO public.log VALUES (7)',
  'INSERT INTO public.log VALUES (NULL)',
  'SELECT count(*) FROM public.log',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'SELECT 1/0',
  'SELECT (',
  '',
  'PREPARE q AS SELECT 8',
  'DEALLOCATE q',
  'DECLARE c CURSOR FOR SELECT generate_series(1, 4)',
  'CLOSE c',
  "SET application_name TO 'pipeline'",
  'COPY public.people (id) TO STDOUT',
] as const
const NAMED = ['EXECUTE q', 'FETCH 2 FROM c'] as const
const SEVERAL = [
  'SELECT 1; SELECT 2',
  'INSERT INTO public.log VALUES (8); SELECT 1/0',
  'BEGIN; INSERT INTO public.log VALUES (9)',
  'COMMIT; SELECT 3',
  'INSERT INTO public.log VALUES (1); COMMIT; SELECT 1/0',
] as const

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

const MALFORMED: readonly Malformed[] = [
  '51 00000005 41',
  '51 00000007 410041',
  '50 00000005 00',
  '50 0000000e 00 53454c45435400 0001',
  '44 00000006 5a00',
  '44 00000004',
  '43 00000006 4300',
  '45 00000006 0000',
  '48 00000005 00',
  '53 00000005 00',
].map(bytesOf)
/** Which of two things the server finds wrong with these depends on what came before. */
const MALFORMED_ALONE: readonly Malformed[] = [
  '42 00000007 0000 00',
  '42 00000010 0000 0000 0001 fffffffe 0000',
  '42 00000012 0000 0000 0001 00000001 31 0000 00',
  '46 00000005 00',
].map(bytesOf)

const statement = fc.constantFrom('', 's1', 's2')
const portal = fc.constantFrom('', 'p1')

function stepsOf(kind: Kind): fc.Arbitrary<Step> {
  const vault = kind === 'refusing' ? [VAULT, VAULT, VAULT] : []
  // Under rules that do not allow `unknown`, a name that nobody gave is refused before the server is asked.
  const single = fc.constantFrom<string[]>(...TEXTS, ...vault, ...(kind === 'open' ? NAMED : []))
  // A text of several is read as a whole before any of it runs; the server finds the relation missing only
  // when it gets there. There the gateway refuses earlier, by design: such texts are compared elsewhere.
  // And what the planner cannot be asked about, or asks at Bind for a name that nobody gave, is refused there.
  const several = kind === 'estimated' ? ['BEGIN; SELECT 2'] : [...SEVERAL, ...NAMED]
  const whole = fc.oneof({ weight: 4, arbitrary: single }, fc.constantFrom<string[]>(...several))
  const parse = fc.tuple(statement, single).map(([name, text]): FrontendMessage => {
    return { kind: 'Parse', statement: name, text, parameterTypes: [] }
  })
  const bind = fc.tuple(portal, statement, fc.constantFrom(0 as const, 1 as const))
  const bound = bind.map(([name, of, format]): FrontendMessage => {
    const formats = { parameterFormats: [], values: [], resultFormats: [format] }
    return { kind: 'Bind', portal: name, statement: of, ...formats }
  })
  const describe = fc.oneof(
    portal.map((name): FrontendMessage => ({ kind: 'Describe', target: 'portal', name })),
    statement.map((name): FrontendMessage => ({ kind: 'Describe', target: 'statement', name })),
  )
  const execute = fc.tuple(portal, fc.constantFrom(0, 0, 0, 1, 2))
  const executed = execute.map(([name, maxRows]): FrontendMessage => {
    return { kind: 'Execute', portal: name, maxRows }
  })
  const close = fc.oneof(
    portal.map((name): FrontendMessage => ({ kind: 'Close', target: 'portal', name })),
    statement.map((name): FrontendMessage => ({ kind: 'Close', target: 'statement', name })),
  )
  const one = (message: FrontendMessage): Step => [message]
  return fc.oneof(
    { weight: 4, arbitrary: whole.map((text): Step => [{ kind: 'Query', text }]) },
    { weight: 3, arbitrary: parse.map(one) },
    { weight: 3, arbitrary: bound.map(one) },
    { weight: 2, arbitrary: describe.map(one) },
    { weight: 3, arbitrary: executed.map(one) },
    { weight: 1, arbitrary: close.map(one) },
    { weight: 3, arbitrary: fc.constant<Step>([{ kind: 'Sync' }]) },
    { weight: 1, arbitrary: fc.constant<Step>([{ kind: 'Flush' }]) },
    { weight: 3, arbitrary: fc.tuple(parse, bound, executed).map((all): Step => all) },
    { weight: 1, arbitrary: copyIn },
    { weight: 1, arbitrary: fc.constantFrom(...MALFORMED).map((frame): Step => [frame]) },
  )
}

/** So that nothing later runs the COPY again without sending its data. */
const AFTER_COPY: Step = [
  { kind: 'Sync' },
  { kind: 'Parse', statement: '', text: 'SELECT 1', parameterTypes: [] },
]
const COPY_IN = 'COPY public.log FROM STDIN'
const copyIn = fc
  .tuple(fc.constantFrom('1\n2\n', 'x\n', ''), fc.boolean(), fc.boolean())
  .map(([data, done, simple]): Step => {
    const start: FrontendMessage[] = simple
      ? [{ kind: 'Query', text: COPY_IN }]
      : [
          { kind: 'Parse', statement: '', text: COPY_IN, parameterTypes: [] },
          {
            kind: 'Bind',
            portal: '',
            statement: '',
            parameterFormats: [],
            values: [],
            resultFormats: [],
          },
          { kind: 'Execute', portal: '', maxRows: 0 },
        ]
    return [
      { kind: 'Sync' },
      ...start,
      { kind: 'CopyData', data: Buffer.from(data) },
      done ? { kind: 'CopyDone' } : { kind: 'CopyFail', message: 'no more' },
      ...(simple ? [] : AFTER_COPY),
    ]
  })

const END: Step = [
  { kind: 'Sync' },
  { kind: 'Query', text: 'ROLLBACK' },
  { kind: 'Query', text: 'SELECT count(*), sum(n) FROM public.log' },
  { kind: 'Query', text: "SELECT 'the end'" },
]

const databases = new Map<string, TestDatabase>()
const gateways = new Map<Kind, TestGateway>()
const tokens = new Map<Kind, string>()

async function database(name: string): Promise<TestDatabase> {
  const made = await usePostgres()
  databases.set(name, made)
  await made.sql(SCHEMA)
  return made
}

beforeAll(async () => {
  await database('direct')
  for (const kind of Object.keys(POLICIES) as Kind[]) {
    const upstream = await database(kind)
    if (kind === 'refusing') await upstream.sql('CREATE TABLE public.vault (n int)')
    const gateway = await startTestGateway({
      upstream,
      database: upstream.database,
      connection: 'trial',
      via: 'tcp',
      policies: [POLICIES[kind]],
    })
    gateways.set(kind, gateway)
    tokens.set(kind, await gateway.token())
  }
})
afterAll(async () => {
  for (const gateway of gateways.values()) await gateway.close()
  for (const one of databases.values()) await one.drop()
})

/** Frames as text; what may differ (values that come from a clock, places in server sources) is left out. */
function transcript(kind: Kind, frames: readonly Frame[]): string[] {
  return frames.map(({ type, message, bytes }) => {
    if (message.kind === 'RowDescription') {
      const fields = message.fields.map(({ tableOid, ...field }) => ({
        ...field,
        own: tableOid > 0,
      }))
      return `${type} ${JSON.stringify(fields)}`
    }
    if (message.kind !== 'ErrorResponse' && message.kind !== 'NoticeResponse') {
      return `${type} ${bytes.toString('latin1', 5)}`
    }
    const { severity, sqlstate, message: text, position } = message.fields
    // In a failed transaction the server says so whatever it is asked; the gateway says what it refuses.
    const refusal =
      sqlstate === '42501' ||
      /relation "public.vault" does not exist/.test(text) ||
      (kind !== 'open' && /^(25P02|34000|26000)$/.test(sqlstate))
    if (refusal) return `${type} refused`
    // Values in words of the server are withheld from a principal under masks.
    const said = kind === 'masked' ? text.replace(/"[^"]*"/g, '""') : text
    return `${type} ${severity} ${sqlstate} ${said} ${position ?? ''}`
  })
}

/** A Sync before each Query that would come inside a segment: no driver mixes them, and the server is not sure. */
function synced(messages: readonly Message[]): Message[] {
  let open = false
  return messages.flatMap((message): Message[] => {
    const kind = Buffer.isBuffer(message) ? kindOf(message) : message.kind
    const inside = open && kind === 'Query'
    open = !['Query', 'Sync', 'CopyData', 'CopyDone', 'CopyFail'].includes(kind)
    return inside ? [{ kind: 'Sync' }, message] : [message]
  })
}

function kindOf(frame: Malformed): string {
  return frame[0] === 0x51 ? 'Query' : frame[0] === 0x53 ? 'Sync' : 'other'
}

async function run(
  kind: Kind,
  wire: WireClient,
  of: TestDatabase,
  steps: readonly Step[],
  split: number,
): Promise<string[]> {
  await of.sql('TRUNCATE public.log')
  const all = synced([...steps, END].flat())
  // As one write, or in pieces with a turn between: what is answered must not depend on it.
  for (let at = 0; at < all.length; at += split) {
    const some = all.slice(at, at + split)
    wire.write(Buffer.concat(some.map((one) => (Buffer.isBuffer(one) ? one : encodeFrontend(one)))))
    if (split < all.length) await new Promise((resolve) => setImmediate(resolve))
  }
  const isEnd = ({ message }: Frame): boolean =>
    message.kind === 'DataRow' && message.values[0]?.toString() === 'the end'
  return transcript(kind, await wire.until(isEnd))
}

function openThrough(kind: Kind): Promise<WireClient> {
  const gateway = gateways.get(kind) as TestGateway
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'trial',
    password: tokens.get(kind) ?? '',
    database: gateway.connection,
  })
}

test.each(
  [...MALFORMED, ...MALFORMED_ALONE].map((frame) => [frame.toString('hex'), frame] as const),
)('a malformed message is answered as by the server: %s', async (_, frame) => {
  const [direct, upstream] = [databases.get('direct'), databases.get('open')]
  if (direct === undefined || upstream === undefined) throw new Error('not set up')
  await using plain = await WireClient.connect({ ...direct, ...direct.superuser })
  await using guarded = await openThrough('open')
  const steps: Step[] = [
    [{ kind: 'Query', text: 'BEGIN' }],
    [{ kind: 'Parse', statement: '', text: 'SELECT $1::int', parameterTypes: [] }],
    ...[[{ kind: 'Sync' } as const], [frame], [{ kind: 'Sync' } as const]],
    [{ kind: 'Describe', target: 'statement', name: '' }],
  ]
  const expected = await run('open', plain, direct, steps, 1000)
  expect(await run('open', guarded, upstream, steps, 1000)).toEqual(expected)
})

test('a Query amid the data of a COPY ends the connection, and the COPY, as the server does', async () => {
  const [direct, upstream] = [databases.get('direct'), databases.get('open')]
  if (direct === undefined || upstream === undefined) throw new Error('not set up')
  await using plain = await WireClient.connect({ ...direct, ...direct.superuser })
  await using guarded = await openThrough('open')
  for (const [wire, of] of [
    [plain, direct],
    [guarded, upstream],
  ] as const) {
    await of.sql('TRUNCATE public.log')
    wire.send({ kind: 'Query', text: COPY_IN }, { kind: 'CopyData', data: Buffer.from('1\n') })
    wire.send({ kind: 'Query', text: 'SELECT 1' })
    const last = (await wire.replies()).at(-1)?.message
    expect(last).toMatchObject({ fields: { severity: 'FATAL', sqlstate: '08P01' } })
    // Waits for the COPY's transaction to end.
    await of.sql('BEGIN; LOCK TABLE public.log; COMMIT')
    expect(await of.sql('SELECT * FROM public.log')).toEqual([])
  }
})

describe.each(Object.keys(POLICIES) as Kind[])('%s', (kind) => {
  test('a pipeline is answered through the gateway as by the server', {
    timeout: 60_000 + RUNS * 500,
  }, async () => {
    const [direct, upstream] = [databases.get('direct'), databases.get(kind)]
    if (direct === undefined || upstream === undefined) throw new Error('not set up')
    const steps = fc.array(stepsOf(kind), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(1, 3, 1000), async (pipeline, split) => {
        await using plain = await WireClient.connect({ ...direct, ...direct.superuser })
        await using guarded = await openThrough(kind)
        const expected = await run(kind, plain, direct, pipeline, split)
        expect(await run(kind, guarded, upstream, pipeline, split)).toEqual(expected)
      }),
      { numRuns: RUNS },
    )
  })
})
