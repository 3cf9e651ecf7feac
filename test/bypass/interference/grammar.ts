/**
 * A grammar of statements over the tables of world.sql: typed expressions, every clause of SELECT, subqueries,
 * CTEs, set operations, data-modifying statements. Most of what it makes is valid SQL; what it makes may be
 * refused, but what is accepted must not tell the two worlds apart.
 *
 * Constants are none of the values of either world: whether a value equals a constant may be asked.
 */
import fc, { type Arbitrary } from 'fast-check'

type Type = 'text' | 'int' | 'num' | 'date' | 'bool' | 'json' | 'array'

interface Column {
  readonly name: string
  readonly type: Type
}
interface Source {
  /** As in FROM, with its alias. */
  readonly text: string
  readonly alias: string
  readonly columns: readonly Column[]
}

const columns = (text: string): readonly Column[] =>
  text.split(' ').map((word) => {
    const [name = '', type = 'text'] = word.split(':')
    return { name, type: type as Type }
  })

/** `active` and `mood` are left out: of so few values, equality tells all. */
const RELATIONS: Readonly<Record<string, readonly Column[]>> = {
  people: columns(
    'id:int city note dept_id:int ssn email phone salary:int big:int balance:num score:num born:date profile:json tags:array nums:array iban',
  ),
  people_view: columns('id:int x city'),
  people_view2: columns('id:int y'),
  people_expr_view: columns('id:int y k:int'),
  people_mat: columns('id:int x salary:int city'),
  people_generated: columns('id:int ssn shout backwards'),
  people_union: columns('id:int v'),
  people_invoker: columns('id:int city ssn email salary:int'),
  people_child: columns('id:int city ssn extra'),
  parted: columns('id:int ssn'),
  accounts: columns('id:int owner_ssn opened:date'),
  cards: columns('number person_id:int'),
  payments: columns('id:int card amount:num'),
  notes: columns('id:int body n:num doc:json list:array'),
  dept: columns('id:int name'),
}

const CONSTANTS: Readonly<Record<Type, readonly string[]>> = {
  text: ["'q'", "''", "'kq%'", "'Q'", "'-'"],
  int: ['1000', '2345', '30000', '-1500'],
  num: ['1234.5', '0.25', '-1001'],
  date: ["date '2001-02-03'", "date '1977-12-01'"],
  bool: ['true', 'false'],
  json: [`'{"q": 1}'::jsonb`, "'[]'::jsonb"],
  array: ["ARRAY['q']", "'{}'::text[]"],
}

const pick = <T>(list: readonly T[]): Arbitrary<T> => fc.constantFrom(...list)

/** Expressions by the type they give; `#text` stands for one of that type. */
const FORMS: Readonly<Record<Type, readonly string[]>> = {
  text: [
    'upper(#text)',
    'reverse(#text)',
    'left(#text, 3)',
    'substr(#text, 2, 4)',
    "#text || '-'",
    '#text || #text',
    'md5(#text)',
    'coalesce(#text, #text)',
    "nullif(#text, 'q')",
    'CASE WHEN #bool THEN #text ELSE #text END',
    '(#int)::text',
    '(#date)::text',
    '(#json)::text',
    "#json ->> 'phone'",
    'greatest(#text, #text)',
    "replace(#text, 'g', 'h')",
    "split_part(#text, 'g', 1)",
    "array_to_string(#array, ',')",
    '(#array)[1]',
    '(#text)::varchar(5)',
    'concat(#text, #int)',
    "translate(#text, 'g', 'q')",
    "regexp_replace(#text, '^g', 'q')",
    "lpad(#text, 12, '.')",
    "to_char(#num, '999999')",
    'quote_literal(#text)',
    '(SELECT #text)',
    "format('%s', #text)",
    'btrim(#text)',
    "encode(sha256(convert_to(#text, 'UTF8')), 'hex')",
  ],
  int: [
    'length(#text)',
    'ascii(#text)',
    "strpos(#text, 'g')",
    '#int + 1',
    '#int % 7',
    'abs(#int)',
    '-(#int)',
    'cardinality(#array)',
    'coalesce(#int, 1000)',
    'hashtext(#text)',
    'CASE WHEN #bool THEN #int ELSE 1000 END',
    '(#bool)::int',
    'octet_length(#text)',
    "position('g' in #text)",
    'extract(year from #date)::int',
    'nullif(#int, 1000)',
    '#int / 1000',
    "regexp_count(#text, '[gh]')",
  ],
  num: [
    '#num + 1',
    '#num * 2',
    'round(#num, 1)',
    '(#int)::numeric',
    'coalesce(#num, 0)',
    'sqrt(abs(#num))',
    '#num / 3',
    'trunc(#num)',
    'greatest(#num, 0.25)',
  ],
  date: [
    "date_trunc('month', #date)::date",
    '#date + 1',
    'coalesce(#date, current_date)',
    'greatest(#date, #date)',
    "(#date + interval '1 day')::date",
  ],
  bool: [
    '#text = #const_text',
    '#text <> #const_text',
    '#int = #const_int',
    '#text IS NULL',
    '#int IS NOT NULL',
    '#text = #text',
    '#int = #int',
    "#text LIKE 'g%'",
    '#text < #text',
    '#int > 1000',
    '#num > 0',
    '#int BETWEEN 1 AND 2000',
    '#date > #const_date',
    "#text ~ '^[g-k]'",
    'NOT (#bool)',
    '(#bool AND #bool)',
    '(#bool OR #bool)',
    '#text IN (#const_text, #const_text)',
    '#int IN (#const_int, 1001)',
    '#text = ANY (ARRAY[#const_text])',
    "'q' = ANY (#array)",
    '#json @> #const_json',
    "#json ? 'phone'",
    'starts_with(#text, #const_text)',
    '#text IS DISTINCT FROM #const_text',
    '(#bool) IS TRUE',
    '#text IS NOT DISTINCT FROM #text',
    '(#text, #int) = (#const_text, #const_int)',
  ],
  json: [
    'to_jsonb(#text)',
    "jsonb_build_object('k', #text)",
    "#json -> 'list'",
    '#json || #const_json',
    "#json - 'n'",
    'coalesce(#json, #const_json)',
    'jsonb_build_array(#int, #text)',
  ],
  array: [
    'ARRAY[#text, #text]',
    "string_to_array(#text, 'g')",
    '#array || #array',
    'array_append(#array, #text)',
    'coalesce(#array, #const_array)',
    '(#array)[1:1]',
    "regexp_split_to_array(#text, 'g')",
  ],
}

const AGGREGATES: readonly string[] = [
  'count(*)',
  'count(#text)',
  'count(DISTINCT #int)',
  'max(#text)',
  'min(#int)',
  'sum(#num)',
  'avg(#int)',
  "string_agg(#text, ',' ORDER BY #int)",
  'array_agg(#int ORDER BY #text)',
  'bool_or(#bool)',
  'count(*) FILTER (WHERE #bool)',
  'jsonb_agg(#text)',
  'percentile_disc(0.5) WITHIN GROUP (ORDER BY #int)',
  'mode() WITHIN GROUP (ORDER BY #text)',
  'any_value(#text)',
  'every(#bool)',
  'count(nullif(#text, #const_text))',
]
const WINDOWS: readonly string[] = [
  'row_number() OVER (ORDER BY #int)',
  'rank() OVER (PARTITION BY #text ORDER BY #int)',
  'lag(#text) OVER (ORDER BY #int)',
  'count(*) OVER (PARTITION BY #text)',
  'first_value(#int) OVER (ORDER BY #text)',
  'sum(#num) OVER (ORDER BY #int)',
  'ntile(2) OVER (ORDER BY #int)',
  'max(#text) OVER ()',
]

/** An expression of a type over the columns in sight; `depth` bounds its nesting. */
function expression(type: Type, scope: readonly Source[], depth: number): Arbitrary<string> {
  const named = scope.flatMap(({ alias, columns: all }) =>
    all.filter((column) => column.type === type).map((column) => `${alias}.${column.name}`),
  )
  const leaves = [...named.map((name) => fc.constant(name)), pick(CONSTANTS[type])]
  if (depth === 0) return fc.oneof(...leaves)
  const deeper = pick(FORMS[type]).chain((form) => filled(form, scope, depth - 1))
  return fc.oneof({ weight: 4, arbitrary: fc.oneof(...leaves) }, { weight: 3, arbitrary: deeper })
}

const HOLE = /#(const_)?(text|int|num|date|bool|json|array)/g

function filled(form: string, scope: readonly Source[], depth: number): Arbitrary<string> {
  const holes = [...form.matchAll(HOLE)].map(([, constant, type]) =>
    constant === undefined ? expression(type as Type, scope, depth) : pick(CONSTANTS[type as Type]),
  )
  return fc.tuple(...holes).map((values) => {
    let index = 0
    return form.replaceAll(HOLE, () => String(values[index++]))
  })
}

const anyExpression = (scope: readonly Source[], depth: number): Arbitrary<string> =>
  pick(['text', 'text', 'int', 'num', 'date', 'bool', 'json', 'array'] as const).chain((type) =>
    expression(type, scope, depth),
  )

function relation(alias: string): Arbitrary<Source> {
  return pick(Object.keys(RELATIONS)).map((name) => ({
    text: `${name} ${alias}`,
    alias,
    columns: RELATIONS[name] ?? [],
  }))
}

/** A query in FROM: its columns are `c1`, `c2`, ... */
function derivedTable(alias: string, depth: number): Arbitrary<Source> {
  return relation(`${alias}_i`).chain((source) =>
    fc
      .tuple(
        fc.array(
          pick(['text', 'int', 'num', 'bool'] as const).chain((type) =>
            expression(type, [source], depth).map((text) => ({ type, text })),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        tail([source], depth),
        pick(['', '', 'LATERAL ']),
      )
      .map(([targets, rest, lateral]) => ({
        text: `${lateral}(SELECT ${targets.map(({ text }, i) => `${text} AS c${i + 1}`).join(', ')} FROM ${source.text}${rest}) ${alias}`,
        alias,
        columns: targets.map(({ type }, i) => ({ name: `c${i + 1}`, type })),
      })),
  )
}

const source = (alias: string, depth: number): Arbitrary<Source> =>
  fc.oneof(
    { weight: 4, arbitrary: relation(alias) },
    { weight: depth > 0 ? 1 : 0, arbitrary: derivedTable(alias, Math.max(0, depth - 1)) },
  )

/** One or two sources, with how they are joined. */
function from(
  depth: number,
): Arbitrary<{ readonly text: string; readonly scope: readonly Source[] }> {
  const one = source('t', depth).map((s) => ({ text: s.text, scope: [s] as readonly Source[] }))
  const two = fc.tuple(source('t', depth), source('u', depth)).chain(([t, u]) =>
    fc
      .tuple(pick(['JOIN', 'LEFT JOIN', 'FULL JOIN', 'cross']), expression('bool', [t, u], 1))
      .map(([kind, condition]) => ({
        text:
          kind === 'cross' ? `${t.text}, ${u.text}` : `${t.text} ${kind} ${u.text} ON ${condition}`,
        scope: [t, u] as readonly Source[],
      })),
  )
  return fc.oneof({ weight: 3, arbitrary: one }, { weight: 2, arbitrary: two })
}

/** WHERE, and what cuts or orders the rows. */
function tail(scope: readonly Source[], depth: number): Arbitrary<string> {
  return fc
    .tuple(
      fc.option(expression('bool', scope, depth), { nil: null, freq: 2 }),
      fc.option(anyExpression(scope, Math.min(1, depth)), { nil: null, freq: 4 }),
      pick(['', '', '', ' LIMIT 3', ' LIMIT 2 OFFSET 1']),
    )
    .map(([where, order, limit]) =>
      [
        where === null ? '' : ` WHERE ${where}`,
        // Which rows come first is asked only where an order is: else the plan says, and plans differ.
        order === null ? '' : ` ORDER BY ${order}, 1${limit}`,
      ].join(''),
    )
}

function plainSelect(depth: number): Arbitrary<string> {
  return from(depth).chain(({ text, scope }) =>
    fc
      .tuple(
        fc.array(
          fc.oneof(
            { weight: 5, arbitrary: anyExpression(scope, depth) },
            { weight: 1, arbitrary: pick(WINDOWS).chain((form) => filled(form, scope, 1)) },
            {
              weight: 1,
              arbitrary: pick([
                ...scope.map(({ alias }) => `${alias}.*`),
                ...scope.map(({ alias }) => alias),
                '*',
              ]),
            },
            { weight: 1, arbitrary: scalar(scope) },
          ),
          { minLength: 1, maxLength: 3 },
        ),
        pick(['', '', '', '', 'DISTINCT ']),
        tail(scope, depth),
      )
      .map(
        ([targets, distinct, rest]) =>
          `SELECT ${distinct}${targets.join(', ')} FROM ${text}${rest}`,
      ),
  )
}

function groupedSelect(depth: number): Arbitrary<string> {
  return from(depth).chain(({ text, scope }) =>
    fc
      .tuple(
        fc.option(anyExpression(scope, 1), { nil: null }),
        fc.array(
          pick(AGGREGATES).chain((form) => filled(form, scope, 1)),
          { minLength: 1, maxLength: 2 },
        ),
        fc.option(expression('bool', scope, 1), { nil: null }),
        fc.option(
          pick(['count(*) > 1', 'max(1) = 1', 'bool_and(#bool)', "max(#text) > 'm'"]).chain(
            (form) => filled(form, scope, 1),
          ),
          { nil: null, freq: 3 },
        ),
      )
      .map(([key, aggregates, where, having]) =>
        [
          `SELECT ${[...(key === null ? [] : [key]), ...aggregates].join(', ')} FROM ${text}`,
          where === null ? '' : ` WHERE ${where}`,
          key === null ? '' : ' GROUP BY 1',
          having === null ? '' : ` HAVING ${having}`,
        ].join(''),
      ),
  )
}

/** A subquery as an expression over what is in sight. */
function scalar(scope: readonly Source[]): Arbitrary<string> {
  return relation('s').chain((inner) =>
    fc
      .tuple(
        pick([
          '(SELECT # FROM ^ LIMIT 1)',
          'EXISTS (SELECT 1 FROM ^)',
          'ARRAY(SELECT # FROM ^)',
          '(SELECT count(*) FROM ^)',
          '(SELECT max(#) FROM ^)',
          "'q' IN (SELECT #::text FROM ^)",
        ]),
        expression('text', [inner, ...scope], 1),
        fc.option(expression('bool', [inner, ...scope], 1), { nil: null }),
      )
      .map(([form, target, where]) =>
        form
          .replace('#', target)
          .replace('^', `${inner.text}${where === null ? '' : ` WHERE ${where}`}`),
      ),
  )
}

function setOperation(depth: number): Arbitrary<string> {
  const branch = from(0).chain(({ text, scope }) =>
    fc
      .tuple(
        expression('text', scope, depth),
        expression('int', scope, depth),
        fc.option(expression('bool', scope, 1), { nil: null }),
      )
      .map(
        ([a, b, where]) =>
          `SELECT ${a}, ${b} FROM ${text}${where === null ? '' : ` WHERE ${where}`}`,
      ),
  )
  return fc
    .tuple(branch, pick(['UNION ALL', 'UNION', 'INTERSECT', 'EXCEPT', 'EXCEPT ALL']), branch)
    .map(([a, operation, b]) => `${a} ${operation} ${b}`)
}

function withCte(depth: number): Arbitrary<string> {
  return fc
    .tuple(
      plainSelect(0),
      pick(['', 'MATERIALIZED ', 'NOT MATERIALIZED ']),
      derivedTable('t', depth),
    )
    .map(
      ([inner, kind, outer]) =>
        `WITH c AS ${kind}(${inner}), d AS (SELECT * FROM ${outer.text}) SELECT d.*, (SELECT count(*) FROM c) FROM d`,
    )
}

/** Inside a transaction that is rolled back. */
function change(depth: number): Arbitrary<string> {
  const target = pick(['people', 'notes', 'accounts']).map(
    (name): Source => ({ text: `${name} t`, alias: 't', columns: RELATIONS[name] ?? [] }),
  )
  return target.chain((t) => {
    const settable = t.columns.filter(({ name }) => name !== 'id')
    const assignment = pick(settable).chain(({ name, type }) =>
      expression(type, [t], depth).map((value) => `${name} = ${value}`),
    )
    const where = fc.option(expression('bool', [t], depth), { nil: null, freq: 4 })
    const returning = fc.option(anyExpression([t], depth), { nil: null })
    const end = ([condition, back]: [string | null, string | null]): string =>
      `${condition === null ? '' : ` WHERE ${condition}`}${back === null ? '' : ` RETURNING t.id, ${back}`}`
    return fc.oneof(
      fc
        .tuple(assignment, where, returning)
        .map(([set, w, r]) => `UPDATE ${t.text} SET ${set}${end([w, r])}`),
      fc.tuple(where, returning).map((rest) => `DELETE FROM ${t.text}${end(rest)}`),
      fc
        .tuple(
          relation('s').chain((s) => fc.tuple(fc.constant(s), expression('text', [s], depth))),
          returning,
        )
        .map(
          ([[s, value]]) =>
            `INSERT INTO notes (id, body) SELECT s.id + 500, ${value} FROM ${s.text} RETURNING body`,
        ),
    )
  })
}

/** Statements; what changes something says so by its first word. */
export function statements(depth = 2): Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: plainSelect(depth) },
    { weight: 4, arbitrary: groupedSelect(depth) },
    { weight: 2, arbitrary: setOperation(1) },
    { weight: 2, arbitrary: withCte(1) },
    { weight: 2, arbitrary: change(1) },
    { weight: 1, arbitrary: plainSelect(1).map((select) => `COPY (${select}) TO STDOUT`) },
  )
}
