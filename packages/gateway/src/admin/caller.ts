/**
 * Who calls the control API: the same tokens as on the wire, as bearer (RFC 6750). No cookie is ever read,
 * so nothing a browser sends by itself means anything here; and an `Origin` header is refused,
 * except that of our own page.
 */
import { TLSSocket } from 'node:tls'
import {
  IdentityError,
  type Matcher,
  matches,
  type Principal,
  type Verifier,
} from '@sallyport/identity'
import type { FastifyRequest } from 'fastify'
import { isLoopback } from '../sockets/loopback.ts'

/** What the caller is told; `code` is stable. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

export interface Standing {
  readonly operators: Matcher
  readonly auditors: Matcher
}

/** A verified caller and what it may do with what is not its own. */
export interface Caller {
  readonly principal: Principal
  readonly isOperator: boolean
  readonly isAuditor: boolean
}

/** A token that came like this has been seen on the network. `insecure`: a proxy in front ends TLS. */
export function isInClear({ raw: { socket } }: FastifyRequest, insecure: boolean): boolean {
  return !(insecure || socket instanceof TLSSocket || isLoopback(socket.remoteAddress))
}

export const IN_CLEAR =
  'tokens are taken over HTTPS only, or from this machine: give the admin address a certificate (`admin.tls`)'

export function bearerOf(request: FastifyRequest): string | null {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')
  return match?.[1] ?? null
}

/** WWW-Authenticate of a 401: only who sent a token is told that it is not good (RFC 6750 §3). */
export function challengeTo(request: FastifyRequest): string {
  return bearerOf(request) === null ? 'Bearer' : 'Bearer error="invalid_token"'
}

/** @throws ApiError 401 */
export async function callerOf(
  request: FastifyRequest,
  verifier: Verifier,
  standing: Standing,
): Promise<Caller> {
  const token = bearerOf(request)
  if (token === null) throw new ApiError(401, 'no_token', 'a bearer token is needed')
  try {
    const principal = await verifier.verify(token)
    return {
      principal,
      isOperator: mayAct(principal, standing.operators),
      isAuditor: mayAct(principal, standing.auditors),
    }
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error
    throw new ApiError(401, error.code, error.message)
  }
}

/** Rights come from the groups that are active: a token narrowed to a role has lost the others. */
function mayAct(principal: Principal, matcher: Matcher): boolean {
  if (!isUnbound(principal)) return false
  return matches(matcher, { ...principal, allGroups: principal.groups })
}

/**
 * Not made for a graph, a node, a run or certain connections: such a token was handed to a program, whoever it was
 * exchanged from.
 */
export function isUnbound({ graph, node, run, narrowed }: Principal): boolean {
  const { graph: forGraph, node: forNode, run: forRun, connections } = narrowed
  return [graph, node, run, forGraph, forNode, forRun, connections].every((one) => one === null)
}
