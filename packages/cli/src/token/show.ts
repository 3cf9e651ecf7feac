/** Tokens, principals and token records as lines for people. Never the token itself. */
import type { Principal, SessionTokenRecord } from '@sallyport/identity'
import type { Cli } from '../context.ts'
import { formatMoment, relativeTo } from '../duration.ts'
import { styled, type Text } from '../output.ts'
import { type Decoded, timeClaim } from './jwt.ts'

export function showDecoded(decoded: Decoded, cli: Cli): void {
  const { out } = cli
  const now = cli.now()
  switch (decoded.kind) {
    case 'neither':
      out.line(`This is no token the gateway takes: ${decoded.why}.`)
      return
    case 'session':
      out.line('A Sallyport session token. It says nothing by itself; --config looks it up.')
      return
    case 'jwt': {
      out.line('header')
      for (const [name, value] of Object.entries(decoded.header)) out.line(field(name, value))
      out.line('claims')
      for (const [name, value] of Object.entries(decoded.claims)) {
        const at = isTime(name) ? timeClaim(decoded.claims, name) : null
        const when = at === null ? '' : `  ${formatMoment(at)}, ${relativeTo(now, at)}`
        out.line([...spans(field(name, value)), styled('dim', when)])
      }
    }
  }
}

const isTime = (name: string): name is 'exp' | 'nbf' | 'iat' =>
  name === 'exp' || name === 'nbf' || name === 'iat'

const spans = (text: Text) => (typeof text === 'string' || 'style' in text ? [text] : text)

function field(name: string, value: unknown): Text {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return ['  ', styled('dim', name.padEnd(12)), ' ', text]
}

export function showPrincipal(principal: Principal, cli: Cli): void {
  const { out } = cli
  const rows: [string, string | null][] = [
    ['subject', principal.subject],
    ['issuer', principal.issuer],
    ['kind', principal.kind],
    ['groups', listOf(principal.groups)],
    ['roles', listOf(principal.roles)],
    ['graph', principal.graph],
    ['node', principal.node],
    ['run', principal.run],
    ['connections', principal.narrowed.connections?.join(', ') ?? null],
    ['token id', principal.tokenId],
    [
      'accepted until',
      `${formatMoment(principal.expiresAt)}, ${relativeTo(cli.now(), principal.expiresAt)}`,
    ],
  ]
  for (const [name, value] of rows) {
    if (value !== null) out.line(['  ', styled('dim', name.padEnd(15)), value])
  }
}

const listOf = (names: readonly string[]): string =>
  names.length === 0 ? 'none' : names.join(', ')

/** `crm as analyst, node research`; `everything it may` when it is not narrowed. */
export function sayNarrowing({ narrowed }: SessionTokenRecord): string {
  const { connections, roles, graph, node, run } = narrowed
  const parts = [
    ...(connections === null ? [] : [connections.join(', ')]),
    ...(roles === null ? [] : [`as ${roles.join(', ')}`]),
    ...(graph === null ? [] : [`graph ${graph}`]),
    ...(node === null ? [] : [`node ${node}`]),
    ...(run === null ? [] : [`run ${run}`]),
  ]
  return parts.length === 0 ? '-' : parts.join(', ')
}

/** A record without its hash and claims: what may be printed. */
export function publicRecord(record: SessionTokenRecord): Record<string, unknown> {
  const { id, subject, issuer, kind, groups, graph, node, run, narrowed, label, mintedBy } = record
  return {
    id,
    subject,
    issuer,
    kind,
    groups,
    graph,
    node,
    run,
    narrowed,
    mintedBy,
    label,
    issuedAt: new Date(record.issuedAt).toISOString(),
    expiresAt: new Date(record.expiresAt).toISOString(),
  }
}
