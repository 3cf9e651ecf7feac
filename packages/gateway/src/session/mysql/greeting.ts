/** What a client is greeted with, before anybody knows who it is. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import { type Greeting, offerTo, STATUS } from '@sallyport/protocol-mysql'
import type { ConnectionRuntime } from '../../connections/runtime.ts'
import { GatewayError } from '../../errors.ts'
import type { ServerTls } from '../../tls/server.ts'
import type { SessionDeps } from '../admission.ts'

/** Connection ids of ours begin here: a server counts from 1 and does not come so far. Some drivers read 31 bits. */
const CONNECTION_ID_MIN = 2 ** 30
const CONNECTION_ID_MAX = 2 ** 31 - 1

export interface MysqlChannel {
  readonly tls: ServerTls | null
  readonly plainAllowed: boolean
  /** The configured default connection of the listener; null: the first of this protocol. */
  readonly connection: string | null
}

/** Whose server greets, and what a client gets that names no database. */
export function defaultConnection(
  { connection }: Pick<MysqlChannel, 'connection'>,
  deps: Pick<SessionDeps, 'connections'>,
): ConnectionRuntime {
  const all = [...deps.connections().values()].filter((one) => one.mysqlServer !== null)
  const home = connection === null ? all[0] : all.find((one) => one.config.name === connection)
  if (home === undefined) throw new GatewayError('config', 'there is no MySQL connection to serve')
  return home
}

/** Throws GatewayError where nobody can be greeted. */
export async function greetingFor(
  socket: Socket,
  channel: MysqlChannel,
  home: ConnectionRuntime,
  deps: Pick<SessionDeps, 'connections'>,
): Promise<Greeting> {
  // A client that closes while the server is being asked must not end the process.
  socket.on('error', () => undefined)
  const face = await home.mysqlServer?.face()
  if (face === undefined) throw new GatewayError('config', 'not a MySQL connection')
  const all = [...deps.connections().values()]
  const others = all.flatMap((one) => one.mysqlServer?.known ?? [])
  return {
    serverVersion: face.serverVersion,
    connectionId: randomInt(CONNECTION_ID_MIN, CONNECTION_ID_MAX),
    challenge: challenge(),
    capabilities: offerTo(
      others.map(({ offered }) => offered),
      { tls: channel.tls !== null, localInfile: all.some((one) => one.config.localInfile) },
    ),
    collation: face.collation,
    status: STATUS.AUTOCOMMIT,
  }
}

/** 20 bytes, none of them zero or a dollar sign: clients take it for text. */
export function challenge(): Buffer {
  const bytes = randomBytes(20)
  for (const [i, byte] of bytes.entries()) {
    const seven = byte & 0x7f
    bytes[i] = seven === 0 || seven === 0x24 ? seven + 1 : seven
  }
  return bytes
}
