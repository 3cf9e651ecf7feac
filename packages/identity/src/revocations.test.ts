import { describe, expect, test } from 'vitest'
import { MemoryRevocationStore, type Revocation, revocationApplies } from './revocations.ts'

const token = (tokenId: string, until: number | null = null): Revocation => ({
  kind: 'token',
  tokenId,
  at: 100,
  until,
  reason: null,
})
const subject = (issuedBefore: number | null): Revocation => ({
  kind: 'subject',
  issuer: 'i',
  subject: 'alice',
  at: 100,
  issuedBefore,
  reason: 'left',
})
const held = (options: { id?: string; ancestors?: string[]; issuedAt?: number | null } = {}) => ({
  tokenId: options.id ?? 't',
  ancestorTokenIds: options.ancestors ?? [],
  issuer: 'i',
  subject: 'alice',
  issuedAt: options.issuedAt === undefined ? 50 : options.issuedAt,
})

describe('a revoked token', () => {
  test('takes every token exchanged from it along, and no other', () => {
    const store = new MemoryRevocationStore()
    store.revoke(token('parent'))
    expect(store.isRevoked(held({ id: 'parent' }))).toBe(true)
    expect(store.isRevoked(held({ id: 'c', ancestors: ['root', 'parent'] }))).toBe(true)
    expect(store.isRevoked(held({ id: 'root' }))).toBe(false)
  })
  test('is forgotten only when the latest expiry named has passed', () => {
    const store = new MemoryRevocationStore()
    store.revoke(token('t', 200))
    store.revoke(token('t', 150))
    store.purge(199)
    expect(store.isRevoked(held())).toBe(true)
    store.purge(200)
    expect(store.size).toBe(0)
  })
  test('without expiry is kept', () => {
    const store = new MemoryRevocationStore()
    store.revoke(token('t'))
    store.revoke(token('t', 150))
    store.purge(1e15)
    expect(store.isRevoked(held())).toBe(true)
  })
})

describe('a revoked subject', () => {
  test('loses what was issued before, and what does not say when', () => {
    const store = new MemoryRevocationStore()
    store.revoke(subject(100))
    expect(store.isRevoked(held({ issuedAt: 99 }))).toBe(true)
    expect(store.isRevoked(held({ issuedAt: null }))).toBe(true)
    expect(store.isRevoked(held({ issuedAt: 100 }))).toBe(false)
    expect(store.isRevoked({ ...held({ issuedAt: 1 }), issuer: 'other' })).toBe(false)
  })
  test('stays revoked for good when a narrower revocation follows', () => {
    const store = new MemoryRevocationStore()
    store.revoke(subject(null))
    store.revoke(subject(100))
    expect(store.isRevoked(held({ issuedAt: 1e15 }))).toBe(true)
  })
})

test('a live session is ended by the revocation of its token or of any ancestor', () => {
  const session = held({ id: 'c', ancestors: ['root', 'parent'] })
  for (const id of ['c', 'root', 'parent']) expect(revocationApplies(token(id), session)).toBe(true)
  expect(revocationApplies(token('other'), session)).toBe(false)
  expect(revocationApplies(subject(51), session)).toBe(true)
  expect(revocationApplies(subject(50), session)).toBe(false)
})

test('subscribers hear every revocation until they leave', () => {
  const store = new MemoryRevocationStore()
  const heard: Revocation[] = []
  const leave = store.subscribe((revocation) => heard.push(revocation))
  store.revoke(token('a'))
  store.revoke(subject(1))
  leave()
  store.revoke(token('b'))
  expect(heard).toEqual([token('a'), subject(1)])
})

test('a subscriber that fails keeps nobody else from hearing', () => {
  const store = new MemoryRevocationStore()
  const heard: Revocation[] = []
  store.subscribe(() => {
    throw new Error('broken')
  })
  store.subscribe((revocation) => heard.push(revocation))
  expect(() => store.revoke(token('a'))).toThrow(AggregateError)
  expect(heard).toHaveLength(1)
  expect(store.isRevoked(held({ id: 'a' }))).toBe(true)
})

test('a full list refuses another entry but not a change to one it has', () => {
  const store = new MemoryRevocationStore({ max: 1 })
  store.revoke(token('a'))
  store.revoke(token('a', 5))
  expect(() => store.revoke(token('b'))).toThrow(/full/)
  expect(() => store.revoke(subject(null))).toThrow(/full/)
})
