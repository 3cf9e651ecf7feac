/**
 * No server that a test starts outlives it: a watchdog process holds a pipe from us and, when the pipe
 * closes for whatever reason (exit, SIGINT, SIGKILL), stops the server at once and deletes its folder.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'

/** How often the watchdog looks, at 0.1 s each, whether the server is gone before it deletes its folder. */
const LOOKS_MAX = 50
/** How long a server has to end by itself, ms. */
const STOP_MS_MAX = 10_000

export interface Watched {
  readonly pid: number
  /** What stops this kind of server at once. */
  readonly signal: 'QUIT' | 'KILL'
  /** The server's folder: deleted when it is gone. */
  readonly home: string
  readonly account?: { readonly uid: number; readonly gid: number } | undefined
}

/** `cat` ends when our end of the pipe does, however we end. Kill it with SIGKILL to call it off. */
export function spawnWatchdog({ pid, signal, home, account }: Watched): ChildProcess {
  const script =
    'cat >/dev/null; kill -"$3" "$1" 2>/dev/null; ' +
    `n=0; while kill -0 "$1" 2>/dev/null && [ $n -lt ${LOOKS_MAX} ]; do sleep 0.1; n=$((n+1)); done; ` +
    'cd /; rm -rf "$2"'
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(pid), home, signal], {
    ...account,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.unref()
  // The pipe must not keep our event loop alive; its type lacks unref, the socket underneath has it.
  ;(watchdog.stdin as unknown as { unref(): void }).unref()
  return watchdog
}

export interface OwnServer {
  /** Its folder; deleted. */
  readonly home: string
  readonly child: ChildProcess
  readonly watchdog: ChildProcess
}

/** Ends a server by `gently`, after STOP_MS_MAX by `forcibly`. */
export async function endServer(
  { home, child, watchdog }: OwnServer,
  { gently, forcibly }: Readonly<Record<'gently' | 'forcibly', NodeJS.Signals>>,
): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.ref()
    child.kill(gently)
    const late = setTimeout(() => child.kill(forcibly), STOP_MS_MAX)
    await exited
    clearTimeout(late)
  }
  watchdog.kill('SIGKILL')
  await rm(home, { recursive: true, force: true })
}
