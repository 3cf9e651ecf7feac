import { expect, test } from 'vitest'
import type { CatalogFunction } from '../../catalog.ts'
import { catalogOf, factsOf, outputsText, RELATIONS, userFunction } from '../fixtures.ts'

const made = (
  name: string,
  parameters: string,
  body: string,
  { language = 'sql', ...more }: Partial<CatalogFunction> = {},
): CatalogFunction => {
  const count = parameters === '' ? 0 : parameters.split(',').length
  const least = parameters.split(',').filter((one) => one !== '' && !/DEFAULT/.test(one)).length
  const as = /^(BEGIN ATOMIC|RETURN)/.test(body) ? body : `AS $b$ ${body} $b$`
  return userFunction(name, {
    language,
    arity: [least, count],
    definition: `CREATE OR REPLACE FUNCTION public.${name}(${parameters}) RETURNS text LANGUAGE ${language} ${as}`,
    ...more,
  })
}

const FUNCTIONS: readonly CatalogFunction[] = [
  made('label', 'a text, b text', `SELECT a || ' / ' || b`),
  made('label1', 'text', 'BEGIN ATOMIC SELECT lower($1); END'),
  made('label2', 'x text', 'RETURN upper(x)'),
  made('optional', `a text, b text DEFAULT 'none'`, 'SELECT a || b'),
  made('nested', 'a text', `SELECT public.label(a, 'x')`),
  made('ssn_of', 'int', 'SELECT ssn FROM public.people WHERE id = $1'),
  made('rich', 'int', 'SELECT count(*) FROM public.people WHERE pay > $1'),
  made(
    'tax',
    'a numeric',
    'DECLARE x numeric := 2; BEGIN IF a > 5 THEN x := x * 2; END IF; RETURN a * x; END',
    { language: 'plpgsql' },
  ),
  made('peeks', 'a text', 'BEGIN RETURN (SELECT ssn FROM public.people LIMIT 1); END', {
    language: 'plpgsql',
  }),
  made('runs', 'a text', 'DECLARE x text; BEGIN EXECUTE a INTO x; RETURN x; END', {
    language: 'plpgsql',
  }),
  made('writes', 'a text', 'INSERT INTO public.orders (note) VALUES (a) RETURNING note'),
  made('two', 'a text', 'SELECT 1; SELECT a'),
  made('calls', 'a text', 'SELECT public.secret(a)'),
  made('twice', 'a text', 'SELECT a'),
  made('twice', 'a int', 'SELECT a::text'),
  made('apart', 'a text', 'SELECT a'),
  made('apart', 'a text, b text', 'SELECT b'),
  made('itself', 'a text', 'SELECT public.itself(a)'),
  made('settled', 'a text', 'SELECT a', {
    definition: `CREATE FUNCTION public.settled(a text) RETURNS text LANGUAGE sql SET search_path TO other AS 'SELECT a'`,
  }),
  userFunction('secret'),
]
const catalog = catalogOf(RELATIONS, FUNCTIONS)

test.each([
  ['select label(name, email) from people', 'label~people.name,people.email', 'pure'],
  ['select label1(ssn) from people', 'label1~people.ssn', 'pure'],
  ['select label2(ssn) from people', 'label2~people.ssn', 'pure'],
  ['select optional(ssn) from people', 'optional~people.ssn', 'pure'],
  ['select nested(ssn) from people', 'nested~people.ssn', 'pure'],
  ['select tax(pay) from people', 'tax~people.pay', 'pure'],
  ['select apart(name) from people', 'apart~people.name', 'pure'],
  ['select apart(name, email) from people', 'apart~people.email', 'pure'],
  ['select ssn_of(1)', 'ssn_of~people.ssn', 'opaque'],
  ["select label('a', 'b')", 'label-', 'pure'],
])('%s gives %s', (text, outputs, purity) => {
  const facts = factsOf(text, { catalog })
  expect(outputsText(facts)).toBe(outputs)
  expect(facts.functions.at(0)).toMatchObject({ purity, known: true })
})

test.each(
  'peeks runs writes two calls twice itself settled'.split(' ').map((name) => [name] as const),
)('%s is opaque', (name) => {
  const facts = factsOf(`select ${name}(note) from orders`, { catalog })
  expect(outputsText(facts)).toMatch(/^\w+\?/)
  expect(facts.functions.some(({ purity, known }) => purity === 'opaque' && known !== true)).toBe(
    true,
  )
})

test('what a body looks for is used by the statement', () => {
  const { uses } = factsOf('select rich(5)', { catalog })
  expect(uses.map(({ column, context }) => `${column.column} ${context}`)).toContain(
    'pay predicate',
  )
})

test('a temporary relation may be what a body reads', () => {
  const temporaries = new Map([['people', ['ssn']]])
  const other = made('bare', '', 'SELECT ssn FROM people')
  const facts = factsOf('select bare()', {
    catalog: catalogOf(RELATIONS, [other]),
    names: { temporaries },
  })
  expect(outputsText(facts)).toMatch(/\?/)
})
