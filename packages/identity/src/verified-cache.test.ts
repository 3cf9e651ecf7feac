import { expect, test } from 'vitest'
import { IssuerKeys } from './issuer-keys.ts'
import { NOT_NARROWED, type Principal } from './principal.ts'
import { VerifiedCache, type VerifiedToken } from './verified-cache.ts'

const keys = new IssuerKeys(
  { issuer: 'https://id.example', audience: 'x' },
  { now: () => 0, fetch },
)
function entryUntil(expiresAt: number): VerifiedToken {
  const principal: Principal = {
    subject: 'alice',
    issuer: 'https://id.example',
    kind: 'human',
    groups: [],
    allGroups: [],
    roles: [],
    claims: {},
    graph: null,
    node: null,
    run: null,
    narrowed: NOT_NARROWED,
    tokenId: 't',
    tokenKind: 'jwt',
    expiresAt,
    issuedAt: null,
    parentTokenId: null,
    ancestorTokenIds: [],
  }
  return { principal, keys, generation: 0 }
}

test('an entry is gone from the instant it expires', () => {
  const cache = new VerifiedCache(10)
  cache.put('a', entryUntil(100))
  expect(cache.find('a', 99)).toBeDefined()
  expect(cache.find('a', 100)).toBeUndefined()
  expect(cache.size).toBe(0)
})

test('the cap holds, and putting the same token again takes no second place', () => {
  const cache = new VerifiedCache(2)
  for (const digest of ['a', 'b', 'b', 'a', 'c']) cache.put(digest, entryUntil(100))
  expect(cache.size).toBe(2)
  expect(['a', 'b', 'c'].map((digest) => cache.find(digest, 0) !== undefined)).toEqual([
    true,
    false,
    true,
  ])
})
