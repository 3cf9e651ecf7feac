import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { IdentityConfig } from './config.ts'
import { IdentityError } from './errors.ts'
import {
  type MintDeps,
  mintOperatorToken,
  mintSessionToken,
  type OperatorMintRequest,
} from './mint.ts'
import type { NarrowingRequest } from './narrow.ts'
import { NOT_NARROWED, type Principal } from './principal.ts'
import { SESSION_TOKEN_PATTERN } from './session-token.ts'
import { MemorySessionTokenStore } from './session-token-store.ts'
import { type Rig, rigFor, START_MS } from './testing/issuer.ts'

const CONFIG: IdentityConfig = {
  issuers: [],
  roles: {
    analyst: { groups: ['analysts'] },
    writer: { groups: ['operators'] },
    oncall: { subjects: ['alice'] },
  },
  clockSkewSeconds: 0,
  sessionTokens: {
    maxLifetimeSeconds: 3600,
    defaultLifetimeSeconds: 900,
    maxLivePerSubject: 50,
    contextFrom: { groups: ['orchestrators'] },
  },
}
const ALICE: OperatorMintRequest = {
  subject: 'alice',
  kind: 'human',
  groups: ['analysts', 'operators', 'contractors'],
}
let rig: Rig
let deps: MintDeps

function setUp(config: IdentityConfig = CONFIG): void {
  rig = rigFor(config)
  const { now, sessionTokens } = rig
  deps = { config, now, sessionTokens, randomBytes: (count) => randomBytes(count) }
}
beforeEach(() => setUp())

async function operator(request: Partial<OperatorMintRequest> = {}): Promise<Principal> {
  const { token } = await mintOperatorToken({ ...ALICE, ...request }, deps)
  return rig.verifier.verify(token)
}
async function exchanged(
  principal: Principal,
  narrowing: NarrowingRequest,
  lifetimeSeconds?: number,
): Promise<Principal> {
  const lifetime = lifetimeSeconds === undefined ? {} : { lifetimeSeconds }
  const { token } = await mintSessionToken({ principal, narrowing, ...lifetime }, deps)
  return rig.verifier.verify(token)
}
async function codeOf(run: Promise<unknown>): Promise<string> {
  const result = await run.catch((error: unknown) => error)
  return result instanceof IdentityError ? result.code : 'accepted'
}

describe('the text of a session token', () => {
  test('is spt_ and 38 characters, and nothing of it is stored', async () => {
    const { token, record } = await mintOperatorToken(ALICE, deps)
    expect(token).toMatch(SESSION_TOKEN_PATTERN)
    expect(token).toHaveLength(42)
    expect(record.hash).toBe(createHash('sha256').update(token).digest('hex'))
    expect(record.id).toMatch(/^st_[A-Za-z0-9_-]{16}$/)
    expect(JSON.stringify(rig.sessionTokens.findByHash(record.hash))).not.toContain(
      token.slice(4, 20),
    )
  })

  test('with any one character changed, missing or added is recognised as mistyped', async () => {
    const { token } = await mintOperatorToken(ALICE, deps)
    for (let at = 4; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A'
      const typos = [
        token.slice(0, at) + other + token.slice(at + 1),
        token.slice(0, at) + token.slice(at + 1),
        `${token.slice(0, at)}x${token.slice(at)}`,
      ]
      for (const typo of typos) expect(await codeOf(rig.verifier.verify(typo))).toBe('malformed')
    }
  })

  test('that was never issued is unknown, without a word about anybody', async () => {
    const { token } = await mintOperatorToken(ALICE, {
      ...deps,
      sessionTokens: new MemorySessionTokenStore(),
    })
    const error = await rig.verifier.verify(token).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'unknown-token',
      message: 'the session token is not known or long expired',
    })
  })

  test('needs as much randomness as asked for', async () => {
    const short = { ...deps, randomBytes: () => new Uint8Array(8) }
    expect(await codeOf(mintOperatorToken(ALICE, short))).toBe('internal')
  })

  test('is never issued twice', async () => {
    const stuck = { ...deps, randomBytes: (count: number) => new Uint8Array(count) }
    await mintOperatorToken(ALICE, stuck)
    expect(await codeOf(mintOperatorToken(ALICE, stuck))).toBe('internal')
  })
})

describe('an operator token', () => {
  test('becomes a principal of the operator issuer', async () => {
    const principal = await operator({ graph: 'support', connections: ['crm'] })
    expect(principal).toMatchObject({
      subject: 'alice',
      issuer: 'sallyport:operator',
      kind: 'human',
      groups: ['analysts', 'contractors', 'operators'],
      roles: ['analyst', 'oncall', 'writer'],
      claims: {},
      graph: 'support',
      node: null,
      tokenKind: 'session',
      narrowed: { connections: ['crm'], roles: null, graph: 'support' },
      issuedAt: START_MS,
      expiresAt: START_MS + 900_000,
      parentTokenId: null,
    })
    expect(Object.isFrozen(principal.narrowed)).toBe(true)
  })

  test('may be narrowed to roles it has; another role is refused', async () => {
    expect(await operator({ roles: ['analyst'] })).toMatchObject({
      roles: ['analyst'],
      groups: ['analysts'],
    })
    const bob = { ...ALICE, subject: 'bob', roles: ['oncall'] }
    expect(await codeOf(mintOperatorToken(bob, deps))).toBe('role-not-allowed')
  })

  test.each<[string, Partial<OperatorMintRequest>]>([
    ['empty subject', { subject: '' }],
    ['control character', { groups: ['a\n'] }],
    ['lifetime 0', { lifetimeSeconds: 0 }],
    ['lifetime NaN', { lifetimeSeconds: Number.NaN }],
    ['lifetime 1.5', { lifetimeSeconds: 1.5 }],
    ['no connection in the list', { connections: [] }],
    ['65 connections', { connections: Array.from({ length: 65 }, (_, n) => `c${n}`) }],
    ['label with a line break', { label: 'a\nb' }],
  ])('is refused: %s', async (_, request) => {
    expect(await codeOf(operator(request))).toBe('invalid-request')
  })

  test('lives no longer than configured', async () => {
    expect((await operator({ lifetimeSeconds: 1e9 })).expiresAt).toBe(START_MS + 3_600_000)
  })

  test('ends when it expires', async () => {
    const { token } = await mintOperatorToken({ ...ALICE, lifetimeSeconds: 60 }, deps)
    rig.clock.now += 59_999
    expect(await codeOf(rig.verifier.verify(token))).toBe('accepted')
    rig.clock.now += 1
    expect(await codeOf(rig.verifier.verify(token))).toBe('expired')
  })

  test('cannot be minted past the number of live tokens of a subject', async () => {
    setUp({ ...CONFIG, sessionTokens: { ...CONFIG.sessionTokens, maxLivePerSubject: 2 } })
    await operator()
    await operator({ lifetimeSeconds: 1 })
    expect(await codeOf(operator())).toBe('limit')
    await operator({ subject: 'bob' })
    rig.clock.now += 1_000
    expect(await codeOf(operator())).toBe('accepted')
  })
})

describe('an exchanged token', () => {
  test('never outlives its parent and knows its ancestors', async () => {
    const root = await operator({ lifetimeSeconds: 600 })
    const child = await exchanged(root, {}, 3600)
    const grandchild = await exchanged(child, {}, 60)
    expect([child.expiresAt, grandchild.expiresAt]).toEqual([START_MS + 600_000, START_MS + 60_000])
    expect(grandchild.parentTokenId).toBe(child.tokenId)
    expect(grandchild.ancestorTokenIds).toEqual([root.tokenId, child.tokenId])
  })

  test('narrowed again is the intersection', async () => {
    const first = await exchanged(await operator(), {
      connections: ['billing', 'crm'],
      roles: ['analyst', 'writer'],
    })
    const second = await exchanged(first, {
      connections: ['crm', 'hr'],
      roles: ['writer', 'oncall'],
    })
    expect(second).toMatchObject({
      roles: ['writer'],
      groups: ['operators'],
      allGroups: ['analysts', 'contractors', 'operators'],
      narrowed: { connections: ['crm'], roles: ['writer'] },
    })
    expect(await codeOf(exchanged(second, { connections: ['billing'] }))).toBe(
      'connection-not-allowed',
    )
    expect(await codeOf(exchanged(second, { roles: ['analyst'] }))).toBe('role-not-allowed')
  })

  test('dies with any ancestor', async () => {
    const root = await operator()
    const { token } = await mintSessionToken({ principal: await exchanged(root, {}) }, deps)
    expect(await codeOf(rig.verifier.verify(token))).toBe('accepted')
    rig.revocations.revoke({
      kind: 'token',
      tokenId: root.tokenId,
      at: START_MS,
      until: root.expiresAt,
      reason: null,
    })
    expect(await codeOf(rig.verifier.verify(token))).toBe('revoked')
  })

  test('is not made from a principal whose token has expired meanwhile', async () => {
    const root = await operator({ lifetimeSeconds: 1 })
    rig.clock.now += 1_000
    expect(await codeOf(mintSessionToken({ principal: root }, deps))).toBe('expired')
  })

  test('stops at a depth of 16', async () => {
    let principal = await operator()
    for (let depth = 0; depth < 16; depth++) principal = await exchanged(principal, {})
    expect(await codeOf(exchanged(principal, {}))).toBe('limit')
  })

  test('of an issuer that is configured no more is refused', async () => {
    const { token, record } = await mintOperatorToken(ALICE, deps)
    const moved = new MemorySessionTokenStore()
    moved.put({ ...record, issuer: 'https://gone.example' })
    const other = rigFor(CONFIG, { sessionTokens: moved })
    expect(await codeOf(other.verifier.verify(token))).toBe('wrong-issuer')
  })

  test('loses a role the moment the configuration does', async () => {
    const { token } = await mintOperatorToken(ALICE, deps)
    const roles = { analyst: CONFIG.roles['analyst']! }
    const other = rigFor({ ...CONFIG, roles }, { sessionTokens: rig.sessionTokens })
    expect((await other.verifier.verify(token)).roles).toEqual(['analyst'])
  })
})

describe('graph, node and run', () => {
  test('asked for by anybody only bind; they are not vouched for', async () => {
    const bound = await exchanged(await operator(), { graph: 'billing', run: '42' })
    expect(bound).toMatchObject({
      graph: null,
      run: null,
      narrowed: { graph: 'billing', node: null, run: '42' },
    })
    expect(await codeOf(exchanged(bound, { graph: 'support' }))).toBe('context-not-allowed')
    expect(await codeOf(exchanged(bound, { graph: 'billing', node: 'n' }))).toBe('accepted')
  })

  test('are vouched for by a principal the configuration names, first hand only', async () => {
    const orchestrator = await operator({ groups: ['orchestrators'] })
    const handed = await exchanged(orchestrator, { graph: 'support' })
    expect(handed).toMatchObject({ graph: 'support', narrowed: { graph: 'support' } })
    const further = await exchanged(handed, { node: 'admin' })
    expect(further).toMatchObject({ graph: 'support', node: null, narrowed: { node: 'admin' } })
  })

  test('that the issuer vouches for cannot be changed, also when nothing is bound yet', async () => {
    const principal = { ...(await operator({ graph: 'support' })), narrowed: NOT_NARROWED }
    expect(await codeOf(exchanged(principal, { graph: 'billing' }))).toBe('context-not-allowed')
    expect(await exchanged(principal, { graph: 'support' })).toMatchObject({
      graph: 'support',
      narrowed: { graph: 'support' },
    })
  })

  test('vouched for cannot be changed', async () => {
    const fixed = await operator({ graph: 'support', groups: ['orchestrators'] })
    expect(await codeOf(exchanged(fixed, { graph: 'billing' }))).toBe('context-not-allowed')
  })
})

describe('narrowing', () => {
  const names = (...of: string[]): fc.Arbitrary<string[] | null> =>
    fc.option(fc.subarray(of, { minLength: 1 }))
  const request = fc.record({
    connections: names('crm', 'billing', 'hr'),
    roles: names('analyst', 'writer', 'oncall', 'gone'),
    graph: fc.option(fc.constantFrom('g1', 'g2'), { freq: 2 }),
    node: fc.option(fc.constantFrom('n1', 'n2'), { freq: 2 }),
    run: fc.option(fc.constantFrom('r1', 'r2'), { freq: 2 }),
  })
  const within = (inner: readonly string[] | null, outer: readonly string[] | null): boolean =>
    outer === null || (inner?.every((name) => outer.includes(name)) ?? false)

  function assertNoWider(child: Principal, parent: Principal): void {
    expect(within(child.groups, parent.groups)).toBe(true)
    expect(within(child.roles, parent.roles)).toBe(true)
    expect(child.allGroups).toEqual(parent.allGroups)
    expect(within(child.narrowed.connections, parent.narrowed.connections)).toBe(true)
    expect(within(child.narrowed.roles, parent.narrowed.roles)).toBe(true)
    expect(child.expiresAt).toBeLessThanOrEqual(parent.expiresAt)
    expect([child.subject, child.issuer, child.kind]).toEqual([
      parent.subject,
      parent.issuer,
      parent.kind,
    ])
    for (const field of ['graph', 'node', 'run'] as const) {
      expect(child[field]).toBe(parent[field])
      if (parent.narrowed[field] !== null)
        expect(child.narrowed[field]).toBe(parent.narrowed[field])
    }
  }

  test('never widens, however often it is repeated, or it is refused', async () => {
    const step = fc.tuple(request, fc.integer({ min: 1, max: 5_000 }))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        setUp()
        let parent = await operator()
        for (const [narrowing, lifetime] of steps) {
          const child = await exchanged(parent, narrowing, lifetime).catch(
            (error: unknown) => error,
          )
          if (child instanceof IdentityError) continue
          // Safe: what is not an IdentityError is the principal, or the assertions below fail.
          assertNoWider(child as Principal, parent)
          parent = child as Principal
        }
      }),
      { numRuns: 150 },
    )
  })
})

test('the in-memory store refuses past its cap, counts the living and purges the dead', async () => {
  const sessionTokens = new MemorySessionTokenStore({ max: 2 })
  const small = { ...deps, sessionTokens }
  const first = await mintOperatorToken({ ...ALICE, lifetimeSeconds: 1 }, small)
  rig.clock.now += 10
  const second = await mintOperatorToken(ALICE, small)
  expect(await codeOf(mintOperatorToken(ALICE, small))).toBe('limit')
  const everybody = { issuer: null, subject: null, limit: 10 }
  expect(sessionTokens.list(everybody).map((record) => record.id)).toEqual([
    second.record.id,
    first.record.id,
  ])
  expect(sessionTokens.list({ ...everybody, subject: 'bob' })).toEqual([])
  expect(sessionTokens.purge(START_MS + 1_001)).toBe(1)
  expect(sessionTokens.size).toBe(1)
})
