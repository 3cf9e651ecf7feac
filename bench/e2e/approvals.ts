/**
 * `npm run bench:approvals`: how long after somebody has decided a held statement has run: decided at the gateway that
 * holds it, and at another one of the same store. Beside it, the same statement where nobody is asked. README.md says how
 * to read what it prints. It asserts nothing about time.
 *
 *     node bench/e2e/approvals.ts [--rounds 100] [--postgres-bin DIR]
 *
 * Imports nothing of ours: the gateways are what users run, reached over the network.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { DATABASE, type Postgres, startPostgres, USER } from './postgres.ts'
import { freePort, run, startService } from './processes.ts'
import { findPostgres, findProgram, PACKAGES, unprivilegedAccount } from './programs.ts'

const CLI = fileURLToPath(new URL('../../packages/cli/bin/sallyport.js', import.meta.url))
const WARM_ROUNDS = 10
const STORE = 'store'

const POLICY = `version: 1
rules:
  - { name: free, who: everyone, allow: { effects: [write], relations: [public.free] } }
  - name: held
    who: everyone
    approve: { effects: [write], relations: [public.held] }
    approvers: { groups: [approvers], within: 1m }
`

interface Gateway {
  readonly port: number
  readonly admin: string
}

type Way = 'nobody asked' | 'decided here' | 'decided elsewhere'
const WAYS: readonly Way[] = ['nobody asked', 'decided here', 'decided elsewhere']

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '100' }, 'postgres-bin': { type: 'string' } },
  })
  const directory = mkdtempSync(join(tmpdir(), 'sp-bench-ap-'))
  try {
    await using stack = new AsyncDisposableStack()
    const postgres = await database(directory, values['postgres-bin'], stack)
    const setting = await startGateways(directory, postgres, stack)
    const times = await measure(setting, Number(values.rounds))
    for (const way of WAYS) print(way, times.get(way) ?? [])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function database(
  directory: string,
  wanted: string | undefined,
  stack: AsyncDisposableStack,
): Promise<Postgres> {
  const account = unprivilegedAccount()
  const [bin, pgbench] = [findPostgres(wanted ?? null, account), findProgram('pgbench')]
  if (bin === null || pgbench === null) {
    throw new Error(`PostgreSQL is not installed: apt-get install ${PACKAGES.postgres}`)
  }
  chmodSync(directory, 0o711)
  const postgres = await startPostgres({
    bin,
    pgbench,
    directory: join(directory, 'postgres'),
    account,
    certificate: null,
    connections: 100,
    megabytes: 1,
  })
  stack.defer(() => postgres.stop())
  const client = new pg.Client(urlOf(postgres, DATABASE))
  await client.connect()
  for (const sql of [
    `CREATE DATABASE ${STORE}`,
    'CREATE TABLE free (n int)',
    'CREATE TABLE held (n int)',
  ]) {
    await client.query(sql)
  }
  await client.end()
  return postgres
}

const urlOf = ({ port, password }: Postgres, name: string): string =>
  `postgres://${USER}:${password}@127.0.0.1:${port}/${name}`

async function startGateways(
  directory: string,
  postgres: Postgres,
  stack: AsyncDisposableStack,
): Promise<Setting> {
  const gateways: Gateway[] = []
  const tokens: string[] = []
  for (const name of ['here', 'elsewhere']) {
    const home = join(directory, name)
    mkdirSync(home, { mode: 0o700 })
    const [port, admin] = [await freePort(), await freePort()]
    const config = join(home, 'sallyport.yaml')
    writeFileSync(join(home, 'policy.yaml'), POLICY)
    writeFileSync(join(home, 'upstream.password'), postgres.password, { mode: 0o600 })
    writeFileSync(join(home, 'store.url'), urlOf(postgres, STORE), { mode: 0o600 })
    writeFileSync(config, configText({ postgres, home, name, port, admin }))
    if (tokens.length === 0) {
      tokens.push(await mint(config, 'agent', 'machine'), await mint(config, 'ann', 'human'))
    }
    const args = [CLI, 'serve', '--config', config]
    const ports = [port, admin]
    const log = join(home, 'log')
    const service = await startService({ program: process.execPath, args, cwd: home, log, ports })
    stack.defer(() => service.stop())
    gateways.push({ port, admin: `http://127.0.0.1:${admin}` })
  }
  const [[here, elsewhere], [agent, approver]] = [gateways, tokens]
  if (!here || !elsewhere || !agent || !approver) throw new Error('two gateways and two people')
  return { here, elsewhere, agent, approver }
}

interface Setting {
  readonly here: Gateway
  readonly elsewhere: Gateway
  /** Tokens. */
  readonly agent: string
  readonly approver: string
}

/** JSON is YAML. */
function configText(at: {
  readonly postgres: Postgres
  readonly home: string
  readonly name: string
  readonly port: number
  readonly admin: number
}): string {
  return JSON.stringify({
    version: 1,
    listeners: [{ protocol: 'postgres', port: at.port, tls: 'off' }],
    admin: { port: at.admin },
    identity: { issuers: [] },
    connections: {
      [DATABASE]: {
        protocol: 'postgres',
        host: '127.0.0.1',
        port: at.postgres.port,
        database: DATABASE,
        user: USER,
        password: `file:${join(at.home, 'upstream.password')}`,
        tls: { mode: 'disable' },
      },
    },
    store: { url: `file:${join(at.home, 'store.url')}`, gateway: at.name },
    policies: ['policy.yaml'],
    audit: { directory: 'audit' },
    state: { directory: 'state' },
    log: { level: 'warn' },
  })
}

async function mint(config: string, subject: string, kind: string): Promise<string> {
  const who = ['--subject', subject, '--kind', kind, '--group', 'approvers']
  const args = [CLI, 'token', 'mint', '--config', config, ...who, '--for', '1h']
  return (await run(process.execPath, args, { timeoutMs: 30_000 })).trim()
}

/** Milliseconds from the decision (or the statement) to its completion, by turns. */
async function measure(setting: Setting, rounds: number): Promise<Map<Way, number[]>> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: setting.here.port,
    user: 'agent',
    password: setting.agent,
    database: DATABASE,
  })
  await client.connect()
  const times = new Map<Way, number[]>(WAYS.map((way) => [way, []]))
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    for (const way of WAYS) {
      const took = await once(client, setting, way)
      if (round >= 0) times.get(way)?.push(took)
    }
  }
  await client.end()
  return times
}

async function once(client: pg.Client, setting: Setting, way: Way): Promise<number> {
  if (way === 'nobody asked') {
    const began = performance.now()
    await client.query('INSERT INTO free VALUES (1)')
    return performance.now() - began
  }
  const asked = new Promise<string>((resolve) => {
    client.once('notice', ({ message }) => resolve(/ap_[\w-]+/.exec(message ?? '')?.[0] ?? ''))
  })
  const ran = client.query('INSERT INTO held VALUES (1)')
  const id = await asked
  const { admin } = way === 'decided here' ? setting.here : setting.elsewhere
  const began = performance.now()
  const answer = fetch(`${admin}/v1/approvals/${id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${setting.approver}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'approve' }),
  })
  await ran
  const took = performance.now() - began
  const { status } = await answer
  if (status !== 200) throw new Error(`the decision was answered with ${status}`)
  return took
}

function print(way: Way, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN).toFixed(1)
  const words = `median ${at(0.5)} ms, 95 % ${at(0.95)} ms, most ${at(1)} ms`
  process.stdout.write(`${way.padEnd(18)} ${words}  (${times.length})\n`)
}

await main()
