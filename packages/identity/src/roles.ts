/**
 * Roles and connections: what a principal may take or open. A role is a named set of groups and
 * subjects in the configuration; taking one activates only the groups that belong to it.
 */
import type { Matcher, RoleConfig } from './config.ts'
import { IdentityError } from './errors.ts'
import type { Principal } from './principal.ts'

export type Roles = Readonly<Record<string, RoleConfig>>

type Matchable = Pick<Principal, 'issuer' | 'subject' | 'allGroups'>

/** One of the groups or subjects, and from one of the issuers when those are named. */
export function matches(matcher: Matcher, principal: Matchable): boolean {
  if (matcher.issuers !== undefined && !matcher.issuers.includes(principal.issuer)) return false
  return (
    (matcher.subjects ?? []).includes(principal.subject) ||
    (matcher.groups ?? []).some((group) => principal.allGroups.includes(group))
  )
}

/**
 * The roles and groups left after narrowing: roles that exist, match and are within `narrowedTo`;
 * with narrowing, only the groups that belong to one of them.
 */
export function rolesAndGroups(
  principal: Matchable,
  roles: Roles,
  narrowedTo: readonly string[] | null,
): { roles: readonly string[]; groups: readonly string[] } {
  const taken = Object.keys(roles)
    .filter((name) => narrowedTo === null || narrowedTo.includes(name))
    .filter((name) => matches(roles[name]!, principal))
    .sort()
  if (narrowedTo === null) return { roles: taken, groups: principal.allGroups }
  const belonging = new Set(taken.flatMap((name) => roles[name]!.groups ?? []))
  return { roles: taken, groups: principal.allGroups.filter((group) => belonging.has(group)) }
}

export interface ChosenRole {
  /** The active role; null when several could be and none was named, or there is none. */
  readonly role: string | null
  /** The groups that may give rights on this connection; `Principal.allGroups` still take them away. */
  readonly groups: readonly string[]
}

/**
 * What the client's user-name field means (compared exactly, case and all):
 * 1. it names a role the principal may take → that role, with only the groups that belong to it;
 * 2. it names a role of the configuration that the principal may not take → `role-not-allowed`;
 * 3. anything else → all of the principal's groups; the role is its only one, or null.
 */
export function chooseRole(
  principal: Pick<Principal, 'groups' | 'roles'>,
  requestedUserName: string,
  roles: Roles,
): ChosenRole {
  if (!Object.hasOwn(roles, requestedUserName)) {
    const only = principal.roles.length === 1 ? principal.roles[0]! : null
    return { role: only, groups: principal.groups }
  }
  if (!principal.roles.includes(requestedUserName)) {
    throw new IdentityError(
      'role-not-allowed',
      `this token may not take the role \`${requestedUserName}\``,
    )
  }
  const belonging = roles[requestedUserName]!.groups ?? []
  return {
    role: requestedUserName,
    groups: principal.groups.filter((group) => belonging.includes(group)),
  }
}

/** Throws `connection-not-allowed` when the token is narrowed to other connections. */
export function assertConnection(principal: Pick<Principal, 'narrowed'>, connection: string): void {
  const { connections } = principal.narrowed
  if (connections === null || connections.includes(connection)) return
  throw new IdentityError(
    'connection-not-allowed',
    `this token is limited to other connections than \`${connection}\``,
  )
}
