/**
 * What the gateway counts, under the names operators see (README.md lists them). One object for the
 * process, handed to whoever has something to count; no statement, value, subject or address becomes a
 * label.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { CatalogEvent } from '../catalog/store.ts'
import { Buckets, registerScraped, Tally } from './instruments.ts'

const STATEMENT_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
]
const CONNECT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const CATALOG_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const MICROS = 1e-6
const MILLIS = 1e-3

/** Which way bytes went, as the client sees it. */
export type Direction = 'from-client' | 'to-client' | 'from-upstream' | 'to-upstream'

export interface CatalogAge {
  readonly connection: string
  readonly database: string
  /** Since the snapshot was last confirmed; undefined when there is none. */
  readonly ageMs: number | undefined
}

export interface AuditState {
  readonly records: number
  readonly bytes: number
  /** Written but not yet in the search index. */
  readonly indexLag: number
}

export type Telemetry = ReturnType<typeof createTelemetry>

/**
 * Makes the process's counters. `defaults` adds prom-client's process metrics (CPU, memory, event loop
 * lag, garbage collection).
 */
export function createTelemetry({ defaults = true }: { readonly defaults?: boolean } = {}) {
  const registry = new Registry()
  if (defaults) collectDefaultMetrics({ register: registry, prefix: 'sallyport_' })
  const own = instruments(registry)
  return {
    registry,
    connectionOpened: (listener: string) => own.connections.add([listener]),
    connectionClosed: (listener: string) => own.connections.add([listener], -1),
    connectionRefused: (listener: string, reason: string) =>
      own.connectionsRefused.add([listener, reason]),
    sessionOpened: () => own.sessions.add([]),
    sessionClosed: () => own.sessions.add([], -1),
    /** `code` is an IdentityError code, or `ok`. */
    authenticated: (outcome: 'accepted' | 'refused', code: string) =>
      own.authentications.add([outcome, code]),
    statement: (connection: string, verdict: string) => own.statements.add([connection, verdict]),
    /** One execution is over; `micros` from forwarding to the last byte of its answer. */
    executed(micros: number, rows: number, masked: boolean): void {
      own.statementSeconds.observe(micros * MICROS)
      own.rows.add([], rows)
      if (masked) own.rowsMasked.add([], rows)
    },
    transferred: (direction: Direction, bytes: number) => own.bytes.add([direction], bytes),
    decisionCache: (result: 'exact' | 'fingerprint' | 'parse') => own.decisionCache.add([result]),
    upstreamConnected: (micros: number) => own.connectSeconds.observe(micros * MICROS),
    upstreamFailed: (connection: string, code: string) =>
      own.upstreamFailures.add([connection, code]),
    witnessDisagreed: (columns: number) => own.witness.add([], columns),
    auditFailed: () => own.auditFailures.add([]),
    policyReloaded: (outcome: 'loaded' | 'unchanged' | 'failed') =>
      own.policyReloads.add([outcome]),
    catalogEvent(connection: string, event: CatalogEvent): void {
      const result =
        event.kind === 'loaded' ? (event.changed ? 'changed' : 'unchanged') : event.kind
      own.catalogRefreshes.add([connection, event.reason, result])
      if (event.kind !== 'failed') own.catalogSeconds.observe(event.ms * MILLIS)
    },
    /** Asked at every scrape; a database without a snapshot gives no age. */
    watchCatalogs: (ages: () => Iterable<CatalogAge>) => watchCatalogs(registry, ages),
    watchAudit: (state: () => AuditState) => watchAudit(registry, state),
  }
}

function instruments(registry: Registry) {
  const tally = <const L extends readonly string[]>(
    name: string,
    help: string,
    labels: L,
    kind: 'counter' | 'gauge' = 'counter',
  ) => new Tally(registry, { name, help, labels, kind })
  const buckets = (name: string, help: string, bounds: readonly number[]) =>
    new Buckets(registry, { name, help, bounds })
  return {
    connections: tally('sallyport_connections', 'Open client connections.', ['listener'], 'gauge'),
    connectionsRefused: tally(
      'sallyport_connections_refused_total',
      'Client connections closed before authentication.',
      ['listener', 'reason'],
    ),
    sessions: tally('sallyport_sessions_active', 'Authenticated sessions.', [], 'gauge'),
    authentications: tally('sallyport_authentications_total', 'Authentications by outcome.', [
      'outcome',
      'code',
    ]),
    statements: tally('sallyport_statements_total', 'Decided statements.', [
      'connection',
      'verdict',
    ]),
    statementSeconds: buckets(
      'sallyport_statement_seconds',
      'Time from forwarding a statement to the end of its answer.',
      STATEMENT_SECONDS,
    ),
    rows: tally('sallyport_rows_total', 'Rows sent to clients.', []),
    rowsMasked: tally('sallyport_rows_masked_total', 'Rows of results with a masked column.', []),
    bytes: tally('sallyport_bytes_total', 'Bytes by direction.', ['direction']),
    decisionCache: tally('sallyport_decision_cache_total', 'Where decisions came from.', [
      'result',
    ]),
    connectSeconds: buckets(
      'sallyport_upstream_connect_seconds',
      'Time to connect and log in to a database.',
      CONNECT_SECONDS,
    ),
    upstreamFailures: tally('sallyport_upstream_failures_total', 'Failed database connections.', [
      'connection',
      'code',
    ]),
    witness: tally(
      'sallyport_witness_disagreements_total',
      'Columns that result metadata called protected and lineage did not.',
      [],
    ),
    auditFailures: tally(
      'sallyport_audit_failures_total',
      'Records that could not be written.',
      [],
    ),
    policyReloads: tally('sallyport_policy_reloads_total', 'Policy reloads by outcome.', [
      'outcome',
    ]),
    catalogRefreshes: tally('sallyport_catalog_refreshes_total', 'Schema refreshes by result.', [
      'connection',
      'reason',
      'result',
    ]),
    catalogSeconds: buckets(
      'sallyport_catalog_refresh_seconds',
      'Time of a schema probe or load.',
      CATALOG_SECONDS,
    ),
  }
}

function watchCatalogs(registry: Registry, ages: () => Iterable<CatalogAge>): void {
  const name = 'sallyport_catalog_age_seconds'
  const help = 'Time since a schema snapshot was confirmed.'
  registerScraped(registry, { name, help, type: 'gauge' }, function* () {
    for (const { connection, database, ageMs } of ages()) {
      if (ageMs !== undefined) yield { labels: { connection, database }, value: ageMs * MILLIS }
    }
  })
}

function watchAudit(registry: Registry, state: () => AuditState): void {
  const watch = (name: string, help: string, type: 'counter' | 'gauge', field: keyof AuditState) =>
    registerScraped(registry, { name, help, type }, () => [{ labels: {}, value: state()[field] }])
  watch('sallyport_audit_records_total', 'Audit records written.', 'counter', 'records')
  watch('sallyport_audit_bytes_total', 'Audit bytes written.', 'counter', 'bytes')
  watch('sallyport_audit_index_lag_records', 'Records not yet searchable.', 'gauge', 'indexLag')
}
