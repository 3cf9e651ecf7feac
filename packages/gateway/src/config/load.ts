/**
 * Reads the configuration file: YAML → schema → GatewayConfig, every problem with its line.
 * Relative paths are relative to the file. Reads no secret: references stay references.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { IdentityConfig } from '@sallyport/identity'
import { nearest } from '@sallyport/policy'
import { Ajv, type ErrorObject } from 'ajv'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { ConfigError, type ConfigProblem } from '../errors.ts'
import { busyPollDefault } from '../sockets/busy-poll.ts'
import { checkConfig, problem } from './check.ts'
import type {
  ApprovalsConfig,
  AuditConfig,
  ConnectionConfig,
  Credential,
  GatewayConfig,
  LimitsConfig,
  ListenerConfig,
  ServerTlsConfig,
  StoreConfig,
} from './model.ts'
import type { RawConfig, RawConnection, RawIssuer, RawListener } from './raw.ts'
import { CONFIG_SCHEMA } from './schema.ts'

const CONFIG_BYTES_MAX = 1024 * 1024

const DEFAULT_PORTS = { postgres: 5432, mysql: 3306 } as const

const validate = new Ajv({
  allErrors: true,
  allowUnionTypes: true,
  verbose: true,
}).compile<RawConfig>(CONFIG_SCHEMA)

/** Throws ConfigError. */
export function loadConfig(path: string): GatewayConfig {
  const absolute = resolve(path)
  let text: string
  try {
    text = readFileSync(absolute, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new ConfigError(path, [problem(`cannot be read (${code})`)])
  }
  return parseConfig(absolute, text)
}

/** `path`: absolute; relative paths inside the file start at its folder. Throws ConfigError. */
export function parseConfig(path: string, text: string): GatewayConfig {
  if (text.length > CONFIG_BYTES_MAX) throw new ConfigError(path, [problem('is over 1 MiB')])
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' })
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const at = lines.linePos(error.pos[0])
      return { line: at.line, column: at.col, key: '', message: error.message.split('\n')[0] ?? '' }
    })
    throw new ConfigError(path, problems)
  }
  const raw: unknown = document.toJS({ maxAliasCount: 50 })
  if (!validate(raw)) {
    throw new ConfigError(path, schemaProblems(validate.errors ?? [], document, lines))
  }
  const config = build(path, raw)
  const problems = checkConfig(config)
  if (problems.length > 0) throw new ConfigError(path, problems)
  return config
}

function schemaProblems(
  errors: readonly ErrorObject[],
  document: Document,
  lines: LineCounter,
): ConfigProblem[] {
  // A failed `anyOf` reports every branch; the branches say more than the summary does.
  const seen = new Set<string>()
  const problems: ConfigProblem[] = []
  for (const error of errors) {
    if (error.keyword === 'anyOf' && errors.length > 1) continue
    const keys = error.instancePath.split('/').slice(1).map(decodePointer)
    const extra = error.params['additionalProperty'] as string | undefined
    const message = extra === undefined ? describe(error) : unknownKey(extra, error)
    const key = keys.join('.')
    if (seen.has(`${key} ${message}`)) continue
    seen.add(`${key} ${message}`)
    const node = document.getIn(extra === undefined ? keys : [...keys, extra], true) as
      | { range?: readonly number[] }
      | undefined
    const at = node?.range === undefined ? null : lines.linePos(node.range[0] ?? 0)
    problems.push({ line: at?.line ?? null, column: at?.col ?? null, key, message })
  }
  return problems
}

function unknownKey(key: string, { parentSchema }: ErrorObject): string {
  const { properties } = parentSchema as { readonly properties?: object }
  return `has an unknown key \`${key}\`${meant(key, Object.keys(properties ?? {}))}`
}

function meant(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === null ? '' : ` (did you mean \`${near}\`?)`
}

function describe(error: ErrorObject): string {
  if (error.keyword === 'enum') {
    const allowed = (error.params['allowedValues'] as readonly unknown[]).map(String)
    return `must be one of ${allowed.join(', ')}${meant(String(error.data), allowed)}`
  }
  if (error.keyword === 'required') {
    return `needs the key \`${String(error.params['missingProperty'])}\``
  }
  if (error.keyword === 'minProperties' || error.keyword === 'maxProperties') {
    const { properties } = error.parentSchema as { readonly properties?: object }
    return `must have one of ${Object.keys(properties ?? {}).join(', ')}`
  }
  return error.message ?? 'is not valid'
}

function decodePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function build(path: string, raw: RawConfig): GatewayConfig {
  const base = dirname(path)
  const at = (file: string): string => resolve(base, file)
  const state = at(raw.state?.directory ?? '.sallyport')
  const firstIssuer = raw.identity.issuers[0]?.issuer ?? ''
  return {
    path,
    listeners: raw.listeners.map((listener) => buildListener(listener, firstIssuer, at)),
    admin:
      raw.admin === undefined
        ? null
        : {
            host: raw.admin.host ?? '127.0.0.1',
            port: raw.admin.port,
            tls: buildServerTls(raw.admin.tls ?? 'off', raw.admin.host ?? '127.0.0.1', at),
            insecure: raw.admin.insecure ?? false,
            operators: raw.admin.operators ?? {},
            auditors: raw.admin.auditors ?? {},
          },
    store: raw.store === undefined ? null : buildStore(raw.store),
    approvals: buildApprovals(raw.approvals ?? {}, firstIssuer),
    identity: buildIdentity(raw),
    connections: new Map(
      Object.entries(raw.connections).map(([name, connection]) => [
        name,
        buildConnection(name, connection, at),
      ]),
    ),
    policies: raw.policies.map(at),
    audit: buildAudit(raw.audit ?? {}, state, at),
    stateDirectory: state,
    limits: buildLimits(raw),
    logLevel: raw.log?.level ?? 'info',
  }
}

function buildStore(raw: NonNullable<RawConfig['store']>): StoreConfig {
  return { url: raw.url, gateway: raw.gateway ?? hostname(), records: raw.records ?? true }
}

function buildAudit(
  raw: NonNullable<RawConfig['audit']>,
  state: string,
  at: (file: string) => string,
): AuditConfig {
  const directory = raw.directory === undefined ? resolve(state, 'audit') : at(raw.directory)
  const recordings = raw.recordings ?? {}
  return {
    directory,
    segmentBytes: raw['segment-bytes'] ?? 64 * 1024 * 1024,
    sync: raw.sync ?? 'page-cache',
    anchors: (raw.anchors ?? []).map((anchor) =>
      'url' in anchor ? anchor : { file: at(anchor.file) },
    ),
    rotateKeyDays: raw['rotate-key-days'] ?? null,
    keepDays: raw['keep-days'] ?? null,
    exports: (raw.exports ?? []).map(({ name, to, format, ca, authorization }) => ({
      name,
      to,
      format: format ?? 'jsonl',
      ca: ca === undefined ? null : at(ca),
      authorization: authorization ?? null,
    })),
    recordings: {
      directory:
        recordings.directory === undefined
          ? join(directory, 'recordings')
          : at(recordings.directory),
      key: recordings.key ?? null,
      previousKeys: recordings['previous-keys'] ?? [],
      keepDays: recordings['keep-days'] ?? raw['keep-days'] ?? null,
    },
  }
}

function buildApprovals(raw: NonNullable<RawConfig['approvals']>, issuer: string): ApprovalsConfig {
  const { link, webhooks, slack, page } = raw
  const origin = page === undefined ? '' : (URL.parse(page.url)?.origin ?? '')
  return {
    link: link ?? (page === undefined ? null : `${origin}/approvals/{id}`),
    page:
      page === undefined
        ? null
        : {
            origin,
            redirectUri: `${origin}/approvals`,
            issuer: page.issuer ?? issuer,
            clientId: page['client-id'],
            scope: page.scope ?? 'openid',
          },
    webhooks: webhooks ?? [],
    slack:
      slack === undefined
        ? null
        : {
            token: slack.token,
            signingSecret: slack['signing-secret'],
            channel: slack.channel,
            api: slack.api ?? 'https://slack.com/api',
            people: slack.people,
          },
  }
}

function buildListener(
  raw: RawListener,
  firstIssuer: string,
  at: (file: string) => string,
): ListenerConfig {
  const { oauth } = raw
  const host = raw.host ?? '127.0.0.1'
  return {
    protocol: raw.protocol,
    host,
    port: raw.port,
    tls: buildServerTls(raw.tls ?? { generated: true }, host, at),
    insecure: raw.insecure ?? false,
    reusePort: raw['reuse-port'] ?? false,
    connection: raw.connection ?? null,
    oauth:
      oauth === undefined
        ? null
        : {
            required: oauth.required ?? false,
            issuer: oauth.issuer ?? firstIssuer,
            scope: oauth.scope ?? 'openid',
          },
  }
}

function buildServerTls(
  tls: NonNullable<RawListener['tls']>,
  host: string,
  at: (file: string) => string,
): ServerTlsConfig {
  if (tls === 'off') return { kind: 'off' }
  if ('generated' in tls) {
    return {
      kind: 'generated',
      hosts: tls.hosts ?? [...new Set(['localhost', '127.0.0.1', host])],
    }
  }
  return { kind: 'files', certificate: at(tls.certificate), key: at(tls.key) }
}

function buildIdentity(raw: RawConfig): IdentityConfig {
  const tokens = raw.identity['session-tokens']
  return {
    issuers: raw.identity.issuers.map(buildIssuer),
    roles: raw.identity.roles ?? {},
    clockSkewSeconds: raw.identity['clock-skew-seconds'] ?? 30,
    sessionTokens: {
      maxLifetimeSeconds: tokens?.['max-lifetime-seconds'] ?? 12 * 3600,
      defaultLifetimeSeconds: tokens?.['default-lifetime-seconds'] ?? 15 * 60,
      ...(tokens?.['context-from'] && { contextFrom: tokens['context-from'] }),
    },
  }
}

function buildIssuer(raw: RawIssuer): IdentityConfig['issuers'][number] {
  const claims = raw.claims ?? {}
  const kind =
    claims.kind !== undefined
      ? { claim: claims.kind }
      : raw.kind !== undefined
        ? { fixed: raw.kind }
        : null
  return {
    issuer: raw.issuer,
    audience: raw.audience,
    ...(raw.algorithms && { algorithms: raw.algorithms }),
    ...(raw['jwks-uri'] && { jwksUri: raw['jwks-uri'] }),
    ...(raw['group-prefix'] && { groupPrefix: raw['group-prefix'] }),
    ...(raw['max-token-age-seconds'] && { maxTokenAgeSeconds: raw['max-token-age-seconds'] }),
    ...(raw.require && { require: raw.require }),
    claims: {
      ...(claims.subject && { subject: claims.subject }),
      ...(claims.groups && { groups: claims.groups }),
      ...(claims.graph && { graph: claims.graph }),
      ...(claims.node && { node: claims.node }),
      ...(claims.run && { run: claims.run }),
      ...(kind && { kind }),
    },
  }
}

function buildConnection(
  name: string,
  raw: RawConnection,
  at: (file: string) => string,
): ConnectionConfig {
  const tls = raw.tls ?? {}
  const file = (path: string | undefined): string | null => (path === undefined ? null : at(path))
  const catalogUser = raw.catalog?.user
  return {
    name,
    protocol: raw.protocol,
    host: raw.host ?? '127.0.0.1',
    port: raw.port ?? DEFAULT_PORTS[raw.protocol],
    socket: file(raw.socket),
    database: raw.database,
    databases: raw.databases ?? [],
    tls: {
      mode: tls.mode ?? 'prefer',
      ca: file(tls.ca),
      certificate: file(tls.certificate),
      key: file(tls.key),
      serverName: tls['server-name'] ?? null,
      publicKey: file(tls['public-key']),
    },
    credential: credential(raw.user, raw.password),
    roleCredentials: new Map(
      Object.entries(raw.roles ?? {}).map(([role, entry]) => [
        role,
        credential(entry.user, entry.password),
      ]),
    ),
    catalogCredential:
      catalogUser === undefined ? null : credential(catalogUser, raw.catalog?.password),
    catalogRefreshSeconds: raw.catalog?.['refresh-seconds'] ?? 30,
    localInfile: raw['local-infile'] ?? false,
    reuse:
      raw.reuse === undefined
        ? null
        : { max: raw.reuse.max ?? 16, idleSeconds: raw.reuse['idle-seconds'] ?? 60 },
  }
}

function credential(user: string, password: string | undefined): Credential {
  return { user, password: password ?? null }
}

function buildLimits(raw: RawConfig): LimitsConfig {
  const limits = raw.limits ?? {}
  return {
    connections: limits.connections ?? 1000,
    connectionsPerSubject: limits['connections-per-subject'] ?? 100,
    authenticationSeconds: limits['authentication-seconds'] ?? 30,
    idleSeconds: limits['idle-seconds'] ?? 3600,
    sessionSeconds: limits['session-seconds'] ?? 12 * 3600,
    statementBytes: limits['statement-bytes'] ?? 1024 * 1024,
    drainSeconds: limits['drain-seconds'] ?? 30,
    busyPollMicroseconds: limits['busy-poll-microseconds'] ?? busyPollDefault(),
  }
}
