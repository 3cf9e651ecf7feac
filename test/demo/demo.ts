/**
 * The demo, running: PostgreSQL with the CRM's rows, an OpenID provider, the gateway between them, and a
 * folder with everything a user may want to read or edit.
 *
 * folder/
 *   sallyport.yaml      the gateway's configuration
 *   policies/*.yaml     policy; the gateway takes up edits by itself
 *   tokens/ROLE         a fresh token for each role, renewed while the demo runs
 *   audit/  state/      the gateway's own: event log; certificate, session tokens, revocations
 *   secrets/            the database accounts' passwords: read by the gateway, shown to no client
 *   gateway.log         what the gateway logs
 *   demo.json           addresses, for query.ts
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RunningIssuer, startIssuer } from '../support/issuer.ts'
import { type PostgresServer, startPostgres } from '../support/servers.ts'
import { configText, PAGE_CLIENT } from './config.ts'
import { DEMO_ROLES, loadDemo } from './data/load.ts'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts'
import { AUDIENCE, CONNECTION, USERS } from './people.ts'
import { writePolicies } from './policies.ts'
import type { DemoPorts } from './ports.ts'
import { SHOP_ACCOUNTS, type Shop, startShop } from './shop.ts'
import { keepTokensFresh, writePrivate } from './tokens.ts'

/** The folder that commands are printed for and run from. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
export const DEFAULT_FOLDER = join(PROJECT, '.sallyport', 'demo')
const DATABASE = 'crm'

export interface DemoOptions {
  readonly folder: string
  readonly ports: DemoPorts
  /** Listen without TLS as well, on loopback. */
  readonly plainPort: number | null
  /** Look for a MySQL or MariaDB server for the shop. */
  readonly withShop: boolean
  /** Leave the folder when stopped. */
  readonly keep: boolean
  /** Told before each step. */
  readonly onStep: (step: string) => void
}

export interface RunningDemo {
  readonly folder: string
  readonly ports: DemoPorts
  readonly plainPort: number | null
  readonly configFile: string
  /** PEM of the gateway's self-signed certificate. */
  readonly certificate: string
  readonly server: PostgresServer
  /** Or why there is none. */
  readonly shop: Shop | string
  readonly issuer: RunningIssuer
  readonly gateway: GatewayProcess
  readonly database: string
  /** Stops everything; the folder goes unless it is to be kept. */
  stop(): Promise<void>
}

/** What query.ts reads. */
export interface DemoAddress {
  readonly pid: number
  readonly port: number
  /** Of the MySQL listener; null: there is none. */
  readonly shopPort: number | null
  readonly certificate: string
  readonly connection: string
}

/** Starts everything, in order; what was started is stopped again when a later step fails. */
export async function startDemo(options: DemoOptions): Promise<RunningDemo> {
  const { folder, ports, plainPort, onStep } = options
  await claim(folder)
  const undo: (() => Promise<unknown>)[] = []
  if (!options.keep) undo.push(() => rm(folder, { recursive: true, force: true }))
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      for (const step of undo.toReversed()) await step()
    })()
    return stopped
  }
  try {
    onStep('PostgreSQL with the CRM of an invented company')
    const server = await startPostgres({ port: ports.postgres })
    undo.push(() => server.stop())
    await server.sql('postgres', `CREATE DATABASE ${DATABASE}`)
    await loadDemo(server, DATABASE)
    const shop = await shopFor(options)
    if (typeof shop !== 'string') undo.push(() => shop.stop())
    onStep('an OpenID provider')
    const issuer = await startIssuer({
      port: ports.issuer,
      audience: AUDIENCE,
      users: USERS,
      signIn: {
        page: {
          clientId: PAGE_CLIENT,
          redirectUri: `http://127.0.0.1:${ports.admin}/approvals`,
        },
      },
    })
    undo.push(() => issuer.close())
    onStep('the gateway')
    const configFile = await writeFiles(options, server, shop, issuer)
    const gateway = await startGatewayProcess({
      config: configFile,
      log: join(folder, 'gateway.log'),
      adminPort: ports.admin,
    })
    undo.push(() => gateway.stop())
    const certificate = join(folder, 'state', 'tls', 'server.crt')
    const shopPort = typeof shop === 'string' ? null : ports.shop
    await writeAddress(folder, { port: ports.gateway, shopPort, certificate })
    undo.push(await keepTokensFresh(join(folder, 'tokens'), issuer))
    const parts = {
      folder,
      ports,
      plainPort,
      configFile,
      certificate,
      server,
      shop,
      issuer,
      gateway,
    }
    return { ...parts, database: DATABASE, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** One demo a folder. Throws when another one runs there. */
async function claim(folder: string): Promise<void> {
  const address = await readAddress(folder).catch(() => null)
  if (address !== null && isAlive(address.pid)) {
    throw new Error(`a demo runs already (process ${address.pid}, port ${address.port})`)
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await rm(join(folder, 'demo.json'), { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function writeFiles(
  { folder, ports, plainPort }: DemoOptions,
  server: PostgresServer,
  shop: Shop | string,
  issuer: RunningIssuer,
): Promise<string> {
  const secrets = join(folder, 'secrets')
  await mkdir(secrets, { recursive: true, mode: 0o700 })
  for (const [account, password] of Object.entries(DEMO_ROLES)) {
    await writePrivate(join(secrets, `${account}.password`), password)
  }
  await writeFile(join(secrets, 'upstream-ca.crt'), server.ca ?? '')
  for (const [account, { password }] of Object.entries(SHOP_ACCOUNTS)) {
    await writePrivate(join(secrets, `${account}.password`), password)
  }
  await writePolicies(join(folder, 'policies'))
  const configFile = join(folder, 'sallyport.yaml')
  const text = configText({
    port: ports.gateway,
    adminPort: ports.admin,
    plainPort,
    issuer: issuer.issuer,
    upstream: server,
    shop: typeof shop === 'string' ? null : await shopFacts(ports.shop, shop, secrets),
    secrets,
  })
  await writeFile(configFile, text)
  return configFile
}

async function shopFor({ withShop, onStep }: DemoOptions): Promise<Shop | string> {
  if (!withShop) return 'not asked for'
  onStep('MySQL or MariaDB with a shop (installed first where that is possible: a minute)')
  const shop = await startShop()
  onStep(typeof shop === 'string' ? `nothing for MySQL: ${shop}` : `… ${shop.server.version}`)
  return shop
}

async function shopFacts(
  port: number,
  { server }: Shop,
  secrets: string,
): Promise<NonNullable<Parameters<typeof configText>[0]['shop']>> {
  const ca = server.ca === undefined ? null : join(secrets, 'shop-ca.crt')
  if (ca !== null) await writeFile(ca, server.ca ?? '')
  return { port, upstream: server, ca }
}

async function writeAddress(
  folder: string,
  address: Pick<DemoAddress, 'port' | 'shopPort' | 'certificate'>,
): Promise<void> {
  const whole: DemoAddress = { pid: process.pid, connection: CONNECTION, ...address }
  await writePrivate(join(folder, 'demo.json'), `${JSON.stringify(whole, null, 2)}\n`)
}

/** Throws when no demo has written one. */
export async function readAddress(folder: string): Promise<DemoAddress> {
  // Written by writeAddress only.
  return JSON.parse(await readFile(join(folder, 'demo.json'), 'utf8')) as DemoAddress
}
