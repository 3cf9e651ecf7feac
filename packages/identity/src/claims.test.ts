import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { claimAt, isName, mapClaims, parseClaimPath } from './claims.ts'
import type { ClaimMapping, IssuerConfig } from './config.ts'
import { IdentityError } from './errors.ts'

function issuerWith(options: Partial<IssuerConfig>): IssuerConfig {
  return { issuer: 'https://id.example', audience: 'sallyport', ...options }
}
const mapped = (claims: Record<string, unknown>, mapping: ClaimMapping) =>
  mapClaims({ sub: 'alice', ...claims }, issuerWith({ claims: mapping }))

describe('a claim path', () => {
  test.each([
    ['groups', ['groups']],
    ['realm_access.roles', ['realm_access', 'roles']],
    ['cognito:groups', ['cognito:groups']],
    ['https://example.com/groups', ['https://example.com/groups']],
    ['/resource_access/sally.port/roles', ['resource_access', 'sally.port', 'roles']],
    ['/a~1b/c~0d', ['a/b', 'c~d']],
    ['a..b', null],
    ['', null],
    ['/a~2', null],
  ])('%s means %j', (path, steps) => {
    expect(parseClaimPath(path)).toEqual(steps)
  })

  test.each(['constructor', '__proto__', 'toString.name', 'a.length', '/__proto__/x'])(
    '%s does not reach inherited members',
    (path) => {
      expect(claimAt({ a: 'text' }, path)).toBeUndefined()
    },
  )
})

describe('groups', () => {
  test('are found in a nested claim, made unique, sorted and prefixed', () => {
    const issuer = issuerWith({ claims: { groups: 'realm_access.roles' }, groupPrefix: 'partner:' })
    const claims = { sub: 'a', realm_access: { roles: ['dba', 'analysts', 'dba'] } }
    expect(mapClaims(claims, issuer).groups).toEqual(['partner:analysts', 'partner:dba'])
  })
  test('may be one string, which is one group whatever it contains', () => {
    expect(mapped({ groups: 'dba analysts' }, {}).groups).toEqual(['dba analysts'])
  })
  test('that are absent are none, unless required', () => {
    expect(mapped({}, {}).groups).toEqual([])
    expect(mapped({ groups: null }, {}).groups).toEqual([])
    expect(() => mapClaims({ sub: 'a' }, issuerWith({ groupsRequired: true }))).toThrow(
      /`groups` is missing/,
    )
  })
})

describe('kind', () => {
  test.each<[Record<string, unknown>, ClaimMapping, string]>([
    [{}, {}, 'machine'],
    [{ auth_time: 1 }, {}, 'human'],
    [{ amr: ['pwd'] }, {}, 'human'],
    [{ auth_time: '1' }, {}, 'machine'],
    [{ auth_time: 1, client_id: 'alice' }, {}, 'machine'],
    [{ amr: ['pwd'], azp: 'alice' }, {}, 'machine'],
    [{ auth_time: 1 }, { kind: { fixed: 'machine' } }, 'machine'],
    [{}, { kind: { fixed: 'human' } }, 'human'],
    [{ kind: 'human' }, { kind: { claim: 'kind' } }, 'human'],
    [{ kind: 'Human' }, { kind: { claim: 'kind' } }, 'machine'],
    [{ kind: ['human'] }, { kind: { claim: 'kind' } }, 'machine'],
    [{}, { kind: { claim: 'kind', human: ['user'] } }, 'machine'],
    [{ idtyp: 'user' }, { kind: { claim: 'idtyp', human: ['user'] } }, 'human'],
    [{ person: true }, { kind: { claim: 'person', human: [true] } }, 'human'],
  ])('of %j by %j is %s', (claims, mapping, kind) => {
    expect(mapped(claims, mapping).kind).toBe(kind)
  })
})

describe('graph, node and run', () => {
  const mapping = { graph: 'lg.graph', node: 'lg.node', run: 'lg.run' }
  test('come from the claims the configuration names, and only from those', () => {
    const lg = { graph: 'support', node: 'look up', run: '42' }
    expect(mapped({ lg }, mapping)).toMatchObject(lg)
    expect(mapped({ graph: 'support', lg }, {})).toMatchObject({
      graph: null,
      node: null,
      run: null,
    })
  })
  test('of another shape are a refusal', () => {
    expect(() => mapped({ lg: { graph: 7 } }, mapping)).toThrow(IdentityError)
  })
})

describe('required claims', () => {
  const issuer = issuerWith({ require: { email_verified: true, 'org.id': ['a', 'b'] } })
  test.each<[Record<string, unknown>, boolean]>([
    [{ email_verified: true, org: { id: 'a' } }, true],
    [{ email_verified: true, org: { id: ['x', 'b'] } }, true],
    [{ email_verified: 'true', org: { id: 'a' } }, false],
    [{ email_verified: true, org: { id: 'c' } }, false],
    [{ email_verified: true }, false],
    [{ org: { id: 'a' } }, false],
  ])('%j → %s', (claims, accepted) => {
    const map = (): unknown => mapClaims({ sub: 'alice', ...claims }, issuer)
    if (accepted) expect(map()).toBeDefined()
    else expect(map).toThrow(/does not have the value/)
  })
})

test('a token that is bound to a key is refused, because nothing here can prove the key', () => {
  expect(() => mapped({ cnf: { jkt: 'abc' } }, {})).toThrow(/`cnf` binds it to a key/)
})

test('the subject may come from another claim', () => {
  expect(mapped({ preferred_username: 'al' }, { subject: 'preferred_username' }).subject).toBe('al')
})

test('a name holds no control character, no lone surrogate and at most 256 units', () => {
  expect(isName('Ünïcode 名')).toBe(true)
  for (const bad of ['', 'a\u0000', 'a\u0085', '\ud800', 'x'.repeat(257), 7, null]) {
    expect(isName(bad)).toBe(false)
  }
})

test('any claims give a mapping or an IdentityError', () => {
  const paths = { groups: 'a.b', kind: { claim: '/a/c' }, graph: 'g', node: 'a', run: 'r' }
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'g', 'r', 'sub'), fc.jsonValue()),
      (claims) => {
        try {
          const result = mapped(claims, paths)
          expect(result.groups.every(isName)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(IdentityError)
        }
      },
    ),
  )
})
