/**
 * A record in the words of the Elastic Common Schema, for a SIEM: https://www.elastic.co/docs/reference/ecs
 * (version 8). The record itself is kept whole under `sallyport`, so that nothing is lost in translation.
 */

import type { AuditEvent, StoredEvent } from '../event.ts'
import type { AuditRecord } from '../record.ts'
import { addressOf, defined, doerOf, outcomeOf, type Plain, some, textOf } from './plain.ts'
import { agentOf, type SessionContext } from './session-context.ts'

const ECS_VERSION = '8.17.0'

/** Plain data. Members that have no value are absent. */
export function ecsOf(record: AuditRecord, context: SessionContext = {}): Plain {
  const { seq, at, event } = record
  const text = (name: string): string | undefined => textOf(event, name)
  const micros = event['micros']
  const address = addressOf(text('client') ?? context.client)
  const user = doerOf(event) ?? context.subject
  const users = [...new Set([user, text('subject')])].filter((name) => name !== undefined)
  return defined({
    '@timestamp': new Date(at).toISOString(),
    ecs: { version: ECS_VERSION },
    event: defined({
      kind: 'event',
      module: 'sallyport',
      dataset: 'sallyport.audit',
      sequence: seq,
      action: event.type,
      ...classOf(event),
      outcome: outcomeOf(event),
      reason: text('reason') ?? text('code'),
      duration: typeof micros === 'number' ? micros * 1_000 : undefined,
    }),
    user: some({ name: user, roles: listOf(text('role') ?? context.role) }),
    source: address,
    related: some({ user: listOf(...users), ip: listOf(address?.ip) }),
    rule: some({ name: text('rule') }),
    service: some({ name: text('connection') ?? context.connection }),
    error: some({ code: text('sqlstate') }),
    message: text('sql'),
    labels: some({
      session: text('session'),
      database: text('database') ?? context.database,
      ...Object.fromEntries(agentOf(event, context)),
    }),
    sallyport: record,
  })
}

interface Class {
  readonly category: readonly string[]
  /** Of those that the schema expects of the category. */
  readonly type: readonly string[]
}

const of = (category: string, type: string): Class => ({ category: [category], type: [type] })
const CLASSES: Readonly<Record<AuditEvent['type'], Class>> = {
  statement: of('database', 'access'),
  outcome: of('database', 'info'),
  'statement-previewed': of('database', 'access'),
  'connection-opened': { category: ['network', 'session'], type: ['connection', 'start'] },
  authentication: of('authentication', 'start'),
  'session-started': of('session', 'start'),
  cancel: of('session', 'info'),
  'session-ended': of('session', 'end'),
  'token-minted': of('iam', 'creation'),
  'token-revoked': of('iam', 'deletion'),
  'approval-requested': of('iam', 'creation'),
  'approval-decided': of('iam', 'change'),
  'approval-closed': of('iam', 'change'),
  'grant-ended': of('iam', 'deletion'),
  'policy-loaded': of('configuration', 'change'),
  'policy-rejected': of('configuration', 'change'),
  'config-loaded': of('configuration', 'change'),
  'legal-hold': of('configuration', 'change'),
  'key-rotated': of('configuration', 'change'),
  'recording-sealed': of('file', 'creation'),
  'recording-erased': of('file', 'deletion'),
  'recordings-rewrapped': of('file', 'change'),
  'segment-closed': of('file', 'creation'),
  'segment-removed': of('file', 'deletion'),
  'trail-read': of('file', 'access'),
  'log-started': of('process', 'start'),
  'log-stopped': of('process', 'end'),
  'log-recovered': of('process', 'info'),
  'log-failed': of('process', 'info'),
  'anchor-failed': of('process', 'info'),
  'export-failed': of('process', 'info'),
  'clock-stepped': of('host', 'info'),
}
/** Of a later release. */
const ANYTHING = of('process', 'info')
const CHANGES: ReadonlySet<unknown> = new Set(['write', 'ddl'])

function classOf(event: StoredEvent): Class {
  const { effects, status } = event
  if (event.type === 'outcome' && status === 'error') return of('database', 'error')
  if (
    event.type === 'statement' &&
    Array.isArray(effects) &&
    effects.some((one) => CHANGES.has(one))
  ) {
    return of('database', 'change')
  }
  // Safe: asked for as what it may be, and absent where it is not.
  return (CLASSES as Readonly<Record<string, Class>>)[event.type] ?? ANYTHING
}

/** Those that are known; undefined: none. */
function listOf(...texts: readonly (string | undefined)[]): readonly string[] | undefined {
  const known = texts.filter((text) => text !== undefined)
  return known.length === 0 ? undefined : known
}
