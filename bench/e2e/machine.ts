/** What the numbers were measured on; and one CPU group for everything that takes part. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'

export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly commit: string
  /** One-minute load before the first measurement. */
  readonly loadBefore: number
  /**
   * `one-group`: all processes share one CPU group; `off`: the scheduler does not group by session;
   * `by-session`: it does, and backends, each its own session, get more of it than a proxy.
   */
  readonly scheduling: 'one-group' | 'off' | 'by-session'
}

export function describeMachine(grouped: boolean): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cpus: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.versions.node,
    commit: commit(),
    loadBefore: loadavg()[0] ?? Number.NaN,
    scheduling: grouped ? 'one-group' : autogroup() ? 'by-session' : 'off',
  }
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--short') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}

function autogroup(): boolean {
  const file = '/proc/sys/kernel/sched_autogroup_enabled'
  return existsSync(file) && readFileSync(file, 'utf8').trim() === '1'
}

const GROUP_PREFIX = 'sallyport-bench-'

export interface CpuGroup {
  leave(): void
}

/**
 * Moves this process, and so all it starts from now on, into a CPU group of its own, where the scheduler
 * does not group by session (sched(7), "The autogroup feature"). Null: not allowed to.
 */
export function joinCpuGroup(): CpuGroup | null {
  for (const parent of ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup']) {
    if (!existsSync(join(parent, 'cgroup.procs'))) continue
    removeAbandoned(parent)
    const group = join(parent, `${GROUP_PREFIX}${process.pid}`)
    try {
      mkdirSync(group)
      // Version 2 shows this file only where the CPU controller is handed down.
      if (existsSync(join(group, 'cpu.shares')) || existsSync(join(group, 'cpu.weight'))) {
        writeFileSync(join(group, 'cgroup.procs'), `${process.pid}`)
        return { leave: () => leave(parent, group) }
      }
      rmdirSync(group)
    } catch {
      // Not root, or the hierarchy belongs to somebody else.
    }
  }
  return null
}

function leave(parent: string, group: string): void {
  // We, and watchdogs that are still ending.
  for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) {
    try {
      if (pid !== '') writeFileSync(join(parent, 'cgroup.procs'), pid)
    } catch {
      // It has ended meanwhile.
    }
  }
  removeGroup(group)
}

/** Of runs that were killed. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(GROUP_PREFIX)) continue
    if (!existsSync(`/proc/${name.slice(GROUP_PREFIX.length)}`)) removeGroup(join(parent, name))
  }
}

function removeGroup(group: string): void {
  try {
    rmdirSync(group)
  } catch {
    // Not empty, or not ours: an idle group costs nothing, and the next run tries again.
  }
}
