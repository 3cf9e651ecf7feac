/**
 * From an accepted socket to a live session, in order: greet as the server would, verify the token, choose the
 * role, find the connection, ask policy, open the upstream, start relaying. Every step is recorded before the
 * client is answered; every refusal says what a client may know and no more.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { ConnectionOpened } from '@sallyport/audit'
import {
  type Capabilities,
  CLIENT,
  type Greeting,
  ProtocolError,
  type RsaKey,
  type Startup,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { ConnectionRuntime } from '../../connections/runtime.ts'
import { GatewayError } from '../../errors.ts'
import { openMysqlUpstream } from '../../upstream/mysql.ts'
import {
  type Admitted,
  APPROVALS_SETTING,
  authentication,
  beginRecording,
  budgetsOf,
  connectionOpened,
  databaseBehind,
  holdsOf,
  type LoginRequest,
  letIn,
  offersOf,
  record,
  type SessionDeps,
  sessionStarted,
} from '../admission.ts'
import type { SessionGround } from '../grounds.ts'
import { failedLogin, type Report } from '../reports.ts'
import { Session } from '../session.ts'
import { noteEnd, openWithCredential } from '../upstream.ts'
import { type Caller, MysqlGreeting, turnAway } from './client-login.ts'
import { MysqlEngine, type UserChange } from './engine.ts'
import { challenge, defaultConnection, greetingFor, type MysqlChannel } from './greeting.ts'
import { killerFor, serverIdsFor } from './kill.ts'
import { MysqlShown } from './shown.ts'
import type { MysqlTexts } from './texts.ts'
import { UserChangeLogin } from './user-change.ts'

export interface MysqlDeps extends SessionDeps {
  readonly texts: MysqlTexts
  readonly rsa: RsaKey
}

/** A login that has begun. */
interface Visit {
  /** Of the session it is for. */
  readonly id: string
  readonly caller: Caller
  readonly channel: MysqlChannel
  readonly greeting: Greeting
  /** What a client gets that names no database. */
  readonly home: ConnectionRuntime
  /** How the connection is recorded. */
  readonly opened: () => ConnectionOpened
}

/** Never rejects; whatever happens to this socket stays with it. */
export async function openMysqlSession(
  socket: Socket,
  channel: MysqlChannel,
  listener: string,
  deps: MysqlDeps,
): Promise<void> {
  const id = randomUUID()
  let caller: MysqlGreeting | null = null
  const deadline = deadlineFor(() => {
    socket.destroy()
    caller?.destroy()
  }, deps)
  try {
    const home = defaultConnection(channel, deps)
    const greeting = await greetingFor(socket, channel, home, deps)
    const { tls, plainAllowed } = channel
    const greeted = new MysqlGreeting(socket, { tls, plainAllowed, rsa: deps.rsa }, greeting)
    caller = greeted
    const opened = () => connectionOpened(id, socket, greeted.socket, listener)
    await attend({ id, caller, channel, greeting, home, opened }, deps)
  } catch (error) {
    deps.log.error({ err: error, session: id }, 'nobody can be greeted')
    turnAway(socket, unreachable(error))
  } finally {
    clearTimeout(deadline)
  }
}

/** The client of a session that has ended is somebody else from now on, on the same socket. */
function changeUser(
  { client, command, multiStatements }: UserChange,
  previous: Startup,
  visit: Visit,
  deps: MysqlDeps,
): void {
  const id = randomUUID()
  const { channel } = visit
  const greeting = { ...visit.greeting, challenge: challenge() }
  const opened = { ...visit.opened(), session: id }
  const { flags, mariadb } = previous.capabilities
  const several = CLIENT.MULTI_STATEMENTS
  const capabilities = {
    flags: (multiStatements ? flags | several : flags & ~several) >>> 0,
    mariadb,
  }
  const caller = new UserChangeLogin(
    client,
    { ...channel, rsa: deps.rsa, encrypted: opened.tls !== null },
    { greeting, change: { command, previous: { ...previous, capabilities } } },
  )
  const deadline = deadlineFor(() => caller.destroy(), deps)
  const next: Visit = { ...visit, id, caller, greeting, opened: () => opened }
  void attend(next, deps).finally(() => clearTimeout(deadline))
}

function deadlineFor(end: () => void, deps: MysqlDeps): NodeJS.Timeout {
  const late = (): void => {
    deps.telemetry.authenticated('refused', 'timeout')
    end()
  }
  return setTimeout(late, deps.limits().authenticationSeconds * 1000)
}

/** Never rejects. */
async function attend(visit: Visit, deps: MysqlDeps): Promise<void> {
  const { caller, id } = visit
  let recorded = false
  try {
    const arrival = await caller.arrive()
    if (arrival.kind === 'gone') return caller.leave()
    record(deps, visit.opened())
    recorded = true
    await login(visit, arrival.startup, arrival.token, deps)
  } catch (error) {
    const broken = error instanceof ProtocolError
    if (!broken) deps.log.error({ err: error, session: id }, 'login failed')
    // A scanner or a health check: it has said nothing that could be answered.
    if (broken && caller.startup === null) return caller.destroy()
    if (broken && !recorded) recordBrokenLogin(error, visit, deps)
    caller.refuse(
      broken
        ? {
            sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
            message: `authentication failed: ${error.message}`,
          }
        : failedLogin(error),
    )
  }
}

function unreachable(error: unknown): Report {
  if (error instanceof GatewayError) return { sqlstate: error.sqlstate, message: error.message }
  return failedLogin(error)
}

/** A login that broke off after it had said what it wanted. Never throws. */
function recordBrokenLogin(error: ProtocolError, visit: Visit, deps: MysqlDeps): void {
  const { startup } = visit.caller
  if (startup === null) return
  deps.telemetry.authenticated('refused', error.code)
  try {
    deps.audit.append(visit.opened())
    const request = requestOf(startup, visit, deps)
    record(deps, authentication(visit.id, 'refused', error.code, request, null))
  } catch (failure) {
    deps.log.error({ err: failure, session: visit.id }, 'audit log cannot be written')
  }
}

function requestOf(
  { user, database, attributes }: Startup,
  { channel, home }: Visit,
  deps: MysqlDeps,
): Omit<LoginRequest, 'token'> {
  const name = attributes.find(([key]) => key === 'program_name')?.[1] ?? null
  const wanted = database === null || database === '' ? home.config.name : database
  const asked = databaseBehind(channel.connection, wanted, deps)
  return { protocol: 'mysql', user, database: asked, applicationName: name }
}

/** How the client wants to be held: see APPROVALS_SETTING. */
function wishOf({ attributes }: Startup): string | null {
  return attributes.find(([key]) => key === APPROVALS_SETTING)?.[1] ?? null
}

async function login(
  visit: Visit,
  startup: Startup,
  token: string,
  deps: MysqlDeps,
): Promise<void> {
  await letIn(visit.id, { ...requestOf(startup, visit, deps), token }, deps, {
    refuse: (report) => visit.caller.refuse(report),
    start: (admitted, ground) => start(visit, startup, admitted, ground, deps),
  })
}

/** Of a connection that takes no files of clients, the server refuses LOAD DATA LOCAL by itself. */
function withoutFiles(
  { flags, mariadb }: Capabilities,
  { config }: ConnectionRuntime,
): Capabilities {
  return { flags: config.localInfile ? flags : (flags & ~CLIENT.LOCAL_FILES) >>> 0, mariadb }
}

async function start(
  visit: Visit,
  startup: Startup,
  admitted: Admitted,
  ground: SessionGround,
  deps: MysqlDeps,
): Promise<void> {
  const { id, caller } = visit
  const { principal, role, connection } = admitted
  // As with a server: who names no database has none selected.
  const database = startup.database === null || startup.database === '' ? null : admitted.database
  const { capabilities, collation, attributes } = startup
  const client = { capabilities: withoutFiles(capabilities, connection), collation, attributes }
  const opened = await openWithCredential(id, admitted, deps, (user, password) =>
    openMysqlUpstream({
      target: connection.target,
      user,
      password,
      database,
      client,
    }),
  )
  if (opened.kind === 'failed') {
    caller.refuse(opened.report)
    return
  }
  const { upstream } = opened
  const server = upstream.session
  connection.mysqlServer?.learn(server)
  record(
    deps,
    sessionStarted(id, admitted, { user: upstream.user, serverVersion: server.serverVersion }),
  )
  const { client: clientSide, rest: clientRest } = caller.accept(server.ok)
  const { recording, protects } = ground.view()
  const engine = new MysqlEngine({
    gatekeeper: {
      session: id,
      audit: deps.audit,
      texts: deps.texts,
      contexts: deps.contexts,
      keys: deps.keys,
      telemetry: deps.telemetry,
      rates: deps.rates,
      budgets: budgetsOf(admitted, deps),
      probes: deps.probes,
      principal: `${principal.issuer}\0${principal.subject}`,
      now: deps.now,
      micros: deps.micros,
      ground: ground.now,
      catalogDoubted: ground.doubt,
      recorded: deps.recorded,
      offers: offersOf(admitted, deps),
      watch: deps.watch,
      holds: holdsOf(id, admitted, wishOf(startup), deps),
      shown:
        recording === null
          ? null
          : new MysqlShown(beginRecording(id, admitted, deps), { ...recording, redacts: protects }),
      recordsParameters: recording?.parameters === true,
      recordable: () => recording === null || deps.recordings.available,
      kill: killerFor(principal, deps),
      serverIds: serverIdsFor(principal, connection.config.name, deps),
      server: {
        version: server.version,
        charset: startup.charset ?? 'utf8mb4',
        collation: startup.collation,
        database,
      },
    },
    capabilities: { client: capabilities, upstream: server.capabilities },
    status: server.ok.status,
    statementBytesMax: deps.limits().statementBytes,
    prepareGround: ground.prepare,
    confirmViews: ground.confirm,
    changeUser: (to) => changeUser(to, startup, { ...visit, home: connection }, deps),
  })
  const session = new Session({
    id,
    principal,
    role,
    grant: admitted.grant,
    connection: connection.config.name,
    database: admitted.database,
    client: clientSide,
    clientRest,
    upstream: {
      socket: upstream.socket,
      rest: upstream.rest,
      pid: server.connectionId,
      recyclable: false,
      cancel: () => upstream.cancel(),
      recycle: () => false,
    },
    engine,
    turnstile: deps.turnstile,
    log: deps.log,
    now: deps.now,
    onEnd: noteEnd(deps),
  })
  deps.registry.add(session, { pid: caller.connectionId, secret: NO_SECRET })
  deps.telemetry.sessionOpened()
  engine.attach(session)
  // The token may have been revoked while the upstream was being opened, before anybody could be told.
  if (await deps.revoked(principal)) deps.registry.endRevoked(session)
  else session.start()
}

/** Nobody cancels by a key here: KILL comes over a session of its own. */
const NO_SECRET = Buffer.alloc(0)
