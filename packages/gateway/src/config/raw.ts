/** The configuration file's own shape, as CONFIG_SCHEMA admits it. */
import type { ExportFormat } from '@sallyport/audit'
import type {
  ClaimMapping,
  IssuerConfig,
  RoleConfig,
  SignatureAlgorithm,
} from '@sallyport/identity'
import type { SlackConfig, UpstreamTlsConfig, WireProtocol } from './model.ts'

export interface RawListener {
  readonly protocol: WireProtocol
  readonly host?: string
  readonly port: number
  readonly tls?:
    | 'off'
    | { readonly certificate: string; readonly key: string }
    | { readonly generated: boolean; readonly hosts?: readonly string[] }
  readonly insecure?: boolean
  readonly 'reuse-port'?: boolean
  readonly connection?: string
  readonly oauth?: {
    readonly required?: boolean
    readonly issuer?: string
    readonly scope?: string
  }
}

export interface RawIssuer {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly algorithms?: readonly SignatureAlgorithm[]
  readonly 'jwks-uri'?: string
  readonly claims?: Omit<ClaimMapping, 'kind'> & { readonly kind?: string }
  readonly kind?: 'human' | 'machine'
  readonly 'group-prefix'?: string
  readonly require?: NonNullable<IssuerConfig['require']>
  readonly 'max-token-age-seconds'?: number
}

interface RawCredential {
  readonly user: string
  readonly password?: string
}

export interface RawConnection extends RawCredential {
  readonly protocol: WireProtocol
  readonly host?: string
  readonly port?: number
  readonly socket?: string
  readonly database: string
  readonly databases?: readonly string[] | 'any'
  readonly tls?: {
    readonly mode?: UpstreamTlsConfig['mode']
    readonly ca?: string
    readonly certificate?: string
    readonly key?: string
    readonly 'server-name'?: string
    readonly 'public-key'?: string
  }
  readonly roles?: Readonly<Record<string, RawCredential>>
  readonly catalog?: {
    readonly user?: string
    readonly password?: string
    readonly 'refresh-seconds'?: number
  }
  readonly 'local-infile'?: boolean
  readonly reuse?: { readonly max?: number; readonly 'idle-seconds'?: number }
}

export interface RawConfig {
  readonly version: 1
  readonly listeners: readonly RawListener[]
  readonly admin?: {
    readonly host?: string
    readonly port: number
    readonly tls?: RawListener['tls']
    readonly insecure?: boolean
    readonly operators?: RoleConfig
    readonly auditors?: RoleConfig
  }
  readonly approvals?: {
    readonly link?: string
    readonly page?: {
      readonly url: string
      readonly issuer?: string
      readonly 'client-id': string
      readonly scope?: string
    }
    readonly webhooks?: readonly { readonly url: string; readonly secret: string }[]
    readonly slack?: {
      readonly token: string
      readonly 'signing-secret': string
      readonly channel: string
      readonly api?: string
      readonly people: SlackConfig['people']
    }
  }
  readonly identity: {
    readonly issuers: readonly RawIssuer[]
    readonly roles?: Readonly<Record<string, RoleConfig>>
    readonly 'clock-skew-seconds'?: number
    readonly 'session-tokens'?: {
      readonly 'max-lifetime-seconds'?: number
      readonly 'default-lifetime-seconds'?: number
      readonly 'context-from'?: RoleConfig
    }
  }
  readonly connections: Readonly<Record<string, RawConnection>>
  readonly policies: readonly string[]
  readonly audit?: {
    readonly directory?: string
    readonly 'segment-bytes'?: number
    readonly sync?: 'page-cache' | 'fdatasync'
    readonly anchors?: readonly ({ readonly file: string } | { readonly url: string })[]
    readonly 'rotate-key-days'?: number
    readonly 'keep-days'?: number
    readonly exports?: readonly {
      readonly name: string
      readonly to: string
      readonly format?: ExportFormat
      readonly ca?: string
      readonly authorization?: string
    }[]
    readonly recordings?: {
      readonly directory?: string
      readonly key?: string
      readonly 'previous-keys'?: readonly string[]
      readonly 'keep-days'?: number
    }
  }
  readonly state?: { readonly directory?: string }
  readonly store?: { readonly url: string; readonly gateway?: string; readonly records?: boolean }
  readonly limits?: {
    readonly connections?: number
    readonly 'connections-per-subject'?: number
    readonly 'authentication-seconds'?: number
    readonly 'idle-seconds'?: number
    readonly 'session-seconds'?: number
    readonly 'statement-bytes'?: number
    readonly 'drain-seconds'?: number
    readonly 'busy-poll-microseconds'?: number
  }
  readonly log?: { readonly level?: 'debug' | 'info' | 'warn' | 'error' }
}
