/** What a gateway holds from its start to its end, opened in the order things depend on each other: the log first. */

import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Anchor,
  type AuditEvent,
  type AuditLog,
  anchorToAll,
  anchorToFile,
  anchorToWebhook,
  openAuditLog,
  type SharedIndex,
} from '@sallyport/audit'
import { formatPolicyError, type MaskKeys } from '@sallyport/policy'
import { PostgresReader } from '@sallyport/sql'
import type { ApprovalJournal } from './approvals/journal.ts'
import { LocalJournal } from './approvals/local-journal.ts'
import { PostgresJournal } from './approvals/postgres-journal.ts'
import { readApprovals } from './approvals/recover.ts'
import type { BudgetLedger } from './budgets/ledger.ts'
import { LocalLedger } from './budgets/local-ledger.ts'
import { PostgresLedger } from './budgets/postgres-ledger.ts'
import type { GatewayConfig, StoreConfig } from './config/model.ts'
import { GatewayError } from './errors.ts'
import { exportCursor } from './exports/exporter.ts'
import { ExportWorker } from './exports/worker.ts'
import { PolicyHolder } from './policy/holder.ts'
import { RecordingRoom, recordingKey } from './recordings/room.ts'
import { createSecrets, type Secrets } from './secrets/store.ts'
import { ProbeBudgets, type ProbeCounts } from './session/probe-budgets.ts'
import { type Rates, StatementRates } from './session/rates.ts'
import { SharedProbes } from './session/shared-probes.ts'
import { SharedRates } from './session/shared-rates.ts'
import { PostgresState } from './state/postgres-store.ts'
import { StateStore } from './state/store.ts'
import type { TokenState } from './state/token-state.ts'
import { OtherGateways } from './store/gateways.ts'
import { openSharedStore } from './store/open.ts'
import { PostgresProbes } from './store/postgres-probes.ts'
import { PostgresRates } from './store/postgres-rates.ts'
import type { SharedStore } from './store/shared-store.ts'
import { createLogger, createTelemetry, type Logger, type Telemetry } from './telemetry/index.ts'
import { Desk } from './trail/desk.ts'
import { Keeper } from './trail/keeper.ts'
import { SteadyClock } from './trail/steady-clock.ts'

export interface Parts {
  readonly telemetry: Telemetry
  readonly log: Logger
  readonly audit: AuditLog
  /** Where the records of all gateways are searched; null: each has its own alone. */
  readonly searched: SharedIndex | null
  readonly recordings: RecordingRoom
  readonly keeper: Keeper
  /** Null: a socket cannot have so long a name. */
  readonly desk: Desk | null
  /** Null: nothing is exported. */
  readonly exports: ExportWorker | null
  /** With other gateways; null: this one is alone. */
  readonly shared: SharedStore | null
  /** Null: this one is alone. */
  readonly elsewhere: OtherGateways | null
  readonly state: TokenState
  readonly secrets: Secrets
  readonly reader: PostgresReader
  readonly policy: PolicyHolder
  readonly journal: ApprovalJournal
  readonly ledger: BudgetLedger
  readonly rates: Rates
  readonly probes: ProbeCounts
  /** Of hashing masks. */
  readonly keys: MaskKeys
}

export async function openParts(config: GatewayConfig, given: Logger | undefined): Promise<Parts> {
  const telemetry = createTelemetry()
  const log = given ?? createLogger({ level: config.logLevel })
  mkdirSync(config.stateDirectory, { recursive: true, mode: 0o700 })
  const before =
    config.store === null ? await readApprovals(config.audit.directory, Date.now(), log) : []
  const secrets = createSecrets({
    now: Date.now,
    warn: (warning) => log.warn({ warning }, 'secret'),
  })
  const searched = await sharedIndexOf(config.store, secrets)
  const audit = await openAuditLog({
    directory: config.audit.directory,
    now: Date.now,
    segmentBytes: config.audit.segmentBytes,
    sync: config.audit.sync,
    ...(config.audit.keepDays !== null && { keepDays: config.audit.keepDays }),
    ...(config.audit.anchors.length > 0 && { anchor: anchorOf(config.audit) }),
    ...(searched !== null && { shared: searched }),
    onFailure: (error) => {
      telemetry.auditFailed()
      log.fatal({ err: error }, 'audit log failed: statements are refused')
    },
    onIndexFailure: (error) => log.error({ err: error }, 'audit index failed'),
  })
  const opened: { close(): void | Promise<void> }[] = [audit]
  try {
    const policy = await openPolicy(config.policies, { telemetry, log, audit })
    const reader = await PostgresReader.create()
    const shared = config.store && (await openSharedStore(config.store, secrets, notAnswering(log)))
    if (shared !== null) opened.unshift(shared)
    const state =
      shared === null
        ? new StateStore(config.stateDirectory)
        : await inStore(PostgresState.open(shared))
    opened.unshift(state)
    const gateway = randomUUID()
    const onError = notAnswering(log)
    const elsewhere =
      shared && (await inStore(OtherGateways.open({ store: shared, gateway, onError })))
    if (elsewhere !== null) opened.unshift(elsewhere)
    const journal =
      shared === null
        ? new LocalJournal(audit, Date.now, before)
        : await inStore(PostgresJournal.open({ store: shared, log: audit, gateway, onError }))
    opened.unshift(journal)
    const ledger =
      shared === null
        ? new LocalLedger(config.stateDirectory, Date.now)
        : await inStore(PostgresLedger.open(shared))
    const rates =
      shared === null
        ? new StatementRates()
        : new SharedRates(await inStore(PostgresRates.open(shared)))
    const probes =
      shared === null
        ? new ProbeBudgets()
        : new SharedProbes(await inStore(PostgresProbes.open(shared)))
    const { directory, key, previousKeys, keepDays } = config.audit.recordings
    const clock = new SteadyClock({ now: Date.now, monotonic: () => performance.now() })
    const recordings = new RecordingRoom({
      directory,
      key: key === null ? null : await recordingKey(secrets, key),
      previousKeys: await Promise.all(previousKeys.map((one) => recordingKey(secrets, one))),
      keepDays,
      audit,
      log,
      clock,
    })
    const keeper = new Keeper({
      audit,
      rotateKeyDays: config.audit.rotateKeyDays,
      recordings: directory,
      cursors: config.audit.exports.map(({ name }) => exportCursor(config.stateDirectory, name)),
      log,
      clock,
    })
    opened.unshift(keeper)
    const desk = await Desk.open({
      audit,
      keeper,
      recordings: directory,
      rewrap: (by) => recordings.rewrap(by),
    })
    if (desk === null) log.warn('the audit directory’s name is too long for a socket in it')
    else opened.unshift(desk)
    const exports = await openExports(config, { secrets, audit, log })
    return {
      telemetry,
      log,
      audit,
      exports,
      keeper,
      desk,
      searched,
      recordings,
      shared,
      elsewhere,
      state,
      secrets,
      reader,
      policy,
      journal,
      ledger,
      rates,
      probes,
      keys: maskKeys(config.stateDirectory),
    }
  } catch (error) {
    for (const part of opened) await part.close()
    throw error
  }
}

/** Every version that comes into force, or is rejected, is in the log. */
function openPolicy(
  paths: GatewayConfig['policies'],
  { telemetry, log, audit }: Pick<Parts, 'telemetry' | 'log' | 'audit'>,
): Promise<PolicyHolder> {
  const record = (event: AuditEvent): void => {
    audit.append(event)
    audit.flush()
  }
  return PolicyHolder.open(paths, (event) => {
    if (event.kind === 'loaded') {
      const { version, rules, masks, warnings } = event.policy
      for (const warning of warnings) log.warn(warning)
      telemetry.policyReloaded('loaded')
      const counts = { rules: rules.length, masks: masks.length }
      log.info({ version, ...counts }, 'policy loaded')
      record({ type: 'policy-loaded', v: 1, version, files: event.files, ...counts })
    } else {
      const reason = event.errors.map(formatPolicyError).join('\n')
      telemetry.policyReloaded('failed')
      log.error({ errors: reason }, 'policy rejected: the one before stays in force')
      record({ type: 'policy-rejected', v: 1, reason })
    }
  })
}

function notAnswering(log: Logger): (error: unknown) => void {
  return (error) => log.error({ err: error }, 'the shared store does not answer')
}

/** @throws GatewayError: what the driver says may name the store's address and user */
async function inStore<T>(open: Promise<T>): Promise<T> {
  try {
    return await open
  } catch (cause) {
    throw new GatewayError('config', '`store.url`: its tables cannot be used', { cause })
  }
}

/** What fails is on record, once each time it begins to. @throws SecretError */
async function openExports(
  { audit: { directory, exports }, stateDirectory }: GatewayConfig,
  { secrets, audit, log }: Pick<Parts, 'secrets' | 'audit' | 'log'>,
): Promise<ExportWorker | null> {
  if (exports.length === 0) return null
  const plans = exports.map(async ({ ca, authorization, ...one }) => ({
    ...one,
    ca: ca === null ? null : readFileSync(ca, 'utf8'),
    authorization: authorization === null ? null : (await secrets.get(authorization)).reveal(),
    cursor: exportCursor(stateDirectory, one.name),
  }))
  return new ExportWorker({ directory, plans: await Promise.all(plans) }, ({ name, code }) => {
    if (code === null) return log.info({ export: name }, 'export goes on')
    log.error({ export: name, code }, 'export stands still: its receiver takes no records')
    try {
      audit.append({ type: 'export-failed', v: 1, name, code })
      audit.flush()
    } catch {
      // The log has failed, and said so.
    }
  })
}

/** Where the records of several gateways are searched; null: nowhere. Throws SecretError. */
export async function sharedIndexOf(
  store: StoreConfig | null,
  secrets: Secrets,
): Promise<SharedIndex | null> {
  if (store === null || !store.records) return null
  const url = await secrets.get(store.url)
  return { database: { connectionString: url.reveal() }, gateway: store.gateway }
}

/** The key of hashing masks: made once, kept with the gateway's state, so that hashes stay joinable. */
function maskKeys(stateDirectory: string): MaskKeys {
  const file = join(stateDirectory, 'mask.key')
  if (!existsSync(file))
    writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  return { hmac: createSecretKey(Buffer.from(readFileSync(file, 'utf8').trim(), 'hex')) }
}

function anchorOf({ anchors }: GatewayConfig['audit']): Anchor {
  return anchorToAll(
    anchors.map((one) =>
      'url' in one ? anchorToWebhook(new URL(one.url)) : anchorToFile(one.file),
    ),
  )
}
