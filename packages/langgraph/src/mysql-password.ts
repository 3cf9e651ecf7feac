/**
 * A token as `mysql2`'s password, asked for at every connection: the driver takes a text only, its authentication
 * plugins may answer later.
 */

/** What is used of mysql2's connection. */
interface MysqlConnection {
  readonly config?: {
    readonly ssl?: unknown
    readonly socketPath?: unknown
    readonly host?: string | undefined
  }
}

type Plugin = (of: { readonly connection: unknown }) => (data: Buffer) => Promise<Buffer>

/** The server asks for the password itself, whatever the scramble is; empty would be no password. */
const NO_SCRAMBLE = Buffer.alloc(32)
/** perform_full_authentication. */
const FULL_AUTHENTICATION = 4
const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/

/** For `authPlugins` of a mysql2 pool or connection, which needs no `password` then. */
export function mysqlPassword(password: () => Promise<string>): {
  readonly caching_sha2_password: Plugin
} {
  return {
    caching_sha2_password: ({ connection }) => {
      // Safe: mysql2 gives its own connection; what is not there is as without TLS.
      const { ssl, socketPath, host } = (connection as MysqlConnection).config ?? {}
      let isAsked = false
      return async (data) => {
        if (!isAsked) {
          isAsked = true
          return NO_SCRAMBLE
        }
        if (data[0] !== FULL_AUTHENTICATION) throw new Error('the server asks for no token')
        if (!ssl && !socketPath && !LOOPBACK.test(host ?? '')) {
          throw new Error('a token is sent inside TLS only: set `ssl`')
        }
        return Buffer.from(`${await password()}\0`, 'utf8')
      }
    },
  }
}
