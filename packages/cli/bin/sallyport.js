#!/usr/bin/env node
/**
 * Starts src/main.ts on a Node that can run it. Plain JavaScript on purpose: a Node too old to strip
 * types must still get far enough to find a newer one (node_modules/.bin/node) or to say what is missing.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
/** Set for the process started here, so that a wrong answer about versions cannot start it again. */
const STARTED = 'SALLYPORT_NODE_STARTED'
/**
 * MiB. The young generation of a gateway has its full size from the start: while it grows, what logins leave behind
 * is kept as if it were for long, and each session costs the process several times its own memory.
 */
const SEMI_SPACE = 8

/** This process can become another one. */
const CAN_BECOME = typeof process.execve === 'function' && process.platform !== 'win32'

const majorOf = (version) => Number(/^v?(\d+)/.exec(version)?.[1] ?? 0)

/** The Node of this installation's node_modules, looked for upwards from here; null when there is none. */
function installedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  let folder = dirname(realpathSync(fileURLToPath(import.meta.url)))
  for (;;) {
    const candidate = join(folder, 'node_modules', '.bin', name)
    if (existsSync(candidate)) {
      const { status, stdout } = spawnSync(candidate, ['--version'], { encoding: 'utf8' })
      if (status === 0 && majorOf(stdout) >= NODE_MAJOR_MIN) return candidate
    }
    if (dirname(folder) === folder) return null
    folder = dirname(folder)
  }
}

/** What a gateway is to be started with and this process was not; nothing where somebody has said otherwise. */
function youngGeneration() {
  const isGateway = process.argv.slice(2).find((word) => !word.startsWith('-')) === 'serve'
  const said = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
  if (!isGateway || /semi[-_]space/.test(said)) return []
  return [`--min-semi-space-size=${SEMI_SPACE}`, `--max-semi-space-size=${SEMI_SPACE}`]
}

function startOn(node) {
  const options = [...youngGeneration(), ...process.execArgv]
  const argv = [...options, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const env = { ...process.env, [STARTED]: '1' }
  // Then there is nothing to pass on.
  if (CAN_BECOME) process.execve(node, [node, ...argv], env)
  const child = spawn(node, argv, { stdio: 'inherit', env })
  // A terminal sends SIGINT to both of us: passed on as well, it would count as the second one.
  const passed = process.stdin.isTTY ? ['SIGTERM'] : ['SIGTERM', 'SIGINT', 'SIGHUP']
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      if (passed.includes(signal)) child.kill(signal)
    })
  }
  child.once('error', (error) => fail(`cannot start \`${node}\`: ${error.message}`))
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`)
  process.exit(2)
}

const isStarted = process.env[STARTED] !== undefined
// Commands that a gateway runs for its secrets may be this one, and start anew.
delete process.env[STARTED]
if (majorOf(process.versions.node) >= NODE_MAJOR_MIN) {
  if (!isStarted && CAN_BECOME && youngGeneration().length > 0) startOn(process.execPath)
  else await import('../src/main.ts')
} else {
  const node = isStarted ? null : installedNode()
  if (node !== null) startOn(node)
  else {
    fail(
      `sallyport needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.version}; ` +
        'run `npm ci` with optional dependencies (it installs one), or put a newer Node on PATH',
    )
  }
}
