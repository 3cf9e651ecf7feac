/** A TCP relay that keeps every byte the client received, for tests that look for what must not be there. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Tap extends AsyncDisposable {
  readonly port: number
  /** Everything the server side has sent so far, over all connections. */
  received(): Buffer
}

export async function openTap(port: number): Promise<Tap> {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.on('data', (chunk) => chunks.push(chunk))
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  return {
    // Safe: a listening TCP server has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    received: () => Buffer.concat(chunks),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
