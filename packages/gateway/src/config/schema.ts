/**
 * JSON Schema of the configuration file. Keys are kebab-case; every object refuses keys it does not list,
 * so a misspelt one is an error and never a silent default.
 */
import { EXPORT_FORMATS } from '@sallyport/audit'

const string = { type: 'string', minLength: 1 } as const
/** Heads hold no secret, but who receives them is to be who is meant. */
const strings = { type: 'array', items: string } as const
const port = { type: 'integer', minimum: 0, maximum: 65535 } as const
/** Days: what is open in approvals and grants is in the log, and nothing of it is to go. */
const KEEP_DAYS_MIN = 30
const seconds = { type: 'integer', minimum: 1 } as const

function object(properties: Record<string, unknown>, required: readonly string[] = []): object {
  return { type: 'object', additionalProperties: false, properties, required }
}

const stringOrStrings = { anyOf: [string, { ...strings, minItems: 1 }] }

const credential = object({ user: string, password: string }, ['user'])

const upstreamTls = object({
  mode: { enum: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] },
  ca: string,
  certificate: string,
  key: string,
  'server-name': string,
  'public-key': string,
})

const serverTls = {
  anyOf: [
    { enum: ['off'] },
    object({ certificate: string, key: string }, ['certificate', 'key']),
    object({ generated: { type: 'boolean' }, hosts: strings }, ['generated']),
  ],
}

const listener = object(
  {
    protocol: { enum: ['postgres', 'mysql'] },
    host: string,
    port,
    tls: serverTls,
    insecure: { type: 'boolean' },
    'reuse-port': { type: 'boolean' },
    connection: string,
    oauth: object({ required: { type: 'boolean' }, issuer: string, scope: { type: 'string' } }),
  },
  ['protocol', 'port'],
)

const issuer = object(
  {
    issuer: string,
    audience: stringOrStrings,
    algorithms: { ...strings, minItems: 1 },
    'jwks-uri': string,
    claims: object({
      subject: string,
      groups: stringOrStrings,
      kind: string,
      graph: string,
      node: string,
      run: string,
    }),
    kind: { enum: ['human', 'machine'] },
    'group-prefix': string,
    require: { type: 'object' },
    'max-token-age-seconds': seconds,
  },
  ['issuer', 'audience'],
)

const role = object({ groups: strings, subjects: strings, issuers: strings })

const connection = object(
  {
    protocol: { enum: ['postgres', 'mysql'] },
    host: string,
    port,
    socket: string,
    database: string,
    databases: { anyOf: [{ enum: ['any'] }, strings] },
    tls: upstreamTls,
    user: string,
    password: string,
    roles: { type: 'object', additionalProperties: credential },
    catalog: object({ user: string, password: string, 'refresh-seconds': seconds }),
    'local-infile': { type: 'boolean' },
    reuse: object({ max: { type: 'integer', minimum: 1 }, 'idle-seconds': seconds }),
  },
  ['protocol', 'database', 'user'],
)

export const CONFIG_SCHEMA = object(
  {
    version: { const: 1 },
    listeners: { type: 'array', items: listener, minItems: 1 },
    admin: object(
      {
        host: string,
        port,
        tls: serverTls,
        insecure: { type: 'boolean' },
        operators: role,
        auditors: role,
      },
      ['port'],
    ),
    approvals: object({
      link: string,
      page: object({ url: string, issuer: string, 'client-id': string, scope: string }, [
        'url',
        'client-id',
      ]),
      webhooks: {
        type: 'array',
        maxItems: 16,
        items: object({ url: string, secret: string }, ['url', 'secret']),
      },
      slack: object(
        {
          token: string,
          'signing-secret': string,
          channel: string,
          api: string,
          people: {
            type: 'array',
            items: object({ user: string, subject: string, issuer: string, groups: strings }, [
              'user',
              'subject',
              'issuer',
              'groups',
            ]),
          },
        },
        ['token', 'signing-secret', 'channel', 'people'],
      ),
    }),
    identity: object(
      {
        issuers: { type: 'array', items: issuer },
        roles: { type: 'object', additionalProperties: role },
        'clock-skew-seconds': { type: 'integer', minimum: 0, maximum: 300 },
        'session-tokens': object({
          'max-lifetime-seconds': seconds,
          'default-lifetime-seconds': seconds,
          'context-from': role,
        }),
      },
      ['issuers'],
    ),
    connections: { type: 'object', minProperties: 1, additionalProperties: connection },
    policies: { ...strings, minItems: 1 },
    audit: object({
      directory: string,
      'segment-bytes': { type: 'integer', minimum: 65_536 },
      sync: { enum: ['page-cache', 'fdatasync'] },
      anchors: {
        type: 'array',
        items: { ...object({ file: string, url: string }), minProperties: 1, maxProperties: 1 },
      },
      'rotate-key-days': { type: 'integer', minimum: 1 },
      'keep-days': { type: 'integer', minimum: KEEP_DAYS_MIN, maximum: 100_000 },
      exports: {
        type: 'array',
        items: object(
          {
            name: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
            to: string,
            format: { enum: EXPORT_FORMATS },
            ca: string,
            authorization: string,
          },
          ['name', 'to'],
        ),
      },
      recordings: object({
        directory: string,
        key: string,
        'previous-keys': { type: 'array', items: string },
        'keep-days': { type: 'integer', minimum: 1 },
      }),
    }),
    state: object({ directory: string }),
    store: object({ url: string, gateway: string, records: { type: 'boolean' } }, ['url']),
    limits: object({
      connections: { type: 'integer', minimum: 1 },
      'connections-per-subject': { type: 'integer', minimum: 1 },
      'authentication-seconds': seconds,
      'idle-seconds': seconds,
      'session-seconds': seconds,
      'statement-bytes': { type: 'integer', minimum: 1024, maximum: 67_108_864 },
      'drain-seconds': { type: 'integer', minimum: 0 },
      'busy-poll-microseconds': { type: 'integer', minimum: 0, maximum: 10_000 },
    }),
    log: object({ level: { enum: ['debug', 'info', 'warn', 'error'] } }),
  },
  ['version', 'listeners', 'identity', 'connections', 'policies'],
)
