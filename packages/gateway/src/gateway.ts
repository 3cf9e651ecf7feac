/**
 * Puts the gateway together from its configuration, runs it, and takes it down in order.
 */
import { createVerifier, type Verifier } from '@sallyport/identity'
import { MysqlReader } from '@sallyport/sql'
import { type AdminAddress, type AdminServer, serveAdmin } from './admin/serve.ts'
import { sessionsOf } from './admin/sessions.ts'
import { Approvals } from './approvals/approvals.ts'
import { newApprovalId } from './approvals/recover.ts'
import { Budgets } from './budgets/budgets.ts'
import { Channels } from './channels/channels.ts'
import { loadConfig } from './config/load.ts'
import type { AdminConfig, GatewayConfig, ListenerConfig, WireProtocol } from './config/model.ts'
import { ConnectionRuntime } from './connections/runtime.ts'
import { Grants } from './grants/grants.ts'
import { type Listener, listen, type Reception } from './listeners/listen.ts'
import { mysqlReception } from './listeners/mysql.ts'
import { postgresReception } from './listeners/postgres.ts'
import { listenerTls } from './listeners/tls.ts'
import { openParts, type Parts } from './parts.ts'
import type { SessionDeps } from './session/admission.ts'
import { DecisionContexts } from './session/decisions.ts'
import { Views } from './session/grounds.ts'
import { Interrupts } from './session/interrupts.ts'
import { MysqlTexts } from './session/mysql/texts.ts'
import { PostgresTexts } from './session/postgres/texts.ts'
import { SessionRegistry } from './session/registry.ts'
import { Turnstile } from './session/turnstile.ts'
import { SessionWatch } from './session/watch.ts'
import { busyPoll } from './sockets/busy-poll.ts'
import { checkDirectSockets } from './sockets/direct-socket.ts'
import type { Logger, ReadyPiece } from './telemetry/index.ts'
import { generateRsaKey } from './tls/rsa-key.ts'
import type { ServerTls } from './tls/server.ts'
import { Upkeep } from './upkeep.ts'

export interface GatewayAddress {
  readonly protocol: WireProtocol
  readonly host: string
  readonly port: number
  /** The certificate's SHA-256; null without TLS. */
  readonly fingerprint: string | null
  /** PEM file a client can trust; null unless the gateway made the certificate itself. */
  readonly certificate: string | null
}

export interface RunningGateway {
  readonly addresses: readonly GatewayAddress[]
  readonly admin: AdminAddress | null
  /** Reads configuration, policies and certificates again; what is bad stays as it was, and is logged. */
  reload(): Promise<void>
  /** Lets nobody in, waits for running work, ends every session, closes everything. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startGateway(
  config: GatewayConfig,
  options: { readonly log?: Logger } = {},
): Promise<RunningGateway> {
  const parts = await openParts(config, options.log)
  let gateway: Gateway
  try {
    gateway = new Gateway(config, parts)
  } catch (error) {
    await parts.state.close()
    await parts.shared?.close()
    await parts.audit.close()
    throw error
  }
  try {
    await gateway.listen()
    return gateway
  } catch (error) {
    await gateway.close()
    throw error
  }
}

class Gateway implements RunningGateway {
  #config: GatewayConfig
  #verifier: Verifier
  #connections: Map<string, ConnectionRuntime>
  readonly #parts: Parts
  readonly #turnstile: Turnstile
  readonly #registry: SessionRegistry
  readonly #interrupts: Interrupts
  readonly #watch = new SessionWatch()
  readonly #approvals: Approvals
  readonly #budgets: Budgets
  readonly #grants: Grants
  readonly #channels: Channels
  readonly #listeners: { listener: Listener; tls: ServerTls | null; certificate: string | null }[] =
    []
  readonly #deps: SessionDeps
  readonly #upkeep: Upkeep
  #admin: AdminServer | null = null
  #accepting = true
  #closing: Promise<void> | null = null

  constructor(config: GatewayConfig, parts: Parts) {
    this.#config = config
    this.#parts = parts
    this.#connections = this.#buildConnections(config)
    this.#verifier = this.#buildVerifier(config)
    this.#turnstile = new Turnstile(parts.audit, parts.recordings)
    this.#registry = new SessionRegistry(Date.now, () => ({
      idleMs: this.#config.limits.idleSeconds * 1000,
      sessionMs: this.#config.limits.sessionSeconds * 1000,
    }))
    this.#budgets = new Budgets(parts.ledger, () => performance.now())
    const { audit, elsewhere } = parts
    this.#interrupts = new Interrupts({
      registry: this.#registry,
      record: (event) => {
        audit.append(event)
        audit.flush()
      },
      elsewhere,
    })
    elsewhere?.attend((question) => {
      if (question.kind !== 'sessions')
        return this.#interrupts.here(question)?.then(() => true) ?? null
      return Promise.resolve(sessionsOf(this.#registry, question.owner, this.#name))
    })
    parts.policy.onChange(() => this.#registry.reconsider())
    parts.state.subscribe((revocation) => this.#registry.revoked(revocation))
    this.#upkeep = new Upkeep({
      audit,
      turnstile: this.#turnstile,
      state: parts.state,
      verifier: () => this.#verifier,
      log: parts.log,
    })
    this.#approvals = new Approvals({
      journal: parts.journal,
      now: Date.now,
      newId: newApprovalId,
      recorded: (approval, event) => this.#channels.tell(approval, event),
      onError: (error) => parts.log.error({ err: error }, 'approvals'),
    })
    this.#channels = new Channels({
      config: config.approvals,
      secrets: parts.secrets,
      approvals: this.#approvals,
      now: Date.now,
      onError: (error) => parts.log.error({ err: error }, 'an approval could not be told of'),
    })
    this.#grants = new Grants({
      approvals: this.#approvals,
      policy: () => parts.policy.policy,
      ended: (id) => this.#registry.endGrant(id),
      alarm: ({ id, request }) => {
        const { subject, role, connection, reason } = request
        parts.log.warn({ id, subject, role, connection, reason }, 'GLASS BROKEN: review this grant')
      },
      onError: (error) => parts.log.error({ err: error }, 'grants'),
    })
    this.#deps = this.#sessionDeps()
  }

  get addresses(): readonly GatewayAddress[] {
    return this.#listeners.map(({ listener, tls, certificate }) => ({
      protocol: listener.config.protocol,
      host: listener.host,
      port: listener.port,
      fingerprint: tls?.fingerprint ?? null,
      certificate,
    }))
  }

  get admin(): AdminAddress | null {
    return this.#admin?.address ?? null
  }

  async listen(): Promise<void> {
    const { log } = this.#parts
    await this.#approvals.sweep()
    await this.#grants.start()
    if (!(await checkDirectSockets())) log.info('direct socket reads are not possible here')
    busyPoll.limitTo(this.#config.limits.busyPollMicroseconds)
    for (const config of this.#config.listeners) {
      const { tls, certificate } = await listenerTls(config, {
        stateDirectory: this.#config.stateDirectory,
        log,
      })
      if (tls === null && config.insecure) {
        log.warn({ port: config.port }, 'tokens are accepted in clear on this listener')
      }
      const listener = await listen(config, await this.#reception(config, tls), this.#deps)
      this.#listeners.push({ listener, tls, certificate })
      log.info({ host: listener.host, port: listener.port, tls: tls !== null }, 'listening')
    }
    const { admin } = this.#config
    if (admin !== null) this.#admin = await this.#serveAdmin(admin)
    for (const issuer of await this.#verifier.warm()) log.info({ issuer }, 'issuer')
    for (const connection of this.#connections.values()) {
      // Errors are told by the store's events; sessions that need it try again.
      void connection
        .catalog(connection.config.database)
        .ensure()
        .catch(() => undefined)
    }
  }

  async reload(): Promise<void> {
    const { log, audit, policy } = this.#parts
    try {
      const next = loadConfig(this.#config.path)
      const verifier = this.#buildVerifier(next)
      const before = this.#connections
      this.#connections = this.#buildConnections(next)
      this.#config = next
      busyPoll.limitTo(next.limits.busyPollMicroseconds)
      this.#verifier = verifier
      for (const connection of before.values()) void connection.close()
      await verifier.warm()
      audit.append({ type: 'config-loaded', v: 1, version: next.path })
      audit.flush()
      log.info('configuration reloaded; listeners and audit settings need a restart')
    } catch (error) {
      log.error({ err: error }, 'configuration rejected: the one before stays in force')
    }
    await policy.reload()
    await Promise.all([...this.#listeners.map(({ tls }) => tls?.reload()), this.#admin?.reload()])
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { audit, recordings, shared, state, policy, log } = this.#parts
    this.#accepting = false
    for (const { listener } of this.#listeners) listener.stop()
    await this.#registry.drain(this.#config.limits.drainSeconds * 1000)
    this.#registry.close()
    await this.#admin?.close()
    this.#grants.close()
    this.#channels.close()
    await this.#approvals.close()
    for (const { tls } of this.#listeners) tls?.[Symbol.dispose]()
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()))
    await this.#budgets.close()
    policy.close()
    await state.close()
    await this.#parts.elsewhere?.close()
    await shared?.close()
    this.#upkeep.close()
    await recordings.close().catch((error: unknown) => {
      log.error({ err: error }, 'recordings are completed at the next start')
    })
    await this.#parts.keeper.close()
    await this.#parts.desk?.close()
    // The last records, too, as far as the receivers take them.
    await audit.close()
    await this.#parts.exports?.close()
    log.info('stopped')
  }

  /** Among those that share a store; null: it is alone. */
  get #name(): string | null {
    return this.#config.store?.gateway ?? null
  }

  #buildConnections(config: GatewayConfig): Map<string, ConnectionRuntime> {
    const { secrets, telemetry, log } = this.#parts
    return new Map(
      [...config.connections].map(([name, connection]) => [
        name,
        new ConnectionRuntime(connection, {
          secrets,
          onCatalogEvent: (connectionName, database, event) => {
            telemetry.catalogEvent(connectionName, event)
            if (event.kind === 'failed') {
              log.warn(
                { err: event.error, connection: connectionName, database },
                'schema not read',
              )
            }
          },
        }),
      ]),
    )
  }

  #buildVerifier(config: GatewayConfig): Verifier {
    const { state, log } = this.#parts
    const verifier = createVerifier(config.identity, {
      now: Date.now,
      sessionTokens: state,
      revocations: state,
    })
    for (const warning of verifier.warnings) log.warn({ warning }, 'identity')
    return verifier
  }

  async #reception(
    { protocol, connection, oauth }: ListenerConfig,
    tls: ServerTls | null,
  ): Promise<Reception> {
    const onFault = (fault: string): void =>
      this.#parts.log.error({ fault }, 'a statement could not be analysed and was refused')
    switch (protocol) {
      case 'postgres': {
        const { reader } = this.#parts
        const texts = new PostgresTexts(reader, onFault)
        return postgresReception({ tls, connection, oauth }, { ...this.#deps, reader, texts })
      }
      case 'mysql': {
        const texts = new MysqlTexts(new MysqlReader(), onFault)
        const rsa = await generateRsaKey()
        return mysqlReception(tls, connection, { ...this.#deps, texts, rsa })
      }
    }
  }

  #sessionDeps(): SessionDeps {
    const { audit, policy, telemetry, log, keys } = this.#parts
    return {
      audit,
      verifier: () => this.#verifier,
      policy: () => policy.policy,
      connections: () => this.#connections,
      limits: () => this.#config.limits,
      views: new Views(),
      contexts: new DecisionContexts(),
      registry: this.#registry,
      interrupts: this.#interrupts,
      watch: this.#watch,
      turnstile: this.#turnstile,
      recordings: this.#parts.recordings,
      keys,
      rates: this.#parts.rates,
      budgets: this.#budgets,
      probes: this.#parts.probes,
      telemetry,
      log,
      approvals: this.#approvals,
      grants: this.#grants,
      approvalLink: () => this.#config.approvals.link,
      now: Date.now,
      micros: () => performance.now() * 1000,
      recorded: () => this.#upkeep.flushSoon(),
      revoked: (principal) => this.#parts.state.isRevoked(principal),
      accepting: () => this.#accepting,
    }
  }

  #serveAdmin(address: AdminConfig): Promise<AdminServer> {
    const { telemetry, audit, state, log, searched, reader, policy } = this.#parts
    const shared = {
      verifier: () => this.#verifier,
      insecure: () => (this.#config.admin ?? address).insecure,
      audit,
      now: Date.now,
    }
    return serveAdmin(address, {
      stateDirectory: this.#config.stateDirectory,
      log,
      metrics: telemetry.registry,
      pieces: this.#readyPieces(),
      tokens: { ...shared, config: () => this.#config.identity, state },
      control: {
        ...shared,
        standing: () => this.#config.admin ?? address,
        approvals: this.#approvals,
        grants: this.#grants,
        slack: this.#channels.slack,
        page: () => this.#config.approvals.page,
        auditDirectory: this.#config.audit.directory,
        searched,
        policy: () => policy.policy,
        reload: () => this.reload(),
        registry: this.#registry,
        interrupts: this.#interrupts,
        elsewhere: this.#parts.elsewhere,
        gateway: this.#name,
        watch: this.#watch,
        subjects: { ...this.#deps, reader },
        listeners: () =>
          this.addresses.map(({ protocol, host, port, fingerprint }) => ({
            protocol,
            host,
            port,
            tls: fingerprint !== null,
          })),
        issuers: () => this.#config.identity.issuers.map(({ issuer }) => issuer),
      },
    })
  }

  #readyPieces(): ReadyPiece[] {
    return [
      { name: 'gateway', check: () => (this.#accepting ? undefined : 'draining') },
      {
        name: 'audit',
        check: () => (this.#parts.audit.state === 'open' ? undefined : 'cannot be written'),
      },
      {
        name: 'issuers',
        check: () => {
          const waiting = this.#verifier.status().filter((issuer) => !issuer.ready)
          return waiting.length === 0
            ? undefined
            : `no keys yet from ${waiting.map(({ issuer }) => issuer).join(', ')}`
        },
      },
    ]
  }
}
