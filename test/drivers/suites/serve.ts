/**
 * A server and a gateway in front of it until SIGTERM, for suites that are not ours: writes their
 * addresses as shell exports (PG_* direct, GW_* through the gateway) to the file named by the first
 * argument.
 *
 *   node serve.ts /tmp/addresses    SALLYPORT_SUITE_DATABASE, SALLYPORT_SUITE_POLICY: see README.md
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startTestGateway } from '../../support/gateway.ts'
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
const settings = {
  max_connections: '200',
  wal_level: 'logical',
  max_prepared_transactions: '10',
  ...JSON.parse(env['SALLYPORT_SUITE_SETTINGS'] ?? '{}'),
}
const server = await startPostgres({ settings })
if (database !== 'postgres') await server.sql('postgres', `CREATE DATABASE ${database}`)
const gateway = await startTestGateway({
  upstream: server,
  database,
  databases: 'any',
  via: 'socket',
  policies: [policy],
  identity: { 'session-tokens': { 'max-lifetime-seconds': DAY_SECONDS } },
  config: {
    log: { level: env['SALLYPORT_SUITE_LOG'] ?? 'warn' },
    limits: { 'drain-seconds': 1, 'connections-per-subject': 1000, 'statement-bytes': 67_108_864 },
  },
})
const addresses = {
  GW_PORT: gateway.port,
  GW_PLAIN_PORT: gateway.plainPort,
  GW_TOKEN: await gateway.token({ lifetimeSeconds: DAY_SECONDS }),
  GW_CA: gateway.caFile,
  GW_AUDIT: gateway.auditDirectory,
  PG_PORT: server.port,
  PG_USER: server.superuser.user,
  PG_PASSWORD: server.superuser.password,
  PG_CA: join(await mkdtemp(join(tmpdir(), 'sp-ca-')), 'ca.crt'),
  PG_SOCKET: server.socketDir,
  PG_DATABASE: database,
  SERVE_PID: process.pid,
}
await writeFile(addresses.PG_CA, server.ca ?? '')
const lines = Object.entries(addresses).map(([name, value]) => `export ${name}='${value}'\n`)
await writeFile(file, lines.join(''), { mode: 0o600 })
process.once('SIGTERM', async () => {
  await gateway.close()
  await server.stop()
  process.exit(0)
})
