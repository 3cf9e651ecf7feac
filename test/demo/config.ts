/** The demo's configuration file: text, because a reader should find comments in it. */
import { AUDIENCE, CONNECTION, ROLES, WRITER } from './people.ts'
import { SHOP } from './shop.ts'

/** The approvals page, as the issuer knows it. */
export const PAGE_CLIENT = 'sallyport-page'

export interface ConfigFacts {
  readonly port: number
  readonly adminPort: number
  /** Another listener on loopback, without TLS, for looking at the bytes; null: none. */
  readonly plainPort: number | null
  readonly issuer: string
  readonly upstream: { readonly host: string; readonly port: number }
  /** Null where no MySQL or MariaDB server could be had. */
  readonly shop: {
    /** The gateway's port for MySQL clients. */
    readonly port: number
    readonly upstream: { readonly host: string; readonly port: number }
    /** File in PEM; null: the server has a certificate of its own making, or none. */
    readonly ca: string | null
  } | null
  /** Absolute: secret references and CA. */
  readonly secrets: string
}

export function configText(facts: ConfigFacts): string {
  const { port, adminPort, plainPort, issuer, upstream, shop, secrets } = facts
  const login = (account: string): string =>
    `{ user: ${account}, password: ${JSON.stringify(`file:${secrets}/${account}.password`)} }`
  const roles = [...Object.entries(ROLES), [WRITER.name, WRITER] as const]
  return `# The demo's gateway. Written at every start of the demo, and yours to edit while it runs:
# \`kill -HUP\` the process the demo names to have it read again (listeners and audit need a restart).
# Policies are read again by themselves when a file changes.
version: 1

listeners:
  - protocol: postgres
    host: 127.0.0.1
    port: ${port}
    tls: { generated: true, hosts: [localhost, 127.0.0.1] } # made at the first start: state/tls/server.crt
${
  plainPort === null
    ? ''
    : `  - protocol: postgres
    host: 127.0.0.1
    port: ${plainPort}
    tls: off # loopback only: the tour looks at the bytes that leave
`
}${shop === null ? '' : shopListener(shop.port)}
admin: # /healthz /readyz /metrics /v1 /openapi.json, token exchange and revocation, the approvals page
  { host: 127.0.0.1, port: ${adminPort}, operators: { groups: [dba] } } # who sees and ends sessions of others
approvals:
  page: { url: "http://127.0.0.1:${adminPort}", client-id: ${PAGE_CLIENT} }

identity:
  issuers:
    - issuer: ${issuer}
      audience: ${AUDIENCE}
      claims: { groups: groups, kind: kind, graph: graph, node: node }
  roles: # a client takes one by giving its name as user name
${roles.map(([name, { group }]) => `    ${name}: { groups: [${group}] }`).join('\n')}

connections:
  ${CONNECTION}: # what clients give as database name
    protocol: postgres
    host: ${upstream.host}
    port: ${upstream.port}
    database: crm
    tls: { mode: verify-full, ca: ${JSON.stringify(`${secrets}/upstream-ca.crt`)} }
    # The gateway's own credentials. No client sees one; each role has the weakest that does its work.
    user: app_reader
    password: ${JSON.stringify(`file:${secrets}/app_reader.password`)}
    roles:
${roles.map(([name, { account }]) => `      ${name}: ${login(account)}`).join('\n')}
    catalog: ${login('app_admin')} # reads the schema: names and types, no rows
${shop === null ? '' : shopConnection(shop, login)}
policies: [policies/*.yaml]

audit: { directory: audit }
state: { directory: state }
limits: { drain-seconds: 5 }
log: { level: info }
`
}

function shopListener(port: number): string {
  return `  - protocol: mysql
    host: 127.0.0.1
    port: ${port}
    tls: { generated: true, hosts: [localhost, 127.0.0.1] }
`
}

function shopConnection(
  { upstream, ca }: NonNullable<ConfigFacts['shop']>,
  login: (account: string) => string,
): string {
  const tls = ca === null ? '{ mode: prefer }' : `{ mode: verify-full, ca: ${JSON.stringify(ca)} }`
  const logins = [...Object.entries(ROLES), [WRITER.name, WRITER] as const].map(
    ([name, { shopAccount }]) => `      ${name}: ${login(shopAccount)}`,
  )
  return `
  ${SHOP}:
    protocol: mysql
    host: ${upstream.host}
    port: ${upstream.port}
    database: ${SHOP}
    tls: ${tls}
    user: shop_reader
    password: ${login('shop_reader').replace(/.*password: (.*) }/, '$1')}
    roles:
${logins.join('\n')}
    catalog: ${login('shop_admin')}
`
}
