/** One audit record as a line: what happened, to whom. Records of later releases are shown by type. */
import { type AuditEvent, type AuditRecord, isKnownEvent, type LegalHold } from '@sallyport/audit'
import { formatDuration, formatMoment } from '../duration.ts'
import { type Column, type Style, styled, type Text } from '../output.ts'

/** So much of a session's id names it. */
export const SESSION_PREFIX_CHARS = 8

export const RECORD_COLUMNS: readonly Column[] = [
  { title: 'seq', align: 'right' },
  { title: 'time (UTC)' },
  { title: 'session' },
  { title: 'event', max: 24 },
  { title: 'what', max: 400 },
]

/** A session's id as tables have it: what commands take for it. */
export const shortId = (session: string): string => session.slice(0, SESSION_PREFIX_CHARS)

export function recordRow(record: AuditRecord): readonly Text[] {
  const { event } = record
  const { name, style, what } = isKnownEvent(event)
    ? describe(event)
    : { name: event.type, style: 'dim' as const, what: 'of a later release' }
  const session = typeof event['session'] === 'string' ? shortId(event['session']) : ''
  return [
    String(record.seq),
    formatMoment(record.at).replace(/Z$/, ''),
    styled('dim', session),
    style === null ? name : styled(style, name),
    what,
  ]
}

interface Described {
  readonly name: string
  readonly style: Style | null
  readonly what: string
}

const VERDICT_STYLES = { allow: 'green', deny: 'red', approve: 'yellow' } as const

export function describe(event: AuditEvent): Described {
  const as = (what: string, style: Style | null = null): Described => ({
    name: event.type,
    style,
    what,
  })
  switch (event.type) {
    case 'statement': {
      const why = event.verdict === 'deny' ? `  [${event.reason ?? event.code ?? 'no rule'}]` : ''
      return {
        name: `${event.verdict} ${event.via}`,
        style: VERDICT_STYLES[event.verdict],
        what: `${event.sql}${why}`,
      }
    }
    case 'outcome': {
      const { statement, status, rows, bytes, micros, sqlstate } = event
      const code = sqlstate === undefined ? '' : ` ${sqlstate}`
      const took = `${(micros / 1000).toFixed(1)} ms`
      return as(
        `of ${statement}: ${status}${code}, ${rows} rows, ${bytes} bytes, ${took}`,
        status === 'ok' ? 'dim' : 'yellow',
      )
    }
    case 'authentication': {
      const who = event.subject === undefined ? 'nobody' : event.subject
      const role = event.role === undefined ? '' : ` as ${event.role}`
      const refused = event.outcome === 'refused'
      return as(
        refused
          ? `refused (${event.code}) on ${event.connection}`
          : `${who}${role} on ${event.connection}`,
        refused ? 'red' : 'green',
      )
    }
    case 'connection-opened':
      return as(`from ${event.client}, ${event.tls === null ? 'without TLS' : event.tls.version}`)
    case 'session-started': {
      const graph = [event.graph, event.node, event.run].filter((one) => one !== undefined)
      const context = graph.length === 0 ? '' : `, ${graph.join('/')}`
      return as(
        `${event.subject} (${event.kind}) on ${event.connection}/${event.database}${context}`,
      )
    }
    case 'statement-previewed':
      return as(`${event.statement} is run and rolled back`)
    case 'session-ended':
      return as(event.reason)
    case 'cancel':
      return as(`by ${event.source}${event.by === undefined ? '' : ` ${event.by}`}`)
    case 'token-minted': {
      return as(`${event.tokenId} for ${event.subject}, until ${formatMoment(event.expiresAt)}`)
    }
    case 'token-revoked':
      return as(`${event.tokenId} by ${event.by}: ${event.reason}`, 'yellow')
    case 'approval-requested':
      return as(`${event.approval} for ${event.subject}, rule ${event.rule}`, 'yellow')
    case 'approval-decided':
      return as(`${event.approval}: ${event.decision} by ${event.by}: ${event.reason}`, 'yellow')
    case 'approval-closed':
      return as(`${event.approval}: ${event.outcome}`)
    case 'grant-ended':
      return as(`${event.approval} by ${event.by}: ${event.reason}`, 'yellow')
    case 'policy-loaded':
      return as(`${event.rules} rules, ${event.masks} masks, version ${event.version.slice(0, 12)}`)
    case 'policy-rejected':
      return as(event.reason, 'red')
    case 'config-loaded':
      return as(event.version)
    case 'log-started':
      return as(`key ${event.keyId}, the run before: ${event.previous}`)
    case 'log-stopped':
      return as('')
    case 'log-recovered':
      return as(`${event.bytes} bytes of an unfinished record dropped`, 'yellow')
    case 'log-failed':
      return as(`${event.code} since ${formatMoment(event.since)}, ${event.refused} refused`, 'red')
    case 'clock-stepped':
      return as(`the clock said ${formatMoment(event.wall)}`, 'yellow')
    case 'segment-closed':
      return as(`segment ${event.head.segment}, ${event.head.records} records`, 'dim')
    case 'recording-erased':
      return as(`${event.what} of ${event.session} by ${event.by}: ${event.reason}`, 'yellow')
    case 'recordings-rewrapped':
      return as(`${event.recordings} recordings’ keys under ${event.to}, by ${event.by}`)
    case 'legal-hold':
      return as(`${event.state} on ${heldBy(event)} by ${event.by}: ${event.reason}`, 'yellow')
    case 'segment-removed': {
      const { segment, keepDays, by } = event.tombstone
      return as(`segment ${segment} by ${by}: kept for ${keepDays} days`, 'yellow')
    }
    case 'recording-sealed':
      return as(`${event.bytes} bytes${event.final ? ', complete' : ''}`, 'dim')
    case 'anchor-failed':
      return as(`head of record ${event.seq}: ${event.code}`, 'red')
    case 'trail-read':
      return as(`${event.actor}: ${event.action} ${event.query}`)
    default:
      return { name: (event as AuditEvent).type, style: 'dim', what: '' }
  }
}

function heldBy({ session, subject, time }: LegalHold): string {
  if (time !== undefined) return `${formatMoment(time.since)} to ${formatMoment(time.until)}`
  return session === undefined ? `all of ${subject}` : session
}

/** `2 min 3 s`, or how it stands. */
export function lasted(startedAt: number, endedAt: number | null): string {
  return endedAt === null ? 'no end' : formatDuration(endedAt - startedAt)
}
