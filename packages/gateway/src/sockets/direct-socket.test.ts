import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { checkDirectSockets, type DirectSocket, moveToDirect } from './direct-socket.ts'

let server: Server
let peer: Socket
let direct: DirectSocket
let onDrained: () => void = () => undefined

beforeAll(async () => {
  expect(await checkDirectSockets()).toBe(true)
  server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => server.close())

beforeEach(async () => {
  const { port } = server.address() as { port: number }
  const accepted = once(server, 'connection')
  peer = connect(port, '127.0.0.1')
  peer.on('error', () => undefined)
  peer.pause()
  const [socket] = (await accepted) as [Socket]
  const buffer = Buffer.alloc(64)
  const moved = moveToDirect(socket, {
    watched: false,
    nextBuffer: () => buffer,
    onBytes: () => true,
    drained: () => onDrained(),
  })
  if (moved === null) throw new Error('not moved')
  direct = moved
  return () => {
    peer.destroy()
    direct.socket.destroy()
  }
})

/** All that the peer reads until the end. */
async function received(): Promise<Buffer> {
  const chunks: Buffer[] = []
  peer.on('data', (chunk) => chunks.push(chunk))
  peer.resume()
  await once(peer, 'end')
  return Buffer.concat(chunks)
}

describe('a socket written past its stream', () => {
  test('sends what is short, what is long and what is in pieces in order, to a reader that begins late', async () => {
    const { socket, writer } = direct
    const sent: Buffer[] = []
    for (let i = 0; i < 60; i++) {
      const bytes = randomBytes(i % 3 === 0 ? 300_000 : 17 + i)
      sent.push(bytes)
      if (i % 5 !== 0) writer.say(bytes)
      else {
        const buffers = [bytes, bytes, bytes]
        writer.write({ buffers, starts: [0, 5, 9], ends: [5, 9, bytes.length] })
      }
    }
    expect(writer.backedUp).toBe(true)
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve
    })
    const all = received()
    await drained
    expect(writer.backedUp).toBe(false)
    // What the stream itself writes comes behind.
    socket.end('last words')
    expect((await all).equals(Buffer.concat([...sent, Buffer.from('last words')]))).toBe(true)
  })

  test('last words come behind what the socket has not taken yet', async () => {
    const { socket, writer } = direct
    writer.say(Buffer.alloc(8_000_000, 'x'))
    expect(writer.backedUp).toBe(true)
    socket.end('last words')
    const all = await received()
    expect(all.length).toBe(8_000_010)
    expect(all.toString('latin1', 7_999_999)).toBe('xlast words')
  })

  test('a peer that is gone is an error of the socket, whether bytes were waiting or not', async () => {
    const { socket, writer } = direct
    const failed = once(socket, 'error')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    writer.say(Buffer.alloc(8_000_000))
    peer.resetAndDestroy()
    const [error] = (await failed) as [NodeJS.ErrnoException]
    expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) })
    await closed
    // Nothing happens.
    writer.say(Buffer.from('to nobody'))
    writer.write({ buffers: [Buffer.from('a'), Buffer.from('b')], starts: [0, 0], ends: [1, 1] })
    expect(writer.backedUp).toBe(false)
  })

  test('destroyed while bytes wait, it does not say that they were taken', async () => {
    const { socket, writer } = direct
    let drained = false
    onDrained = () => {
      drained = true
    }
    writer.say(Buffer.alloc(8_000_000))
    socket.destroy()
    await once(socket, 'close')
    await new Promise((resolve) => setImmediate(resolve))
    expect(drained).toBe(false)
  })
})
