/**
 * Moves an open TCP or Unix connection to a socket that reads into buffers of ours (`onread`), which saves
 * an allocation of 64 KiB and its garbage per read.
 *
 * Node offers `onread` for sockets it connects, not for accepted ones, and not after a login that needed
 * ordinary reads. The handle is therefore moved, by a property that is not documented (`_handle`):
 * `checkDirectSockets` tries it once per process on a loopback connection of its own, and wherever it does
 * not behave, `moveToDirect` answers null and ordinary reads are used.
 */
import { connect as connectTcp, createServer, Socket, type SocketConstructorOpts } from 'node:net'
import { TLSSocket } from 'node:tls'

/** The self-test's deadline, milliseconds. */
const CHECK_MS = 2_000

export interface DirectReader {
  /** The buffer for the next read; called once now and after every read. */
  readonly nextBuffer: () => Buffer
  /** `bytes` are at the start of the buffer last given; false stops reading until `resume()`. */
  readonly onBytes: (bytes: number) => boolean
  /** Somebody listens to the old socket (its server counts it): it closes when the new one does, not at once. */
  readonly watched: boolean
}

/** The constructor takes these; its published types do not list them. */
type HandleOptions = Omit<SocketConstructorOpts, 'handle'> & {
  readonly handle: object
  readonly pauseOnCreate: boolean
}

interface WithHandle {
  _handle: { readStop?: () => number } | null
}

let usable = false

/**
 * The same connection as a new, paused socket, and what the old one had read already. Null: not possible
 * here; `socket` is unchanged.
 */
export function moveToDirect(
  socket: Socket,
  reader: DirectReader,
): { socket: Socket; rest: Buffer } | null {
  if (!usable || socket instanceof TLSSocket || socket.destroyed || socket.writableLength > 0) {
    return null
  }
  return move(socket, reader)
}

function move(socket: Socket, reader: DirectReader): { socket: Socket; rest: Buffer } | null {
  const inner = socket as unknown as WithHandle
  const handle = inner._handle
  if (handle === null || typeof handle.readStop !== 'function') return null
  handle.readStop()
  const read: Buffer[] = []
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) read.push(chunk)
  inner._handle = null
  const onread = { buffer: reader.nextBuffer, callback: reader.onBytes }
  const options: HandleOptions = {
    handle,
    pauseOnCreate: true,
    readable: true,
    writable: true,
    onread,
  }
  const direct = new Socket(options as SocketConstructorOpts)
  direct.on('error', ignore)
  if (reader.watched) direct.once('close', () => socket.destroy())
  else socket.destroy()
  return { socket: direct, rest: Buffer.concat(read) }
}

/** Made here: a closure of `move` would keep the old socket. */
const ignore = (): void => undefined

/** Tries the move on a connection to ourselves, in both directions. Call once before listening. */
export async function checkDirectSockets(): Promise<boolean> {
  usable = await tryOnLoopback().catch(() => false)
  return usable
}

async function tryOnLoopback(): Promise<boolean> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const client = connectTcp(port, '127.0.0.1')
  client.on('error', () => undefined)
  const socket = await accepted
  const buffer = Buffer.alloc(16)
  try {
    return await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), CHECK_MS).unref()
      const moved = move(socket, {
        watched: true,
        nextBuffer: () => buffer,
        onBytes: (bytes) => {
          moved?.socket.write(buffer.toString('latin1', 0, bytes).toUpperCase())
          return true
        },
      })
      if (moved === null) return resolve(false)
      client.once('data', (answer) => resolve(answer.toString() === 'PING'))
      moved.socket.once('error', () => resolve(false))
      moved.socket.resume()
      client.write('ping')
    })
  } finally {
    client.destroy()
    socket.destroy()
    server.close()
  }
}
