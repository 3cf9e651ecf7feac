/** Short conversations with a port: is anybody there, does it speak TLS the PostgreSQL way? */
import { connect, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

/** For connecting, for one answer and for a TLS handshake each, milliseconds. */
export const PROBE_MS_MAX = 5_000
/** SSLRequest: length 8, code 80877103. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)

/** The caller destroys the socket. Rejects with the system's error, or ETIMEDOUT. */
export function openSocket(to: { host: string; port: number } | { path: string }): Promise<Socket> {
  const socket = connect({ ...to })
  return settled(socket, 'connect').then(() => socket)
}

/** `S`: go on with TLS; `N`: no TLS here; anything else is another protocol. Null: closed without one. */
export async function requestTls(socket: Socket): Promise<string | null> {
  socket.write(SSL_REQUEST)
  await settled(socket, 'readable', 'end')
  const answer = socket.read(1) as Buffer | null
  return answer === null ? null : String.fromCharCode(answer[0] ?? 0)
}

/** TLS over a socket that answered `S`. The caller destroys the result. */
export async function startTls(socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  const secure = connectTls({ ...options, socket })
  await settled(secure, 'secureConnect')
  return secure
}

/** The first of these events; rejects at an error, or after PROBE_MS_MAX. */
function settled(socket: Socket, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`no answer within ${PROBE_MS_MAX} ms`)
      finish(() => reject(Object.assign(error, { code: 'ETIMEDOUT' })))
    }, PROBE_MS_MAX)
    const done = (): void => finish(resolve)
    const failed = (error: Error): void => finish(() => reject(error))
    const finish = (then: () => void): void => {
      clearTimeout(timer)
      for (const event of events) socket.off(event, done)
      socket.off('error', failed)
      // A later error of a socket nobody waits for is no news.
      socket.on('error', () => {})
      then()
    }
    for (const event of events) socket.once(event, done)
    socket.once('error', failed)
  })
}

/** Can this address be listened on? `free`, or the system's code: EADDRINUSE, EACCES, EADDRNOTAVAIL. */
export function tryListening(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')))
  })
}

/** SHA-256 of the certificate shown on a listener's port; null when it speaks no TLS there. */
export async function shownFingerprint(host: string, port: number): Promise<string | null> {
  let socket: Socket | undefined
  try {
    socket = await openSocket({ host: dialled(host), port })
    if ((await requestTls(socket)) !== 'S') return null
    // Only its identity is asked for; nothing is sent to it.
    const secure = await startTls(socket, {
      rejectUnauthorized: false,
      ALPNProtocols: ['postgresql'],
    })
    const { fingerprint256 } = secure.getPeerCertificate()
    secure.destroy()
    return fingerprint256 ?? null
  } catch {
    return null
  } finally {
    socket?.destroy()
  }
}

/** Where to dial what listens on every address. */
export function dialled(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}
