/**
 * The gateway as users run it: `sallyport serve` in a process of its own, its log in a file.
 *
 * It gets its own process group, so that Ctrl-C reaches the demo alone, which then stops it in order. A
 * watchdog holds a pipe from us and stops it when we end without having done so.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const CLI = fileURLToPath(new URL('../../packages/cli/bin/sallyport.js', import.meta.url))
const START_MS_MAX = 120_000
const STOP_MS_MAX = 15_000
const POLL_MS = 50

export interface GatewayProcess {
  readonly pid: number
  /** Reads configuration, policies and certificates again. */
  reload(): void
  stop(): Promise<void>
  /** Resolves when it ends without having been asked to. */
  readonly failed: Promise<string>
}

export interface GatewayFiles {
  readonly config: string
  /** Where stdout and stderr go. */
  readonly log: string
  readonly adminPort: number
}

/** Resolves when `/readyz` says so; throws with the end of the log when it does not come up. */
export async function startGatewayProcess(files: GatewayFiles): Promise<GatewayProcess> {
  const log = openSync(files.log, 'a', 0o600)
  const child = spawn(process.execPath, [CLI, 'serve', '--config', files.config], {
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const watchdog = spawnWatchdog(child)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let stopping = false
  const failed = exited.then(() => (stopping ? new Promise<string>(() => undefined) : tail(files)))
  const stop = async (): Promise<void> => {
    if (!stopping) {
      stopping = true
      child.kill('SIGTERM')
    }
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await exited
    clearTimeout(late)
    watchdog.kill('SIGKILL')
  }
  if (!(await ready(child, files.adminPort))) {
    await stop()
    throw new Error(`the gateway did not start:\n${await tail(files)}`)
  }
  return { pid: child.pid ?? 0, reload: () => child.kill('SIGHUP'), stop, failed }
}

async function ready(child: ChildProcess, port: number): Promise<boolean> {
  const deadline = Date.now() + START_MS_MAX
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const ok = await fetch(`http://127.0.0.1:${port}/readyz`, {
      signal: AbortSignal.timeout(2_000),
    }).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) return true
    await sleep(POLL_MS)
  }
  return false
}

function spawnWatchdog(child: ChildProcess): ChildProcess {
  const watchdog = spawn(
    '/bin/sh',
    ['-c', 'cat >/dev/null; kill -TERM "$1" 2>/dev/null', 'sh', String(child.pid)],
    { cwd: '/', stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  )
  watchdog.unref()
  // The pipe must not keep our event loop alive; its type lacks unref, the socket underneath has it.
  ;(watchdog.stdin as unknown as { unref(): void }).unref()
  return watchdog
}

async function tail({ log }: GatewayFiles): Promise<string> {
  return (await readFile(log, 'utf8').catch(() => '')).slice(-3000)
}
