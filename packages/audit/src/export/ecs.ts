/**
 * A record in the words of the Elastic Common Schema, for a SIEM: https://www.elastic.co/docs/reference/ecs
 * (version 8). The record itself is kept whole under `sallyport`, so that nothing is lost in translation.
 */

import type { AuditRecord } from '../record.ts'
import { addressOf, defined, outcomeOf, type Plain, some, textOf } from './plain.ts'
import type { SessionContext } from './session-context.ts'

const ECS_VERSION = '8.17.0'

/** Plain data. Members that have no value are absent. */
export function ecsOf(record: AuditRecord, context: SessionContext = {}): Plain {
  const { seq, at, event } = record
  const text = (name: string): string | undefined => textOf(event, name)
  const micros = event['micros']
  const address = addressOf(text('client') ?? context.client)
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
    user: some({
      name: text('subject') ?? context.subject,
      roles: roleOf(text('role') ?? context.role),
    }),
    source: address,
    rule: some({ name: text('rule') }),
    service: some({ name: text('connection') ?? context.connection }),
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
  'recordings-rewrapped': ['change'],
  'key-rotated': ['change'],
}

function typesOf(event: AuditRecord['event']): readonly string[] {
  if (event.type !== 'statement') return TYPES[event.type] ?? ['info']
  return [event['verdict'] === 'allow' ? 'allowed' : 'denied', 'access']
}

const roleOf = (role: string | undefined): readonly string[] | undefined =>
  role === undefined ? undefined : [role]
