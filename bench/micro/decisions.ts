/**
 * What a statement costs that has been decided before, by its bytes and by its text without literals; and one that has not
 * been, beside what parsing it costs.
 */
import { DecisionContext, PostgresTexts } from '@sallyport/gateway'
import { compilePolicy, formatPolicyError, viewFor } from '@sallyport/policy'
import { MysqlReader, PostgresReader, parseMysql } from '@sallyport/sql'
import type { TextReader } from '../../packages/gateway/src/session/decisions.ts'
import { MysqlSessionNames } from '../../packages/gateway/src/session/mysql/names.ts'
import { MysqlTexts } from '../../packages/gateway/src/session/mysql/texts.ts'
import { Parser } from '../../packages/sql/src/postgres/parse.ts'
import { ratios, suite } from './suite.ts'
import { CATALOG, MYSQL, NAMES, TEXTS } from './texts.ts'

const POLICY = `version: 1
rules:
  - name: reads
    who: everyone
    allow: { effects: [read], relations: ['public.*'] }
masks:
  - columns: [public.customers.card]
    with: redact
`
const VARIANTS = 512

const compiled = compilePolicy([{ path: 'bench.yaml', text: POLICY }])
if (compiled.kind !== 'policy') throw new Error(compiled.errors.map(formatPolicyError).join('\n'))
const subject = {
  subject: 'bench',
  kind: 'machine',
  groups: [],
  role: null,
  graph: null,
  node: null,
  run: null,
  claims: {},
} as const
const reader = new PostgresTexts(await PostgresReader.create(), console.error)

const cases = Object.entries(TEXTS).flatMap(([size, text]) => {
  const context = new DecisionContext(viewFor(compiled.policy, subject, 'crm'), CATALOG)
  const ask = (bytes: string) =>
    context.decide(reader, { bytes, text: bytes, names: NAMES, readable: true, now: 0 })
  const known = Buffer.from(text(0))
  if (ask(known.toString('latin1')).decided.verdict.kind !== 'allow') {
    throw new Error(`the benchmark's policy refuses its ${size} text`)
  }
  // Some literals are part of what is decided (LIMIT's): such a text is analysed whenever they differ.
  const normalised = ask(text(1)).from === 'fingerprint'
  const frames = Array.from({ length: VARIANTS }, (_, i) => Buffer.from(text(1000 + i)))
  return [
    {
      name: `known bytes, ${size}`,
      run: () => {
        if (context.exact(known.toString('latin1')) === undefined) throw new Error('forgotten')
      },
    },
    {
      name: `known but for a literal${normalised ? '' : ' that counts'}, ${size}`,
      run: (i: number) => {
        const { from } = ask((frames[i % VARIANTS] as Buffer).toString('latin1'))
        if (normalised !== (from === 'fingerprint')) throw new Error(`decided from ${from}`)
      },
    },
  ]
})

await suite('Decisions remembered', cases)

const parser = await Parser.create()
const view = viewFor(compiled.policy, subject, 'crm')
const fresh = {
  ...TEXTS,
  'medium, masked column': (n: number) => TEXTS.medium(n).replace('c.name', 'c.card'),
  'medium, withheld column': (n: number) =>
    TEXTS.medium(n).replace('c.name', 'c.card::int % 10 AS k'),
}
/** Everything that a text costs which is met for the first time: keys, parse, facts, verdict, masks. */
function decideAnew<Names>(reader: TextReader<Names>, names: Names, bytes: string): void {
  const context = new DecisionContext(view, CATALOG)
  const { decided } = context.decide(reader, { bytes, text: bytes, names, readable: true, now: 0 })
  if (decided.verdict.kind === 'deny') throw new Error(`${decided.verdict.message}: ${bytes}`)
}

ratios(
  'Decisions made anew, times the parse alone: PostgreSQL',
  Object.entries(fresh).map(([name, text]) => ({
    name,
    base: (i: number) => parser.parse(text(1000 + i)),
    run: (i: number) => decideAnew(reader, NAMES, text(1000 + i)),
  })),
)

const mysqlReader = new MysqlTexts(new MysqlReader(), console.error)
const mysqlNames = new MysqlSessionNames(
  {
    version: { flavour: MYSQL.flavour, major: 9, minor: 7, patch: 4 },
    charset: 'utf8mb4',
    collation: 255,
    database: 'public',
  },
  () => true,
)
mysqlNames.answered(['', 'public', 'utf8mb4'])
const { short, medium, '20 columns, 4 joins': joins } = TEXTS
ratios(
  'Decisions made anew, times the parse alone: MySQL',
  Object.entries({ short, medium, '20 columns, 4 joins': joins }).map(([name, text]) => ({
    name,
    base: (i: number) => parseMysql(text(1000 + i), MYSQL),
    run: (i: number) => decideAnew(mysqlReader, mysqlNames, text(1000 + i)),
  })),
)
