import type { ColumnUse, Flow, StatementFacts } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import type { MaskSpec } from './masks/spec.ts'
import { mergePlan, planFor } from './plan.ts'
import { probesSpent } from './probes.ts'
import {
  changing,
  column,
  derived,
  direct,
  facts,
  judge,
  outcome,
  policyOf,
  selecting,
  use,
  viewOf,
} from './testing.ts'
import { viewFor } from './view.ts'
import { checkBind, isPlaceholder } from './write-back.ts'

const policy = policyOf(`
rules:
  - name: all
    who: everyone
    allow: { effects: ['*', unknown], relations: ['*', '@catalog-data', '@temporary'], functions: ['*'], settings: ['*'] }
masks:
  - { name: email, columns: [public.customers.email], with: email, except: { groups: [dba] } }
  - { name: ssn, columns: ['*.*.ssn'], with: redact, derived: deny, predicates: deny }
  - { name: last four, columns: [public.payments.card_number], with: { partial: { keep-last: 4 } } }
  - { name: cards, columns: ['*.vault.*'], with: redact }
  - { name: safe, columns: ['*.safe.*'], with: redact, predicates: deny }
  - { name: backup, columns: [backup.customers.email], with: email, except: { groups: [dba, interns] } }
  - { name: twin, columns: [twin.customers.email], with: email, except: { groups: [dba] } }
  - { name: open, columns: [public.customers.city], with: { partial: { keep-first: 1 } }, predicates: open }
trusted-functions: [public.safe_fn]
`)
const OPEN = `
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }
`
const view = viewOf(policy)
const EMAIL = 'public.customers.email'
const SSN = 'public.customers.ssn'

const kinds = (statement: StatementFacts): readonly (string | null)[] => {
  const verdict = judge(view, statement)
  if (verdict.kind !== 'allow') throw new Error(JSON.stringify(verdict))
  return verdict.results[0]?.columns.map((mask) => mask?.spec.kind ?? null) ?? []
}

describe('how much is stored', () => {
  const rows = 'information_schema.TABLES.TABLE_ROWS'

  test('is shown to nobody under masks, by itself or in what is computed from it', () => {
    expect(kinds(selecting(direct(rows), derived(rows), direct('public.customers.id')))).toEqual([
      'null',
      'null',
      null,
    ])
  })

  test('may not be searched by', () => {
    const use = { column: column(rows), context: 'predicate' } as const
    expect(outcome(view, facts({ uses: [use] }))).toBe('masked-predicate')
    expect(outcome(viewOf(policyOf(OPEN)), facts({ uses: [use] }))).toBe('allow')
  })

  test('nor are the estimates of plans over tables that have masked columns', () => {
    const plan = (path: string) =>
      ({
        name: 'rows',
        lineage: {
          kind: 'derived',
          sources: [],
          revealsNoValue: false,
          why: [],
          amounts: [column(path)],
        },
      }) as const
    expect(kinds(facts({ outputs: [plan(SSN), plan('public.orders.id')] }))).toEqual(['null', null])
  })

  test('the server may not be asked to refuse what it estimates to be large', () => {
    const set = { kind: 'set', name: 'max_join_size', local: false, values: ['5'] } as const
    expect(outcome(view, facts({ command: 'set', state: [set] }))).toBe('masked-state')
  })
})

describe('outputs', () => {
  test('a direct column gets its mask, an expression the constant, a count nothing', () => {
    const count = {
      kind: 'derived',
      sources: [column(SSN)],
      revealsNoValue: true,
      why: [],
    } as const
    expect(
      kinds(
        selecting(
          direct('public.customers.id'),
          direct(EMAIL),
          derived(EMAIL, 'public.customers.id'),
          count,
          { kind: 'constant' },
        ),
      ),
    ).toEqual([null, 'email', 'redact', null, null])
  })

  test('an expression policy denies is refused', () => {
    expect(outcome(view, selecting(derived(SSN)))).toBe('masked-derived')
  })

  test('unknown lineage is refused and says why', () => {
    const statement = selecting({ kind: 'unknown', sources: [], why: ['a set-returning function'] })
    expect(judge(view, statement)).toMatchObject({
      kind: 'deny',
      code: 'masked-unknown-lineage',
      detail: 'a set-returning function',
    })
    expect(outcome(view, facts({ outputs: 'unknown' }))).toBe('masked-unknown-lineage')
  })

  test('kin protect a column', () => {
    const child = { ...column('public.customers_2024.mail'), kin: [column(EMAIL)] }
    expect(kinds(selecting({ kind: 'direct', source: child, why: [] }))).toEqual(['email'])
  })

  test('columns match ignoring case', () => {
    expect(kinds(selecting(direct('public.Customers.EMAIL')))).toEqual(['email'])
  })

  test('bases the caller knows protect a column', () => {
    const basesOf = () => [column(SSN)]
    const wide = viewFor(policy, view.subject, 'crm', { basesOf })
    expect(wide.maskFor(column('public.mv.x'))?.spec.kind).toBe('redact')
  })

  test('two different masks of one strength become redact, and the strictest settings hold', () => {
    const both = viewOf(
      policyOf(`
masks:
  - { columns: [a.b.c], with: email, predicates: open }
  - { columns: ['*.*.c'], with: { partial: { keep-last: 4 } }, derived: deny }
`),
    )
    expect(both.maskFor(column('a.b.c'))).toMatchObject({
      spec: { kind: 'redact' },
      derived: 'deny',
      predicates: 'equality',
      probes: null,
      groupMin: null,
    })
  })
})

describe('uses', () => {
  const using = (context: ColumnUse['context'], name: string, other?: string) =>
    facts({
      uses: [
        { column: column(name), context, ...(other === undefined ? {} : { with: column(other) }) },
      ],
    })
  test.each([
    ['equality-constant', EMAIL, undefined, 'allow'],
    ['is-null', EMAIL, undefined, 'allow'],
    ['predicate', EMAIL, undefined, 'masked-predicate'],
    ['order', EMAIL, undefined, 'masked-predicate'],
    ['group', EMAIL, undefined, 'masked-predicate'],
    ['distinct', EMAIL, undefined, 'masked-predicate'],
    ['window', EMAIL, undefined, 'masked-predicate'],
    ['cardinality', EMAIL, undefined, 'masked-predicate'],
    ['equality-constant', SSN, undefined, 'masked-predicate'],
    ['is-null', SSN, undefined, 'masked-predicate'],
    ['predicate', 'public.customers.city', undefined, 'allow'],
    ['predicate', 'public.customers.id', undefined, 'allow'],
    ['equality-column', EMAIL, 'twin.customers.email', 'allow'],
    ['equality-column', EMAIL, 'public.guesses.email', 'masked-predicate'],
    ['equality-column', 'public.guesses.email', EMAIL, 'masked-predicate'],
    ['equality-column', EMAIL, 'public.vault.email', 'masked-predicate'],
  ] as const)('%s on %s with %s: %s', (context, name, other, expected) => {
    expect(outcome(view, using(context, name, other))).toBe(expected)
  })
})

describe('flows', () => {
  const into = (target: Flow['into'], lineage = direct(EMAIL)) =>
    facts({
      command: 'insert',
      effects: ['write'],
      outputs: null,
      flows: [{ lineage, into: target }],
    })
  const to = (name: string): Flow['into'] => ({ kind: 'column', column: column(name) })
  test.each([
    ['into a column masked alike from the same people', into(to('twin.customers.email')), 'allow'],
    ['into itself', into(to(EMAIL)), 'allow'],
    ['into a stronger mask for everyone', into(to('public.vault.x')), 'allow'],
    ['into an open column', into(to('public.notes.body')), 'masked-flow'],
    ['into a column others see', into(to('backup.customers.email')), 'masked-flow'],
    [
      'computed, into a column masked alike',
      into(to('twin.customers.email'), derived(EMAIL)),
      'masked-flow',
    ],
    [
      'computed, into a fully hidden column that may be searched',
      into(to('public.vault.x'), derived(EMAIL)),
      'masked-flow',
    ],
    ['computed, into one that may not', into(to('public.safe.x'), derived(EMAIL)), 'allow'],
    [
      'into a new relation',
      into({ kind: 'new-relation', schema: 'public', name: 't', column: 'c' }),
      'masked-flow',
    ],
    [
      'into a new relation that a mask covers',
      into({ kind: 'new-relation', schema: 'public', name: 'vault', column: 'c' }),
      'allow',
    ],
    [
      'into a column without a name of one',
      into({ kind: 'new-relation', schema: 'public', name: 'vault', column: '' }),
      'masked-flow',
    ],
    [
      'into one whose schema is not known',
      into({ kind: 'new-relation', schema: null, name: 'vault', column: 'c' }),
      'masked-flow',
    ],
    ['into a setting', into({ kind: 'other', what: 'a setting' }), 'masked-flow'],
    [
      'a count, into an open column',
      into(to('public.notes.body'), { ...derived(EMAIL), revealsNoValue: true } as never),
      'allow',
    ],
    [
      'of unknown lineage',
      into(to('public.vault.x'), { kind: 'unknown', sources: [], why: [] } as never),
      'masked-unknown-lineage',
    ],
    ['of an open column', into(to('public.notes.body'), direct('public.customers.id')), 'allow'],
  ])('%s', (_name, statement, expected) => {
    expect(outcome(view, statement)).toBe(expected)
  })
})

describe('functions, state and catalogs', () => {
  const calling = (schema: string | null, name: string, purity: 'pure' | 'opaque') =>
    facts({
      functions: [{ schema, name, purity }],
      state: purity === 'opaque' ? [{ kind: 'uncertain', why: 'may run SQL' }] : [],
    })
  test.each([
    ['a pure function', calling('pg_catalog', 'upper', 'pure'), 'allow'],
    ['an opaque function', calling('pg_catalog', 'query_to_xml', 'opaque'), 'masked-function'],
    ['a trusted one', calling('public', 'safe_fn', 'opaque'), 'allow'],
    [
      'a sequence',
      facts({ functions: [{ schema: 'pg_catalog', name: 'nextval', purity: 'opaque' }] }),
      'allow',
    ],
    [
      'a function named like it',
      facts({ functions: [{ schema: 'public', name: 'nextval', purity: 'opaque' }] }),
      'masked-function',
    ],
    ['one of that name elsewhere', calling('pg_temp_3', 'safe_fn', 'opaque'), 'masked-function'],
    [
      'a computed set_config',
      { ...calling(null, 'set_config', 'pure'), state: [{ kind: 'uncertain' as const, why: 'x' }] },
      'masked-state',
    ],
    [
      'DISCARD ALL',
      facts({
        command: 'discard all',
        effects: ['session'],
        state: [{ kind: 'uncertain', why: 'x' }],
      }),
      'allow',
    ],
    ['pg_stats', facts({ relations: [use('pg_catalog.pg_stats')] }), 'masked-catalog'],
    [
      'pg_stat_statements in any schema',
      facts({ relations: [use('ext.pg_stat_statements')] }),
      'masked-catalog',
    ],
    [
      'an unresolved relation',
      facts({ relations: [{ schema: null, name: 'x', access: 'read', kind: 'unresolved' }] }),
      'masked-unresolved',
    ],
    ['an unknown effect', facts({ effects: ['unknown'] }), 'unknown-statement'],
  ])('%s', (_name, statement, expected) => {
    expect(outcome(view, statement)).toBe(expected)
  })

  test('none of it concerns a principal without masks', () => {
    const free = viewOf(
      policyOf(
        `rules: [{ name: a, who: everyone, allow: { effects: ['*'], relations: ['*', '@catalog-data'], functions: ['*'] } }]`,
      ),
    )
    expect(outcome(free, calling('pg_catalog', 'query_to_xml', 'opaque'))).toBe('allow')
    expect(outcome(free, facts({ relations: [use('pg_catalog.pg_stats')] }))).toBe('allow')
  })
})

describe('write-back', () => {
  const writing = (name: string, text: string) => ({
    ...changing('write', 'update', use('public.customers', 'write')),
    hasWhere: true,
    constantWrites: [{ column: column(name), value: { kind: 'literal' as const, text } }],
  })
  test.each([
    [EMAIL, 'j***@***.com', 'masked-write-back'],
    [EMAIL, '[redacted]', 'masked-write-back'],
    [EMAIL, 'jane@example.com', 'allow'],
    ['public.payments.card_number', '************1111', 'masked-write-back'],
    ['public.payments.card_number', '4111111111111111', 'allow'],
    ['public.customers.name', '[redacted]', 'allow'],
  ])('%s = %s: %s', (name, text, expected) => {
    expect(outcome(view, writing(name, text))).toBe(expected)
  })

  const parameterised = {
    ...changing('write', 'update', use('public.customers', 'write')),
    hasWhere: true,
    constantWrites: [{ column: column(SSN), value: { kind: 'parameter' as const, index: 2 } }],
  }
  const bind = (value: Buffer | null, typeId = 25, format: 'text' | 'binary' = 'text') =>
    checkBind(view, parameterised, [
      { value: Buffer.from('1'), typeId: 23, format },
      { value, typeId, format },
    ])?.code ?? null
  test('a number bound where a masked text is compared is refused on MySQL', () => {
    const compared = facts({
      engine: 'mysql',
      parameters: 1,
      uses: [
        { column: column(EMAIL), context: 'equality-constant', parameters: [1], asText: true },
      ],
    })
    const bound = (typeId: number, engine: 'mysql' | 'postgres') =>
      checkBind(view, compared, [{ value: Buffer.from('1'), typeId, engine, format: 'binary' }])
        ?.code ?? null
    expect(bound(8, 'mysql')).toBe('masked-predicate')
    expect(bound(246, 'mysql')).toBe('masked-predicate')
    expect(bound(11, 'mysql')).toBe('masked-predicate')
    expect(bound(253, 'mysql')).toBeNull()
    expect(bound(8, 'postgres')).toBeNull()
  })

  test('parameters are checked when they are bound', () => {
    expect(bind(Buffer.from('[redacted]'))).toBe('masked-write-back')
    expect(bind(Buffer.from('078-05-1120'))).toBeNull()
    expect(bind(null)).toBeNull()
    expect(bind(Buffer.alloc(4), 23, 'binary')).toBe('masked-write-back')
    expect(bind(Buffer.from([0, 0, 0, 9]), 23, 'binary')).toBeNull()
    expect(bind(Buffer.alloc(16), 2950, 'binary')).toBe('masked-write-back')
    expect(bind(Buffer.from('[redacted]'), 0, 'binary')).toBe('masked-write-back')
  })

  test.each([
    [{ kind: 'null' }, null, true],
    [{ kind: 'redact' }, null, false],
    [{ kind: 'redact' }, '1900-01-01 00:00:00+00', true],
    [{ kind: 'redact' }, '0', true],
    [{ kind: 'redact' }, '10', false],
    [{ kind: 'redact' }, '{"0","0"}', true],
    [{ kind: 'redact' }, '{0,1}', false],
    [{ kind: 'email' }, '{"j***@***.com","a***@***.de"}', true],
    [{ kind: 'hash', domain: '', salt: 'none' }, '-17', true],
    [{ kind: 'hash', domain: '', salt: 'none' }, 'd41d8cd98f00b204e9800998ecf8427e', false],
    [{ kind: 'tokenize', domain: '', salt: 'none' }, 'anything', true],
    [{ kind: 'truncate-date', unit: 'month' }, '2024-05-01', true],
    [{ kind: 'truncate-date', unit: 'month' }, '2024-05-02', false],
    [{ kind: 'bucket', width: 10 }, '20', true],
    [{ kind: 'bucket', width: 10 }, '21', false],
    [{ kind: 'json', paths: ['$.a'], mask: { kind: 'redact' } }, '{"a":"[redacted]"}', true],
    [{ kind: 'json', paths: ['$.a'], mask: { kind: 'redact' } }, '{"a":"x","b":0}', false],
    [{ kind: 'detect', detectors: ['email'] }, 'to [redacted:email]', true],
  ] as const)('%j shows %j: %s', (spec, value, expected) => {
    expect(
      isPlaceholder(
        {
          spec: spec as MaskSpec,
          strength: 0,
          derived: 'redact',
          predicates: 'equality',
          probes: null,
          groupMin: null,
          names: [],
          column: null,
        },
        value,
      ),
    ).toBe(expected)
  })
})

describe('the witness', () => {
  test('adds masks lineage missed, keeps those it found, and counts the difference', () => {
    const plan = planFor(view, selecting({ kind: 'constant' }, direct(EMAIL), derived(EMAIL)))
    if (plan === 'refused') throw new Error('no plan')
    const merged = mergePlan(plan, [column(SSN), null, column(EMAIL)], view)
    expect(merged.columns.map((mask) => mask?.spec.kind)).toEqual(['redact', 'email', 'redact'])
    expect(merged.raised).toEqual([0])
  })

  test('a column that the snapshot does not have is redacted', () => {
    const merged = mergePlan({ columns: [null, null] }, ['unlisted', null], view)
    expect(merged.columns.map((mask) => mask?.spec.kind ?? null)).toEqual(['redact', null])
    expect(merged.raised).toEqual([0])
  })
  test('a result of another width is redacted throughout', () => {
    const merged = mergePlan({ columns: [null] }, [null, null], view)
    expect(merged.columns.map((mask) => mask?.spec.kind)).toEqual(['redact', 'redact'])
  })
})

describe('functions that are trusted', () => {
  const unknown = (...opaque: string[]) => ({
    kind: 'unknown' as const,
    sources: [column(EMAIL)],
    why: ['function'],
    opaque: opaque.map((name) => ({ schema: 'public', name, purity: 'opaque' as const })),
  })
  test('give what is computed from their arguments', () => {
    expect(kinds(selecting(unknown('safe_fn')))).toEqual(['redact'])
  })
  test('do not make others so', () => {
    expect(outcome(view, selecting(unknown('safe_fn', 'other_fn')))).toBe('masked-unknown-lineage')
  })
  test('may be given masked values', () => {
    const flow = (name: string): Flow => ({
      lineage: direct(EMAIL),
      into: { kind: 'function', function: { schema: 'public', name, purity: 'opaque' } },
    })
    expect(outcome(view, facts({ flows: [flow('safe_fn')] }))).toBe('allow')
    expect(outcome(view, facts({ flows: [flow('other_fn')] }))).toBe('masked-flow')
  })
})

describe('sums over groups', () => {
  const grouped = viewOf(
    policyOf(`
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks: [{ name: pay, columns: [public.staff.pay], with: redact, groups: { min: 5 } }]
`),
  )
  const PAY = 'public.staff.pay'
  const masked = (groups?: number) => {
    const lineage = { ...derived(PAY), ...(groups !== undefined && { groups }) } as never
    const verdict = judge(grouped, selecting(lineage))
    return verdict.kind === 'allow' && verdict.results[0]?.columns[0] !== null
  }
  test('are shown from the least size on', () => {
    expect([masked(), masked(4), masked(5), masked(6)]).toEqual([true, true, false, false])
  })
  test('may not be had by copying to where groups are smaller, or any do', () => {
    const copied = (min: number | null, from: number | null) =>
      outcome(
        viewOf(
          policyOf(`
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks:
  - { columns: [public.staff.pay], with: redact${from === null ? '' : `, groups: { min: ${from} }`} }
  - { columns: [public.copies.pay], with: redact${min === null ? '' : `, groups: { min: ${min} }`} }
`),
        ),
        facts({
          command: 'insert',
          effects: ['write'],
          outputs: null,
          flows: [
            { lineage: direct(PAY), into: { kind: 'column', column: column('public.copies.pay') } },
          ],
        }),
      )
    expect([copied(3, 5), copied(5, 5), copied(7, 5), copied(null, 5), copied(5, null)]).toEqual([
      'masked-flow',
      'allow',
      'allow',
      'allow',
      'masked-flow',
    ])
  })
  test('may be sorted by', () => {
    const sorted = (groups: number) =>
      outcome(grouped, facts({ uses: [{ column: column(PAY), context: 'order', groups }] }))
    expect([sorted(4), sorted(5)]).toEqual(['masked-predicate', 'allow'])
  })
})

describe('equality probes', () => {
  const probing = viewOf(
    policyOf(`
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks:
  - { name: ssn, columns: [public.staff.ssn], with: redact, probes: { max: 10, within: 2h } }
  - { name: mail, columns: [public.staff.mail], with: email }
`),
  )
  const probe = (name: string, more: Partial<ColumnUse>): ColumnUse => ({
    column: column(name),
    context: 'equality-constant',
    ...more,
  })
  const probesOf = (...uses: ColumnUse[]) => {
    const verdict = judge(probing, facts({ uses }))
    return verdict.kind === 'allow' ? verdict.probes : null
  }
  test('are in the verdict where the mask limits them', () => {
    const uses = [
      probe('public.staff.ssn', { values: 3, parameters: [1, 2] }),
      probe('public.staff.mail', { values: 1 }),
    ]
    const [probes, ...others] = probesOf(...uses) ?? []
    expect(others).toEqual([])
    expect(probes).toEqual({
      mask: 'ssn',
      max: 10,
      withinMs: 7_200_000,
      values: 3,
      parameters: [1, 2],
    })
  })
  test('in an array parameter are as many as its elements', () => {
    const [probes] = probesOf(probe('public.staff.ssn', { values: 1, parameters: [1, 2, 3] })) ?? []
    const binary = Buffer.alloc(20 + 3 * 5)
    binary.writeInt32BE(1, 0)
    binary.writeInt32BE(3, 12)
    const parameters = [
      { format: 'text', value: Buffer.from('{a,b}'), typeId: 1009 },
      { format: 'binary', value: binary, typeId: 1009 },
      { format: 'text', value: Buffer.from('plain, text'), typeId: 25 },
    ] as const
    expect(probes && probesSpent(probes, parameters)).toBe(1 + 2 + 3 + 1)
  })
})

test('NULL over a value hidden as NULL is a mask written back, in a new row it is not', () => {
  const nulls = viewOf(
    policyOf(`
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks: [{ name: pay, columns: [public.staff.pay], with: 'null' }]
`),
  )
  const writing = (fresh: boolean) =>
    outcome(
      nulls,
      facts({
        constantWrites: [
          { column: column('public.staff.pay'), value: { kind: 'null' }, ...(fresh && { fresh }) },
        ],
      }),
    )
  expect([writing(false), writing(true)]).toEqual(['masked-write-back', 'allow'])
})

test.each([
  ['', true, 'allow'],
  ['0.00', true, 'allow'],
  ['false', true, 'allow'],
  ['', false, 'masked-write-back'],
  ['0', false, 'masked-write-back'],
  ['[redacted]', true, 'masked-write-back'],
  ['1900-01-01', true, 'masked-write-back'],
])('%j in a redacted column, in a new row: %s, is %s', (text, fresh, expected) => {
  const redacted = viewOf(
    policyOf(`
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks: [{ name: pay, columns: [public.staff.pay], with: redact }]
`),
  )
  const value = { kind: 'literal', text } as const
  const write = {
    column: column('public.staff.pay'),
    value,
    ...(fresh && { fresh: true as const }),
  }
  expect(outcome(redacted, facts({ constantWrites: [write] }))).toBe(expected)
})

test.each([
  ['enable_seqscan', ['off'], 'masked-state'],
  ['random_page_cost', ['1'], 'masked-state'],
  ['@@session.optimizer_switch', ['x'], 'masked-state'],
  ['enable_seqscan', null, 'allow'],
  ['cursor_tuple_fraction', ['0.1'], 'masked-state'],
  ['cursor_tuple_fraction', ['1.0'], 'allow'],
  ['statement_timeout', ['1'], 'allow'],
])('a setting that chooses plans is refused under masks: %s to %s', (name, values, expected) => {
  const statement = facts({ state: [{ kind: 'set', name, local: false, values }] })
  expect(outcome(view, statement)).toBe(expected)
})

test.each([
  ['create trigger', 'masked-definition'],
  ['alter function', 'masked-definition'],
  ['alter domain', 'masked-definition'],
  ['create view', 'allow'],
  ['create table', 'allow'],
])('%s under masks: %s', (command, expected) => {
  expect(outcome(view, facts({ command, commands: [command], effects: ['ddl'] }))).toBe(expected)
})

test.each([
  ['public.customers.email', 'masked-predicate'],
  ['public.safe.x', 'allow'],
  ['public.notes.body', 'allow'],
])('values computed row by row, written to %s: %s', (name, expected) => {
  const constantWrites = [{ column: column(name), value: { kind: 'computed' } as const }]
  expect(outcome(view, facts({ effects: ['write'], constantWrites }))).toBe(expected)
})
