/**
 * Real gateways for tests: `startTestGateway` writes a configuration, certificates, credentials and
 * policy files into a temporary folder and starts the gateway on free loopback ports, in this process
 * or as the `sallyport serve` command. Tokens are minted as an operator would; JWTs need an issuer
 * (support/issuer.ts) given through `identity`.
 *
 * Every gateway has two listeners: one with TLS for drivers as they are meant to be used, and one
 * without (loopback only) for tests that look at the bytes on the wire.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  loadConfig,
  openTokenState,
  type RunningGateway,
  startGateway,
  type TokenState,
} from '@sallyport/gateway'
import { mintOperatorToken, type OperatorMintRequest } from '@sallyport/identity'
import { stringify } from 'yaml'
import { createCertificateAuthority } from './certs.ts'
import type { MysqlAddress } from './mysql-address.ts'
import { freePort } from './ports.ts'
import type { PostgresAddress } from './servers.ts'

export interface TestGatewayOptions {
  /** Decides what the gateway's listeners speak. */
  readonly upstream: PostgresAddress | MysqlAddress
  /** The upstream's database; also the name of the connection unless `connection` says another. */
  readonly database: string
  readonly connection?: string
  /** Other databases of the server that clients may name. Default none. */
  readonly databases?: readonly string[] | 'any'
  /** The gateway's own credential. Default: the superuser. */
  readonly credential?: { readonly user: string; readonly password: string }
  /** How the gateway reaches the server. Default `tls`: verified TLS where the server has it. */
  readonly via?: 'tls' | 'tcp' | 'socket'
  /** YAML texts, or files. */
  readonly policies: readonly (string | URL)[]
  /** Added to the `identity` section (issuers, roles, ...), as in the configuration file. */
  readonly identity?: Readonly<Record<string, unknown>>
  /** The listeners are for this connection: clients may name its databases as they are. Default: they are not. */
  readonly listenerForConnection?: boolean
  /** Added to the listener with TLS, and to the one without, as in the configuration file. */
  readonly listeners?: Readonly<Partial<Record<'tls' | 'plain', Readonly<Record<string, unknown>>>>>
  /** Added to the connection, as in the configuration file. */
  readonly connectionOptions?: Readonly<Record<string, unknown>>
  /** Added to the top of the configuration file: limits, audit, admin, log, more connections. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Run `sallyport serve` in a process of its own. Default: in this process. */
  readonly spawn?: boolean
  /** Of that process, beside this one's. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface TokenRequest extends Partial<OperatorMintRequest> {
  /** Default `tester`. */
  readonly subject?: string
}

export interface TestGateway extends AsyncDisposable {
  readonly host: string
  /** Listens with TLS; the certificate names localhost and 127.0.0.1. */
  readonly port: number
  /** Listens without TLS. */
  readonly plainPort: number
  /** PEM of the CA of the gateway's certificate, and a file with it. */
  readonly ca: string
  readonly caFile: string
  /** What a client gives as database name. */
  readonly connection: string
  readonly directory: string
  readonly configFile: string
  readonly auditDirectory: string
  readonly stateDirectory: string
  /** Null when it runs in a process of its own. */
  readonly running: RunningGateway | null
  /** Of its own process; null when it runs in this one. */
  pid(): number | null
  /** An operator's session token; default: a machine without groups. */
  token(request?: TokenRequest): Promise<string>
  /** A URL for drivers (TLS is theirs to ask for). */
  url(token: string, options?: { user?: string; database?: string; plain?: boolean }): string
  /** Kills its process with SIGKILL; only with `spawn`. */
  crash(): Promise<void>
  /** Starts it again after `crash`: same files, same ports. */
  revive(): Promise<void>
  close(): Promise<void>
}

const START_MS_MAX = 60_000
const STOP_MS_MAX = 10_000
const POLL_MS = 25
const CLI = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
/** Where Node keeps what it compiled: a third of the CPU of every start but the first. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-gw-'))
  try {
    const prepared = await prepare(directory, options)
    const { configFile, port, plainPort } = prepared
    const start = () => spawnGateway(configFile, [port, plainPort], options.environment)
    const child = options.spawn === true ? await start() : null
    const running = child === null ? await startGateway(loadConfig(configFile)) : null
    return gatewayOver({
      directory,
      child,
      start,
      running,
      ...prepared,
      port: running?.addresses[0]?.port ?? port,
      plainPort: running?.addresses[1]?.port ?? plainPort,
    })
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

interface Prepared {
  readonly configFile: string
  readonly caFile: string
  readonly ca: string
  readonly connection: string
  readonly port: number
  readonly plainPort: number
  readonly protocol: 'postgres' | 'mysql'
}

async function prepare(directory: string, options: TestGatewayOptions): Promise<Prepared> {
  const file = (name: string): string => join(directory, name)
  const authority = await createCertificateAuthority('Sallyport test gateway')
  const certificate = await authority.server(['localhost', '127.0.0.1', '::1'])
  await writeFile(file('ca.crt'), authority.cert)
  // With its issuer, as servers send it: MariaDB's clients take one without for broken, whatever they verify.
  await writeFile(file('server.crt'), `${certificate.cert}\n${authority.cert}`)
  await writeFile(file('server.key'), certificate.key, { mode: 0o600 })
  const connection = options.connection ?? options.database
  // A process of its own cannot tell its ports, so they are chosen for it.
  const ports = options.spawn === true ? [await freePort(), await freePort()] : [0, 0]
  const [port, plainPort] = ports as [number, number]
  const tls = { certificate: 'server.crt', key: 'server.key' }
  const protocol = protocolOf(options.upstream)
  const served = options.listenerForConnection === true ? { connection } : {}
  const config = {
    version: 1,
    listeners: [
      { protocol, host: '127.0.0.1', port, tls, ...served, ...options.listeners?.tls },
      {
        protocol,
        host: '127.0.0.1',
        port: plainPort,
        tls: 'off',
        ...served,
        ...options.listeners?.plain,
      },
    ],
    identity: { issuers: [], ...options.identity },
    connections: { [connection]: await connectionSection(directory, options) },
    policies: await policyFiles(directory, options.policies),
    audit: { directory: 'audit' },
    state: { directory: 'state' },
    log: { level: 'error' },
    ...options.config,
  }
  await writeFile(file('sallyport.yaml'), stringify(config))
  return {
    configFile: file('sallyport.yaml'),
    caFile: file('ca.crt'),
    ca: authority.cert,
    connection,
    port,
    plainPort,
    protocol,
  }
}

function protocolOf(upstream: TestGatewayOptions['upstream']): 'postgres' | 'mysql' {
  return 'flavour' in upstream ? 'mysql' : 'postgres'
}

async function connectionSection(
  directory: string,
  options: TestGatewayOptions,
): Promise<Record<string, unknown>> {
  const { upstream, via = 'tls' } = options
  const { user, password } = options.credential ?? upstream.superuser
  await writeFile(join(directory, 'upstream.password'), password, { mode: 0o600 })
  let reach: Record<string, unknown> = { tls: { mode: 'disable' } }
  if (via === 'socket' && 'socketDir' in upstream) reach = { socket: upstream.socketDir }
  else if (via === 'tls' && upstream.ca !== undefined) {
    await writeFile(join(directory, 'upstream-ca.crt'), upstream.ca)
    reach = { tls: { mode: 'verify-full', ca: 'upstream-ca.crt' } }
  }
  return {
    protocol: protocolOf(upstream),
    host: upstream.host,
    port: upstream.port,
    database: options.database,
    ...(options.databases && { databases: options.databases }),
    user,
    password: `file:${join(directory, 'upstream.password')}`,
    ...reach,
    ...options.connectionOptions,
  }
}

async function policyFiles(
  directory: string,
  policies: readonly (string | URL)[],
): Promise<string[]> {
  const folder = join(directory, 'policies')
  await mkdir(folder)
  const names: string[] = []
  for (const [index, policy] of policies.entries()) {
    if (policy instanceof URL) names.push(fileURLToPath(policy))
    else {
      const name = `policies/${index + 1}.yaml`
      await writeFile(join(directory, name), policy)
      names.push(name)
    }
  }
  return names
}

async function spawnGateway(
  configFile: string,
  ports: readonly number[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CLI, 'serve', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILED, ...environment },
  })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const deadline = Date.now() + START_MS_MAX
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if ((await Promise.all(ports.map(answers))).every((one) => one)) return child
    await sleep(POLL_MS)
  }
  const left = child.exitCode ?? child.signalCode ?? 'it still runs'
  child.kill('SIGKILL')
  throw new Error(`\`${basename(CLI)} serve\` did not start (${left}): ${output}`)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function gatewayOver(
  parts: Prepared & {
    readonly directory: string
    readonly child: ChildProcess | null
    readonly start: () => Promise<ChildProcess>
    readonly running: RunningGateway | null
  },
): TestGateway {
  const { directory, configFile, port, plainPort, running, start } = parts
  let { child } = parts
  const stateDirectory = join(directory, 'state')
  let state: Promise<TokenState> | undefined
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= shutDown()
    return closed
  }
  const shutDown = async (): Promise<void> => {
    await (await state)?.close()
    await running?.close()
    if (child !== null) await stopChild(child)
    await rm(directory, { recursive: true, force: true })
  }
  return {
    ...parts,
    host: '127.0.0.1',
    auditDirectory: join(directory, 'audit'),
    stateDirectory,
    pid: () => child?.pid ?? null,
    async token(request = {}) {
      state ??= openTokenState(loadConfig(configFile))
      const { token } = await mintOperatorToken(
        { subject: 'tester', kind: 'machine', groups: [], ...request },
        {
          config: loadConfig(configFile).identity,
          now: Date.now,
          randomBytes,
          sessionTokens: await state,
        },
      )
      return token
    },
    url: (token, { user = 'tester', database = parts.connection, plain = false } = {}) =>
      `${parts.protocol}://${encodeURIComponent(user)}:${encodeURIComponent(token)}@127.0.0.1:` +
      `${plain ? plainPort : port}/${encodeURIComponent(database)}`,
    async crash() {
      if (child === null) throw new Error('only a gateway with `spawn` can crash')
      await ended(child, 'SIGKILL')
    },
    async revive() {
      child = await start()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended(child, 'SIGTERM')
  clearTimeout(late)
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill(signal)
  await exited
}
