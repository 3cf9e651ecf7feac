/**
 * The gateway as users run it: `sallyport serve`, an operator's token, rules, masks, audit.
 *
 * The token's holder has masked columns, so every statement takes the way that masking needs (lineage,
 * catalog, described results), also those whose results hold nothing masked.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATABASE, USER } from '../postgres.ts'
import { freePort, run, startService } from '../processes.ts'
import type { Site, Target } from './target.ts'

const CLI = fileURLToPath(new URL('../../../packages/cli/bin/sallyport.js', import.meta.url))

const POLICY = `version: 1
rules:
  - name: benchmark reads
    who: { groups: [bench] }
    allow: { effects: [read, session, transaction] }
  - name: nobody writes
    who: everyone
    deny: { effects: [write, ddl, admin] }
masks:
  - columns: [public.bulk_same_length.card, public.bulk_same_length.phone]
    with: { partial: { keep-last: 4, same-length: true } }
  - columns: [public.bulk_variable.card]
    with: redact
  - columns: [public.bulk_variable.email]
    with: email
  - columns: [public.bulk_hashed.reference]
    with: hash
`

/** What policy has recorded of sessions, per target. */
const RECORD = {
  gateway: '',
  'gateway-socket': '',
  'gateway-sleeping': '',
  recording: 'record: [{ who: everyone }]\n',
  'recording-all': 'record: [{ who: everyone, rows: all }]\n',
} as const

export const gatewayTarget = (site: Site): Promise<Target> => start(site, 'gateway')
export const gatewaySocketTarget = (site: Site): Promise<Target> => start(site, 'gateway-socket')
export const gatewaySleepingTarget = (site: Site): Promise<Target> =>
  start(site, 'gateway-sleeping')
export const recordingTarget = (site: Site): Promise<Target> => start(site, 'recording')
export const recordingAllTarget = (site: Site): Promise<Target> => start(site, 'recording-all')

async function start(site: Site, name: keyof typeof RECORD): Promise<Target> {
  const home = join(site.directory, name)
  mkdirSync(home, { mode: 0o700 })
  const [port, tlsPort] = [await freePort(), await freePort()]
  const config = join(home, 'sallyport.yaml')
  writeFileSync(join(home, 'policy.yaml'), POLICY + RECORD[name])
  writeFileSync(join(home, 'upstream.password'), site.postgres.password, { mode: 0o600 })
  const overSocket = name === 'gateway-socket' || site.options.upstream === 'socket'
  const sleeps = name === 'gateway-sleeping'
  writeFileSync(config, configText(site, { home, port, tlsPort, overSocket, sleeps }))
  const { profile } = site.options
  if (profile !== null) mkdirSync(profile, { recursive: true })
  const flags = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const token = await mint(config)
  const service = await startService({
    program: process.execPath,
    args: [...flags, CLI, 'serve', '--config', config],
    cwd: home,
    log: join(home, 'log'),
    ports: site.certificate === null ? [port] : [port, tlsPort],
  })
  return {
    name,
    host: '127.0.0.1',
    port,
    tlsPort: site.certificate === null ? null : tlsPort,
    user: 'bench',
    password: token,
    database: DATABASE,
    pid: service.pid,
    version: `Node ${process.versions.node}`,
    stop: service.stop,
  }
}

/** JSON is YAML. */
function configText(
  { postgres, certificate, options }: Site,
  at: { home: string; port: number; tlsPort: number; overSocket: boolean; sleeps: boolean },
): string {
  const { home, port, tlsPort, overSocket, sleeps } = at
  const connections = options.idleSessions + 200
  const tls =
    certificate === null
      ? []
      : [
          {
            protocol: 'postgres',
            port: tlsPort,
            tls: { certificate: certificate.certFile, key: certificate.keyFile },
          },
        ]
  return JSON.stringify({
    version: 1,
    listeners: [{ protocol: 'postgres', port, tls: 'off' }, ...tls],
    identity: { issuers: [] },
    connections: {
      [DATABASE]: {
        protocol: 'postgres',
        ...(overSocket ? { socket: postgres.socketDir } : { host: '127.0.0.1' }),
        port: postgres.port,
        database: DATABASE,
        user: USER,
        password: `file:${join(home, 'upstream.password')}`,
        tls: { mode: 'disable' },
        ...(options.reuse && { reuse: { max: 100 } }),
      },
    },
    policies: ['policy.yaml'],
    audit: { directory: 'audit' },
    state: { directory: 'state' },
    limits: {
      connections,
      'connections-per-subject': connections,
      'drain-seconds': 1,
      ...(sleeps && { 'busy-poll-microseconds': 0 }),
    },
    log: { level: 'warn' },
  })
}

async function mint(config: string): Promise<string> {
  const args = ['token', 'mint', '--config', config, '--subject', 'bench', '--group', 'bench']
  const stdout = await run(process.execPath, [CLI, ...args, '--for', '12h'], { timeoutMs: 30_000 })
  return stdout.trim()
}
