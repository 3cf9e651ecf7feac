/**
 * Revocation: the single truth about which tokens are dead before their time. A session token has no
 * revoked flag of its own; its id, its ancestors' ids and its subject are looked up here.
 * The port is implemented by the gateway on its store; the in-memory one serves tests and the demo.
 */
import { assertNever, IdentityError } from './errors.ts'
import { MEMORY_REVOCATIONS_MAX } from './limits.ts'
import type { EpochMs, Principal } from './principal.ts'

export type Revocation =
  | {
      readonly kind: 'token'
      /** Also ends every token exchanged from it. */
      readonly tokenId: string
      readonly at: EpochMs
      /** The entry may be forgotten from here on: the token has expired. `null` keeps it for good. */
      readonly until: EpochMs | null
      readonly reason: string | null
    }
  | {
      readonly kind: 'subject'
      readonly issuer: string
      readonly subject: string
      readonly at: EpochMs
      /**
       * Tokens issued before this instant are dead; `null` means all, whenever issued (the person
       * left). A token that does not say when it was issued counts as issued before.
       */
      readonly issuedBefore: EpochMs | null
      readonly reason: string | null
    }

/** What is needed to ask: a principal, or a record that is about to become one. */
export type RevocationSubject = Pick<
  Principal,
  'tokenId' | 'ancestorTokenIds' | 'issuer' | 'subject' | 'issuedAt'
>

/**
 * Port. Implementations must answer from state at least as new as the last `revoke` of this process,
 * must throw when they cannot know, and must call subscribers for revocations of other processes too.
 */
export interface RevocationStore {
  /** Durable when it resolves; subscribers are called after that. Idempotent. */
  revoke(revocation: Revocation): void | Promise<void>
  /** True when `revocationApplies` holds for any entry. */
  isRevoked(subject: RevocationSubject): boolean | Promise<boolean>
  /** Calls back once per revocation from now on, all subscribers even if one throws; the result unsubscribes. */
  subscribe(callback: (revocation: Revocation) => void): () => void
}

/** Does this revocation end that token? For live sessions as well as for verification. */
export function revocationApplies(revocation: Revocation, subject: RevocationSubject): boolean {
  switch (revocation.kind) {
    case 'token':
      return (
        revocation.tokenId === subject.tokenId ||
        subject.ancestorTokenIds.includes(revocation.tokenId)
      )
    case 'subject':
      return (
        revocation.issuer === subject.issuer &&
        revocation.subject === subject.subject &&
        (revocation.issuedBefore === null ||
          subject.issuedAt === null ||
          subject.issuedAt < revocation.issuedBefore)
      )
    default:
      return assertNever(revocation)
  }
}

/** Revocations in memory, gone with the process. At most `MEMORY_REVOCATIONS_MAX`; then `limit`. */
export class MemoryRevocationStore implements RevocationStore {
  readonly #tokens = new Map<string, Revocation & { kind: 'token' }>()
  readonly #subjects = new Map<string, Revocation & { kind: 'subject' }>()
  readonly #subscribers = new Set<(revocation: Revocation) => void>()
  readonly #max: number

  constructor(options: { max?: number } = {}) {
    this.#max = options.max ?? MEMORY_REVOCATIONS_MAX
  }

  get size(): number {
    return this.#tokens.size + this.#subjects.size
  }

  revoke(revocation: Revocation): void {
    if (revocation.kind === 'token') this.#putToken(revocation)
    else this.#putSubject(revocation)
    // INVARIANT: everybody is told, also when one of them fails; the failure is still heard.
    const failures: unknown[] = []
    for (const callback of [...this.#subscribers]) {
      try {
        callback(revocation)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'a revocation subscriber failed')
  }

  isRevoked(subject: RevocationSubject): boolean {
    for (const id of [subject.tokenId, ...subject.ancestorTokenIds]) {
      if (this.#tokens.has(id)) return true
    }
    const bySubject = this.#subjects.get(subjectKey(subject))
    return bySubject !== undefined && revocationApplies(bySubject, subject)
  }

  subscribe(callback: (revocation: Revocation) => void): () => void {
    this.#subscribers.add(callback)
    return () => {
      this.#subscribers.delete(callback)
    }
  }

  /** Forgets entries whose token has expired by `now`. */
  purge(now: EpochMs): void {
    for (const [id, entry] of this.#tokens) {
      if (entry.until !== null && entry.until <= now) this.#tokens.delete(id)
    }
  }

  #putToken(revocation: Revocation & { kind: 'token' }): void {
    const known = this.#tokens.get(revocation.tokenId)
    if (known === undefined) this.#makeRoom()
    const until =
      known === undefined ? revocation.until : latestOrForever(known.until, revocation.until)
    this.#tokens.set(revocation.tokenId, { ...revocation, until })
  }

  #putSubject(revocation: Revocation & { kind: 'subject' }): void {
    const key = subjectKey(revocation)
    const known = this.#subjects.get(key)
    if (known === undefined) this.#makeRoom()
    // INVARIANT: a second revocation never revives what the first one ended.
    const issuedBefore =
      known === undefined
        ? revocation.issuedBefore
        : latestOrForever(known.issuedBefore, revocation.issuedBefore)
    this.#subjects.set(key, { ...revocation, issuedBefore })
  }

  #makeRoom(): void {
    if (this.size >= this.#max) {
      throw new IdentityError('limit', 'the revocation list is full')
    }
  }
}

function latestOrForever(a: EpochMs | null, b: EpochMs | null): EpochMs | null {
  return a === null || b === null ? null : Math.max(a, b)
}

function subjectKey(of: { issuer: string; subject: string }): string {
  return JSON.stringify([of.issuer, of.subject])
}
