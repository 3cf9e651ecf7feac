/**
 * `npm run demo`: everything on this machine, until Ctrl-C. `npm run demo -- --tour`: the same, toured by
 * itself, with a PASS or FAIL for every promise.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort } from '../support/ports.ts'
import { DEFAULT_FOLDER, type DemoOptions, type RunningDemo, startDemo } from './demo.ts'
import { guideText } from './guide.ts'
import { anyPorts, demoPorts } from './ports.ts'
import { Narrator } from './tour/narrator.ts'
import { runTour } from './tour/tour.ts'

const USAGE = `usage: npm run demo -- [options]

Starts PostgreSQL 18 with a small CRM, MySQL or MariaDB with a shop where one can be had, an OpenID provider
and the gateway on this machine (loopback only), prints commands to try, and runs until Ctrl-C. Needs nothing
installed but this project.

  --tour         run those commands, check every promise, exit 0 when all hold and 1 when one is broken
  --port N       the gateway's port (default 6432, or the next free one)
  --dir FOLDER   where its files go (default .sallyport/demo; the tour: a temporary folder)
  --keep         leave that folder when it ends; the next start finds edited policies and the log there
  --no-mysql     without the shop: looks for no MySQL or MariaDB server
  --quiet        print addresses only (with --tour: broken promises and the sum only)
  -h, --help     this`

/** 128 + SIGINT, as a shell reports it. */
const EXIT_INTERRUPTED = 130
/** How often this process looks whether npm is still there. */
const PARENT_POLL_MS = 1_000
/** A tour that takes longer hangs somewhere. */
const TOUR_MS_MAX = 300_000

interface Flags {
  readonly tour: boolean
  readonly port: number | null
  readonly dir: string | null
  readonly keep: boolean
  readonly withShop: boolean
  readonly quiet: boolean
}

async function main(): Promise<number> {
  const flags = parseFlags()
  if (flags === null) return 0
  return flags.tour ? tour(flags) : demo(flags)
}

/** Null: help was asked for and printed. Throws when a flag cannot be used. */
function parseFlags(): Flags | null {
  const { values } = parseArgs({
    options: {
      tour: { type: 'boolean', default: false },
      port: { type: 'string' },
      dir: { type: 'string' },
      keep: { type: 'boolean', default: false },
      'no-mysql': { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    print(USAGE)
    return null
  }
  const port = values.port === undefined ? null : Number(values.port)
  if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new Error(`--port takes a number from 1 to 65535, not \`${values.port}\``)
  }
  const { tour: asTour, dir = null, keep, quiet } = values
  const withShop = !values['no-mysql']
  return { tour: asTour, port, dir: dir === null ? null : resolve(dir), keep, withShop, quiet }
}

async function demo(flags: Flags): Promise<number> {
  const folder = flags.dir ?? DEFAULT_FOLDER
  const ports = await demoPorts(flags.port)
  const { keep, withShop } = flags
  const onStep = stepPrinter(flags)
  const options = { folder, ports, plainPort: null, keep, withShop, onStep }
  return whileRunning(options, async (running, stopped) => {
    if (flags.quiet) print(`localhost:${ports.gateway} ${running.configFile}`)
    else print(guideText(running, flags.keep))
    const failure = await Promise.race([stopped, running.gateway.failed])
    if (failure === null) return 0
    process.stderr.write(`the gateway ended by itself:\n${failure}\n`)
    return 1
  })
}

async function tour(flags: Flags): Promise<number> {
  const folder = flags.dir ?? (await mkdtemp(join(tmpdir(), 'sp-demo-')))
  const ports = await anyPorts()
  const gateway = flags.port ?? ports.gateway
  const options = {
    folder,
    ports: { ...ports, gateway },
    plainPort: await freePort(),
    keep: flags.keep,
    withShop: flags.withShop,
    onStep: stepPrinter(flags),
  }
  const started = performance.now()
  return whileRunning(options, async (running, stopped) => {
    const narrator = new Narrator({ out: process.stdout, quiet: flags.quiet })
    const late = sleep(TOUR_MS_MAX, 'late' as const, { ref: false })
    const ended = await Promise.race([runTour(running, narrator), stopped, late])
    if (ended === 'late') narrator.promise(`the tour ends within ${TOUR_MS_MAX} ms`, false)
    // Given up or interrupted: what is still under way fails as the servers stop, and says nothing.
    narrator.mute()
    if (ended === null) return EXIT_INTERRUPTED
    return summarise(narrator, { ms: performance.now() - started, folder, keep: flags.keep })
  })
}

function summarise(
  { kept, broken }: Narrator,
  { ms, folder, keep }: { ms: number; folder: string; keep: boolean },
): number {
  print(`\n${kept} promises kept, ${broken.length} broken, in ${(ms / 1000).toFixed(1)} s`)
  for (const promise of broken) print(`  broken: ${promise}`)
  if (keep) print(`everything is left in ${folder}`)
  return broken.length === 0 ? 0 : 1
}

/** Runs `work` on a demo that is stopped afterwards, whatever happens. `stopped` resolves at a signal. */
async function whileRunning(
  options: DemoOptions,
  work: (demo: RunningDemo, stopped: Promise<null>) => Promise<number>,
): Promise<number> {
  const stopped = signalled()
  const running = await startDemo(options)
  try {
    return await work(running, stopped)
  } finally {
    await running.stop()
  }
}

/**
 * Resolves at the first signal, or when npm is gone: the shell between npm and this process does not pass
 * SIGTERM on. Another signal ends the process at once; the servers' watchdogs see to them.
 */
function signalled(): Promise<null> {
  return new Promise((resolveStopped) => {
    let stopping = false
    const stop = (): void => {
      stopping = true
      process.stderr.write('\nstopping …\n')
      resolveStopped(null)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => (stopping ? process.exit(EXIT_INTERRUPTED) : stop()))
    }
    if (process.env['npm_lifecycle_event'] === undefined) return
    const parent = process.ppid
    const watch = (): void => {
      if (process.ppid !== parent && !stopping) stop()
    }
    setInterval(watch, PARENT_POLL_MS).unref()
  })
}

function stepPrinter({ quiet }: Flags): (step: string) => void {
  return quiet ? () => undefined : (step) => print(`starting ${step}`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
