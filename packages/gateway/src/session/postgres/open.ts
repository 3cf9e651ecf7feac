/**
 * From an accepted socket to a live session, in order: greet, verify the token, choose the role, find the
 * connection, ask policy, check start-up settings, open the upstream, start relaying. Every step is
 * recorded before the client is answered; every refusal says what a client may know and no more.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { ConnectionOpened } from '@sallyport/audit'
import { ProtocolError, SQLSTATE, type Startup, settingFor } from '@sallyport/protocol-postgres'
import type { PostgresReader } from '@sallyport/sql'
import { type OpenUpstream, openUpstream } from '../../upstream/postgres.ts'
import type { SpareUpstreams } from '../../upstream/spare.ts'
import {
  type Admitted,
  APPROVALS_SETTING,
  authentication,
  beginRecording,
  budgetsOf,
  connectionOpened,
  databaseBehind,
  holdsOf,
  LoginRefused,
  type LoginRequest,
  letIn,
  offersOf,
  record,
  type SessionDeps,
  sessionStarted,
} from '../admission.ts'
import type { SessionGround } from '../grounds.ts'
import { secretHash } from '../interrupts.ts'
import { failedLogin, type Report } from '../reports.ts'
import { Session } from '../session.ts'
import { noteEnd, openWithCredential } from '../upstream.ts'
import { type ClientChannel, Greeting } from './client-login.ts'
import { PostgresEngine } from './engine.ts'
import { PostgresShown } from './shown.ts'
import { checkStartupSettings } from './startup-settings.ts'
import type { PostgresTexts } from './texts.ts'

export interface PostgresDeps extends SessionDeps {
  readonly reader: PostgresReader
  readonly texts: PostgresTexts
}

const NO_REPLICATION: Report = {
  sqlstate: SQLSTATE.FEATURE_NOT_SUPPORTED,
  message: 'replication connections are not allowed through this gateway',
}

function requestOf(
  { user, database, parameters }: Startup,
  { connection }: ClientChannel,
  deps: PostgresDeps,
): Omit<LoginRequest, 'token'> {
  const applicationName = parameters.get('application_name') ?? null
  const asked = databaseBehind(connection, database, deps)
  return { protocol: 'postgres', user, database: asked, applicationName }
}

/** Never rejects; whatever happens to this socket stays with it. */
export async function openSession(
  socket: Socket,
  channel: ClientChannel,
  listener: string,
  deps: PostgresDeps,
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
      await deps.interrupts.send({ kind: 'cancel', pid, secret: secretHash(secret) })
      greeting.dismiss()
      return
    }
    if (arrival.kind === 'gone') {
      if (!greeting.socket.writableEnded) greeting.destroy()
      return
    }
    record(deps, connectionOpened(id, socket, greeting.socket, listener))
    opened = true
    const request = { ...requestOf(arrival.startup, channel, deps), token: arrival.token }
    await login(id, greeting, arrival.startup, request, deps)
  } catch (error) {
    const { startup } = greeting
    if (error instanceof ProtocolError && startup !== null && !opened) {
      recordBrokenLogin(
        error,
        requestOf(startup, channel, deps),
        connectionOpened(id, socket, greeting.socket, listener),
        deps,
      )
    }
    if (!(error instanceof ProtocolError))
      deps.log.error({ err: error, session: id }, 'login failed')
    if (startup === null && isNoStartup(error)) {
      greeting.destroy()
      return
    }
    await greeting.refuse(
      error instanceof ProtocolError
        ? { sqlstate: error.sqlstate, message: error.message }
        : failedLogin(error),
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

/** A login that broke off after it had said what it wanted, as by an empty password. Never throws. */
function recordBrokenLogin(
  error: ProtocolError,
  request: Omit<LoginRequest, 'token'>,
  opened: ConnectionOpened,
  deps: PostgresDeps,
): void {
  deps.telemetry.authenticated('refused', error.code)
  try {
    deps.audit.append(opened)
    record(deps, authentication(opened.session, 'refused', error.code, request, null))
  } catch (failure) {
    deps.log.error({ err: failure, session: opened.session }, 'audit log cannot be written')
  }
}

async function login(
  id: string,
  greeting: Greeting,
  startup: Startup,
  request: LoginRequest,
  deps: PostgresDeps,
): Promise<void> {
  await letIn(id, request, deps, {
    mayAsk: () => {
      if (startup.replication !== 'none') throw new LoginRefused('replication', NO_REPLICATION)
    },
    mayStart: (ground) => checkStartupSettings(startup, ground.view(), deps.reader, deps.now()),
    refuse: (report) => greeting.refuse(report),
    start: (admitted, ground) => start(id, greeting, startup, admitted, ground, deps),
  })
}

async function start(
  id: string,
  greeting: Greeting,
  startup: Startup,
  admitted: Admitted,
  ground: SessionGround,
  deps: PostgresDeps,
): Promise<void> {
  const { principal, role, connection, database } = admitted
  const opened = await openWithCredential(id, admitted, deps, (user, password) =>
    openUpstream({
      target: connection.target,
      user,
      password,
      database,
      parameters: startup.parameters,
      spares: connection.spares,
    }),
  )
  if (opened.kind === 'failed') {
    await greeting.refuse(opened.report)
    return
  }
  const { upstream } = opened
  const minor = greeting.protocolMinor
  const secret = minor >= 2 ? randomBytes(32) : randomBytes(4)
  const pid = upstream.pid > 0 ? upstream.pid : randomInt(1, 2 ** 31 - 1)
  const serverVersion = upstream.parameters.get('server_version') ?? ''
  record(deps, sessionStarted(id, admitted, { user: upstream.user, serverVersion }))
  const clientRest = greeting.accept({
    parameters: upstream.parameters,
    pid,
    secret,
    // To a principal under masks a trigger’s words could say anything.
    notices: ground.view().masked ? [] : upstream.notices,
  })
  const { recording, protects } = ground.view()
  const engine = new PostgresEngine({
    gatekeeper: {
      session: id,
      engineUser: upstream.user,
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
      holds: holdsOf(id, admitted, settingFor(startup, APPROVALS_SETTING) ?? null, deps),
      settings: new Map(startup.settings.map(({ name, value }) => [name, value])),
      shown:
        recording === null
          ? null
          : new PostgresShown(beginRecording(id, admitted, deps), {
              ...recording,
              redacts: protects,
            }),
      recordsParameters: recording?.parameters === true,
      recordable: recordableOf(recording !== null, deps),
    },
    nonce: randomBytes(9).toString('base64url'),
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
    database,
    client: greeting.socket,
    clientRest,
    upstream: {
      socket: upstream.socket,
      rest: upstream.rest,
      pid,
      recyclable: connection.spares !== null,
      cancel: upstream.cancel,
      recycle: recyclerOf(upstream, connection.spares),
    },
    engine,
    turnstile: deps.turnstile,
    log: deps.log,
    now: deps.now,
    onEnd: noteEnd(deps),
  })
  deps.registry.add(session, { pid, secret })
  deps.telemetry.sessionOpened()
  engine.attach(session, upstream.parameters)
  // The token may have been revoked while the upstream was being opened, before anybody could be told.
  if (await deps.revoked(principal)) deps.registry.endRevoked(session)
  else session.start()
}

// Made apart from `start`: a session keeps what its closures were made among, and that is all of its login.

function recordableOf(isRecorded: boolean, { recordings }: PostgresDeps): () => boolean {
  return () => !isRecorded || recordings.available
}

function recyclerOf(upstream: OpenUpstream, spares: SpareUpstreams | null): () => boolean {
  return spares === null ? notWanted : () => spares.give(upstream.shape, upstream)
}

const notWanted = (): boolean => false
