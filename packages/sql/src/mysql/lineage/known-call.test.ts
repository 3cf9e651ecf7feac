import { expect, test } from 'vitest'
import {
  catalogOf,
  factsOf,
  outputsText,
  RELATIONS,
  storedFunction,
  usesText,
} from '../facts/fixtures.ts'

const BODIES: Readonly<Record<string, string>> = {
  net: '(`amount` decimal(12,2)) RETURNS decimal(12,2) RETURN ROUND(amount / 1.19, 2)',
  latter: '(`a` text, `b` text) RETURNS text RETURN b',
  orders_of:
    '(`who` bigint) RETURNS int RETURN (SELECT COUNT(*) FROM orders WHERE orders.person = who)',
  ssn_of:
    '(`at` int) RETURNS text BEGIN DECLARE v TEXT; SELECT ssn INTO v FROM people WHERE people.id = at; RETURN v; END',
  earns:
    '(`n` int) RETURNS int BEGIN IF (SELECT pay > n FROM people LIMIT 1) THEN RETURN 1; END IF; RETURN 0; END',
  stepwise: `(\`a\` int) RETURNS int BEGIN
    DECLARE i INT DEFAULT 0; DECLARE sum INT DEFAULT 0;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET i = 99;
    again: WHILE i < a DO SET i = i + 1; IF i = 7 THEN LEAVE again; END IF; SET sum = sum + i; END WHILE;
    CASE sum WHEN 0 THEN SET sum = 1; ELSE REPEAT SET sum = sum - 1; UNTIL sum < 9 END REPEAT; END CASE;
    RETURN sum; END`,
  nested: '(`a` int) RETURNS int RETURN net(a) + 1',
  // Not known.
  looped: '(`a` int) RETURNS int RETURN looped(a)',
  stores: '(`a` text) RETURNS int BEGIN INSERT INTO dept (title) VALUES (a); RETURN 1; END',
  remembers: '(`a` text) RETURNS int BEGIN SET @v = a; RETURN 1; END',
  sets: '(`a` int) RETURNS int BEGIN SET max_sort_length = a; RETURN 1; END',
  raises:
    "(`a` text) RETURNS int BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = a; RETURN 1; END",
  steps: '() RETURNS int BEGIN DECLARE c CURSOR FOR SELECT id FROM dept; OPEN c; RETURN 1; END',
  calls: '() RETURNS int BEGIN CALL p(); RETURN 1; END',
  loads: "() RETURNS text RETURN LOAD_FILE('/etc/passwd')",
  blind: '() RETURNS int RETURN (SELECT COUNT(*) FROM nothing_here)',
  view: '() RETURNS int RETURN (SELECT COUNT(*) FROM contacts)',
  // The server takes the variable.
  hides: '(`ssn` text) RETURNS int RETURN (SELECT COUNT(*) FROM people WHERE ssn = ssn)',
  renames:
    '(`x` text) RETURNS int RETURN (SELECT COUNT(*) FROM (SELECT ssn AS y FROM people) t WHERE y = x)',
  quarter: '(`a` int) RETURNS int RETURN a',
  broken: '(`a` int) RETURNS int RETURN a b c',
}

const functions = Object.entries(BODIES).map(([name, body]) => ({
  ...storedFunction(name),
  definition: `CREATE FUNCTION \`crm\`.\`${name}\`${body}`,
}))
const catalog = catalogOf(RELATIONS, {
  functions: [...functions, storedFunction('secret'), { ...functions[0]!, schema: 'other' }],
})

const analysed = (sql: string) => factsOf(sql, { catalog })

test.each([
  ['select net(total) from orders', 'net(total)~orders.total'],
  ['select crm.net(total) from orders', 'crm.net(total)~orders.total'],
  // Which argument comes back is not looked at.
  ['select latter(1, name) as l from people', 'l~people.name'],
  ['select orders_of(id) from people', 'orders_of(id)~people.id'],
  ['select ssn_of(1) as s', 's~people.ssn'],
  ['select stepwise(id), nested(id) from dept', 'stepwise(id)~dept.id nested(id)~dept.id'],
])('%s', (sql, outputs) => {
  const facts = analysed(sql)
  expect(outputsText(facts)).toBe(outputs)
  expect(facts.state).toEqual([])
  expect(facts.effects).not.toContain('unknown')
  expect(facts.functions.every(({ purity, known }) => purity !== 'opaque' || known)).toBe(true)
})

test('what its conditions test is a use, and every argument may make it fail', () => {
  expect(usesText(analysed('select net(pay) from people'))).toBe('people.pay failure')
  expect(usesText(analysed('select earns(5)'))).toContain('people.pay predicate')
  expect(usesText(analysed('select ssn_of(5)'))).toContain('people.ssn failure')
})

test('one that reads tables needs leave by its name', () => {
  const facts = analysed('select orders_of(1)')
  expect(facts.functions).toContainEqual({
    schema: 'crm',
    name: 'orders_of',
    purity: 'opaque',
    known: true,
  })
  expect(facts.relations).toMatchObject([{ name: 'orders', access: 'read' }])
  expect(facts.effects).toEqual(['read', 'procedural'])
})

test.each([
  'looped(1)',
  "stores('a')",
  "remembers('a')",
  'sets(1)',
  "raises('a')",
  'steps()',
  'calls()',
  'loads()',
  'blind()',
  'view()',
  "hides('a')",
  "renames('a')",
  // A native one is meant.
  'quarter(1)',
  'broken(1)',
  'secret(1)',
  'net(1, 2)',
  'other.net(1)',
])('not known: %s', (call) => {
  const { functions: uses } = analysed(`select ${call}`)
  const [name = ''] = call.replace('other.', '').split('(')
  const opaque = uses.filter((use) => use.purity === 'opaque' && use.known !== true)
  if (call === 'other.net(1)') expect(opaque).toEqual([])
  else expect(opaque).toMatchObject([{ name }])
})

test('where the database is not certain, which function is meant is not either', () => {
  const { functions: uses } = factsOf('select net(1)', {
    catalog,
    names: { databaseCertain: false },
  })
  expect(uses).toMatchObject([{ name: 'net', purity: 'opaque' }])
})

test('bodies are not looked into in views: whether they are the same is asked of statements', () => {
  const viewing = catalogOf(
    [
      ...RELATIONS,
      {
        ...RELATIONS[3]!,
        name: 'calling',
        definition: 'select `crm`.`net`(1) AS `id`,2 AS `mail`',
      },
    ],
    { functions },
  )
  expect(outputsText(factsOf('select id from calling', { catalog: viewing }))).toBe('id?')
})
