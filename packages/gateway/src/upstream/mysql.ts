/**
 * Opens an authenticated connection to a MySQL or MariaDB server, with the capabilities and the character set of
 * the client it is for, and the gateway's credential. The only place that holds a MySQL password on its way
 * to the data path, and only while it logs in.
 */
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import {
  type Capabilities,
  CLIENT,
  COM,
  type ErrPacket,
  encodePacket,
  ProtocolError,
  UpstreamLogin,
  type UpstreamSession,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { GatewayError } from '../errors.ts'
import type { Secret } from '../secrets/secret.ts'
import { ChunkReader } from '../sockets/chunk-reader.ts'
import { isLoopback } from '../sockets/loopback.ts'
import { opening, startTls, type UpstreamTarget } from './dial.ts'

/** A KILL QUERY: connect, TLS, login, send, see it answered, milliseconds. */
const CANCEL_MS_MAX = 10_000

export interface OpenMysqlUpstream {
  readonly socket: Socket
  /** Bytes that arrived behind the login. */
  readonly rest: Buffer
  readonly user: string
  readonly session: UpstreamSession
  /** KILL QUERY of what runs here; resolves when the server has taken note. Never rejects. */
  cancel(): Promise<void>
}

export interface MysqlTarget extends UpstreamTarget {
  /** PEM file of the server's RSA key, for a password on a channel without TLS; null: none. */
  readonly publicKeyFile: string | null
}

export interface MysqlClientSide {
  readonly capabilities: Capabilities
  /** Collation id; 0: the server's choice. */
  readonly collation: number
  readonly attributes: readonly (readonly [string, string])[]
}

export interface MysqlOpenRequest {
  readonly target: MysqlTarget
  readonly user: string
  readonly password: Secret | null
  /** Null: no database is selected. */
  readonly database: string | null
  readonly client: MysqlClientSide
}

/** The gateway's own logins: none of what a client may choose. */
export const PLAIN_CLIENT: MysqlClientSide = {
  capabilities: {
    flags: CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH,
    mariadb: 0,
  },
  collation: 0,
  attributes: [['program_name', 'sallyport']],
}

/** Throws GatewayError `upstream-unreachable`, `upstream-tls`, `upstream-refused`, `upstream-protocol`. */
export async function openMysqlUpstream(request: MysqlOpenRequest): Promise<OpenMysqlUpstream> {
  const { target, user } = request
  const { tls, socket: path } = target
  const wanted = tls.wanted && path === null
  const open = (overTls: boolean) =>
    opening(target, path, (socket, signal) => logIn(socket, request, overTls, signal))
  const opened = await open(wanted).catch((error: unknown) => {
    if (!wanted || tls.required || !(error instanceof NoTls)) throw error
    return open(false)
  })
  const { connectionId } = opened.session
  return { ...opened, user, cancel: () => killQuery(request, connectionId) }
}

/** A server that offers no TLS; the connection is of no use any more. */
class NoTls extends GatewayError {
  constructor() {
    super('upstream-tls', 'the database behind this connection offers no TLS')
  }
}

async function logIn(
  plain: Socket,
  request: MysqlOpenRequest,
  overTls: boolean,
  signal: AbortSignal,
): Promise<{ socket: Socket; session: UpstreamSession; rest: Buffer }> {
  const machine = await machineFor(request, overTls)
  let socket = plain
  let reader = new ChunkReader(socket)
  signal.addEventListener('abort', () => socket.destroy(), { once: true })
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
        // MySQL starts TLS inside its own protocol and has no ALPN name.
        const { ALPNProtocols: _, ...options } = await request.target.tls.options(
          request.target.host,
        )
        socket = await startTls(socket, options)
        reader = new ChunkReader(socket)
        machine.tlsEstablished()
        break
      }
      case 'tls-refused':
        throw new NoTls()
      case 'error':
        throw refusedBy(event.err)
      case 'ready':
        return { socket, session: event.session, rest: reader.release() }
      default: {
        const never: never = event
        throw new ProtocolError('illegal-call', 'local', `unexpected event ${String(never)}`)
      }
    }
  }
}

async function machineFor(request: MysqlOpenRequest, overTls: boolean): Promise<UpstreamLogin> {
  const { target, user, password, database, client } = request
  const { publicKeyFile, host, socket } = target
  const publicKeyPem = publicKeyFile === null ? null : await readFile(publicKeyFile, 'utf8')
  return new UpstreamLogin({
    tls: overTls,
    encrypted: socket !== null,
    user,
    password: password?.reveal() ?? null,
    database,
    capabilities: client.capabilities,
    collation: client.collation,
    attributes: client.attributes,
    ...(publicKeyPem !== null && { publicKeyPem }),
    // Nobody sits between two ends of one machine.
    trustSentKey: isLoopback(host),
  })
}

/** ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_MUST_CHANGE_PASSWORD_LOGIN, locked accounts. */
const CREDENTIAL_ERRORS = new Set([1045, 1698, 1862, 3118, 3955, 4151, 1130, 1251, 3159])

/** What concerns our own credential the client learns only as that; which database or how busy it can act on. */
function refusedBy(err: ErrPacket): GatewayError {
  if (CREDENTIAL_ERRORS.has(err.errno)) {
    return new GatewayError(
      'upstream-refused',
      'the database does not accept the gateway’s credential for this connection',
      { sqlstate: SQLSTATE.CONNECTION_REJECTED, cause: new Error(`${err.errno} ${err.message}`) },
    )
  }
  if (err.errno === ER_DBACCESS_DENIED || err.errno === ER_BAD_DB) {
    return new GatewayError(
      'upstream-protocol',
      'there is no such database behind this connection',
      {
        sqlstate: SQLSTATE.INVALID_CATALOG_NAME,
        cause: new Error(`${err.errno} ${err.message}`),
      },
    )
  }
  const busy = err.errno === ER_CON_COUNT || err.errno === ER_TOO_MANY_USER_CONNECTIONS
  return new GatewayError('upstream-protocol', busy ? BUSY : 'the login at the database failed', {
    ...(busy && { sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS }),
    cause: new Error(`${err.errno} ${err.message}`),
  })
}

const ER_CON_COUNT = 1040
const ER_DBACCESS_DENIED = 1044
const ER_BAD_DB = 1049
const ER_TOO_MANY_USER_CONNECTIONS = 1203
const BUSY = 'the database behind this connection has no connection left'

/** A connection of its own, as the protocol has no other way; the server needs no privilege for its own user's. */
async function killQuery(request: MysqlOpenRequest, connectionId: number): Promise<void> {
  const deadline = AbortSignal.timeout(CANCEL_MS_MAX)
  let socket: Socket | null = null
  try {
    const { target, user, password } = request
    const opened = await openMysqlUpstream({
      target,
      user,
      password,
      database: null,
      client: PLAIN_CLIENT,
    })
    socket = opened.socket
    const reader = new ChunkReader(socket)
    deadline.addEventListener('abort', () => socket?.destroy(), { once: true })
    socket.write(command(COM.QUERY, `KILL QUERY ${connectionId}`))
    // OK, or an ERR because it is gone: done either way.
    await reader.next()
    reader.release()
    socket.end(command(COM.QUIT, ''))
  } catch {
    // The statement ends by itself, or with its connection; there is nobody to tell.
    socket?.destroy()
  }
}

function command(code: number, text: string): Buffer {
  return encodePacket(0, Buffer.concat([Buffer.of(code), Buffer.from(text, 'latin1')]))
}

/** Ends a connection that nothing runs on. */
export function quitMysqlUpstream({ socket }: OpenMysqlUpstream): void {
  socket.on('error', () => undefined)
  socket.end(command(COM.QUIT, ''))
  socket.resume()
}
