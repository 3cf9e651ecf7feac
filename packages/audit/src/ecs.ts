/**
 * A record in the words of the Elastic Common Schema, for a SIEM: https://www.elastic.co/docs/reference/ecs
 * (version 8). The record itself is kept whole under `sallyport`, so that nothing is lost in translation.
 */

import type { AuditRecord } from './record.ts'

const ECS_VERSION = '8.17.0'

/** Plain data. Members that have no value are absent. */
export function ecsOf(record: AuditRecord): Readonly<Record<string, unknown>> {
  const { seq, at, event } = record
  const text = (name: string): string | undefined => {
    const value = event[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const micros = event['micros']
  const address = addressOf(text('client'))
  return defined({
    '@timestamp': new Date(at).toISOString(),
    ecs: { version: ECS_VERSION },
    event: defined({
      kind: 'event',
      module: 'sallyport',
      dataset: 'sallyport.audit',
      sequence: seq,
      action: event.type,
      category: CATEGORIES[event.type] ?? ['database'],
      type: typesOf(event),
      outcome: outcomeOf(event),
      reason: text('reason') ?? text('code'),
      duration: typeof micros === 'number' ? micros * 1_000 : undefined,
    }),
    user: some({ name: text('subject'), roles: roleOf(text('role')) }),
    source: address,
    rule: some({ name: text('rule') }),
    service: some({ name: text('connection') }),
    session: some({ id: text('session') }),
    error: some({ code: text('sqlstate') }),
    message: text('sql'),
    sallyport: record,
  })
}

const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  'connection-opened': ['network', 'session'],
  authentication: ['authentication'],
  'session-started': ['session'],
  'session-ended': ['session'],
  'token-minted': ['iam'],
  'token-revoked': ['iam'],
  'policy-loaded': ['configuration'],
  'policy-rejected': ['configuration'],
  'config-loaded': ['configuration'],
}

const TYPES: Readonly<Record<string, readonly string[]>> = {
  'connection-opened': ['connection', 'start'],
  authentication: ['start'],
  'session-started': ['start'],
  'session-ended': ['end'],
  'token-minted': ['creation'],
  'token-revoked': ['deletion'],
  'policy-loaded': ['change'],
  'policy-rejected': ['denied'],
  'config-loaded': ['change'],
  'recording-erased': ['deletion'],
}

function typesOf(event: AuditRecord['event']): readonly string[] {
  if (event.type !== 'statement') return TYPES[event.type] ?? ['info']
  return [event['verdict'] === 'allow' ? 'allowed' : 'denied', 'access']
}

function outcomeOf(event: AuditRecord['event']): 'success' | 'failure' | 'unknown' {
  switch (event.type) {
    case 'statement':
      return event['verdict'] === 'allow' ? 'success' : 'failure'
    case 'outcome':
      return event['status'] === 'ok' ? 'success' : 'failure'
    case 'authentication':
      return event['outcome'] === 'ok' ? 'success' : 'failure'
    case 'policy-rejected':
    case 'log-failed':
    case 'anchor-failed':
      return 'failure'
    default:
      return 'unknown'
  }
}

/** `ip:port`, as connection-opened has it. */
function addressOf(client: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const [, ip, port] = /^(.+):(\d{1,5})$/.exec(client ?? '') ?? []
  return ip === undefined ? undefined : { ip, port: Number(port) }
}

const roleOf = (role: string | undefined): readonly string[] | undefined =>
  role === undefined ? undefined : [role]

function defined(value: Record<string, unknown>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
}

/** Undefined when nothing in it is known. */
function some(value: Record<string, unknown>): Readonly<Record<string, unknown>> | undefined {
  const known = defined(value)
  return Object.keys(known).length === 0 ? undefined : known
}
