/**
 * Opens an authenticated connection to a PostgreSQL server, under the client's own start-up parameters,
 * with the gateway's credential. The only place that holds an upstream password, and only while it logs in.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  type ErrorFields,
  encodeCancelRequest,
  encodeSslRequest,
  ProtocolError,
  SQLSTATE,
  UpstreamLogin,
  type UpstreamSession,
} from '@sallyport/protocol-postgres'
import { GatewayError } from '../errors.ts'
import type { Secret } from '../secrets/secret.ts'
import { ChunkReader } from '../sockets/chunk-reader.ts'
import { tlsServerEndPoint } from '../tls/channel-binding.ts'
import { dial, opening, startTls, type UpstreamTarget } from './dial.ts'
import { saltedPassword } from './salted-passwords.ts'
import type { SpareUpstreams } from './spare.ts'

/** A cancel request: connect, TLS, send, see it closed, milliseconds. */
const CANCEL_MS_MAX = 5_000

export interface OpenUpstream {
  readonly socket: Socket
  /** Bytes that arrived behind the login. */
  readonly rest: Buffer
  readonly user: string
  readonly parameters: ReadonlyMap<string, string>
  /** What the server said while letting us in (a login trigger may). */
  readonly notices: readonly ErrorFields[]
  readonly pid: number
  /** Connections of equal shape can stand for each other. */
  readonly shape: string
  /** Asks the server to cancel what runs here; resolves when it has taken note. Never rejects. */
  cancel(): Promise<void>
}

export interface OpenRequest {
  readonly target: UpstreamTarget
  readonly user: string
  readonly password: Secret | null
  readonly database: string
  /** The client's own; `user` and `database` are replaced, `_pq_.` options are not among them. */
  readonly parameters: ReadonlyMap<string, string>
  readonly spares: SpareUpstreams | null
}

/** Throws GatewayError `upstream-unreachable`, `upstream-tls`, `upstream-refused`, `upstream-protocol`. */
export async function openUpstream(request: OpenRequest): Promise<OpenUpstream> {
  const parameters = startupParameters(request)
  const shape = JSON.stringify([request.user, request.database, parameters])
  const spare = request.spares?.take(shape)
  if (spare) return { ...spare, notices: [] }
  const { target } = request
  const opened = await opening(target, pathOf(target), (socket, signal) =>
    logIn(socket, request, parameters, signal),
  )
  const { session } = opened
  const { key } = session
  return {
    socket: opened.socket,
    rest: opened.rest,
    user: request.user,
    parameters: session.parameters,
    notices: opened.notices,
    pid: key?.pid ?? 0,
    shape,
    cancel: cancelOf(target, key),
  }
}

/** Holds nothing else: a session keeps it for as long as it lives. */
function cancelOf(target: UpstreamTarget, key: UpstreamSession['key']): () => Promise<void> {
  return () => (key === null ? Promise.resolve() : cancelAt(target, key))
}

function pathOf({ socket, port }: UpstreamTarget): string | null {
  return socket === null ? null : `${socket}/.s.PGSQL.${port}`
}

function startupParameters(request: OpenRequest): [string, string][] {
  const parameters: [string, string][] = [
    ['user', request.user],
    ['database', request.database],
  ]
  for (const [name, value] of request.parameters) {
    if (name !== 'user' && name !== 'database' && name !== 'replication') {
      parameters.push([name, value])
    }
  }
  return parameters
}

async function logIn(
  plain: Socket,
  request: OpenRequest,
  parameters: readonly [string, string][],
  signal: AbortSignal,
): Promise<{
  socket: Socket
  session: UpstreamSession
  notices: ErrorFields[]
  rest: Buffer
}> {
  const notices: ErrorFields[] = []
  const { tls, socket: unix } = request.target
  const machine = new UpstreamLogin({
    tls: tls.wanted && unix === null,
    minor: 0,
    parameters,
    password: request.password?.reveal() ?? null,
    nonce: randomBytes(18).toString('base64'),
    saltsItself: request.password !== null,
    cleartextInClear: unix !== null,
  })
  let socket = plain
  let reader = new ChunkReader(socket)
  const abort = (): void => {
    socket.destroy()
  }
  signal.addEventListener('abort', abort, { once: true })
  for (;;) {
    const event = machine.nextEvent()
    const out = machine.takeOutput()
    if (out.length > 0) socket.write(out)
    switch (event.kind) {
      case 'need-data': {
        const chunk = await reader.next()
        if (chunk === null) {
          throw new GatewayError(
            'upstream-unreachable',
            'the database closed the connection during login',
          )
        }
        machine.receive(chunk)
        break
      }
      case 'start-tls': {
        reader.release()
        const secure = await startTls(socket, await tls.options(request.target.host))
        socket = secure
        reader = new ChunkReader(secure)
        const certificate = secure.getPeerX509Certificate()?.raw
        machine.tlsEstablished({
          endPoint: certificate === undefined ? null : (tlsServerEndPoint(certificate) ?? null),
        })
        break
      }
      case 'tls-refused':
        if (tls.required) {
          throw new GatewayError(
            'upstream-tls',
            'the database behind this connection offers no TLS',
          )
        }
        machine.continueInClear()
        break
      case 'salt-password':
        if (request.password === null)
          throw new ProtocolError('illegal-call', 'local', 'no password')
        machine.passwordSalted(await saltedPassword(request.password, event.challenge))
        break
      case 'notice':
        notices.push(event.fields)
        break
      case 'error':
        throw refusedBy(event.fields)
      case 'ready':
        signal.removeEventListener('abort', abort)
        return {
          socket,
          session: event.session,
          notices,
          rest: Buffer.concat([machine.takeRemaining(), reader.release()]),
        }
      default: {
        const never: never = event
        throw new ProtocolError('illegal-call', 'local', `unexpected event ${String(never)}`)
      }
    }
  }
}

/** Class 28 is our own credential: the client learns only that. 3D000 and 53300 it can act on. */
function refusedBy(fields: ErrorFields): GatewayError {
  const { sqlstate } = fields
  if (sqlstate.startsWith('28')) {
    return new GatewayError(
      'upstream-refused',
      'the database does not accept the gateway’s credential for this connection',
      { sqlstate: SQLSTATE.CONNECTION_REJECTED, cause: new Error(`${sqlstate} ${fields.message}`) },
    )
  }
  // The server's own words about the client's own request: which database, which setting, how busy it is.
  return new GatewayError('upstream-protocol', fields.message, { sqlstate })
}

/** §protocol-flow, Canceling: a connection of its own; the server closes it when it has acted. */
async function cancelAt(
  target: UpstreamTarget,
  key: { readonly pid: number; readonly secret: Uint8Array },
): Promise<void> {
  const deadline = AbortSignal.timeout(CANCEL_MS_MAX)
  let socket: Socket | null = null
  try {
    socket = await dial(target, pathOf(target), deadline)
    deadline.addEventListener('abort', () => socket?.destroy(), { once: true })
    if (target.tls.wanted && target.socket === null) socket = await cancelTls(socket, target)
    const closed = new Promise<void>((resolve) => socket?.once('close', () => resolve()))
    socket.end(encodeCancelRequest(key))
    socket.resume()
    await closed
  } catch {
    // The statement ends by itself, or with its connection; there is nobody to tell.
  } finally {
    socket?.destroy()
  }
}

async function cancelTls(socket: Socket, target: UpstreamTarget): Promise<Socket> {
  const reader = new ChunkReader(socket)
  socket.write(encodeSslRequest())
  const answer = await reader.next()
  reader.release()
  if (answer?.[0] === 0x53) return startTls(socket, await target.tls.options(target.host))
  if (target.tls.required) throw new GatewayError('upstream-tls', 'no TLS for a cancel request')
  return socket
}
