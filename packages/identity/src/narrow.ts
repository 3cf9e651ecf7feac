/**
 * What a token becomes when it is exchanged for a narrower one. Every step is an intersection with
 * what was there; there is no way to write "more".
 */
import { isName } from './claims.ts'
import type { IdentityConfig } from './config.ts'
import { IdentityError } from './errors.ts'
import { NARROWING_NAMES_MAX } from './limits.ts'
import type { Narrowed, Principal } from './principal.ts'
import { matches } from './roles.ts'

/** Absent or null: not narrowed in this respect. */
export interface NarrowingRequest {
  readonly connections?: readonly string[] | null
  readonly roles?: readonly string[] | null
  readonly graph?: string | null
  readonly node?: string | null
  readonly run?: string | null
}

const CONTEXT = ['graph', 'node', 'run'] as const
type Context = Record<(typeof CONTEXT)[number], string | null>

/**
 * The narrowing of the new token, and the graph, node and run it is vouched for. Throws
 * `invalid-request`, `connection-not-allowed`, `role-not-allowed` (nothing would be left) or
 * `context-not-allowed` (bound to another graph, node or run).
 */
export function narrow(
  principal: Principal,
  request: NarrowingRequest,
  config: IdentityConfig,
): { narrowed: Narrowed; vouched: Context } {
  const before = principal.narrowed
  const connections = intersection(before.connections, namesIn(request.connections))
  if (connections?.length === 0) {
    const message = 'this token is limited to other connections than those asked for'
    throw new IdentityError('connection-not-allowed', message)
  }
  const asked = namesIn(request.roles)
  const roles = asked === null ? before.roles : intersection(principal.roles, asked)
  if (asked !== null && roles?.length === 0) {
    throw new IdentityError(
      'role-not-allowed',
      'this token may not take any of the roles asked for',
    )
  }
  const bound: Context = { graph: before.graph, node: before.node, run: before.run }
  const vouched: Context = { graph: principal.graph, node: principal.node, run: principal.run }
  for (const field of CONTEXT) {
    const value = request[field] ?? null
    if (value === null) continue
    if (!isName(value)) throw badName()
    if ((bound[field] ?? value) !== value || (vouched[field] ?? value) !== value) {
      throw new IdentityError('context-not-allowed', `this token is bound to another ${field}`)
    }
    bound[field] = value
    if (mayVouch(principal, config)) vouched[field] = value
  }
  return { narrowed: { connections, roles, ...bound }, vouched }
}

/**
 * Only first-hand tokens vouch: what an orchestrator handed down to a node is the same subject, but
 * its holder must not name its own node.
 */
function mayVouch(principal: Principal, config: IdentityConfig): boolean {
  const { contextFrom } = config.sessionTokens
  const firstHand = principal.ancestorTokenIds.length === 0
  return firstHand && contextFrom !== undefined && matches(contextFrom, principal)
}

function namesIn(names: readonly string[] | null | undefined): readonly string[] | null {
  if (names === null || names === undefined) return null
  if (names.length === 0 || names.length > NARROWING_NAMES_MAX) {
    const message = `between 1 and ${NARROWING_NAMES_MAX} connections or roles can be named`
    throw new IdentityError('invalid-request', message)
  }
  if (!names.every(isName)) throw badName()
  return [...new Set(names)].sort()
}

function badName(): IdentityError {
  return new IdentityError('invalid-request', 'a name must be short printable text')
}

function intersection(
  before: readonly string[] | null,
  asked: readonly string[] | null,
): readonly string[] | null {
  if (asked === null) return before
  return before === null ? asked : asked.filter((name) => before.includes(name))
}
