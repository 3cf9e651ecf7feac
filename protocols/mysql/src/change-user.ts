/**
 * COM_CHANGE_USER: a login inside a session. What the client says of itself anew; how it proves it is asked
 * as at the first login (`ClientLogin` with `change`).
 *
 *     user NUL  length answer  database NUL  [collation  [plugin NUL  [attributes]]]
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html
 */
import { ByteReader } from './bytes.ts'
import { type Capabilities, CLIENT, has } from './capabilities.ts'
import { decodeAttributes, loginName } from './handshake.ts'

export interface ChangeUser {
  readonly user: string
  /** The answer to the challenge of the first login, in whatever form `plugin` has; copied. */
  readonly authentication: Uint8Array
  /** Null where it names none. */
  readonly database: string | null
  /** The collation id, 16 bits; null: not said. */
  readonly collation: number | null
  readonly plugin: string | null
  readonly attributes: readonly (readonly [string, string])[]
}

/** `[start, end)`: the body, behind its command byte. Throws ProtocolError where it is not laid out so. */
export function decodeChangeUser(
  buf: Buffer,
  start: number,
  end: number,
  capabilities: Capabilities,
): ChangeUser {
  const reader = new ByteReader(buf, start, end)
  const user = loginName(reader.nulBytes())
  const authentication = Buffer.from(reader.bytes(reader.uint8()))
  const database = loginName(reader.nulBytes())
  // A client may end its packet before any of what follows.
  const collation = reader.remaining > 0 ? reader.uint16() : null
  const more = (bit: number): boolean => has(capabilities, bit) && reader.remaining > 0
  const plugin = more(CLIENT.PLUGIN_AUTH) ? loginName(reader.nulOrRest()) : null
  const attributes = more(CLIENT.CONNECT_ATTRS) ? decodeAttributes(reader) : []
  reader.expectEnd()
  return {
    user,
    authentication,
    database: database === '' ? null : database,
    collation,
    plugin,
    attributes,
  }
}
