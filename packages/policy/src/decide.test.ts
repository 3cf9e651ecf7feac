import type { StateChange, StatementFacts } from '@sallyport/sql'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide } from './decide.ts'
import { NESTED_FACTS_MAX } from './limits.ts'
import { batch, changing, column, facts, judge, outcome, policyOf, use, viewOf } from './testing.ts'

const READ = `
rules:
  - name: read public
    who: { groups: [analysts] }
    allow: { effects: [read], relations: ['public.*'] }
`

describe('coverage', () => {
  const view = viewOf(
    policyOf(`
rules:
  - name: read a
    who: everyone
    allow: { effects: [read], relations: [public.a] }
  - name: write b
    who: everyone
    allow: { effects: [write], relations: [public.b] }
  - name: copy staging
    who: everyone
    allow: { effects: [read, copy], relations: ['staging.*'] }
  - name: define scratch
    who: everyone
    allow: { effects: [ddl], relations: ['scratch.*'] }
  - name: one function
    who: everyone
    allow: { functions: [public.refund] }
  - name: a setting
    who: everyone
    allow: { settings: ['app.*'] }
  - name: two columns
    who: everyone
    allow: { effects: [read], relations: [hr.staff], columns: [hr.staff.id, hr.staff.name] }
  - name: one more column
    who: everyone
    allow: { effects: [read], relations: [hr.staff], columns: [hr.staff.team] }
  - name: reports
    who: everyone
    allow: { effects: [read], relations: ['reports.*'], through-views: true }
`),
  )
  const insertSelect = (source: string, target: string) =>
    facts({
      command: 'insert',
      commands: ['insert', 'select'],
      effects: ['read', 'write'],
      relations: [use(source), use(target, 'write')],
      outputs: null,
    })
  const staff = (...names: string[]) =>
    facts({
      relations: [use('hr.staff')],
      columns: names.map((name) => column(`hr.staff.${name}`)),
    })
  const set = (name: string, ...values: string[]): StatementFacts =>
    facts({
      command: 'set',
      effects: ['session'],
      outputs: null,
      state: [{ kind: 'set', name, local: false, values }],
    })
  const state = (command: string, change: StateChange): StatementFacts =>
    facts({ command, effects: ['session'], outputs: null, state: [change] })
  const opaque = (schema: string | null, name: string) =>
    facts({ functions: [{ schema, name, purity: 'opaque' }] })
  const viaView = (view: string) =>
    facts({
      relations: [
        { ...use(view), kind: 'view' },
        { ...use('secret.base'), through: view },
      ],
    })

  test.each([
    ['a read under one rule', facts({ relations: [use('public.a')] }), 'allow'],
    [
      'reading a under one rule and writing b under another',
      insertSelect('public.a', 'public.b'),
      'allow',
    ],
    [
      'reading b, which may only be written',
      facts({ relations: [use('public.b')] }),
      'not-allowed',
    ],
    ['writing a, which may only be read', insertSelect('public.a', 'public.a'), 'not-allowed'],
    ['a statement without relations', facts(), 'allow'],
    [
      'COPY of a relation that may be copied',
      facts({ effects: ['read', 'copy'], relations: [use('staging.x')] }),
      'allow',
    ],
    [
      'COPY of a relation that may only be read',
      facts({ effects: ['read', 'copy'], relations: [use('public.a')] }),
      'not-allowed',
    ],
    ['DDL on a named schema', changing('ddl', 'create table', use('scratch.t', 'define')), 'allow'],
    ['DDL that names no relation', changing('ddl', 'create extension'), 'not-allowed'],
    [
      'FOR UPDATE under a read rule',
      facts({ effects: ['read', 'lock'], relations: [use('public.a'), use('public.a', 'lock')] }),
      'not-allowed',
    ],
    [
      'a relation that could not be resolved',
      facts({ relations: [{ schema: null, name: 'a', access: 'read', kind: 'unresolved' }] }),
      'not-allowed',
    ],
    ['an opaque function that is named', opaque('public', 'refund'), 'allow'],
    ['one of that name elsewhere', opaque('evil', 'refund'), 'not-allowed'],
    ['an opaque function nobody named', opaque(null, 'pg_read_file'), 'not-allowed'],
    ['a harmless setting', set('search_path', 'public'), 'allow'],
    ['SET ROLE', set('role', 'postgres'), 'not-allowed'],
    ['a setting a rule names', set('app.tenant', '7'), 'allow'],
    ['client_encoding = UTF8', set('client_encoding', 'UTF8'), 'allow'],
    ['client_encoding = SJIS', set('client_encoding', 'SJIS'), 'not-allowed'],
    ['standard_conforming_strings = off', set('standard_conforming_strings', 'off'), 'not-allowed'],
    ['standard_conforming_strings = on', set('standard_conforming_strings', 'on'), 'allow'],
    ['row_security', set('row_security', 'off'), 'allow'],
    [
      'set_config of a computed name',
      state('select', { kind: 'uncertain', why: 'set_config' }),
      'not-allowed',
    ],
    ['RESET ALL', state('reset', { kind: 'uncertain', why: 'reset all' }), 'allow'],
    [
      'BEGIN',
      facts({
        command: 'begin',
        effects: ['transaction'],
        outputs: null,
        state: [{ kind: 'begin' }],
      }),
      'allow',
    ],
    ['metadata', facts({ relations: [use('pg_catalog.pg_class')] }), 'allow'],
    [
      'pg_roles and pg_authid behind it',
      facts({
        relations: [
          { ...use('pg_catalog.pg_roles'), kind: 'view' },
          { ...use('pg_catalog.pg_authid'), through: 'pg_catalog.pg_roles' },
        ],
      }),
      'allow',
    ],
    ['pg_authid itself', facts({ relations: [use('pg_catalog.pg_authid')] }), 'not-allowed'],
    [
      'pg_shadow before the catalog is known',
      facts({
        relations: [{ schema: null, name: 'pg_shadow', access: 'read', kind: 'unresolved' }],
      }),
      'not-allowed',
    ],
    [
      'writing metadata',
      facts({ effects: ['write'], relations: [use('pg_catalog.pg_class', 'write')] }),
      'not-allowed',
    ],
    ['columns that are listed', staff('id', 'name', 'team'), 'allow'],
    ['a column that is not', staff('id', 'salary'), 'not-allowed'],
    ['counting rows of them', staff(), 'allow'],
    [
      'listed columns of a statement not fully known',
      { ...staff('id'), unknowns: ['x'] },
      'not-allowed',
    ],
    ['a view with what lies behind it', viaView('reports.v'), 'allow'],
    ['a view whose rule does not say through-views', viaView('public.a'), 'not-allowed'],
  ] as const)('%s: %3$s', (_name, statement, expected) => {
    expect(outcome(view, statement)).toBe(expected)
  })

  test('every statement of a batch must be covered', () => {
    const good = facts({ relations: [use('public.a')] })
    expect(outcome(view, good, good)).toBe('allow')
    expect(outcome(view, good, changing('ddl', 'drop table', use('public.a', 'define')))).toBe(
      'not-allowed',
    )
  })

  test('statements prepared or declared inside are decided, too', () => {
    const inner = changing('write', 'delete', use('public.a', 'write'))
    const prepare = facts({
      command: 'prepare',
      effects: ['session'],
      outputs: null,
      state: [{ kind: 'prepare', name: 'p', facts: inner }],
    })
    expect(outcome(view, prepare)).toBe('not-allowed')
  })

  test('nested deeper than is followed, they are refused, whatever lies below', () => {
    const within = (inner: StatementFacts): StatementFacts =>
      facts({ command: 'prepare', state: [{ kind: 'prepare', name: 'p', facts: inner }] })
    const nested = (levels: number): StatementFacts =>
      levels === 0 ? facts() : within(nested(levels - 1))
    const open = viewOf(
      policyOf(
        "rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]",
      ),
    )
    expect(outcome(open, nested(NESTED_FACTS_MAX))).toBe('allow')
    expect(outcome(open, nested(NESTED_FACTS_MAX + 1))).toBe('too-complex')
  })

  test('refusals say what is missing and never a literal', () => {
    expect(judge(view, changing('write', 'update', use('public.a', 'write')))).toMatchObject({
      kind: 'deny',
      sqlstate: '42501',
      message: 'no rule allows write on public.a',
    })
  })
})

describe('deny, approve, allow', () => {
  const policy = policyOf(
    READ,
    `
rules:
  - name: never DDL
    who: everyone
    deny: { effects: [ddl, admin] }
  - name: updates need a WHERE
    who: everyone
    deny: { commands: [update, delete], when: '!statement.has_where' }
  - name: orders by two
    who: { groups: [analysts] }
    approve: { effects: [write], relations: [public.orders] }
    approvers: { groups: [dba], count: 2, within: 1h, use-within: 5m }
    reason: required
  - name: write public
    who: { groups: [analysts] }
    allow: { effects: [write], relations: ['public.*'] }
  - name: office hours
    who: { groups: [night] }
    deny: { effects: [write], when: 'now.hour < 8 || now.hour >= 18' }
`,
  )
  const view = viewOf(policy)
  const update = (relation: string, hasWhere: boolean) => ({
    ...changing('write', 'update', use(relation, 'write')),
    hasWhere,
  })

  test('deny beats approve beats allow', () => {
    expect(outcome(view, update('public.other', true))).toBe('allow')
    expect(outcome(view, update('public.orders', true))).toBe('approve')
    expect(outcome(view, update('public.orders', false))).toBe('deny-rule')
  })

  test('an approve verdict carries what must be approved by whom', () => {
    expect(judge(view, update('public.orders', true))).toMatchObject({
      kind: 'approve',
      rule: 'orders by two',
      withinMs: 3_600_000,
      useWithinMs: 300_000,
      reason: 'required',
      mode: 'hold',
      approvers: [{ groups: ['dba'], count: 2, ticket: null }],
    })
  })

  test('an approve rule covers only what it names', () => {
    const both = facts({
      command: 'update',
      effects: ['write'],
      relations: [use('public.orders', 'write'), use('secret.x', 'write')],
      outputs: null,
      hasWhere: true,
    })
    expect(outcome(view, both)).toBe('not-allowed')
  })

  test('a deny hidden in one part of a batch refuses all of it', () => {
    expect(
      outcome(
        view,
        facts({ relations: [use('public.a')] }),
        changing('ddl', 'drop table', use('public.a', 'define')),
      ),
    ).toBe('deny-rule')
  })

  test('a statement with an unknown part is refused by any deny rule that could mean it', () => {
    expect(outcome(view, facts({ effects: ['read', 'unknown'], unknowns: ['a node'] }))).toBe(
      'unknown-statement',
    )
  })

  test('conditions read the clock', () => {
    const night = viewOf(policy, { groups: ['analysts', 'night'] })
    expect(night.usesTime).toBe(true)
    const write = batch(update('public.other', true))
    expect(decide(night, write, { now: Date.UTC(2026, 0, 5, 12) }).kind).toBe('allow')
    expect(decide(night, write, { now: Date.UTC(2026, 0, 5, 22) }).kind).toBe('deny')
  })

  test('the order of files never matters', () => {
    const parts = [
      READ,
      `rules: [{ name: d, who: everyone, deny: { effects: [write] } }]`,
      `rules: [{ name: w, who: everyone, allow: { effects: [write] } }]`,
    ]
    const write = update('public.x', true)
    fc.assert(
      fc.property(fc.shuffledSubarray(parts, { minLength: 3 }), (order) => {
        const shuffled = policyOf(...order)
        expect(shuffled.version).toBe(policyOf(...parts).version)
        expect(outcome(viewOf(shuffled), write)).toBe('deny-rule')
      }),
    )
  })

  test('no rule means no access, whatever the statement', () => {
    expect(outcome(viewOf(policyOf(READ), { groups: ['marketing'] }), facts())).toBe('no-access')
    expect(outcome(viewOf(policyOf('connections: [other]' + READ)), facts())).toBe('no-access')
  })
})

describe('conditions that fail', () => {
  const failing = (kind: string, more = '') =>
    policyOf(
      READ,
      `
rules:
  - name: broken
    who: everyone
    ${kind}: { effects: [read], when: 'principal.claims.level > 3' }
    ${more}
`,
    )
  test('in a deny rule refuse the statement', () => {
    expect(outcome(viewOf(failing('deny')), facts())).toBe('condition-error')
  })

  test('in an approve rule refuse the statement', () => {
    expect(outcome(viewOf(failing('approve', 'approvers: { groups: [dba] }')), facts())).toBe(
      'condition-error',
    )
  })

  test('in an allow rule grant nothing and are reported', () => {
    const verdict = judge(viewOf(failing('allow')), facts({ relations: [use('public.a')] }))
    expect(verdict).toMatchObject({ kind: 'allow', rule: 'read public' })
    expect(verdict.reports).toHaveLength(1)
  })
})

describe('unknown statements', () => {
  const unknown = facts({ effects: ['unknown'], outputs: 'unknown', unknowns: ['a node'] })
  const garbage = {
    kind: 'unparsable',
    code: 'syntax',
    sqlstate: '42601',
    message: 'syntax error',
    position: 1,
    hint: null,
    detail: null,
  } as const
  const everything = (effects: string, more = '') =>
    viewOf(
      policyOf(
        `rules: [{ name: all, who: everyone, allow: { effects: ${effects}, relations: ['*', '@catalog-data'], functions: ['*'], settings: ['*'] } }]\n${more}`,
      ),
    )

  test('the star does not cover them', () => {
    expect(outcome(everything("['*']"), unknown)).toBe('unknown-statement')
    expect(decide(everything("['*']"), garbage, { now: 0 })).toMatchObject({
      kind: 'deny',
      code: 'unparsable',
      sqlstate: '42601',
    })
  })

  test('naming them does', () => {
    expect(outcome(everything("['*', unknown]"), unknown)).toBe('allow')
    expect(decide(everything("['*', unknown]"), garbage, { now: 0 }).kind).toBe('allow')
  })

  test('never where a mask applies', () => {
    const masked = everything("['*', unknown]", 'masks: [{ columns: ["a.b.c"], with: redact }]')
    expect(outcome(masked, unknown)).toBe('unknown-statement')
    expect(decide(masked, garbage, { now: 0 }).kind).toBe('deny')
  })

  test('nor beside a deny rule they might be meant by', () => {
    const policy = policyOf(
      `rules: [{ name: all, who: everyone, allow: { effects: ['*', unknown] } }]`,
      `rules: [{ name: d, who: everyone, deny: { commands: ['drop*'] } }]`,
    )
    expect(judge(viewOf(policy), unknown)).toMatchObject({ code: 'unknown-statement', rule: 'd' })
    expect(decide(viewOf(policy), garbage, { now: 0 }).kind).toBe('deny')
  })
})

describe('who', () => {
  const view = (who: string, more = {}) =>
    viewOf(policyOf(`rules: [{ name: r, who: ${who}, allow: { effects: [read] } }]`), more)
  test.each([
    ['everyone', {}, true],
    ['{ groups: [analysts] }', {}, true],
    ['{ groups: ["ana*"], kind: machine }', {}, false],
    ['{ subjects: [ada] }', {}, true],
    ['{ roles: [reader] }', {}, false],
    ['{ roles: [reader] }', { role: 'reader' }, true],
    ['{ graph: [g], node: [n] }', { graph: 'g', node: 'm' }, false],
    ['{ groups: [analysts], except: { subjects: [ada] } }', {}, false],
    ['[{ groups: [x] }, { subjects: [ada] }]', {}, true],
  ] as const)('%s for %j: %s', (who, more, expected) => {
    expect(view(who, more).mayConnect).toBe(expected)
  })
})

describe('a principal that took a role', () => {
  const policy = policyOf(`rules:
  - { name: read, who: { groups: [analysts] }, allow: { effects: [read] } }
  - { name: not contractors, who: { groups: [contractors] }, deny: { relations: ['public.secret'] } }
  - { name: not interns, who: everyone, deny: { relations: ['public.pay'], when: "'interns' in principal.groups" } }
  - { name: only staff, who: everyone, deny: { relations: ['public.staff'], when: "!('staff' in principal.groups)" } }
  - { name: traders wait, who: { roles: [trader] }, deny: { relations: ['public.trades'] } }
  - { name: all but, who: { groups: [analysts], except: { groups: [contractors] } }, allow: { effects: [write] } }
masks:
  - { columns: ['public.t.a'], with: redact, who: { groups: [contractors] } }
  - { columns: ['public.t.b'], with: redact, except: { groups: [dba] } }
limits:
  - { who: { groups: [contractors] }, rows: 10 }
`)
  const all = ['analysts', 'contractors', 'interns', 'dba', 'staff']
  const view = viewOf(policy, { groups: ['analysts'], allGroups: all, role: 'analyst' })
  const reads = (name: string) =>
    judge(view, facts({ relations: [{ schema: 'public', name, access: 'read', kind: 'table' }] }))
      .kind

  test('keeps the denials of the groups it left behind', () => {
    expect(reads('secret')).toBe('deny')
    expect(reads('pay')).toBe('deny')
    expect(reads('other')).toBe('allow')
  })

  test('keeps their masks and limits', () => {
    expect(view.maskFor({ schema: 'public', relation: 't', column: 'a' })).not.toBeNull()
    expect(view.limits.rows).toBe(10)
  })

  test('has none of the exceptions that those groups have', () => {
    expect(view.maskFor({ schema: 'public', relation: 't', column: 'b' })).not.toBeNull()
    expect(reads('staff')).toBe('deny')
    expect(view.rules.some((rule) => rule.name === 'all but')).toBe(false)
  })

  test('is not held to a role it could have taken, unless it took none', () => {
    const others = { groups: ['analysts'], allRoles: ['analyst', 'trader'] }
    const took = viewOf(policy, { ...others, role: 'analyst' })
    const none = viewOf(policy, { ...others, role: null })
    expect(took.rules.some((rule) => rule.name === 'traders wait')).toBe(false)
    expect(none.rules.some((rule) => rule.name === 'traders wait')).toBe(true)
  })

  test('may be held by an approve rule of a group it left, and gets no access from it', () => {
    const held = policyOf(`rules:
  - { name: ask, who: { groups: [contractors] }, approve: { effects: [write] }, approvers: { groups: [dba] } }
`)
    const left = { groups: ['analysts'], allGroups: ['analysts', 'contractors'] }
    expect(viewOf(held, left).mayConnect).toBe(false)
    expect(viewOf(held, { groups: ['contractors'] }).mayConnect).toBe(true)
    expect(viewOf(held, left).rules).toHaveLength(1)
  })
})

describe('limits', () => {
  test('the smallest of each and the strictest answer hold', () => {
    const { limits } = viewOf(
      policyOf(`
limits:
  - { who: everyone, rows: 100, bytes: 2MiB, on-exceed: truncate }
  - { who: { groups: [analysts] }, rows: 500, statements-per-minute: 10, on-exceed: approve, approvers: { groups: [dba] } }
  - { who: { groups: [others] }, rows: 1 }
`),
    )
    expect(limits).toMatchObject({
      rows: 100,
      bytes: 2_097_152,
      statementsPerMinute: 10,
      onExceed: 'approve',
      approvers: [{ groups: ['dba'] }],
    })
  })
})
