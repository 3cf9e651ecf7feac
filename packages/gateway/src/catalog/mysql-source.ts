/**
 * The catalog's own connection to a MySQL or MariaDB server, for the catalog store. Reading the schema needs no
 * right to any row: an account with SHOW VIEW, TRIGGER and SELECT on the mere definitions is enough, and what
 * it may not see is treated as unknown. Bodies of functions are shown to their definer, and with SHOW_ROUTINE (MySQL) or
 * SELECT on mysql.proc (MariaDB); without, a function stays opaque.
 */
import { connect, type Socket } from 'node:net'
import mysql, { type Connection, type SslOptions } from 'mysql2/promise'
import { TLS_VERSION_MIN } from '../tls/server.ts'
import { CatalogError } from './errors.ts'
import { CONNECT_MS_MAX } from './limits.ts'
import {
  currentMysqlDefinitions,
  loadMysqlCatalog,
  prepareReader,
  probeMysqlCatalog,
  sampleMysql,
} from './mysql.ts'
import type { CatalogLogin, CatalogReader, CatalogSource } from './source.ts'

export const MYSQL_CATALOG: CatalogSource = {
  async connect(login): Promise<CatalogReader> {
    const connection = await connectMysqlCatalog(login)
    try {
      const server = await prepareReader(connection)
      return {
        load: () => loadMysqlCatalog(connection, server),
        probe: () => probeMysqlCatalog(connection, server),
        sample: (relation, columns, rows) => sampleMysql(connection, relation, { columns, rows }),
        definitions: (views) => currentMysqlDefinitions(connection, views),
        onEnd: (ended) => {
          connection.on('end', ended)
          connection.on('error', ended)
        },
        end: () => connection.end(),
      }
    } catch (cause) {
      connection.destroy()
      throw classifyMysql(cause)
    }
  },
  classify: classifyMysql,
  /** No such database, table, column, routine; a table whose definition has changed. */
  movedMeanwhile(error) {
    return [1049, 1051, 1146, 1054, 1305, 1412, 1356].includes(
      (error as { errno?: unknown }).errno as number,
    )
  },
}

/** Connects; the caller ends the connection. Throws CatalogError: unreachable, credential-refused. */
export async function connectMysqlCatalog(login: CatalogLogin): Promise<Connection> {
  const unix = login.host.startsWith('/')
  if (unix || !login.tls.wanted) return connectOnce(login, undefined)
  const { ca, cert, key, verifyChain, verifyName } = await login.tls.material(login.host)
  const ssl: SslOptions = {
    minVersion: TLS_VERSION_MIN,
    rejectUnauthorized: verifyChain,
    verifyIdentity: verifyName !== null,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
  try {
    return await connectOnce(login, ssl)
  } catch (error) {
    if (login.tls.required || !saysNoTls(error)) throw error
    return connectOnce(login, undefined)
  }
}

async function connectOnce(login: CatalogLogin, ssl: SslOptions | undefined): Promise<Connection> {
  const { host, port, user } = login
  try {
    const connection = await mysql.createConnection({
      // mysql2 takes it for the name of the server: what it sends as SNI and checks the certificate for.
      host: login.tls.nameOf(host),
      stream: () => dial(login),
      user,
      password: login.password?.reveal() ?? '',
      charset: 'utf8mb4_general_ci',
      connectTimeout: CONNECT_MS_MAX,
      ...(ssl !== undefined && { ssl }),
      port,
    })
    // Without a listener, a connection that breaks while idle would end the process.
    connection.on('error', () => undefined)
    return connection
  } catch (cause) {
    throw classifyMysql(cause)
  }
}

function dial({ host, port, tls }: CatalogLogin): Socket {
  if (host.startsWith('/')) return connect({ path: host })
  const socket = connect({ host, port, keepAlive: true, noDelay: true })
  // tls.connect checks a certificate for the name it is given or, for an address, for what the socket says it
  // dialled; without this it would look for `localhost`. Not documented; a test shows that it is so.
  Object.assign(socket, { _host: tls.nameOf(host) })
  return socket
}

function saysNoTls(error: unknown): boolean {
  const cause = error instanceof CatalogError ? error.cause : error
  return (cause as { code?: unknown } | undefined)?.code === 'HANDSHAKE_NO_SSL_SUPPORT'
}

/** ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_MUST_CHANGE_PASSWORD_LOGIN, ER_ACCOUNT_HAS_BEEN_LOCKED, … */
const REFUSALS = new Set([1045, 1044, 1698, 1862, 3118, 4151])
/** ER_SERVER_SHUTDOWN, ER_CON_COUNT_ERROR, ER_HOST_NOT_PRIVILEGED, ER_HOST_IS_BLOCKED. */
const UNREACHABLE = new Set([1053, 1040, 1130, 1129])

function classifyMysql(cause: unknown): CatalogError {
  if (cause instanceof CatalogError) return cause
  const { errno, code } = (cause ?? {}) as { errno?: unknown; code?: unknown }
  const text = typeof code === 'string' ? code : 'no code'
  if (typeof errno === 'number' && REFUSALS.has(errno)) {
    return new CatalogError('credential-refused', `the database refused the login: ${text}`, {
      cause,
    })
  }
  // Positive numbers are the server's errors; the system's are negative.
  if (typeof errno === 'number' && errno > 0 && !UNREACHABLE.has(errno)) {
    return new CatalogError('query-failed', `the catalog could not be read: ${text}`, { cause })
  }
  return new CatalogError('unreachable', `the database can not be reached: ${text}`, { cause })
}
