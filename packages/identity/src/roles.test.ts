import { describe, expect, test } from 'vitest'
import type { IdentityError } from './errors.ts'
import { NOT_NARROWED } from './principal.ts'
import { assertConnection, chooseRole, matches, rolesAndGroups } from './roles.ts'

const ROLES = {
  analyst: { groups: ['analysts', 'reporting'] },
  dba: { groups: ['dba'] },
  oncall: { subjects: ['alice'] },
  partner: { groups: ['analysts'], issuers: ['https://partner.example'] },
  nobody: {},
}
const ALICE = {
  issuer: 'https://id.example',
  subject: 'alice',
  allGroups: ['analysts', 'contractors', 'dba'],
}
function principal(narrowedTo: string[] | null = null) {
  return { ...ALICE, ...rolesAndGroups(ALICE, ROLES, narrowedTo) }
}
function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    // Safe: the functions under test throw IdentityError only; anything else fails the assertion.
    return (error as IdentityError).code
  }
  return 'accepted'
}

describe('the user name', () => {
  test.each([
    ['analyst', { role: 'analyst', groups: ['analysts'] }],
    ['dba', { role: 'dba', groups: ['dba'] }],
    ['oncall', { role: 'oncall', groups: [] }],
    ['postgres', { role: null, groups: ['analysts', 'contractors', 'dba'] }],
    ['', { role: null, groups: ['analysts', 'contractors', 'dba'] }],
    ['Analyst', { role: null, groups: ['analysts', 'contractors', 'dba'] }],
    ['__proto__', { role: null, groups: ['analysts', 'contractors', 'dba'] }],
    ['constructor', { role: null, groups: ['analysts', 'contractors', 'dba'] }],
  ])('%j gives %j', (name, chosen) => {
    expect(chooseRole(principal(), name, ROLES)).toEqual(chosen)
  })

  test('that names a role the principal may not take is refused', () => {
    for (const name of ['partner', 'nobody']) {
      expect(codeOf(() => chooseRole(principal(), name, ROLES))).toBe('role-not-allowed')
    }
  })

  test('that names nothing gives the only role there is', () => {
    const roles = { analyst: ROLES.analyst }
    const only = { ...ALICE, ...rolesAndGroups(ALICE, roles, null) }
    expect(chooseRole(only, 'x', roles)).toEqual({ role: 'analyst', groups: ALICE.allGroups })
  })
})

describe('a principal narrowed to a role', () => {
  test('has only the groups of that role, but allGroups stays for rules that take away', () => {
    expect(principal(['analyst'])).toMatchObject({
      roles: ['analyst'],
      groups: ['analysts'],
      allGroups: ['analysts', 'contractors', 'dba'],
    })
  })
  test('gets no more groups by naming no role', () => {
    expect(chooseRole(principal(['analyst']), 'x', ROLES)).toEqual({
      role: 'analyst',
      groups: ['analysts'],
    })
  })
  test('is refused its other roles', () => {
    expect(codeOf(() => chooseRole(principal(['analyst']), 'dba', ROLES))).toBe('role-not-allowed')
  })
  test('that is configured no more has nothing', () => {
    expect(principal(['gone'])).toMatchObject({ roles: [], groups: [] })
  })
})

describe('a matcher', () => {
  test('with issuers alone or with nothing matches nobody', () => {
    expect(matches({ issuers: ['https://id.example'] }, ALICE)).toBe(false)
    expect(matches({}, ALICE)).toBe(false)
  })
  test('with another issuer does not match the same subject', () => {
    expect(matches({ subjects: ['alice'], issuers: ['https://b.example'] }, ALICE)).toBe(false)
    expect(matches({ subjects: ['alice'], issuers: ['https://id.example'] }, ALICE)).toBe(true)
  })
})

test('a connection is checked against the narrowing only', () => {
  const narrowed = { ...NOT_NARROWED, connections: ['crm'] }
  assertConnection({ narrowed: NOT_NARROWED }, 'billing')
  assertConnection({ narrowed }, 'crm')
  for (const connection of ['billing', 'CRM', '']) {
    expect(codeOf(() => assertConnection({ narrowed }, connection))).toBe('connection-not-allowed')
  }
})
