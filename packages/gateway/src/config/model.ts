/** The configuration as the gateway uses it: resolved paths, defaults filled in, units in the names. */
import type { ExportFormat } from '@sallyport/audit'
import type { IdentityConfig, Matcher } from '@sallyport/identity'

export interface GatewayConfig {
  /** The file it came from, absolute. */
  readonly path: string
  readonly listeners: readonly ListenerConfig[]
  readonly admin: AdminConfig | null
  readonly approvals: ApprovalsConfig
  /** What several gateways share; null: this one is alone. */
  readonly store: StoreConfig | null
  readonly identity: IdentityConfig
  readonly connections: ReadonlyMap<string, ConnectionConfig>
  /** Policy files, absolute; globs are expanded at every load. */
  readonly policies: readonly string[]
  readonly audit: AuditConfig
  /** Session tokens, generated certificates and keys live here; absolute. */
  readonly stateDirectory: string
  readonly limits: LimitsConfig
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** The control API: who may do what belongs to nobody in particular. Empty: nobody. */
export interface AdminConfig {
  readonly host: string
  readonly port: number
  readonly tls: ServerTlsConfig
  /** Accept tokens over plain HTTP from other than loopback: a proxy ends TLS. */
  readonly insecure: boolean
  /** See and end sessions of others, reload, decide nothing. */
  readonly operators: Matcher
  /** Read the trail. */
  readonly auditors: Matcher
}

/** A PostgreSQL database. */
export interface StoreConfig {
  /** A secret reference to `postgres://user:password@host/database`. */
  readonly url: string
  /** What this gateway is called in searches over all of them. */
  readonly gateway: string
  /** Records of the audit log are searched there, too. */
  readonly records: boolean
}

export interface ApprovalsConfig {
  /** Shown to requesters and approvers, `{id}` standing for the approval; null: only the command. */
  readonly link: string | null
  /** Told of everything that happens to approvals, signed. `secret`: a secret reference. */
  readonly webhooks: readonly { readonly url: string; readonly secret: string }[]
  readonly slack: SlackConfig | null
  /** A page where people sign in and decide; null: there is none. */
  readonly page: PageConfig | null
}

export interface PageConfig {
  /** Of the admin address as browsers reach it: scheme, host and port. */
  readonly origin: string
  readonly redirectUri: string
  readonly issuer: string
  /** A public client at the issuer, with that redirect URI. */
  readonly clientId: string
  readonly scope: string
}

export interface SlackConfig {
  /** Secret references. */
  readonly token: string
  readonly signingSecret: string
  readonly channel: string
  readonly api: string
  /** Who the users of the workspace are; others decide nothing. */
  readonly people: readonly {
    readonly user: string
    readonly subject: string
    readonly issuer: string
    readonly groups: readonly string[]
  }[]
}

export type WireProtocol = 'postgres' | 'mysql'

export type ServerTlsConfig =
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }
  | { readonly kind: 'generated'; readonly hosts: readonly string[] }
  | { readonly kind: 'off' }

export interface ListenerConfig {
  readonly protocol: WireProtocol
  readonly host: string
  readonly port: number
  readonly tls: ServerTlsConfig
  /** Accept tokens over plain TCP from other than loopback. */
  readonly insecure: boolean
  /** Other processes of this machine listen on the same port, and the system spreads connections over them. */
  readonly reusePort: boolean
  /**
   * What a database name that is no connection's is a database of; null: of none. MySQL: also the connection whose
   * server clients are greeted as, and that they get when they name none; null: the first of this protocol.
   */
  readonly connection: string | null
  /** PostgreSQL: tokens also come by OAUTHBEARER; null: they do not. */
  readonly oauth: ListenerOauth | null
}

export interface ListenerOauth {
  /** Of every client; else of those that ask for it in their start-up options. */
  readonly required: boolean
  /** Where clients are sent for a token. */
  readonly issuer: string
  /** What they ask for there. */
  readonly scope: string
}

export interface UpstreamTlsConfig {
  readonly mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  readonly ca: string | null
  readonly certificate: string | null
  readonly key: string | null
  readonly serverName: string | null
  /** MySQL: PEM file of the server's RSA key, for passwords on a channel without TLS. */
  readonly publicKey: string | null
}

export interface Credential {
  readonly user: string
  /** A secret reference (`env:`, `file:`, `exec:`, `plain:`); null for client certificates and trust. */
  readonly password: string | null
}

export interface ConnectionConfig {
  readonly name: string
  readonly protocol: WireProtocol
  readonly host: string
  readonly port: number
  /** PostgreSQL: directory of the server's Unix socket. MySQL: the socket. Used instead of host and port. */
  readonly socket: string | null
  readonly database: string
  /** Other databases of the same server a client may name as `connection/database`. */
  readonly databases: readonly string[] | 'any'
  readonly tls: UpstreamTlsConfig
  readonly credential: Credential
  readonly roleCredentials: ReadonlyMap<string, Credential>
  /** For reading the schema; the default credential when null. */
  readonly catalogCredential: Credential | null
  readonly catalogRefreshSeconds: number
  /** MySQL: LOAD DATA LOCAL may read files of clients, where policy allows the statement. */
  readonly localInfile: boolean
  /** Keep authenticated upstream connections after DISCARD ALL for the next client of the same shape. */
  readonly reuse: { readonly max: number; readonly idleSeconds: number } | null
}

export interface AuditConfig {
  readonly directory: string
  readonly segmentBytes: number
  readonly sync: 'page-cache' | 'fdatasync'
  /** Where signed heads also go: absolute paths of files, and URLs. */
  readonly anchors: readonly ({ readonly file: string } | { readonly url: string })[]
  readonly exports: readonly ExportConfig[]
  /** A signing key is used this long; null: until somebody asks for another. */
  readonly rotateKeyDays: number | null
  /** Records of the log are kept so long; null: for ever. */
  readonly keepDays: number | null
  readonly recordings: {
    readonly directory: string
    /** A secret reference to 32 bytes in base64; null: recordings are not encrypted. */
    readonly key: string | null
    /** References to what it was before: what they encrypted is still read, and completed. */
    readonly previousKeys: readonly string[]
    /** Recordings older than this are destroyed, except under a legal hold; null: none is. */
    readonly keepDays: number | null
  }
}

/** The log, sent on as it is written. */
export interface ExportConfig {
  readonly name: string
  /** A URL: https, syslog+tls, or one in clear to this machine. */
  readonly to: string
  readonly format: ExportFormat
  /** PEM file of the receiver's authorities; null: the system's. */
  readonly ca: string | null
  /** A secret reference to the `Authorization` header; null: none. */
  readonly authorization: string | null
}

export interface LimitsConfig {
  readonly connections: number
  readonly connectionsPerSubject: number
  readonly authenticationSeconds: number
  readonly idleSeconds: number
  readonly sessionSeconds: number
  readonly statementBytes: number
  readonly drainSeconds: number
  /** See sockets/busy-poll.ts. */
  readonly busyPollMicroseconds: number
}
