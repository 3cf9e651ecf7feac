/**
 * The three OAuth endpoints that concern tokens, without HTTP: form parameters in, status and JSON
 * body out. Whoever holds a token may exchange and revoke it; who may introspect is the caller's
 * decision. Answers must be sent with `Cache-Control: no-store`.
 * Spec: RFC 8693 (exchange), RFC 7662 (introspection), RFC 7009 (revocation), RFC 6749 §5.2 (errors).
 */
import { audiencesOf } from './config.ts'
import { askStore, IdentityError } from './errors.ts'
import { type MintDeps, mintSessionToken } from './mint.ts'
import type { EpochMs, Principal } from './principal.ts'
import type { Revocation, RevocationStore } from './revocations.ts'
import { formatScope, parseScope } from './scope.ts'
import type { SessionTokenRecord } from './session-token-store.ts'
import type { Verifier } from './verify.ts'

export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
export const JWT_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'temporarily_unavailable'
  | 'server_error'

export interface OAuthFailure {
  readonly kind: 'failure'
  readonly status: 400 | 429 | 500 | 503
  readonly body: { readonly error: OAuthErrorCode; readonly error_description: string }
  /** For the log and the audit record; null when the request was wrong before any token was read. */
  readonly cause: IdentityError | null
}

export interface TokenExchangeSuccess {
  readonly kind: 'issued'
  readonly status: 200
  readonly body: {
    readonly access_token: string
    readonly issued_token_type: typeof ACCESS_TOKEN_TYPE
    readonly token_type: 'Bearer'
    readonly expires_in: number
    /** What the token is narrowed to; absent when it is not. */
    readonly scope?: string
  }
  /** For the audit record. */
  readonly principal: Principal
  readonly record: SessionTokenRecord
}

/** Narrowing goes into `scope` (scope.ts); `lifetime`, an extension, is seconds. Never throws. */
export async function processTokenExchange(
  params: URLSearchParams,
  deps: MintDeps & { verifier: Verifier },
): Promise<TokenExchangeSuccess | OAuthFailure> {
  try {
    const request = readExchange(params, deps.verifier)
    if ('kind' in request) return request
    const principal = await deps.verifier.verify(request.subjectToken)
    const { token, record } = await mintSessionToken({ principal, ...request.mint }, deps)
    const scope = formatScope(record.narrowed)
    return {
      kind: 'issued',
      status: 200,
      body: {
        access_token: token,
        issued_token_type: ACCESS_TOKEN_TYPE,
        token_type: 'Bearer',
        expires_in: Math.floor((record.expiresAt - record.issuedAt) / 1000),
        ...(scope === '' ? {} : { scope }),
      },
      principal,
      record,
    }
  } catch (error) {
    return failureOf(error)
  }
}

type ExchangeRequest = {
  subjectToken: string
  mint: { narrowing: ReturnType<typeof parseScope>; lifetimeSeconds?: number }
}

function readExchange(given: URLSearchParams, verifier: Verifier): ExchangeRequest | OAuthFailure {
  // RFC 6749 §3.2: a parameter without a value is as if it were not there.
  const params = new URLSearchParams([...given].filter(([, value]) => value !== ''))
  for (const name of new Set(params.keys())) {
    // RFC 6749 §3.2: no parameter twice; RFC 8693 §2.1 excepts `audience` and `resource`.
    if (name !== 'audience' && name !== 'resource' && params.getAll(name).length > 1) {
      return failure('invalid_request', 'a parameter is given more than once')
    }
  }
  if (!params.has('grant_type')) return failure('invalid_request', 'grant_type is missing')
  if (params.get('grant_type') !== TOKEN_EXCHANGE_GRANT) {
    return failure('unsupported_grant_type', `grant_type must be ${TOKEN_EXCHANGE_GRANT}`)
  }
  const type = params.get('subject_token_type')
  if (type !== ACCESS_TOKEN_TYPE && type !== JWT_TOKEN_TYPE) {
    return failure('invalid_request', 'subject_token_type must be that of an access token or a JWT')
  }
  if ((params.get('requested_token_type') ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE) {
    return failure('invalid_request', `requested_token_type must be ${ACCESS_TOKEN_TYPE}`)
  }
  if (params.has('actor_token') || params.has('actor_token_type')) {
    return failure('invalid_request', 'delegation with an actor_token is not supported')
  }
  const ours = new Set(verifier.config.issuers.flatMap(audiencesOf))
  if (
    params.has('resource') ||
    !params.getAll('audience').every((audience) => ours.has(audience))
  ) {
    return failure('invalid_target', 'tokens are issued for this gateway only')
  }
  const lifetime = params.get('lifetime')
  if (lifetime !== null && !/^[1-9][0-9]{0,8}$/.test(lifetime)) {
    return failure('invalid_request', 'lifetime must be a whole number of seconds above 0')
  }
  const subjectToken = params.get('subject_token')
  if (subjectToken === null) return failure('invalid_request', 'subject_token is missing')
  const narrowing = parseScope(params.get('scope') ?? '')
  const lifetimeSeconds = lifetime === null ? {} : { lifetimeSeconds: Number(lifetime) }
  return { subjectToken, mint: { narrowing, ...lifetimeSeconds } }
}

export type IntrospectionResult =
  | {
      readonly kind: 'introspected'
      readonly status: 200
      readonly body: { readonly active: false } | ActiveToken
    }
  | OAuthFailure

export interface ActiveToken {
  readonly active: true
  readonly sub: string
  readonly iss: string
  readonly exp: number
  readonly iat?: number
  readonly jti: string
  readonly token_type: 'Bearer'
  readonly scope?: string
  readonly sallyport: {
    readonly kind: Principal['kind']
    readonly token_kind: Principal['tokenKind']
    readonly groups: readonly string[]
    readonly roles: readonly string[]
    readonly graph: string | null
    readonly node: string | null
    readonly run: string | null
    readonly parent: string | null
  }
}

/** Is a token good here, and whose? A token that is not says only `active: false`. Never throws. */
export async function processIntrospection(
  params: URLSearchParams,
  verifier: Verifier,
): Promise<IntrospectionResult> {
  const token = onlyToken(params)
  if (typeof token !== 'string') return token
  try {
    const principal = await verifier.verify(token)
    return { kind: 'introspected', status: 200, body: activeToken(principal) }
  } catch (error) {
    const answer = failureOf(error)
    // RFC 7662 §2.2: why it is not active is not told. "Could not check" is not "not active".
    if (answer.status !== 400) return answer
    return { kind: 'introspected', status: 200, body: { active: false } }
  }
}

function activeToken(principal: Principal): ActiveToken {
  const scope = formatScope(principal.narrowed)
  return {
    active: true,
    sub: principal.subject,
    iss: principal.issuer,
    exp: Math.floor(principal.expiresAt / 1000),
    ...(principal.issuedAt === null ? {} : { iat: Math.floor(principal.issuedAt / 1000) }),
    jti: principal.tokenId,
    token_type: 'Bearer',
    ...(scope === '' ? {} : { scope }),
    sallyport: {
      kind: principal.kind,
      token_kind: principal.tokenKind,
      groups: principal.groups,
      roles: principal.roles,
      graph: principal.graph,
      node: principal.node,
      run: principal.run,
      parent: principal.parentTokenId,
    },
  }
}

export type RevocationResult =
  /** `revoked`: whose token it was; null when it was no live token, which is no error (§2.2). */
  { readonly kind: 'done'; readonly status: 200; readonly revoked: Principal | null } | OAuthFailure

/** Ends a token and everything exchanged from it. Never throws. */
export async function processRevocation(
  params: URLSearchParams,
  deps: { verifier: Verifier; revocations: RevocationStore; now: () => EpochMs },
): Promise<RevocationResult> {
  const token = onlyToken(params)
  if (typeof token !== 'string') return token
  try {
    const principal = await deps.verifier.verify(token)
    const revocation: Revocation = {
      kind: 'token',
      tokenId: principal.tokenId,
      at: deps.now(),
      until: principal.expiresAt,
      reason: 'revoked by its holder',
    }
    await askStore('revocation', () => deps.revocations.revoke(revocation))
    return { kind: 'done', status: 200, revoked: principal }
  } catch (error) {
    const answer = failureOf(error)
    return answer.status === 400 ? { kind: 'done', status: 200, revoked: null } : answer
  }
}

function onlyToken(params: URLSearchParams): string | OAuthFailure {
  const tokens = params.getAll('token')
  if (tokens.length === 1 && tokens[0] !== '') return tokens[0]!
  return failure('invalid_request', 'exactly one token is needed')
}

function failure(
  error: OAuthErrorCode,
  description: string,
  options: { status?: OAuthFailure['status']; cause?: IdentityError } = {},
): OAuthFailure {
  return {
    kind: 'failure',
    status: options.status ?? 400,
    body: { error, error_description: description },
    cause: options.cause ?? null,
  }
}

function failureOf(error: unknown): OAuthFailure {
  if (!(error instanceof IdentityError)) {
    const what = error instanceof Error ? error.name : typeof error
    const cause = new IdentityError('internal', 'internal error', `unexpected ${what}`)
    return failure('server_error', cause.message, { status: 500, cause })
  }
  const description = error.message.replaceAll(/[^ !#-[\]-~]/g, '?')
  switch (error.code) {
    case 'issuer-unavailable':
    case 'store-unavailable':
      return failure('temporarily_unavailable', description, { status: 503, cause: error })
    case 'limit':
      return failure('temporarily_unavailable', description, { status: 429, cause: error })
    case 'internal':
    case 'configuration':
      return failure('server_error', description, { status: 500, cause: error })
    case 'role-not-allowed':
    case 'connection-not-allowed':
    case 'context-not-allowed':
      return failure('invalid_scope', description, { cause: error })
    default:
      // RFC 8693 §2.2.2: a subject_token that is invalid for any reason is `invalid_request`.
      return failure('invalid_request', description, { cause: error })
  }
}
