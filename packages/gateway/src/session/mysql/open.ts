/**
 * From an accepted socket to a live session, in order: greet as the server would, verify the token, choose the
 * role, find the connection, ask policy, open the upstream, start relaying. Every step is recorded before the
 * client is answered; every refusal says what a client may know and no more.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { ConnectionOpened } from '@sallyport/audit'
import {
  type Capabilities,
  CLIENT,
  type Greeting,
  offerTo,
  ProtocolError,
  type RsaKey,
  STATUS,
  type Startup,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { ConnectionRuntime } from '../../connections/runtime.ts'
import { GatewayError } from '../../errors.ts'
import type { ServerTls } from '../../tls/server.ts'
import { openMysqlUpstream } from '../../upstream/mysql.ts'
import {
  type Admitted,
  APPROVALS_SETTING,
  authentication,
  beginRecording,
  connectionOpened,
  holdsOf,
  type LoginRequest,
  letIn,
  offersOf,
  record,
  type SessionDeps,
  sessionStarted,
} from '../admission.ts'
import type { SessionGround } from '../grounds.ts'
import type { Report } from '../reports.ts'
import { Session } from '../session.ts'
import { noteEnd, openWithCredential } from '../upstream.ts'
import { MysqlGreeting, turnAway } from './client-login.ts'
import { MysqlEngine } from './engine.ts'
import { killerFor } from './kill.ts'
import { MysqlShown } from './shown.ts'
import type { MysqlTexts } from './texts.ts'

/** Connection ids of ours begin here: a server counts from 1 and does not come so far. Some drivers read 31 bits. */
const CONNECTION_ID_MIN = 2 ** 30
const CONNECTION_ID_MAX = 2 ** 31 - 1

export interface MysqlDeps extends SessionDeps {
  readonly texts: MysqlTexts
  readonly rsa: RsaKey
}

export interface MysqlChannel {
  readonly tls: ServerTls | null
  readonly plainAllowed: boolean
  /** The configured default connection of the listener; null: the first of this protocol. */
  readonly connection: string | null
}

/** Never rejects; whatever happens to this socket stays with it. */
export async function openMysqlSession(
  socket: Socket,
  channel: MysqlChannel,
  listener: string,
  deps: MysqlDeps,
): Promise<void> {
  const id = randomUUID()
  const arriving: Arriving = { greeting: null, opened: false }
  const deadline = setTimeout(() => {
    deps.telemetry.authenticated('refused', 'timeout')
    socket.destroy()
    arriving.greeting?.destroy()
  }, deps.limits().authenticationSeconds * 1000)
  try {
    const home = defaultConnection(channel, deps)
    const greeting = await greet(socket, channel, home, deps)
    arriving.greeting = greeting
    const arrival = await greeting.arrive()
    if (arrival.kind === 'gone') {
      if (!greeting.socket.writableEnded) greeting.destroy()
      return
    }
    record(deps, connectionOpened(id, socket, greeting.socket, listener))
    arriving.opened = true
    const { startup, token } = arrival
    await login(id, greeting, requestOf(startup, home), startup, token, deps)
  } catch (error) {
    failed(error, id, socket, arriving, listener, deps)
  } finally {
    clearTimeout(deadline)
  }
}

interface Arriving {
  greeting: MysqlGreeting | null
  /** The connection has been recorded. */
  opened: boolean
}

function failed(
  error: unknown,
  id: string,
  socket: Socket,
  { greeting, opened }: Arriving,
  listener: string,
  deps: MysqlDeps,
): void {
  const broken = error instanceof ProtocolError
  if (!broken) deps.log.error({ err: error, session: id }, 'login failed')
  if (greeting === null) {
    turnAway(socket, unreachable(error))
    return
  }
  const { startup } = greeting
  // A scanner or a health check: it has said nothing that could be answered.
  if (broken && startup === null) {
    greeting.destroy()
    return
  }
  if (broken && startup !== null && !opened) {
    recordBrokenLogin(error, startup, connectionOpened(id, socket, greeting.socket, listener), deps)
  }
  greeting.refuse(
    broken
      ? {
          sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
          message: `authentication failed: ${error.message}`,
        }
      : { sqlstate: SQLSTATE.INTERNAL_ERROR, message: 'internal error of the gateway' },
  )
}

function unreachable(error: unknown): Report {
  if (error instanceof GatewayError) return { sqlstate: error.sqlstate, message: error.message }
  return { sqlstate: SQLSTATE.INTERNAL_ERROR, message: 'internal error of the gateway' }
}

/** A login that broke off after it had said what it wanted. Never throws. */
function recordBrokenLogin(
  error: ProtocolError,
  startup: Startup,
  opened: ConnectionOpened,
  deps: MysqlDeps,
): void {
  deps.telemetry.authenticated('refused', error.code)
  try {
    deps.audit.append(opened)
    record(
      deps,
      authentication(opened.session, 'refused', error.code, requestOf(startup, null), null),
    )
  } catch (failure) {
    deps.log.error({ err: failure, session: opened.session }, 'audit log cannot be written')
  }
}

/** Whose server greets, and what a client gets that names no database. */
function defaultConnection({ connection }: MysqlChannel, deps: MysqlDeps): ConnectionRuntime {
  const all = [...deps.connections().values()].filter((one) => one.mysqlServer !== null)
  const home = connection === null ? all[0] : all.find((one) => one.config.name === connection)
  if (home === undefined) throw new GatewayError('config', 'there is no MySQL connection to serve')
  return home
}

async function greet(
  socket: Socket,
  channel: MysqlChannel,
  home: ConnectionRuntime,
  deps: MysqlDeps,
): Promise<MysqlGreeting> {
  // A client that closes while the server is being asked must not end the process.
  socket.on('error', () => undefined)
  const face = await home.mysqlServer?.face()
  if (face === undefined) throw new GatewayError('config', 'not a MySQL connection')
  const all = [...deps.connections().values()]
  const others = all.flatMap((one) => one.mysqlServer?.known ?? [])
  const greeting: Greeting = {
    serverVersion: face.serverVersion,
    connectionId: randomInt(CONNECTION_ID_MIN, CONNECTION_ID_MAX),
    challenge: challenge(),
    capabilities: offerTo(
      others.map(({ offered }) => offered),
      { tls: channel.tls !== null, localInfile: all.some((one) => one.config.localInfile) },
    ),
    collation: face.collation,
    status: STATUS.AUTOCOMMIT,
  }
  const { tls, plainAllowed } = channel
  return new MysqlGreeting(socket, { tls, plainAllowed, rsa: deps.rsa }, greeting)
}

/** 20 bytes, none of them zero or a dollar sign: clients take it for text. */
function challenge(): Buffer {
  const bytes = randomBytes(20)
  for (const [i, byte] of bytes.entries()) {
    const seven = byte & 0x7f
    bytes[i] = seven === 0 || seven === 0x24 ? seven + 1 : seven
  }
  return bytes
}

/** `home`: what a client gets that names no database. */
function requestOf(
  { user, database, attributes }: Startup,
  home: ConnectionRuntime | null,
): Omit<LoginRequest, 'token'> {
  const name = attributes.find(([key]) => key === 'program_name')?.[1] ?? null
  const wanted = database === null || database === '' ? (home?.config.name ?? '') : database
  return { protocol: 'mysql', user, database: wanted, applicationName: name }
}

/** How the client wants to be held: see APPROVALS_SETTING. */
function wishOf({ attributes }: Startup): string | null {
  return attributes.find(([key]) => key === APPROVALS_SETTING)?.[1] ?? null
}

async function login(
  id: string,
  greeting: MysqlGreeting,
  request: Omit<LoginRequest, 'token'>,
  startup: Startup,
  token: string,
  deps: MysqlDeps,
): Promise<void> {
  await letIn(id, { ...request, token }, deps, {
    refuse: (report) => greeting.refuse(report),
    start: (admitted, ground) => start(id, greeting, startup, admitted, ground, deps),
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
  id: string,
  greeting: MysqlGreeting,
  startup: Startup,
  admitted: Admitted,
  ground: SessionGround,
  deps: MysqlDeps,
): Promise<void> {
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
    greeting.refuse(opened.report)
    return
  }
  const { upstream } = opened
  const server = upstream.session
  connection.mysqlServer?.learn(server)
  record(
    deps,
    sessionStarted(id, admitted, { user: upstream.user, serverVersion: server.serverVersion }),
  )
  const clientRest = greeting.accept(server.ok)
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
      server: { version: server.version, charset: startup.charset ?? 'utf8mb4', database },
    },
    capabilities: { client: capabilities, upstream: server.capabilities },
    status: server.ok.status,
    statementBytesMax: deps.limits().statementBytes,
    prepareGround: ground.prepare,
    confirmViews: ground.confirm,
  })
  const session = new Session({
    id,
    principal,
    role,
    grant: admitted.grant,
    connection: connection.config.name,
    database: admitted.database,
    client: greeting.socket,
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
  deps.registry.add(session, { pid: greeting.connectionId, secret: NO_SECRET })
  deps.telemetry.sessionOpened()
  engine.attach(session)
  // The token may have been revoked while the upstream was being opened, before anybody could be told.
  if (await deps.revoked(principal)) deps.registry.endRevoked(session)
  else session.start()
}

/** Nobody cancels by a key here: KILL comes over a session of its own. */
const NO_SECRET = Buffer.alloc(0)
