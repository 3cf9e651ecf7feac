/**
 * Moves an open TCP or Unix connection to a socket that reads into buffers of ours (`onread`), which saves
 * an allocation of 64 KiB and its garbage per read, and is written past its stream (`direct-writer.ts`).
 *
 * Node offers `onread` for sockets it connects, not for accepted ones, and not after a login that needed
 * ordinary reads. The handle is therefore moved, by a property that is not documented (`_handle`):
 * `checkDirectSockets` tries it once per process on a loopback connection of its own, and wherever it does
 * not behave, `moveToDirect` answers null and ordinary reads and writes are used.
 */
import { connect as connectTcp, createServer, Socket, type SocketConstructorOpts } from 'node:net'
import { TLSSocket } from 'node:tls'
import { DirectWriter, type WriteHandle, type WriteRequestClass } from './direct-writer.ts'

/** The self-test's deadline, milliseconds. */
const CHECK_MS = 10_000
/** More than a socket takes at once, bytes; and all that is to arrive. */
const CHECK_BYTES = 4 * 1024 * 1024
const CHECK_LENGTH = '?PINGMOREEND'.length + CHECK_BYTES

export interface DirectReader {
  /** The buffer for the next read; called once now and after every read. Undefined: the last one again. */
  readonly nextBuffer: () => Buffer | undefined
  /** `bytes` are at the start of the buffer last given; false stops reading until `resume()`. */
  readonly onBytes: (bytes: number) => boolean
  /** What was written has all been taken, after the writer had been backed up. */
  readonly drained: () => void
  /** Somebody listens to the old socket (its server counts it): it closes when the new one does, not at once. */
  readonly watched: boolean
}

export interface DirectSocket {
  readonly socket: Socket
  readonly writer: DirectWriter
  /** What the old socket had read already. */
  readonly rest: Buffer
}

/** The constructor takes these; its published types do not list them. */
type HandleOptions = Omit<SocketConstructorOpts, 'handle' | 'onread'> & {
  readonly handle: object
  readonly pauseOnCreate: boolean
  readonly onread: {
    readonly buffer: () => Buffer | undefined
    readonly callback: (bytes: number) => boolean
  }
}

type Handle = WriteHandle & { readStop?: () => number }

interface WithHandle {
  _handle: Handle | null
}

/** Learnt by the check; null: direct sockets are not possible here. */
let requestClass: WriteRequestClass | null = null

/** The same connection as a new, paused socket. Null: not possible here; `socket` is unchanged. */
export function moveToDirect(socket: Socket, reader: DirectReader): DirectSocket | null {
  if (requestClass === null || socket instanceof TLSSocket) return null
  if (socket.destroyed || socket.writableLength > 0) return null
  return move(socket, reader, requestClass)
}

function move(
  socket: Socket,
  reader: DirectReader,
  Request: WriteRequestClass,
): DirectSocket | null {
  const inner = socket as unknown as WithHandle
  const handle = inner._handle
  if (handle === null || typeof handle.readStop !== 'function') return null
  handle.readStop()
  const read: Buffer[] = []
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) read.push(chunk)
  inner._handle = null
  const options: HandleOptions = {
    handle,
    pauseOnCreate: true,
    readable: true,
    writable: true,
    onread: { buffer: reader.nextBuffer, callback: reader.onBytes },
  }
  const direct = new Socket(options as unknown as SocketConstructorOpts)
  direct.on('error', ignore)
  if (reader.watched) direct.once('close', () => socket.destroy())
  else socket.destroy()
  const writer = new DirectWriter(direct, handle, Request, reader.drained)
  return { socket: direct, writer, rest: Buffer.concat(read) }
}

/** Made here: a closure of `move` would keep the old socket. */
const ignore = (): void => undefined

/** Tries the move on a connection to ourselves, in both directions. Call once before listening. */
export async function checkDirectSockets(): Promise<boolean> {
  requestClass = await tryOnLoopback().catch(() => null)
  return requestClass !== null
}

async function tryOnLoopback(): Promise<WriteRequestClass | null> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const client = connectTcp(port, '127.0.0.1')
  client.on('error', () => undefined)
  const socket = await accepted
  try {
    const learnt = requestClassOf(socket)
    if (learnt === null) return null
    const worked = await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), CHECK_MS).unref()
      talk(socket, client, learnt, resolve)
    })
    return worked ? learnt : null
  } finally {
    client.destroy()
    socket.destroy()
    server.close()
  }
}

/** What Node itself hands to a handle for each write. */
function requestClassOf(socket: Socket): WriteRequestClass | null {
  const handle = (socket as unknown as WithHandle)._handle
  if (handle === null || typeof handle.writeBuffer !== 'function') return null
  if (typeof handle.writev !== 'function') return null
  const { writeBuffer } = handle
  let learnt: WriteRequestClass | null = null
  handle.writeBuffer = (request, bytes) => {
    learnt = request.constructor as WriteRequestClass
    return writeBuffer.call(handle, request, bytes)
  }
  socket.write(Buffer.from('?'))
  Reflect.deleteProperty(handle, 'writeBuffer')
  return learnt
}

/** Read twice into one buffer, answered, and answered with more than the socket takes at once: does all of it arrive? */
function talk(
  socket: Socket,
  client: Socket,
  Request: WriteRequestClass,
  done: (works: boolean) => void,
): void {
  const buffer = Buffer.alloc(16)
  const received: Buffer[] = []
  let length = 0
  let drained = false
  const look = (): void => {
    if (length < CHECK_LENGTH || !drained) return
    const all = Buffer.concat(received).toString('latin1')
    done(all.startsWith('?PINGMORE\0') && all.endsWith('\0END') && length === CHECK_LENGTH)
  }
  const onDrained = (): void => {
    drained = true
    look()
  }
  const onBytes = (bytes: number): boolean => {
    const asked = buffer.toString('latin1', 0, bytes)
    moved?.writer.say(Buffer.from(asked.toUpperCase()))
    if (asked === 'more') more()
    return true
  }
  const nextBuffer = (): Buffer | undefined => (length === 0 ? buffer : undefined)
  const reader = { watched: true, nextBuffer, onBytes, drained: onDrained }
  const moved = move(socket, reader, Request)
  if (moved === null) return done(false)
  const more = (): void => {
    const buffers = [Buffer.alloc(CHECK_BYTES), Buffer.from('END')]
    moved.writer.write({ buffers, starts: [0, 0], ends: [CHECK_BYTES, 3] })
    drained = !moved.writer.backedUp
  }
  client.on('data', (bytes) => {
    received.push(bytes)
    length += bytes.length
    if (length === '?PING'.length) client.write('more')
    look()
  })
  moved.socket.once('error', () => done(false))
  moved.socket.resume()
  client.write('ping')
}
