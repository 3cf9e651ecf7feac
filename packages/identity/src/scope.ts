/**
 * Narrowing as an OAuth scope (RFC 6749 §3.3), so that any OAuth client can ask for it:
 *
 *   scope = "connection:crm connection:billing role:analyst graph:support node:research run:42"
 *
 * Values are percent-encoded (a node may be called `look up`). Order does not matter.
 */
import { IdentityError } from './errors.ts'
import type { NarrowingRequest } from './narrow.ts'
import type { Narrowed } from './principal.ts'

/** Throws `invalid-request`: what is not understood must not be read as "no restriction". */
export function parseScope(scope: string): NarrowingRequest {
  const connections: string[] = []
  const roles: string[] = []
  const context: { graph?: string; node?: string; run?: string } = {}
  for (const item of scope.split(' ').filter((item) => item !== '')) {
    const [, key, encoded] = /^(connection|role|graph|node|run):(.+)$/.exec(item) ?? []
    const value = decode(encoded)
    if (value === null) throw badScope()
    if (key === 'connection') connections.push(value)
    else if (key === 'role') roles.push(value)
    else if (key === 'graph' || key === 'node' || key === 'run') {
      if (context[key] !== undefined) throw badScope()
      context[key] = value
    } else throw badScope()
  }
  return {
    ...(connections.length === 0 ? {} : { connections }),
    ...(roles.length === 0 ? {} : { roles }),
    ...context,
  }
}

/** The scope that says what a token is narrowed to; empty when it is not. */
export function formatScope(narrowed: Narrowed): string {
  const { connections, roles, graph, node, run } = narrowed
  return [
    ...(connections ?? []).map((name) => ['connection', name]),
    ...(roles ?? []).map((name) => ['role', name]),
    ...Object.entries({ graph, node, run }).filter(([, value]) => value !== null),
  ]
    .map(([key, value]) => `${key}:${encodeURIComponent(value ?? '')}`)
    .join(' ')
}

function decode(encoded: string | undefined): string | null {
  if (encoded === undefined) return null
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}

function badScope(): IdentityError {
  const message =
    'scope takes connection:NAME and role:NAME, and once each graph:NAME, node:NAME, run:NAME'
  return new IdentityError('invalid-request', message)
}
