/**
 * A wire tap: a loopback port in front of the gateway's listener without TLS that keeps every byte the
 * gateway sends. What is looked for in it is looked for in what a client really received.
 */

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** More than the tour makes a gateway say; beyond it, something is wrong. */
const TAPPED_BYTES_MAX = 64 * 1024 * 1024

export interface Tap {
  readonly port: number
  /** Everything received so far, one buffer a connection. */
  received(): Buffer[]
  close(): Promise<void>
}

export async function startTap(target: number): Promise<Tap> {
  const connections: Buffer[][] = []
  const sockets = new Set<Socket>()
  let bytes = 0
  const server = createServer((client) => {
    const gateway = connect({ host: '127.0.0.1', port: target })
    const chunks: Buffer[] = []
    connections.push(chunks)
    gateway.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes > TAPPED_BYTES_MAX) throw new Error('the tap is full')
      chunks.push(chunk)
    })
    for (const [one, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroySoon()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  return {
    // Safe: a listening TCP server has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    received: () => connections.map((chunks) => Buffer.concat(chunks)),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
