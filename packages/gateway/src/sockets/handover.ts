/** What every protocol's login does with its socket: TLS over it, and a last word before it closes. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ServerTls } from '../tls/server.ts'

/** How long a refused client may take to read why, milliseconds. */
const LAST_WORDS_MS = 2_000

/** The server's side of a TLS handshake; null: it failed, and both sockets are closed. */
export async function acceptTls(raw: Socket, tls: ServerTls): Promise<TLSSocket | null> {
  const secure = new TLSSocket(raw, tls.acceptOptions())
  secure.on('error', () => undefined)
  const established = await new Promise<boolean>((resolve) => {
    secure.once('secure', () => resolve(true))
    secure.once('error', () => resolve(false))
    secure.once('close', () => resolve(false))
    raw.once('close', () => resolve(false))
  })
  if (established) return secure
  secure.destroy()
  raw.destroy()
  return null
}

/** Sends what is left to say and closes in order, which a peer that does not read cannot hold up. */
export function closeWith(socket: Socket, last: Uint8Array | null): void {
  const timer = setTimeout(() => socket.destroy(), LAST_WORDS_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
  if (last === null) socket.end()
  else socket.end(last)
}
