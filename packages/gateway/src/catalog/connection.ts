/**
 * The catalog's own connection to a database, with its own credential: reading the schema needs no
 * right on any table, so that credential can be a role that may only log in.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import pg from 'pg'
import type { UpstreamTlsOptions } from '../tls/upstream.ts'
import { CatalogError } from './errors.ts'
import { CONNECT_MS_MAX, STATEMENT_MS_MAX } from './limits.ts'
import type { CatalogLogin } from './source.ts'

/** Connects; the caller ends the client. Throws CatalogError: unreachable, credential-refused. */
export async function connectCatalog(login: CatalogLogin): Promise<pg.Client> {
  const unix = login.host.startsWith('/')
  if (unix || !login.tls.wanted) return connectOnce(login, false)
  const options = await login.tls.options(login.host)
  const ssl: pg.ClientConfig['ssl'] = { ...options }
  try {
    return await connectOnce({ ...login, host: await dialled(login.host, options) }, ssl)
  } catch (error) {
    if (login.tls.required || !saysNoTls(error)) throw error
    return connectOnce(login, false)
  }
}

/** pg sends the host's name as SNI whatever we ask for, unless it dials an address. */
async function dialled(host: string, { servername }: UpstreamTlsOptions): Promise<string> {
  if (isIP(host) !== 0 || servername === undefined || servername === host) return host
  return (await lookup(host)).address
}

async function connectOnce(login: CatalogLogin, ssl: pg.ClientConfig['ssl']): Promise<pg.Client> {
  const client = new pg.Client({
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.user,
    // A function, because pg takes an empty string for "look into the environment".
    password: () => login.password?.reveal() ?? '',
    ssl: ssl ?? false,
    application_name: 'sallyport-catalog',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    // Above statement_timeout: this one is for a network that swallows the answer.
    query_timeout: STATEMENT_MS_MAX + CONNECT_MS_MAX,
    keepAlive: true,
  })
  // Without a listener, a connection that breaks while idle would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (cause) {
    await client.end().catch(() => undefined)
    throw classify(cause)
  }
}

function saysNoTls(error: unknown): boolean {
  const cause = error instanceof CatalogError ? error.cause : error
  // pg has no code for the `N` answer to SSLRequest.
  return cause instanceof Error && cause.message === 'The server does not support SSL connections'
}

/** What went wrong, as a CatalogError; the database's own text stays in `cause`. */
export function classify(cause: unknown): CatalogError {
  if (cause instanceof CatalogError) return cause
  const code = (cause as { code?: unknown } | undefined)?.code
  const text = typeof code === 'string' ? code : 'no code'
  if (text.startsWith('28')) {
    return new CatalogError('credential-refused', `the database refused the login: ${text}`, {
      cause,
    })
  }
  // Five characters are a SQLSTATE; 08 and 57P are connections that end.
  if (/^[0-9A-Z]{5}$/.test(text) && !/^(08|57P)/.test(text)) {
    return new CatalogError('query-failed', `the catalog could not be read: ${text}`, { cause })
  }
  return new CatalogError('unreachable', `the database can not be reached: ${text}`, { cause })
}
