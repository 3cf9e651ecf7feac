/** pgbench's select-only script through each protocol, and with a connection per transaction. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../processes.ts'
import { median } from '../statistics.ts'
import type { Site, Target } from '../targets/target.ts'
import { type CpuTime, cpuTime } from '../usage.ts'
import type { Sample, Workload } from './workload.ts'

const MODES = ['simple', 'extended', 'prepared'] as const
const CLIENTS = [1, 8, 64] as const
/** Transactions of each client where a run is too short for pgbench's seconds. */
const TRANSACTIONS = 4
/** pgbench's clock starts before its clients log in, one after the other; its rates leave that time out. */
const LOGIN_SECONDS = 0.03
const GRACE_MS = 60_000

interface Shape {
  readonly mode: (typeof MODES)[number]
  readonly clients: number
  readonly tls?: boolean
  readonly reconnect?: boolean
}

export function pgbenchWorkloads(
  pgbench: string,
  { smoke }: { smoke: boolean },
): readonly Workload[] {
  const make = (name: string, shape: Shape): Workload => ({
    name,
    unit: shape.reconnect === true ? 'connects/s' : 'queries/s',
    operation: shape.reconnect === true ? 'connect' : 'query',
    better: 'higher',
    unfit: (target) =>
      shape.tls === true && target.tlsPort === null ? 'no TLS on the client leg' : null,
    run: (target, site) => measure(pgbench, { shape, target, site }),
  })
  return [
    ...MODES.flatMap((mode) =>
      // Logging in 64 clients takes longer than what a smoke run learns from it in every mode.
      CLIENTS.filter((clients) => !smoke || clients < 64 || mode === 'simple').map((clients) =>
        make(`select.${mode}.c${clients}`, { mode, clients }),
      ),
    ),
    make('tls.prepared.c8', { mode: 'prepared', clients: 8, tls: true }),
    make('connect.c8', { mode: 'simple', clients: 8, reconnect: true }),
  ]
}

async function measure(
  pgbench: string,
  { shape, target, site }: { shape: Shape; target: Target; site: Site },
): Promise<Sample> {
  const { seconds } = site.options
  const logs = shape.clients === 1 ? mkdtempSync(join(site.directory, 'log-')) : null
  const before = target.pid === null ? null : cpuTime(target.pid)
  const args = argumentsFor(shape, { target, seconds, logs })
  const env = { ...process.env, PGPASSWORD: target.password, PGSSLMODE: tlsMode(shape) }
  const stdout = await run(pgbench, args, { env, timeoutMs: seconds * 1000 + GRACE_MS })
  const operations = numberIn(stdout, /transactions actually processed: (\d+)/)
  return {
    value: numberIn(stdout, /tps = ([\d.]+)/),
    cpu: before === null ? null : perOperation(target, { before, operations }),
    p50: logs === null ? null : medianLatency(logs),
  }
}

const tlsMode = ({ tls }: Shape): string => (tls === true ? 'require' : 'disable')

function argumentsFor(
  { mode, clients, tls, reconnect }: Shape,
  { target, seconds, logs }: { target: Target; seconds: number; logs: string | null },
): string[] {
  const { host, port, tlsPort, user, database } = target
  const length =
    seconds >= 1
      ? ['-T', `${Math.round(seconds + clients * LOGIN_SECONDS)}`]
      : ['-t', `${TRANSACTIONS}`]
  return [
    '-nS',
    ...['-M', mode],
    ...['-c', `${clients}`],
    ...length,
    ...(reconnect === true ? ['-C'] : []),
    ...(logs === null ? [] : ['-l', `--log-prefix=${join(logs, 'l')}`]),
    ...['-h', host, '-p', `${tls === true ? tlsPort : port}`, '-U', user, database],
  ]
}

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`pgbench said nothing like ${pattern}: ${text}`)
  return Number(found)
}

export function perOperation(
  { pid }: Target,
  { before, operations }: { before: CpuTime; operations: number },
): Sample['cpu'] {
  if (pid === null) return null
  const after = cpuTime(pid)
  return {
    all: (after.all - before.all) / operations,
    main: (after.main - before.main) / operations,
  }
}

/** Of pgbench's log: client, transaction, microseconds, ... on each line. */
function medianLatency(folder: string): number {
  const latencies = readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : Number(line.split(' ')[2]))),
  )
  rmSync(folder, { recursive: true })
  return median(latencies)
}
