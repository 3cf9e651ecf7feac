/**
 * From an accepted socket to a live session, in order: greet, verify the token, choose the role, find the
 * connection, ask policy, check start-up settings, open the upstream, start relaying. Every step is
 * recorded before the client is answered; every refusal says what a client may know and no more.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { AuditEvent, AuditLog, ConnectionOpened } from '@sallyport/audit'
import { assertConnection, IdentityError, type Principal, type Verifier } from '@sallyport/identity'
import { decide, type MaskKeys, type Policy, type Subject } from '@sallyport/policy'
import { ProtocolError, SQLSTATE, type Startup } from '@sallyport/protocol-postgres'
import type { Analysis, PostgresReader } from '@sallyport/sql'
import type { LimitsConfig } from '../../config/model.ts'
import type { ConnectionRuntime } from '../../connections/runtime.ts'
import { GatewayError } from '../../errors.ts'
import type { Logger, Telemetry } from '../../telemetry/index.ts'
import { type OpenUpstream, openUpstream } from '../../upstream/postgres.ts'
import type { DecisionContexts } from '../decisions.ts'
import { SessionGround, type Views } from '../grounds.ts'
import type { StatementRates } from '../rates.ts'
import type { SessionRegistry } from '../registry.ts'
import type { Report } from '../reports.ts'
import { Session } from '../session.ts'
import type { Turnstile } from '../turnstile.ts'
import { type ClientChannel, Greeting } from './client-login.ts'

export interface SessionDeps {
  readonly audit: AuditLog
  readonly verifier: () => Verifier
  readonly policy: () => Policy
  readonly connections: () => ReadonlyMap<string, ConnectionRuntime>
  readonly limits: () => LimitsConfig
  readonly views: Views
  readonly contexts: DecisionContexts
  readonly reader: PostgresReader
  readonly registry: SessionRegistry
  readonly turnstile: Turnstile
  readonly keys: MaskKeys
  readonly rates: StatementRates
  readonly telemetry: Telemetry
  readonly log: Logger
  readonly now: () => number
  readonly micros: () => number
  readonly recorded: () => void
  readonly revoked: (principal: Principal) => boolean | Promise<boolean>
  /** False while draining: nobody is let in. */
  readonly accepting: () => boolean
}

/** A refusal of a login: what the client reads, and the stable code that is recorded. */
class LoginRefused extends Error {
  readonly code: string
  readonly report: Report

  constructor(code: string, report: Report) {
    super(code)
    this.name = 'LoginRefused'
    this.code = code
    this.report = report
  }
}

interface Admitted {
  readonly principal: Principal
  readonly role: string | null
  readonly subject: Subject
  readonly connection: ConnectionRuntime
  readonly database: string
  /** Gives up the place kept for it among the subject's sessions; see SessionRegistry.reserve. */
  readonly leave: () => void
}

/** Never rejects; whatever happens to this socket stays with it. */
export async function openSession(
  socket: Socket,
  channel: ClientChannel,
  listener: string,
  deps: SessionDeps,
): Promise<void> {
  const id = randomUUID()
  const greeting = new Greeting(socket, channel)
  let opened = false
  const deadline = setTimeout(() => {
    deps.telemetry.authenticated('refused', 'timeout')
    greeting.destroy()
  }, deps.limits().authenticationSeconds * 1000)
  try {
    const arrival = await greeting.arrive()
    if (arrival.kind === 'cancel') {
      const { pid, secret } = arrival.request
      const session = deps.registry.byCancelKey(pid, secret)
      if (session !== undefined) {
        record(deps, { type: 'cancel', v: 1, session: session.id, source: 'client' })
        await session.cancel()
      }
      greeting.dismiss()
      return
    }
    if (arrival.kind === 'gone') {
      if (!greeting.socket.writableEnded) greeting.destroy()
      return
    }
    record(deps, connectionOpened(id, socket, greeting, listener))
    opened = true
    await login(id, greeting, arrival.startup, arrival.token, deps)
  } catch (error) {
    const { startup } = greeting
    if (error instanceof ProtocolError && startup !== null && !opened) {
      recordBrokenLogin(error, startup, connectionOpened(id, socket, greeting, listener), deps)
    }
    if (!(error instanceof ProtocolError))
      deps.log.error({ err: error, session: id }, 'login failed')
    if (startup === null && isNoStartup(error)) {
      greeting.destroy()
      return
    }
    greeting.refuse(
      error instanceof ProtocolError
        ? { sqlstate: error.sqlstate, message: error.message }
        : { sqlstate: SQLSTATE.INTERNAL_ERROR, message: 'internal error of the gateway' },
    )
  } finally {
    clearTimeout(deadline)
  }
}

/** Told nothing, as by the server: `pg` sends Terminate when it changes its mind, a scanner anything. */
function isNoStartup(error: unknown): boolean {
  return (
    error instanceof ProtocolError &&
    error.code === 'bad-startup' &&
    error.sqlstate === SQLSTATE.PROTOCOL_VIOLATION
  )
}

function connectionOpened(
  session: string,
  socket: Socket,
  greeting: Greeting,
  listener: string,
): ConnectionOpened {
  const tls = tlsOf(greeting.socket)
  return { type: 'connection-opened', v: 1, session, client: addressOf(socket), listener, tls }
}

/** A login that broke off after it had said what it wanted, as by an empty password. Never throws. */
function recordBrokenLogin(
  error: ProtocolError,
  startup: Startup,
  opened: ConnectionOpened,
  deps: SessionDeps,
): void {
  deps.telemetry.authenticated('refused', error.code)
  try {
    deps.audit.append(opened)
    record(deps, authentication(opened.session, 'refused', error.code, startup, null))
  } catch (failure) {
    deps.log.error({ err: failure, session: opened.session }, 'audit log cannot be written')
  }
}

async function login(
  id: string,
  greeting: Greeting,
  startup: Startup,
  token: string,
  deps: SessionDeps,
): Promise<void> {
  let admitted: Admitted | null = null
  let ground: SessionGround
  try {
    admitted = await admit(startup, token, deps)
    ground = await groundOf(admitted, startup, deps)
  } catch (error) {
    admitted?.leave()
    const refused = refusalOf(error)
    if (refused === null) throw error
    deps.telemetry.authenticated('refused', refused.code)
    deps.log.info({ session: id, code: refused.code }, 'login refused')
    record(deps, authentication(id, 'refused', refused.code, startup, null))
    greeting.refuse(refused.report)
    return
  }
  try {
    record(deps, authentication(id, 'ok', 'ok', startup, admitted))
    deps.telemetry.authenticated('accepted', 'ok')
    await start(id, greeting, startup, admitted, ground, deps)
  } finally {
    admitted.leave()
  }
}

async function admit(startup: Startup, token: string, deps: SessionDeps): Promise<Admitted> {
  if (!deps.accepting()) {
    throw new LoginRefused('draining', {
      sqlstate: SQLSTATE.CANNOT_CONNECT_NOW,
      message: 'the gateway is shutting down',
    })
  }
  if (startup.replication !== 'none') {
    throw new LoginRefused('replication', {
      sqlstate: SQLSTATE.FEATURE_NOT_SUPPORTED,
      message: 'replication connections are not allowed through this gateway',
    })
  }
  const verifier = deps.verifier()
  const principal = await verifier.verify(token)
  const { role, groups } = verifier.chooseRole(principal, startup.user)
  const slash = startup.database.indexOf('/')
  const name = slash < 0 ? startup.database : startup.database.slice(0, slash)
  const wanted = slash < 0 ? null : startup.database.slice(slash + 1)
  assertConnection(principal, name)
  const connection = deps.connections().get(name)
  const database = connection?.database(wanted) ?? null
  if (connection === undefined || database === null) throw noSuchConnection(startup.database)
  const leave = deps.registry.reserve(principal, deps.limits().connectionsPerSubject)
  if (leave === null) {
    throw new LoginRefused('too-many-sessions', {
      sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
      message: 'too many connections for this identity',
    })
  }
  const { subject: sub, kind, allGroups, roles: allRoles, graph, node, run, claims } = principal
  const who = { subject: sub, kind, graph, node, run, claims }
  const subject: Subject = { ...who, groups, allGroups, role, allRoles }
  return { principal, role, subject, connection, database, leave }
}

/** The same words whether it does not exist or may not be seen: names of connections are not told. */
function noSuchConnection(name: string): LoginRefused {
  return new LoginRefused('no-such-connection', {
    sqlstate: SQLSTATE.INVALID_CATALOG_NAME,
    message: `database "${name}" does not exist, or this token gives no access to it`,
    hint: 'The database name selects a connection of the gateway: `connection` or `connection/database`.',
  })
}

/** Asks policy whether this principal may use the connection at all, and with these start-up settings. */
async function groundOf(
  { subject, connection, database }: Admitted,
  startup: Startup,
  deps: SessionDeps,
): Promise<SessionGround> {
  const ground = new SessionGround({
    views: deps.views,
    policy: deps.policy,
    subject,
    connection: connection.config.name,
    catalogs: () => connection.catalog(database),
  })
  const view = ground.view()
  if (!view.mayConnect) throw noSuchConnection(startup.database)
  await deps.reader.ready()
  if (startup.options.some((option) => option.kind === 'switch')) {
    // Server switches (-O, -f, ...) are no SET; they pass only where policy names the effect `unknown`.
    const verdict = decide(view, SWITCHES, { now: deps.now() })
    if (verdict.kind !== 'allow') {
      throw new LoginRefused('option-refused', {
        sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
        message: 'the start-up options may hold settings (`-c name=value`) and nothing else',
      })
    }
  }
  for (const { name, value } of startup.settings) {
    if (name === 'application_name' || (name === 'client_encoding' && isUtf8(value))) continue
    // The server would apply it before any statement is decided: decide it as the SET it amounts to.
    const analysis = deps.reader.analyze(`SET ${settingName(name)} TO ${literal(value)}`, {
      catalog: null,
      names: NO_NAMES,
    })
    const verdict = decide(view, analysis, { now: deps.now() })
    if (verdict.kind === 'allow') continue
    throw new LoginRefused('setting-refused', {
      sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
      message: `the start-up setting "${name}" is not allowed: ${verdict.message}`,
      hint: verdict.hint,
    })
  }
  return ground
}

const SWITCHES: Analysis = {
  kind: 'unparsable',
  code: 'internal',
  sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
  message: 'server switches among the start-up options',
  position: null,
  hint: null,
  detail: null,
}

const NO_NAMES = {
  searchPath: 'uncertain',
  temporaries: new Map<string, readonly string[] | null>(),
  temporariesCertain: false,
  prepared: () => undefined,
  cursors: () => undefined,
} as const

function isUtf8(encoding: string): boolean {
  return /^(utf-?8|unicode)$/i.test(encoding.replaceAll("'", '').trim())
}

function settingName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.')
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

async function start(
  id: string,
  greeting: Greeting,
  startup: Startup,
  admitted: Admitted,
  ground: SessionGround,
  deps: SessionDeps,
): Promise<void> {
  const { principal, role, connection, database } = admitted
  const upstream = await connectUpstream(greeting, startup, admitted, deps, id)
  if (upstream === null) return
  const minor = greeting.protocolMinor
  const secret = minor >= 2 ? randomBytes(32) : randomBytes(4)
  const pid = upstream.pid > 0 ? upstream.pid : randomInt(1, 2 ** 31 - 1)
  record(deps, {
    type: 'session-started',
    v: 1,
    session: id,
    subject: principal.subject,
    kind: principal.kind,
    groups: principal.groups,
    role: role ?? '',
    connection: connection.config.name,
    database,
    ...(principal.graph !== null && { graph: principal.graph }),
    ...(principal.node !== null && { node: principal.node }),
    ...(principal.run !== null && { run: principal.run }),
    upstreamUser: upstream.user,
    serverVersion: upstream.parameters.get('server_version') ?? '',
  })
  const clientRest = greeting.accept({
    parameters: upstream.parameters,
    pid,
    secret,
    // To a principal under masks a trigger’s words could say anything.
    notices: ground.view().masked ? [] : upstream.notices,
  })
  const session = new Session({
    id,
    principal,
    role,
    connection: connection.config.name,
    database,
    client: greeting.socket,
    clientRest,
    upstream: {
      socket: upstream.socket,
      rest: upstream.rest,
      pid,
      recyclable: connection.spares !== null,
      cancel: () => upstream.cancel(),
      recycle: () => connection.spares?.give(upstream.shape, upstream) ?? false,
    },
    turnstile: deps.turnstile,
    gatekeeper: {
      engineUser: upstream.user,
      audit: deps.audit,
      reader: deps.reader,
      contexts: deps.contexts,
      keys: deps.keys,
      telemetry: deps.telemetry,
      rates: deps.rates,
      principal: `${principal.issuer}\0${principal.subject}`,
      now: deps.now,
      micros: deps.micros,
      ground: ground.now,
      catalogDoubted: ground.doubt,
    },
    nonce: randomBytes(9).toString('base64url'),
    statementBytesMax: deps.limits().statementBytes,
    log: deps.log,
    prepareGround: ground.prepare,
    recorded: deps.recorded,
    onEnd: (ended, reason) => {
      deps.registry.remove(ended)
      deps.telemetry.sessionClosed()
      try {
        deps.audit.append({ type: 'session-ended', v: 1, session: ended.id, reason })
        deps.recorded()
      } catch {
        // The log refuses: nothing can be recorded, and nothing runs either.
      }
    },
  })
  deps.registry.add(session, { pid, secret })
  deps.telemetry.sessionOpened()
  session.reported(upstream.parameters)
  // The token may have been revoked while the upstream was being opened, before anybody could be told.
  if (await deps.revoked(principal)) deps.registry.endRevoked(session)
  else session.start()
}

/** Null: the client has been told why not. */
async function connectUpstream(
  greeting: Greeting,
  startup: Startup,
  { role, connection, database }: Admitted,
  deps: SessionDeps,
  id: string,
): Promise<OpenUpstream | null> {
  const credential = connection.credential(role)
  const started = performance.now()
  const open = async (): Promise<OpenUpstream> =>
    openUpstream({
      target: connection.target,
      user: credential.user,
      password: await connection.password(credential),
      database,
      parameters: startup.parameters,
      spares: connection.spares,
    })
  try {
    return await open().catch((error: unknown) => {
      // A rotated password: read the secret once more, then give up.
      const rejected = error instanceof GatewayError && error.code === 'upstream-refused'
      if (!rejected || !connection.refused(credential)) throw error
      return open()
    })
  } catch (error) {
    deps.log.error(
      { err: error, session: id, connection: connection.config.name },
      'upstream failed',
    )
    greeting.refuse(upstreamReport(error))
    return null
  } finally {
    deps.telemetry.upstreamConnected((performance.now() - started) * 1000)
  }
}

function upstreamReport(error: unknown): Report {
  if (error instanceof GatewayError) return { sqlstate: error.sqlstate, message: error.message }
  return {
    sqlstate: SQLSTATE.CONNECTION_FAILURE,
    message: 'the database behind this connection cannot be reached',
  }
}

function refusalOf(error: unknown): LoginRefused | null {
  if (error instanceof LoginRefused) return error
  if (!(error instanceof IdentityError)) return null
  const sqlstate =
    error.code === 'connection-not-allowed'
      ? SQLSTATE.INVALID_CATALOG_NAME
      : error.code === 'issuer-unavailable'
        ? SQLSTATE.CANNOT_CONNECT_NOW
        : SQLSTATE.INVALID_PASSWORD
  return new LoginRefused(error.code, {
    sqlstate,
    message: `authentication failed: ${error.message}`,
  })
}

function authentication(
  session: string,
  outcome: 'ok' | 'refused',
  code: string,
  startup: Startup,
  admitted: Admitted | null,
): AuditEvent {
  const name = startup.parameters.get('application_name')
  return {
    type: 'authentication',
    v: 1,
    session,
    outcome,
    code,
    connection: startup.database,
    ...(name !== undefined && { applicationName: name.slice(0, 256) }),
    ...(admitted !== null && {
      subject: admitted.principal.subject,
      issuer: admitted.principal.issuer,
      tokenId: admitted.principal.tokenId,
      ...(admitted.role !== null && { role: admitted.role }),
    }),
  }
}

/** Written at once: logins are rare, and nobody is answered unrecorded. */
function record(deps: SessionDeps, event: AuditEvent): void {
  deps.audit.append(event)
  deps.audit.flush()
}

function addressOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort ?? 0}`
}

function tlsOf(socket: Socket): { version: string; cipher: string } | null {
  if (!('getCipher' in socket)) return null
  // Safe: only a TLSSocket has getCipher.
  const secure = socket as import('node:tls').TLSSocket
  return { version: secure.getProtocol() ?? '', cipher: secure.getCipher()?.name ?? '' }
}
