/**
 * Processes of the benchmark: started, waited for, stopped, and never left behind.
 *
 * All share our session, so that a scheduler that groups by session (`sched_autogroup`) treats them alike.
 * A watchdog holds a pipe from us and stops its process when we end without having done so.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Account } from './programs.ts'

const START_MS_MAX = 30_000
const STOP_MS_MAX = 15_000
const POLL_MS = 30
const TAIL_CHARACTERS = 2000

export interface ServiceOptions {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Gets stdout and stderr. */
  readonly log: string
  readonly account?: Account | undefined
  readonly env?: NodeJS.ProcessEnv
  readonly stopSignal?: NodeJS.Signals
}

export interface Service {
  readonly pid: number
  stop(): Promise<void>
}

/** Starts it and resolves when every port accepts; throws with the end of its log otherwise. */
export async function startService(
  options: ServiceOptions & { readonly ports: readonly number[] },
): Promise<Service> {
  const { program, args, cwd, account, env, stopSignal = 'SIGTERM' } = options
  const log = openSync(options.log, 'a')
  const child = spawn(program, args, { cwd, ...account, env, stdio: ['ignore', log, log] })
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  const watchdog = spawnWatchdog(child, stopSignal)
  const stop = (): Promise<void> => stopChild(child, watchdog, stopSignal)
  try {
    await Promise.race([
      failed,
      ...[Promise.all(options.ports.map((port) => accepts(port, child)))],
    ])
  } catch (error) {
    await stop()
    const tail = readFileSync(options.log, 'utf8').slice(-TAIL_CHARACTERS)
    throw new Error(`\`${program}\` did not start:\n${tail}`, { cause: error })
  }
  return { pid: child.pid ?? 0, stop }
}

function spawnWatchdog(child: ChildProcess, signal: NodeJS.Signals): ChildProcess {
  const script = 'trap "" INT TERM; cat >/dev/null; kill -"$2" "$1" 2>/dev/null'
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', `${child.pid}`, signal.slice(3)], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  // The pipe must not keep our event loop alive; its type lacks unref, the socket underneath has it.
  ;(watchdog.stdin as unknown as { unref(): void }).unref()
  return watchdog
}

async function stopChild(
  child: ChildProcess,
  watchdog: ChildProcess,
  signal: NodeJS.Signals,
): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await exited
    clearTimeout(late)
  }
  watchdog.kill('SIGKILL')
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS_MAX
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await canConnect(port)) return
    await sleep(POLL_MS)
  }
  throw new Error(`port ${port} does not accept`)
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface RunOptions {
  readonly cwd?: string
  readonly account?: Account | undefined
  readonly env?: NodeJS.ProcessEnv
  readonly timeoutMs: number
}

/** Runs a program to its end; its stdout. Throws with its stderr when it fails or takes too long. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, account, env, timeoutMs }: RunOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      ...account,
      env,
      timeout: timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(stdout)
      const how = signal === null ? `code ${code}` : `${signal} after at most ${timeoutMs} ms`
      reject(new Error(`\`${program} ${args.join(' ')}\` ended with ${how}: ${stderr || stdout}`))
    })
  })
}
