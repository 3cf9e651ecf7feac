/**
 * Who comes in, whatever protocol they speak: token → principal → role → connection → what policy gives them
 * there. Every step is recorded before the client is answered; every refusal says what a client may know and
 * no more.
 */
import type { Socket } from 'node:net'
import type { AuditEvent, AuditLog, ConnectionOpened, SessionRecording } from '@sallyport/audit'
import { assertConnection, IdentityError, type Principal, type Verifier } from '@sallyport/identity'
import type { MaskKeys, Policy, Subject } from '@sallyport/policy'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { Approvals } from '../approvals/approvals.ts'
import { type Budgets, SessionBudgets } from '../budgets/budgets.ts'
import type { LimitsConfig, WireProtocol } from '../config/model.ts'
import type { ConnectionRuntime } from '../connections/runtime.ts'
import type { Grants, HeldGrant } from '../grants/grants.ts'
import type { RecordingRoom } from '../recordings/room.ts'
import type { Logger, Telemetry } from '../telemetry/index.ts'
import type { DecisionContexts } from './decisions.ts'
import { SessionGround, type Views } from './grounds.ts'
import type { ApprovalLink } from './hold-reports.ts'
import { SessionHolds } from './holds.ts'
import type { Interrupts } from './interrupts.ts'
import type { ProbeCounts } from './probe-budgets.ts'
import type { Rates } from './rates.ts'
import type { SessionRegistry } from './registry.ts'
import type { Report } from './reports.ts'
import { RoleOffers } from './role-offers.ts'
import type { Turnstile } from './turnstile.ts'
import type { SessionWatch } from './watch.ts'

export interface SessionDeps {
  readonly audit: AuditLog
  readonly verifier: () => Verifier
  readonly policy: () => Policy
  readonly connections: () => ReadonlyMap<string, ConnectionRuntime>
  readonly limits: () => LimitsConfig
  readonly views: Views
  readonly contexts: DecisionContexts
  readonly registry: SessionRegistry
  readonly interrupts: Interrupts
  readonly watch: SessionWatch
  readonly turnstile: Turnstile
  readonly recordings: RecordingRoom
  readonly keys: MaskKeys
  readonly rates: Rates
  readonly budgets: Budgets
  readonly probes: ProbeCounts
  readonly telemetry: Telemetry
  readonly log: Logger
  readonly now: () => number
  readonly micros: () => number
  readonly recorded: () => void
  readonly approvals: Approvals
  readonly grants: Grants
  readonly approvalLink: () => ApprovalLink
  readonly revoked: (principal: Principal) => boolean | Promise<boolean>
  /** False while draining: nobody is let in. */
  readonly accepting: () => boolean
}

/** A refusal of a login: what the client reads, and the stable code that is recorded. */
export class LoginRefused extends Error {
  readonly code: string
  readonly report: Report

  constructor(code: string, report: Report) {
    super(code)
    this.name = 'LoginRefused'
    this.code = code
    this.report = report
  }
}

export interface Admitted {
  readonly principal: Principal
  readonly role: string | null
  /** Its role is held by this grant; null: it is the principal's own. */
  readonly grant: HeldGrant | null
  readonly subject: Subject
  readonly connection: ConnectionRuntime
  readonly database: string
  /** Gives up the place kept for it among the subject's sessions; see SessionRegistry.reserve. */
  readonly leave: () => void
}

/** What a client asks for when it logs in. */
export interface LoginRequest {
  /** What the client speaks: connections of another protocol are not there for it. */
  readonly protocol: WireProtocol
  /** The user name: may name a role. */
  readonly user: string
  /** `connection` or `connection/database`. */
  readonly database: string
  readonly token: string
  /** As the client calls itself: asserted, not verified. */
  readonly applicationName: string | null
}

/** Behind a listener that is for one connection (`own`), what names none is a database of that one. */
export function databaseBehind(
  own: string | null,
  database: string,
  { connections }: Pick<SessionDeps, 'connections'>,
): string {
  const named = own === null || database.includes('/') || connections().has(database)
  return named ? database : `${own}/${database}`
}

/** Throws LoginRefused, IdentityError. */
async function admit(request: LoginRequest, deps: SessionDeps): Promise<Admitted> {
  if (!deps.accepting()) {
    throw new LoginRefused('draining', {
      sqlstate: SQLSTATE.CANNOT_CONNECT_NOW,
      message: 'the gateway is shutting down',
    })
  }
  const verifier = deps.verifier()
  const principal = await verifier.verify(request.token)
  const slash = request.database.indexOf('/')
  const name = slash < 0 ? request.database : request.database.slice(0, slash)
  const wanted = slash < 0 ? null : request.database.slice(slash + 1)
  const { role, grant, subject } = await subjectOn(name, principal, request.user, deps)
  const connection = deps.connections().get(name)
  const database = connection?.database(wanted) ?? null
  if (connection?.config.protocol !== request.protocol || database === null) {
    throw noSuchConnection(request.database)
  }
  const leave = deps.registry.reserve(principal, deps.limits().connectionsPerSubject)
  if (leave === null) {
    throw new LoginRefused('too-many-sessions', {
      sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
      message: 'too many connections for this identity',
    })
  }
  return { principal, role, grant, subject, connection, database, leave }
}

/**
 * What policy is asked about a principal on a connection; `user`: the user name, which may name a role.
 * @throws IdentityError connection-not-allowed, role-not-allowed
 */
export async function subjectOn(
  connection: string,
  principal: Principal,
  user: string,
  deps: Pick<SessionDeps, 'grants' | 'verifier'>,
): Promise<Pick<Admitted, 'role' | 'grant' | 'subject'>> {
  assertConnection(principal, connection)
  const verifier = deps.verifier()
  const grant = await grantedRole(principal, user, connection, deps)
  const { role, groups } =
    grant === null
      ? verifier.chooseRole(principal, user)
      : { role: grant.role, groups: verifier.config.roles[grant.role]?.groups ?? [] }
  const { subject: sub, kind, roles, graph, node, run, claims } = principal
  const who = { subject: sub, kind, graph, node, run, claims }
  const allGroups = [...new Set([...principal.allGroups, ...groups])]
  const allRoles = grant === null ? roles : [...roles, grant.role]
  return { role, grant, subject: { ...who, groups, allGroups, role, allRoles } }
}

/** The role named by the user name, where the principal does not have it and has been granted it. */
async function grantedRole(
  principal: Principal,
  user: string,
  connection: string,
  { grants, verifier }: Pick<SessionDeps, 'grants' | 'verifier'>,
): Promise<HeldGrant | null> {
  const isRole = Object.hasOwn(verifier().config.roles, user)
  if (!isRole || principal.roles.includes(user)) return null
  // A token narrowed to roles was made to have no others.
  if (principal.narrowed.roles !== null && !principal.narrowed.roles.includes(user)) return null
  const held = await grants.held(principal, connection)
  return held.find(({ role }) => role === user) ?? null
}

/** The same words whether it does not exist or may not be seen: names of connections are not told. */
export function noSuchConnection(name: string): LoginRefused {
  return new LoginRefused('no-such-connection', {
    sqlstate: SQLSTATE.INVALID_CATALOG_NAME,
    message: `database "${name}" does not exist, or this token gives no access to it`,
    hint: 'The database name selects a connection of the gateway: `connection` or `connection/database`.',
  })
}

/** What decisions stand on for whom was admitted; throws LoginRefused where policy gives no access at all. */
function groundFor(
  { subject, connection, database }: Admitted,
  asked: string,
  deps: SessionDeps,
): SessionGround {
  const { name } = connection.config
  const ground = new SessionGround({
    views: deps.views,
    policy: deps.policy,
    subject,
    connection: name,
    // A reload puts another in its place, and closes this one.
    catalogs: () => (deps.connections().get(name) ?? connection).catalog(database),
  })
  if (!ground.view().mayConnect) throw noSuchConnection(asked)
  return ground
}

/**
 * Start-up setting (MySQL: connection attribute) by which a client says that it comes back rather than wait:
 * `sallyport.approvals=return`. It never turns a refusal into a wait.
 */
export const APPROVALS_SETTING = 'sallyport.approvals'

/**
 * Start-up setting by which a PostgreSQL client says how it gives its token: `oauth` (OAUTHBEARER), or `password`,
 * which is what is expected of who says nothing.
 */
export const AUTH_SETTING = 'sallyport.auth'

/** What this session's token and run may use. */
export function budgetsOf(
  { principal: { issuer, subject, tokenId, graph, run } }: Admitted,
  { budgets }: SessionDeps,
): SessionBudgets {
  return new SessionBudgets(budgets, {
    token: `${issuer}\0${tokenId}`,
    // A run's name is its graph's to choose: another principal's run of that name is another.
    run: run === null ? null : [issuer, subject, graph ?? '', run].join('\0'),
  })
}

/** Where this session's statements wait for people. */
export function holdsOf(
  session: string,
  admitted: Admitted,
  /** The client's own wish, `return` or nothing: see RETURNING. */
  wish: string | null,
  deps: SessionDeps,
): SessionHolds {
  const { principal, role, connection, database } = admitted
  const { issuer, subject, graph, node, run } = principal
  const where = { connection: connection.config.name, database, role: role ?? '' }
  return new SessionHolds({
    approvals: deps.approvals,
    session,
    asker: { issuer, subject, graph, node, run, ...where },
    returning: wish === 'return',
    link: deps.approvalLink,
  })
}

/** What this session is told of roles that would allow what is refused. */
export function offersOf(
  { principal, subject, connection }: Admitted,
  deps: SessionDeps,
): RoleOffers {
  const { policy, views, grants, now, verifier } = deps
  return new RoleOffers({
    principal,
    subject,
    connection: connection.config.name,
    policy,
    views,
    grants,
    roles: () => verifier().config.roles,
    now,
  })
}

/** A protocol's part in a login. */
export interface Doorway {
  /** Throws LoginRefused where the token need not even be looked at. */
  readonly mayAsk?: () => void
  /** Throws LoginRefused where this session may not start. */
  readonly mayStart?: (ground: SessionGround) => void | Promise<void>
  /** Tells the client why not, and closes. */
  readonly refuse: (report: Report) => void | Promise<void>
  readonly start: (admitted: Admitted, ground: SessionGround) => Promise<void>
}

/** Admits whoever asks, or refuses them; either way it is recorded before the client is answered. */
export async function letIn(
  id: string,
  request: LoginRequest,
  deps: SessionDeps,
  door: Doorway,
): Promise<void> {
  let admitted: Admitted | null = null
  let ground: SessionGround
  try {
    door.mayAsk?.()
    admitted = await admit(request, deps)
    ground = groundFor(admitted, request.database, deps)
    await door.mayStart?.(ground)
  } catch (error) {
    admitted?.leave()
    const refused = loginRefusalOf(error)
    if (refused === null) throw error
    deps.telemetry.authenticated('refused', refused.code)
    deps.log.info({ session: id, code: refused.code }, 'login refused')
    record(deps, authentication(id, 'refused', refused.code, request, null))
    await door.refuse(refused.report)
    return
  }
  try {
    record(deps, authentication(id, 'ok', 'ok', request, admitted))
    deps.telemetry.authenticated('accepted', 'ok')
    await door.start(admitted, ground)
  } finally {
    admitted.leave()
  }
}

/** Null: not a refusal but a fault. */
function loginRefusalOf(error: unknown): LoginRefused | null {
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

export function authentication(
  session: string,
  outcome: 'ok' | 'refused',
  code: string,
  request: Omit<LoginRequest, 'token'>,
  admitted: Admitted | null,
): AuditEvent {
  return {
    type: 'authentication',
    v: 1,
    session,
    outcome,
    code,
    connection: request.database,
    ...(request.applicationName !== null && {
      applicationName: request.applicationName.slice(0, 256),
    }),
    ...(admitted !== null && {
      subject: admitted.principal.subject,
      issuer: admitted.principal.issuer,
      tokenId: admitted.principal.tokenId,
      ...(admitted.role !== null && { role: admitted.role }),
    }),
  }
}

/** Written at once: logins are rare, and nobody is answered unrecorded. */
export function record(deps: SessionDeps, event: AuditEvent): void {
  deps.audit.append(event)
  deps.audit.flush()
}

/** `socket`: as accepted; `secured`: the same once TLS is up, or itself. */
export function connectionOpened(
  session: string,
  socket: Socket,
  secured: Socket,
  listener: string,
): ConnectionOpened {
  const tls = tlsOf(secured)
  return { type: 'connection-opened', v: 1, session, client: addressOf(socket), listener, tls }
}

export function sessionStarted(
  session: string,
  { principal, role, connection, database }: Admitted,
  upstream: { readonly user: string; readonly serverVersion: string },
): AuditEvent {
  const { subject, kind, groups, graph, node, run } = principal
  return {
    type: 'session-started',
    v: 1,
    session,
    subject,
    kind,
    groups,
    role: role ?? '',
    connection: connection.config.name,
    database,
    ...(graph !== null && { graph }),
    ...(node !== null && { node }),
    ...(run !== null && { run }),
    upstreamUser: upstream.user,
    serverVersion: upstream.serverVersion,
  }
}

/** Throws where it cannot be recorded: then nobody is let in. */
export function beginRecording(
  session: string,
  { principal, connection, database }: Admitted,
  { recordings }: SessionDeps,
): SessionRecording {
  const { name, protocol } = connection.config
  const { subject } = principal
  return recordings.begin({ session, protocol, connection: name, database, subject })
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
