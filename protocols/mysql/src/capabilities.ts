/**
 * Capability flags of both dialects, what we offer clients, and what we then ask of an upstream.
 *
 * The idea: a client is greeted before its upstream is known, with what every upstream behind the listener
 * can do (`offerTo`). After login the upstream is asked for what the client chose (`requestFor`), so that
 * both legs speak one format and packets pass untouched. What does not shape packets is decided per leg.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
 * https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection#capabilities
 */

import { ProtocolError } from './errors.ts'

/** Bits of the 32-bit capabilities, both servers. Kept as unsigned numbers. */
export const CLIENT = {
  /** MySQL: always set. MariaDB: CLIENT_MYSQL; not set by a server or client of its extended protocol. */
  LONG_PASSWORD: 0x0000_0001,
  FOUND_ROWS: 0x0000_0002,
  LONG_FLAG: 0x0000_0004,
  CONNECT_WITH_DB: 0x0000_0008,
  NO_SCHEMA: 0x0000_0010,
  COMPRESS: 0x0000_0020,
  ODBC: 0x0000_0040,
  LOCAL_FILES: 0x0000_0080,
  IGNORE_SPACE: 0x0000_0100,
  PROTOCOL_41: 0x0000_0200,
  INTERACTIVE: 0x0000_0400,
  SSL: 0x0000_0800,
  IGNORE_SIGPIPE: 0x0000_1000,
  TRANSACTIONS: 0x0000_2000,
  /** Historical (CLIENT_PROTOCOL_41 of 4.1 betas); means nothing. */
  RESERVED: 0x0000_4000,
  SECURE_CONNECTION: 0x0000_8000,
  MULTI_STATEMENTS: 0x0001_0000,
  MULTI_RESULTS: 0x0002_0000,
  PS_MULTI_RESULTS: 0x0004_0000,
  PLUGIN_AUTH: 0x0008_0000,
  CONNECT_ATTRS: 0x0010_0000,
  PLUGIN_AUTH_LENENC: 0x0020_0000,
  CAN_HANDLE_EXPIRED_PASSWORDS: 0x0040_0000,
  SESSION_TRACK: 0x0080_0000,
  DEPRECATE_EOF: 0x0100_0000,
  OPTIONAL_RESULTSET_METADATA: 0x0200_0000,
  ZSTD_COMPRESSION: 0x0400_0000,
  QUERY_ATTRIBUTES: 0x0800_0000,
  MULTI_FACTOR_AUTHENTICATION: 0x1000_0000,
  CAPABILITY_EXTENSION: 0x2000_0000,
  SSL_VERIFY_SERVER_CERT: 0x4000_0000,
  REMEMBER_OPTIONS: 0x8000_0000,
} as const

/** Bits 32 and up, in the four bytes MariaDB took from the filler of the handshake. */
export const MARIADB_CLIENT = {
  PROGRESS: 0x01,
  COM_MULTI: 0x02,
  STMT_BULK_OPERATIONS: 0x04,
  EXTENDED_METADATA: 0x08,
  CACHE_METADATA: 0x10,
  BULK_UNIT_RESULTS: 0x20,
} as const

export interface Capabilities {
  /** CLIENT bits, unsigned. */
  readonly flags: number
  /** MARIADB_CLIENT bits; 0 from and to anything that is not MariaDB's. */
  readonly mariadb: number
}

/** Is the bit (or are all of these bits) set? */
export function has(capabilities: Capabilities, bits: number): boolean {
  return (capabilities.flags & bits) >>> 0 === bits >>> 0
}

/** What both peers must have: the protocol of 4.1 with authentication plugins. */
const REQUIRED = CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH

/** Shape packets after login: both legs must agree, so they are offered only where the upstream has them. */
const SHAPING =
  CLIENT.DEPRECATE_EOF |
  CLIENT.SESSION_TRACK |
  CLIENT.OPTIONAL_RESULTSET_METADATA |
  CLIENT.QUERY_ATTRIBUTES |
  CLIENT.MULTI_STATEMENTS |
  CLIENT.MULTI_RESULTS |
  CLIENT.PS_MULTI_RESULTS

/** Change how the server behaves, not how packets look: passed on where the client chose them. */
const BEHAVIOUR =
  CLIENT.FOUND_ROWS |
  CLIENT.NO_SCHEMA |
  CLIENT.ODBC |
  CLIENT.IGNORE_SPACE |
  CLIENT.INTERACTIVE |
  CLIENT.IGNORE_SIGPIPE |
  CLIENT.TRANSACTIONS |
  CLIENT.RESERVED |
  CLIENT.LONG_FLAG

/** Ours to offer whatever the upstream has: they end at us. */
const OURS = REQUIRED | CLIENT.CONNECT_WITH_DB | CLIENT.CONNECT_ATTRS | CLIENT.PLUGIN_AUTH_LENENC

/** Longer column definitions, batches and what each row of one did. The others change replies, or skip metadata. */
const MARIADB_SHAPING =
  MARIADB_CLIENT.EXTENDED_METADATA |
  MARIADB_CLIENT.STMT_BULK_OPERATIONS |
  MARIADB_CLIENT.BULK_UNIT_RESULTS

export interface OfferOptions {
  /** TLS can be had on this listener. */
  readonly tls: boolean
  /** LOAD DATA LOCAL may be admitted. */
  readonly localInfile: boolean
}

/**
 * What to greet clients with, given what the upstreams behind the listener offered last time. None known:
 * only what any server has. Compression, multi-factor and expired-password logins are never offered.
 */
export function offerTo(upstreams: readonly Capabilities[], options: OfferOptions): Capabilities {
  const known = upstreams.length > 0
  let shared = known ? SHAPING | BEHAVIOUR | CLIENT.LOCAL_FILES : BASE
  let mariadb: number = known ? MARIADB_SHAPING : 0
  for (const upstream of upstreams) {
    shared &= upstream.flags
    mariadb &= upstream.mariadb
  }
  if (!options.localInfile) shared &= ~CLIENT.LOCAL_FILES
  let flags = OURS | shared
  if (options.tls) flags |= CLIENT.SSL
  // A MariaDB client reads the extended bits only where CLIENT_MYSQL is missing.
  if (mariadb === 0) flags |= CLIENT.LONG_PASSWORD
  return { flags: flags >>> 0, mariadb }
}

/** In every server since MySQL 5.7.5 and MariaDB 10.2. */
const BASE =
  BEHAVIOUR |
  CLIENT.LOCAL_FILES |
  CLIENT.DEPRECATE_EOF |
  CLIENT.SESSION_TRACK |
  CLIENT.MULTI_STATEMENTS |
  CLIENT.MULTI_RESULTS |
  CLIENT.PS_MULTI_RESULTS

/** What is in force between us and a client: what it chose of what was offered. Throws 'capabilities'. */
export function agreed(offer: Capabilities, chosen: Capabilities): Capabilities {
  const flags = (offer.flags & chosen.flags) >>> 0
  requireBasics(flags)
  const extended = (offer.flags & CLIENT.LONG_PASSWORD) === 0
  const mariadb =
    extended && !has(chosen, CLIENT.LONG_PASSWORD) ? offer.mariadb & chosen.mariadb : 0
  return { flags, mariadb }
}

export interface RequestOptions {
  readonly tls: boolean
  readonly database: boolean
}

/**
 * What to ask an upstream for so that it speaks as `client` expects. Session tracking is always asked for,
 * where it can be had: the relay takes out what the client did not ask for. Throws 'capabilities' where the
 * upstream lacks something that shapes packets, or the basics.
 */
export function requestFor(
  upstream: Capabilities,
  client: Capabilities,
  options: RequestOptions,
): Capabilities {
  const wanted = client.flags & (SHAPING | CLIENT.LOCAL_FILES)
  const lacking = wanted & SHAPING & ~upstream.flags
  const mariadb = client.mariadb & MARIADB_SHAPING
  if (lacking !== 0 || (mariadb & ~upstream.mariadb) !== 0) {
    const what = `the upstream lacks capabilities ${hex(lacking)}, extended ${hex(mariadb & ~upstream.mariadb)}`
    throw new ProtocolError('capabilities', 'remote', what)
  }
  requireBasics(upstream.flags)
  const own =
    CLIENT.SESSION_TRACK |
    CLIENT.CONNECT_ATTRS |
    CLIENT.PLUGIN_AUTH_LENENC |
    CLIENT.LONG_FLAG |
    CLIENT.TRANSACTIONS
  let flags = ((wanted | (client.flags & BEHAVIOUR) | own) & upstream.flags) | REQUIRED
  if (options.database) flags |= CLIENT.CONNECT_WITH_DB
  if (options.tls) flags |= CLIENT.SSL
  if (mariadb === 0) flags |= CLIENT.LONG_PASSWORD
  return { flags: flags >>> 0, mariadb }
}

function requireBasics(flags: number): void {
  const lacking = REQUIRED & ~flags
  if (lacking === 0) return
  const what = `capabilities ${hex(lacking)} are missing`
  throw new ProtocolError('capabilities', 'remote', what)
}

function hex(bits: number): string {
  return `0x${(bits >>> 0).toString(16)}`
}
