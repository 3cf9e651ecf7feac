/**
 * Reaching a database server: TCP or Unix socket, TLS, and the deadline over all of a login. What is said over it
 * is each protocol's own.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { GatewayError } from '../errors.ts'
import type { UpstreamTls, UpstreamTlsOptions } from '../tls/upstream.ts'

/** TCP connect, TLS and login together, milliseconds. */
const OPEN_MS_MAX = 20_000
const UNREACHABLE = 'the database behind this connection cannot be reached'

export interface UpstreamTarget {
  readonly host: string
  readonly port: number
  /** Where the Unix socket is, as configured; used instead of host and port. */
  readonly socket: string | null
  readonly tls: UpstreamTls
}

/**
 * Connects, and logs in on what it connected; both within OPEN_MS_MAX. `logIn` destroys what it makes of the
 * socket when the signal aborts. Throws GatewayError.
 */
export async function opening<T>(
  target: UpstreamTarget,
  path: string | null,
  logIn: (socket: Socket, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempt = new AbortController()
  const timer = setTimeout(() => attempt.abort(), OPEN_MS_MAX)
  let socket: Socket | null = null
  try {
    socket = await dial(target, path, attempt.signal)
    return await logIn(socket, attempt.signal)
  } catch (error) {
    socket?.destroy()
    throw failureOf(error, attempt.signal)
  } finally {
    clearTimeout(timer)
  }
}

function failureOf(error: unknown, signal: AbortSignal): GatewayError {
  if (signal.aborted) {
    return new GatewayError(
      'upstream-unreachable',
      'the database behind this connection does not answer',
    )
  }
  if (error instanceof GatewayError) return error
  return new GatewayError('upstream-protocol', 'the login at the database failed', { cause: error })
}

/** `path`: of its Unix socket; null: by host and port. Throws GatewayError `upstream-unreachable`. */
export function dial(
  target: UpstreamTarget,
  path: string | null,
  signal: AbortSignal,
): Promise<Socket> {
  const socket =
    path === null
      ? connectTcp({ host: target.host, port: target.port, noDelay: true, keepAlive: true })
      : connectTcp({ path })
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      socket.destroy()
      reject(new Error('timed out'))
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      socket.removeAllListeners('error')
      // Errors end the reader of whoever owns the socket next; none may end the process.
      socket.on('error', () => undefined)
      resolve(socket)
    })
    socket.once('error', (cause) => {
      signal.removeEventListener('abort', abort)
      reject(new GatewayError('upstream-unreachable', UNREACHABLE, { cause }))
    })
  })
}

/** Throws GatewayError `upstream-tls`. */
export function startTls(socket: Socket, options: UpstreamTlsOptions): Promise<TLSSocket> {
  const secure = connectTls({ socket, ...options })
  secure.on('error', () => undefined)
  return new Promise((resolve, reject) => {
    secure.once('secureConnect', () => resolve(secure))
    secure.once('error', (cause) =>
      reject(
        new GatewayError('upstream-tls', 'the certificate of the database is not accepted', {
          cause,
        }),
      ),
    )
    secure.once('close', () => reject(new GatewayError('upstream-tls', UNREACHABLE)))
  })
}
