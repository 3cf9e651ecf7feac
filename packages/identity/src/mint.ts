/**
 * Makes session tokens: from a principal (narrowed, never outliving it) or on an operator's word.
 * The text of the token leaves through the return value once and is kept nowhere.
 */
import { isName } from './claims.ts'
import { type IdentityConfig, OPERATOR_ISSUER } from './config.ts'
import { askStore, IdentityError } from './errors.ts'
import { expired } from './jwt-verify.ts'
import { EXCHANGE_DEPTH_MAX, GROUPS_MAX, LIVE_TOKENS_PER_SUBJECT_MAX } from './limits.ts'
import { type NarrowingRequest, narrow } from './narrow.ts'
import {
  deepFreeze,
  type EpochMs,
  NOT_NARROWED,
  type Principal,
  type PrincipalKind,
} from './principal.ts'
import { rolesAndGroups } from './roles.ts'
import {
  drawSessionToken,
  type RandomBytes,
  sessionTokenHash,
  sessionTokenId,
} from './session-token.ts'
import type { SessionTokenRecord, SessionTokenStore } from './session-token-store.ts'

export interface MintDeps {
  readonly config: IdentityConfig
  readonly now: () => EpochMs
  readonly randomBytes: RandomBytes
  readonly sessionTokens: SessionTokenStore
}

export interface MintedToken {
  /** The secret: give it to the client, write it nowhere. */
  readonly token: string
  /** What was stored. */
  readonly record: SessionTokenRecord
}

export interface MintRequest {
  /** Just verified by `Verifier.verify`. */
  readonly principal: Principal
  readonly narrowing?: NarrowingRequest
  /** Seconds; default and greatest value are configured. Cut to the parent's remaining life. */
  readonly lifetimeSeconds?: number
  readonly label?: string
}

/** A session token for a principal. Throws what `narrow` throws, `expired`, `limit`, `invalid-request`. */
export async function mintSessionToken(request: MintRequest, deps: MintDeps): Promise<MintedToken> {
  const { principal } = request
  const now = deps.now()
  if (!(now < principal.expiresAt)) throw expired(now - principal.expiresAt)
  if (principal.ancestorTokenIds.length >= EXCHANGE_DEPTH_MAX) {
    const message = `a token can be exchanged at most ${EXCHANGE_DEPTH_MAX} times in a row`
    throw new IdentityError('limit', message)
  }
  const { narrowed, vouched } = narrow(principal, request.narrowing ?? {}, deps.config)
  const end = now + lifetimeMs(request.lifetimeSeconds, deps.config)
  return store(
    {
      subject: principal.subject,
      issuer: principal.issuer,
      kind: principal.kind,
      groups: principal.allGroups,
      claims: principal.claims,
      ...vouched,
      narrowed,
      issuedAt: now,
      expiresAt: Math.min(principal.expiresAt, end),
      ancestorTokenIds: [...principal.ancestorTokenIds, principal.tokenId],
      mintedBy: 'exchange',
      label: labelOf(request.label),
    },
    deps,
  )
}

export interface OperatorMintRequest {
  readonly subject: string
  readonly kind: PrincipalKind
  readonly groups: readonly string[]
  /** Narrow to these roles; each must follow from the subject and groups. Default: all that do. */
  readonly roles?: readonly string[]
  readonly connections?: readonly string[]
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly lifetimeSeconds?: number
  readonly label?: string
}

/**
 * A session token without any JWT, issuer `OPERATOR_ISSUER`. The caller has made sure that it is the
 * operator who asks. Throws `invalid-request`, `role-not-allowed`, `limit`.
 */
export async function mintOperatorToken(
  request: OperatorMintRequest,
  deps: MintDeps,
): Promise<MintedToken> {
  const now = deps.now()
  const groups = [...new Set(request.groups)].sort()
  if (!isName(request.subject) || !groups.every(isName) || groups.length > GROUPS_MAX) {
    const message = `subject and groups must be short printable text, at most ${GROUPS_MAX} groups`
    throw new IdentityError('invalid-request', message)
  }
  const first = operatorPrincipal(request, { groups, now, config: deps.config })
  const missing = (request.roles ?? []).filter((role) => !first.roles.includes(role))
  if (missing.length > 0) {
    const message = `neither the subject nor its groups have the role \`${missing[0]}\``
    throw new IdentityError('role-not-allowed', message)
  }
  const { narrowed } = narrow(first, request, deps.config)
  return store(
    {
      subject: request.subject,
      issuer: OPERATOR_ISSUER,
      kind: request.kind,
      groups,
      claims: {},
      graph: narrowed.graph,
      node: narrowed.node,
      run: narrowed.run,
      narrowed,
      issuedAt: now,
      expiresAt: now + lifetimeMs(request.lifetimeSeconds, deps.config),
      ancestorTokenIds: [],
      mintedBy: 'operator',
      label: labelOf(request.label),
    },
    deps,
  )
}

/** The unrestricted principal that an operator's request is a narrowing of. */
function operatorPrincipal(
  request: OperatorMintRequest,
  of: { groups: readonly string[]; now: EpochMs; config: IdentityConfig },
): Principal {
  const from = { issuer: OPERATOR_ISSUER, subject: request.subject, allGroups: of.groups }
  return {
    ...from,
    ...rolesAndGroups(from, of.config.roles, null),
    kind: request.kind,
    claims: {},
    graph: null,
    node: null,
    run: null,
    narrowed: NOT_NARROWED,
    tokenId: '',
    tokenKind: 'session',
    expiresAt: of.now,
    issuedAt: of.now,
    parentTokenId: null,
    ancestorTokenIds: [],
  }
}

async function store(
  fields: Omit<SessionTokenRecord, 'id' | 'hash'>,
  deps: MintDeps,
): Promise<MintedToken> {
  const { issuer, subject, issuedAt } = fields
  const most = deps.config.sessionTokens.maxLivePerSubject ?? LIVE_TOKENS_PER_SUBJECT_MAX
  const live = await askStore('session token', () =>
    deps.sessionTokens.countLive({ issuer, subject, now: issuedAt }),
  )
  if (!(live < most)) {
    throw new IdentityError(
      'limit',
      `there are already ${most} live session tokens for this subject`,
    )
  }
  const token = drawSessionToken(deps.randomBytes)
  const hash = sessionTokenHash(token)
  const record = deepFreeze(structuredClone({ id: sessionTokenId(hash), hash, ...fields }))
  await askStore('session token', () => deps.sessionTokens.put(record))
  return { token, record }
}

function lifetimeMs(asked: number | undefined, config: IdentityConfig): number {
  const { defaultLifetimeSeconds, maxLifetimeSeconds } = config.sessionTokens
  const seconds = asked ?? defaultLifetimeSeconds
  if (!(Number.isSafeInteger(seconds) && seconds > 0)) {
    throw new IdentityError(
      'invalid-request',
      'the lifetime must be a whole number of seconds above 0',
    )
  }
  return Math.min(seconds, maxLifetimeSeconds) * 1000
}

function labelOf(label: string | undefined): string | null {
  if (label === undefined) return null
  if (!isName(label)) throw new IdentityError('invalid-request', 'the label must be short text')
  return label
}
