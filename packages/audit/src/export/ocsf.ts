/**
 * A record in the words of the Open Cybersecurity Schema Framework, for a SIEM: https://schema.ocsf.io/1.6.0
 *
 *   statements, their outcomes, sessions begun   6005 Datastore Activity
 *   logins, sessions ended                       3002 Authentication
 *   the log begun, ended                         6002 Application Lifecycle
 *   tokens, approvals, grants, reads, policies   6003 API Activity
 *   anything else                                   0 Base Event
 *
 * The record itself is kept whole under `unmapped.sallyport`, so that nothing is lost in translation.
 */

import type { StoredEvent } from '../event.ts'
import type { AuditRecord } from '../record.ts'
import { addressOf, defined, doerOf, outcomeOf, type Plain, some, textOf } from './plain.ts'
import { agentOf, type SessionContext } from './session-context.ts'

const OCSF_VERSION = '1.6.0'
const PRODUCT = { name: 'Sallyport', vendor_name: 'Sallyport' }
const OTHER = 99
const RELATIONAL = 1

const [INFORMATIONAL, MEDIUM, HIGH, CRITICAL] = [1, 3, 4, 5]
const SEVERITIES: Readonly<Record<string, number>> = {
  'anchor-failed': HIGH,
  'export-failed': HIGH,
  'policy-rejected': MEDIUM,
  'clock-stepped': MEDIUM,
  'log-recovered': HIGH,
  'log-failed': CRITICAL,
}

interface Kind {
  readonly class: 0 | 3002 | 6002 | 6003 | 6005
  readonly activity: number
  /** Of activity 99. */
  readonly name?: string
}

const BASE: Kind = { class: 0, activity: OTHER }
const [CREATE, READ, UPDATE, DELETE] = [1, 2, 3, 4]
const KINDS: Readonly<Record<string, Kind>> = {
  outcome: { class: 6005, activity: OTHER, name: 'Outcome' },
  'session-started': { class: 6005, activity: 3 },
  authentication: { class: 3002, activity: 1 },
  'session-ended': { class: 3002, activity: 2 },
  'log-started': { class: 6002, activity: 3 },
  'log-stopped': { class: 6002, activity: 4 },
  'trail-read': { class: 6003, activity: READ },
  'token-minted': { class: 6003, activity: CREATE },
  'token-revoked': { class: 6003, activity: DELETE },
  'policy-loaded': { class: 6003, activity: UPDATE },
  'policy-rejected': { class: 6003, activity: UPDATE },
  'config-loaded': { class: 6003, activity: UPDATE },
  'statement-previewed': { class: 6003, activity: READ },
  'approval-requested': { class: 6003, activity: CREATE },
  'approval-decided': { class: 6003, activity: UPDATE },
  'approval-closed': { class: 6003, activity: UPDATE },
  'grant-ended': { class: 6003, activity: DELETE },
  'legal-hold': { class: 6003, activity: UPDATE },
  'recording-erased': { class: 6003, activity: DELETE },
  'recordings-rewrapped': { class: 6003, activity: UPDATE },
  'key-rotated': { class: 6003, activity: UPDATE },
  'segment-removed': { class: 6003, activity: DELETE },
}

/** Plain data. Members that have no value are absent. */
export function ocsfOf(record: AuditRecord, context: SessionContext = {}): Plain {
  const { seq, at, event } = record
  const kind = kindOf(event)
  const outcome = outcomeOf(event)
  const tags = agentOf(event, context).map(([name, value]) => ({ name, value }))
  const micros = event['micros']
  return defined({
    class_uid: kind.class,
    category_uid: Math.floor(kind.class / 1_000),
    activity_id: kind.activity,
    activity_name: kind.activity === OTHER ? (kind.name ?? event.type) : undefined,
    type_uid: kind.class * 100 + kind.activity,
    severity_id: severityOf(event),
    time: at,
    duration: typeof micros === 'number' ? Math.round(micros / 1_000) : undefined,
    message: textOf(event, 'sql') ?? textOf(event, 'reason'),
    status_id: outcome === 'unknown' ? undefined : outcome === 'success' ? 1 : 2,
    status_code: textOf(event, 'sqlstate') ?? textOf(event, 'code'),
    status_detail: textOf(event, 'reason'),
    metadata: defined({
      version: OCSF_VERSION,
      product: PRODUCT,
      log_name: 'audit',
      sequence: seq,
      event_code: event.type,
      tags: tags.length === 0 ? undefined : tags,
    }),
    ...membersOf(kind, record, context),
    unmapped: { sallyport: record },
  })
}

function kindOf(event: StoredEvent): Kind {
  if (event.type !== 'statement') return KINDS[event.type] ?? BASE
  const effects = Array.isArray(event['effects']) ? event['effects'] : []
  if (effects.some((effect) => effect === 'ddl'))
    return { class: 6005, activity: OTHER, name: 'DDL' }
  if (effects.includes('write')) return { class: 6005, activity: 5 }
  if (effects.includes('read')) return { class: 6005, activity: 4 }
  return { class: 6005, activity: OTHER, name: effects.map(String).join(', ') || 'Statement' }
}

function severityOf(event: StoredEvent): number {
  const refused =
    (event.type === 'statement' && event['verdict'] === 'deny') ||
    (event.type === 'authentication' && event['outcome'] === 'refused')
  return refused ? MEDIUM : (SEVERITIES[event.type] ?? INFORMATIONAL)
}

/** What its class asks for beside what every event has. */
function membersOf(kind: Kind, { seq, event }: AuditRecord, context: SessionContext): Plain {
  const user = userOf(event, context)
  const session = some({ uid: textOf(event, 'session') })
  const actor = defined({ user, session, app_name: actorAppOf(user, session, context) })
  const client = textOf(event, 'client') ?? context.client
  const endpoint = addressOf(client) ?? { name: client ?? 'sallyport' }
  const connection = textOf(event, 'connection') ?? context.connection
  const target = some({ svc_name: connection })
  switch (kind.class) {
    case 0:
      return {}
    case 3002: {
      const someone = user ?? { name: 'unknown' }
      return defined({
        user: someone,
        session,
        service: { name: connection ?? 'sallyport' },
        src_endpoint: endpoint,
        dst_endpoint: target,
      })
    }
    case 6002:
      return { app: PRODUCT }
    case 6003:
      return { actor, api: { operation: event.type }, src_endpoint: endpoint }
    case 6005:
      return defined({
        actor,
        src_endpoint: endpoint,
        dst_endpoint: target,
        database: { name: databaseOf(event, context) ?? 'unknown', type_id: RELATIONAL },
        type_id: 1,
        query_info: queryOf(event, seq),
      })
  }
}

function actorAppOf(
  user: unknown,
  session: unknown,
  { applicationName }: SessionContext,
): string | undefined {
  return applicationName ?? (user === undefined && session === undefined ? 'sallyport' : undefined)
}

function userOf(event: StoredEvent, context: SessionContext): Plain | undefined {
  const name = doerOf(event) ?? context.subject
  const groups = context.groups?.map((group) => ({ name: group }))
  return name === undefined ? undefined : defined({ name, groups })
}

function databaseOf(event: StoredEvent, context: SessionContext): string | undefined {
  const connection = textOf(event, 'connection') ?? context.connection
  return textOf(event, 'database') ?? context.database ?? connection
}

function queryOf(event: StoredEvent, seq: number): Plain | undefined {
  const text = textOf(event, 'sql')
  if (text === undefined) return undefined
  return { query_string: text, uid: textOf(event, 'fingerprint') ?? String(seq) }
}
