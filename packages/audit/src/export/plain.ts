/** What the formats of exports share: plain data without members that have no value. Pure. */

import type { StoredEvent } from '../event.ts'

export type Plain = Readonly<Record<string, unknown>>

export function defined(value: Record<string, unknown>): Plain {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
}

/** Undefined when nothing in it is known. */
export function some(value: Record<string, unknown>): Plain | undefined {
  const known = defined(value)
  return Object.keys(known).length === 0 ? undefined : known
}

/** A member that is a text and not empty. */
export function textOf(event: StoredEvent, name: string): string | undefined {
  const value = event[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Who did it; of a hold, the token or the recording of somebody else, not that somebody. */
export function doerOf(event: StoredEvent): string | undefined {
  return textOf(event, 'by') ?? textOf(event, 'actor') ?? textOf(event, 'subject')
}

/** `ip:port`, as connection-opened has it. */
export function addressOf(
  client: string | undefined,
): { readonly ip: string; readonly port: number } | undefined {
  const [, ip, port] = /^(.+):(\d{1,5})$/.exec(client ?? '') ?? []
  return ip === undefined ? undefined : { ip, port: Number(port) }
}

/** How it went, as far as the event says. */
export function outcomeOf(event: StoredEvent): 'success' | 'failure' | 'unknown' {
  switch (event.type) {
    case 'statement':
      // One that waits for approval has not gone either way.
      if (event['verdict'] === 'approve') return 'unknown'
      return event['verdict'] === 'allow' ? 'success' : 'failure'
    case 'outcome':
      return event['status'] === 'ok' ? 'success' : 'failure'
    case 'authentication':
      return event['outcome'] === 'ok' ? 'success' : 'failure'
    case 'policy-rejected':
    case 'log-failed':
    case 'anchor-failed':
    case 'export-failed':
      return 'failure'
    default:
      return 'unknown'
  }
}
