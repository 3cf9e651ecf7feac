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

function startOn(node) {
  const argv = [fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const env = { ...process.env, [STARTED]: '1' }
  // Where it exists this process becomes the new one, and there is nothing to pass on.
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...argv], env)
  }
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

if (majorOf(process.versions.node) >= NODE_MAJOR_MIN) {
  await import('../src/main.ts')
} else {
  const node = process.env[STARTED] === undefined ? installedNode() : null
  if (node !== null) startOn(node)
  else {
    fail(
      `sallyport needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.version}; ` +
        'run `npm ci` with optional dependencies (it installs one), or put a newer Node on PATH',
    )
  }
}
