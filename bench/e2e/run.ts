/**
 * `npm run bench`: the same work straight to PostgreSQL, through PgBouncer, through HAProxy and through the
 * gateway, each a process of its own on this machine, interleaved so that what disturbs the machine disturbs
 * all of them. README.md says how to read what it prints. It asserts nothing about time.
 *
 * Imports nothing of ours: the gateway is what users run, reached over the network.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCertificate } from './certificate.ts'
import { describeMachine, joinCpuGroup } from './machine.ts'
import { HELP, type Options, parseOptions, TARGETS, UsageError } from './options.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { findPostgres, findProgram, PACKAGES, unprivilegedAccount } from './programs.ts'
import { type Failed, type Measured, type Result, resultOf, summarise, tableOf } from './report.ts'
import { directTarget } from './targets/direct.ts'
import {
  gatewaySleepingTarget,
  gatewaySocketTarget,
  gatewayTarget,
  recordingAllTarget,
  recordingTarget,
} from './targets/gateway.ts'
import { haproxyTarget } from './targets/haproxy.ts'
import { pgbouncerTarget } from './targets/pgbouncer.ts'
import { type Site, type Target, Unavailable } from './targets/target.ts'
import { cpuTime } from './usage.ts'
import { bulkWorkloads } from './workloads/bulk.ts'
import { memoryWorkloads } from './workloads/memory.ts'
import { pgbenchWorkloads } from './workloads/pgbench.ts'
import type { Workload } from './workloads/workload.ts'

const RESULTS = resolve(import.meta.dirname, '../results')
/** Between two measurements, for sockets to close and logs to be written, ms. */
const PAUSE_MS = 200
const SMOKE_PAUSE_MS = 20
/** A target works on after a run (indexing, archiving), at a low priority: that is not to be the next one's cost. */
const SETTLED_LOOK_MS = 100
/** Of SETTLED_LOOK_MS. */
const SETTLED_CPU_MICROS_MAX = 10_000
const SETTLE_MS_MAX = 10_000

const EXIT_FAILED = 1
const EXIT_USAGE = 2
/** What is needed at all is not installed. */
const EXIT_UNAVAILABLE = 3

const MAKERS: Readonly<Record<Target['name'], (site: Site) => Target | Promise<Target>>> = {
  direct: directTarget,
  pgbouncer: pgbouncerTarget,
  haproxy: haproxyTarget,
  gateway: gatewayTarget,
  'gateway-socket': gatewaySocketTarget,
  'gateway-sleeping': gatewaySleepingTarget,
  recording: recordingTarget,
  'recording-all': recordingAllTarget,
}

const note = (text: string): void => void process.stderr.write(`${text}\n`)

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const group = joinCpuGroup()
  const machine = describeMachine(group !== null)
  const directory = mkdtempSync(join(tmpdir(), 'sp-bench-'))
  // Servers that may not run as root have folders of their own in it.
  chmodSync(directory, 0o711)
  try {
    const result = await benchmark({ directory, options, machine, command: args.join(' ') }, stop)
    process.stdout.write(`${tableOf(result.rows)}\n`)
    note(`written to ${write(result)}`)
    return stop.signal.aborted || result.failures.length > 0 ? EXIT_FAILED : 0
  } finally {
    rmSync(directory, { recursive: true, force: true })
    group?.leave()
  }
}

interface Setting {
  readonly directory: string
  readonly options: Options
  readonly machine: Result['machine']
  readonly command: string
}

async function benchmark(setting: Setting, stop: AbortController): Promise<Result> {
  const { directory, options, machine, command } = setting
  await using stack = new AsyncDisposableStack()
  const pgbench = findProgram('pgbench')
  if (pgbench === null) {
    throw new Unavailable(`pgbench is not installed: apt-get install ${PACKAGES.pgbench}`)
  }
  const workloads = [
    ...pgbenchWorkloads(pgbench, options),
    ...bulkWorkloads,
    ...memoryWorkloads,
  ].filter(
    ({ name }) => options.only.length === 0 || options.only.some((part) => name.includes(part)),
  )
  if (workloads.length === 0) throw new UsageError(`no workload like ${options.only.join(', ')}`)
  const site = await prepare(directory, { options, pgbench })
  stack.defer(() => site.postgres.stop())
  const { targets, absent } = await startTargets(site, stack)
  const absentTargets = Object.fromEntries(absent)
  for (const [name, why] of absent) note(`without ${name}: ${why}`)
  const { samples, failures } = await rounds({ workloads, targets, site, stop })
  return resultOf({
    command,
    options,
    machine,
    versions: Object.fromEntries(targets.map(({ name, version }) => [name, version])),
    absent: absentTargets,
    rows: summarise(workloads, targets, samples),
    samples,
    failures,
  })
}

async function prepare(
  directory: string,
  { options, pgbench }: { options: Options; pgbench: string },
): Promise<Site> {
  const account = unprivilegedAccount()
  const bin = findPostgres(options.postgresBin, account)
  if (bin === null) {
    throw new Unavailable(`PostgreSQL is not installed: apt-get install ${PACKAGES.postgres}`)
  }
  const certificate = await makeCertificate(directory, account)
  if (certificate === null) note(`without TLS: apt-get install ${PACKAGES.openssl}`)
  note(`PostgreSQL from ${bin}, ${options.megabytes} MB in each bulk table`)
  const postgres: Postgres = await startPostgres({
    bin,
    pgbench,
    directory: join(directory, 'postgres'),
    account,
    certificate,
    connections: options.idleSessions,
    megabytes: options.megabytes,
  })
  return { directory, postgres, account, certificate, options }
}

async function startTargets(
  site: Site,
  stack: AsyncDisposableStack,
): Promise<{ targets: Target[]; absent: Map<string, string> }> {
  const targets: Target[] = []
  const absent = new Map<string, string>()
  for (const name of TARGETS) {
    if (!site.options.targets.includes(name)) continue
    try {
      const target = await MAKERS[name](site)
      stack.defer(() => target.stop())
      targets.push(target)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      absent.set(name, error.message)
    }
  }
  return { targets, absent }
}

interface Plan {
  readonly workloads: readonly Workload[]
  readonly targets: readonly Target[]
  readonly site: Site
  readonly stop: AbortController
}

interface Measurements {
  readonly samples: readonly Measured[]
  readonly failures: readonly Failed[]
}

/** Every round measures everything once; the order of targets moves on by one each time. */
async function rounds({ workloads, targets, site, stop }: Plan): Promise<Measurements> {
  const { options } = site
  const samples: Measured[] = []
  const failures: Failed[] = []
  if (!options.smoke) await warmUp({ workloads, targets, site, stop })
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, workload] of workloads.entries()) {
      const shift = (round + index) % targets.length
      for (const target of [...targets.slice(shift), ...targets.slice(0, shift)]) {
        if (stop.signal.aborted) return { samples, failures }
        if (workload.unfit(target) !== null) continue
        const what = { workload: workload.name, target: target.name, round }
        const prefix = `round ${round + 1}/${options.rounds}  ${workload.name}  ${target.name}  `
        try {
          const sample = await workload.run(target, site)
          samples.push({ ...what, sample })
          note(`${prefix}${sample.value.toFixed(1)} ${workload.unit}`)
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error)
          failures.push({ ...what, message })
          note(`${prefix}FAILED: ${message}`)
        }
        await sleep(options.smoke ? SMOKE_PAUSE_MS : PAUSE_MS)
        if (!options.smoke) await settled(target)
      }
    }
  }
  return { samples, failures }
}

async function settled({ pid }: Target): Promise<void> {
  if (pid === null) return
  const deadline = Date.now() + SETTLE_MS_MAX
  for (let before = cpuTime(pid).all; Date.now() < deadline; ) {
    await sleep(SETTLED_LOOK_MS)
    const now = cpuTime(pid).all
    if (now - before <= SETTLED_CPU_MICROS_MAX) return
    before = now
  }
}

/** Each throughput workload once, briefly: caches are filled and code is compiled before it counts. */
async function warmUp({ workloads, targets, site, stop }: Plan): Promise<void> {
  const short: Site = { ...site, options: { ...site.options, seconds: 1 } }
  for (const workload of workloads.filter(({ better }) => better === 'higher')) {
    for (const target of targets) {
      if (stop.signal.aborted) return
      if (workload.unfit(target) !== null) continue
      // What fails here fails again when it counts, and is reported then.
      await workload.run(target, short).catch(() => undefined)
    }
  }
}

function write(result: Result): string {
  const { json, save } = result.options
  const stamp = result.finishedAt.replaceAll(/[:.]/g, '-')
  const file =
    json ??
    (save === null ? join(RESULTS, `${stamp}.json`) : join(RESULTS, 'saved', `${save}.json`))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  return file
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) {
    note(`${error.message}\n\n${HELP}`)
    process.exitCode = EXIT_USAGE
  } else if (error instanceof Unavailable) {
    note(error.message)
    process.exitCode = EXIT_UNAVAILABLE
  } else {
    note(error instanceof Error ? (error.stack ?? error.message) : String(error))
    process.exitCode = EXIT_FAILED
  }
}
