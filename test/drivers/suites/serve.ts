/**
 * A server and a gateway in front of it until SIGTERM, for suites that are not ours: writes their
 * addresses as shell exports (PG_* or MY_* direct, GW_* through the gateway) to the file named by the
 * first argument.
 *
 *   node serve.ts /tmp/addresses    SALLYPORT_SUITE_ENGINE, SALLYPORT_SUITE_DATABASE, …: see README.md
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startTestGateway, type TestGatewayOptions } from '../../support/gateway.ts'
import { mysqlSql } from '../../support/mysql-address.ts'
import { startMysql } from '../../support/mysql-servers.ts'
import { startPostgres } from '../../support/servers.ts'

const DAY_SECONDS = 86_400

const { env } = process
const file = process.argv[2]
if (file === undefined) throw new Error('usage: node serve.ts FILE')
const database = env['SALLYPORT_SUITE_DATABASE'] ?? 'suite'
const policy =
  env['SALLYPORT_SUITE_POLICY'] === undefined
    ? new URL('../../../policies/allow-everything.yaml', import.meta.url)
    : pathToFileURL(resolve(env['SALLYPORT_SUITE_POLICY']))
const engine = env['SALLYPORT_SUITE_ENGINE'] ?? 'postgres'
const served = await (engine === 'postgres' ? servePostgres() : serveMysql(engine))
const gateway = await startTestGateway({
  ...served.options,
  database,
  databases: 'any',
  policies: [policy],
  identity: { 'session-tokens': { 'max-lifetime-seconds': DAY_SECONDS } },
  connectionOptions: JSON.parse(env['SALLYPORT_SUITE_CONNECTION'] ?? '{}'),
  config: {
    log: { level: env['SALLYPORT_SUITE_LOG'] ?? 'warn' },
    limits: { 'drain-seconds': 1, 'connections-per-subject': 1000, 'statement-bytes': 67_108_864 },
  },
})
const caFile = join(await mkdtemp(join(tmpdir(), 'sp-ca-')), 'ca.crt')
await writeFile(caFile, served.options.upstream.ca ?? '')
const addresses = {
  GW_PORT: gateway.port,
  GW_PLAIN_PORT: gateway.plainPort,
  GW_TOKEN: await gateway.token({ lifetimeSeconds: DAY_SECONDS }),
  GW_CA: gateway.caFile,
  GW_AUDIT: gateway.auditDirectory,
  ...served.addresses(caFile),
  SERVE_PID: process.pid,
}
const lines = Object.entries(addresses).map(([name, value]) => `export ${name}='${value}'\n`)
await writeFile(file, lines.join(''), { mode: 0o600 })
process.once('SIGTERM', async () => {
  await gateway.close()
  await served.stop()
  process.exit(0)
})

interface Served {
  readonly options: Pick<TestGatewayOptions, 'upstream' | 'via' | 'listenerForConnection'>
  readonly addresses: (caFile: string) => Readonly<Record<string, string | number>>
  stop(): Promise<void>
}

async function servePostgres(): Promise<Served> {
  const settings = {
    max_connections: '200',
    wal_level: 'logical',
    max_prepared_transactions: '10',
    ...JSON.parse(env['SALLYPORT_SUITE_SETTINGS'] ?? '{}'),
  }
  const server = await startPostgres({ settings })
  if (database !== 'postgres') await server.sql('postgres', `CREATE DATABASE ${database}`)
  return {
    // Suites name the server's databases as they are.
    options: { upstream: server, via: 'socket', listenerForConnection: true },
    addresses: (caFile) => ({
      PG_PORT: server.port,
      PG_USER: server.superuser.user,
      PG_PASSWORD: server.superuser.password,
      PG_CA: caFile,
      PG_SOCKET: server.socketDir,
      PG_DATABASE: database,
    }),
    stop: () => server.stop(),
  }
}

async function serveMysql(flavour: string): Promise<Served> {
  if (flavour !== 'mysql' && flavour !== 'mariadb') throw new Error(`no engine \`${flavour}\``)
  const server = await startMysql(flavour)
  if ('unavailable' in server) throw new Error(server.unavailable)
  const settings = Object.entries(JSON.parse(env['SALLYPORT_SUITE_SETTINGS'] ?? '{}'))
  const text = [
    `CREATE DATABASE IF NOT EXISTS ${database}`,
    ...settings.map(([name, value]) => `SET GLOBAL ${name} = ${value}`),
  ]
  await mysqlSql(server, { text: text.join('; ') })
  return {
    options: { upstream: server, via: 'tls', listenerForConnection: true },
    addresses: (caFile) => ({
      MY_PORT: server.port,
      MY_USER: server.superuser.user,
      MY_PASSWORD: server.superuser.password,
      MY_CA: caFile,
      MY_DATABASE: database,
    }),
    stop: () => server.stop(),
  }
}
