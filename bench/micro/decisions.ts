/**
 * What a statement costs that has been decided before, by its bytes and by its text without literals; and one that has not
 * been, beside what parsing it costs.
 */
import { DecisionContext, PostgresTexts } from '@sallyport/gateway'
import { compilePolicy, formatPolicyError, viewFor } from '@sallyport/policy'
import { PostgresReader } from '@sallyport/sql'
import { Parser } from '../../packages/sql/src/postgres/parse.ts'
import { ratios, suite } from './suite.ts'
import { CATALOG, NAMES, TEXTS } from './texts.ts'

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
ratios(
  'Decisions made anew, times the parse alone',
  Object.entries(fresh).map(([name, text]) => ({
    name,
    base: (i: number) => parser.parse(text(1000 + i)),
    run: (i: number) => {
      const bytes = text(1000 + i)
      const context = new DecisionContext(view, CATALOG)
      const { decided } = context.decide(reader, {
        bytes,
        text: bytes,
        names: NAMES,
        readable: true,
        now: 0,
      })
      if (decided.verdict.kind !== 'allow') throw new Error(`the policy refuses the ${name} text`)
    },
  })),
)
