/** Public names of @sallyport/identity: token → Principal. See README.md. */
export { claimAt, isName } from './claims.ts'
export {
  type ClaimMapping,
  type ClaimPath,
  DEFAULT_ALGORITHMS,
  type IdentityConfig,
  type IssuerConfig,
  type KindRule,
  type Matcher,
  OPERATOR_ISSUER,
  type RequiredClaim,
  type RoleConfig,
  type SessionTokenConfig,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
} from './config.ts'
export { type ConfigProblem, identityConfigProblems } from './config-check.ts'
export { discoverLogin, type LoginEndpoints } from './discovery.ts'
export { IDENTITY_ERROR_CODES, IdentityError, type IdentityErrorCode } from './errors.ts'
export type { Fetch } from './fetch-json.ts'
export { discoveryUrlOf, type IssuerStatus } from './issuer-keys.ts'
export { TOKEN_BYTES_MAX } from './limits.ts'
export {
  type MintDeps,
  type MintedToken,
  type MintRequest,
  mintOperatorToken,
  mintSessionToken,
  type OperatorMintRequest,
} from './mint.ts'
export type { NarrowingRequest } from './narrow.ts'
export {
  ACCESS_TOKEN_TYPE,
  type ActiveToken,
  type IntrospectionResult,
  JWT_TOKEN_TYPE,
  type OAuthErrorCode,
  type OAuthFailure,
  processIntrospection,
  processRevocation,
  processTokenExchange,
  type RevocationResult,
  TOKEN_EXCHANGE_GRANT,
  type TokenExchangeSuccess,
} from './oauth.ts'
export {
  type EpochMs,
  type Narrowed,
  NOT_NARROWED,
  type Principal,
  type PrincipalKind,
} from './principal.ts'
export {
  MemoryRevocationStore,
  type Revocation,
  type RevocationStore,
  type RevocationSubject,
  revocationApplies,
} from './revocations.ts'
export { assertConnection, type ChosenRole, chooseRole, matches, type Roles } from './roles.ts'
export { formatScope, parseScope } from './scope.ts'
export {
  type RandomBytes,
  SESSION_TOKEN_PATTERN,
  SESSION_TOKEN_PREFIX,
  sessionTokenHash,
} from './session-token.ts'
export {
  MemorySessionTokenStore,
  type SessionTokenRecord,
  type SessionTokenStore,
} from './session-token-store.ts'
export { createVerifier, type Verifier, type VerifierDeps } from './verify.ts'
