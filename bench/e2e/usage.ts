/** What a process has used, from /proc (proc_pid_stat(5)). Linux only. */
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ: fixed at 100 for user space on every architecture Node runs on. */
const TICKS_PER_SECOND = 100
const MICROS_PER_TICK = 1_000_000 / TICKS_PER_SECOND

export interface CpuTime {
  /** Microseconds of all threads, user and kernel. */
  readonly all: number
  /** Microseconds of the main thread. */
  readonly main: number
}

/** Resolution is a clock tick, 10 ms. */
export function cpuTime(pid: number): CpuTime {
  return { all: micros(`/proc/${pid}/stat`), main: micros(`/proc/${pid}/task/${pid}/stat`) }
}

function micros(path: string): number {
  const text = readFileSync(path, 'utf8')
  // Field 2 is a name that may hold spaces and parentheses; fields 14 and 15 are utime and stime.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK
}

/** Resident memory, bytes, without pages shared with files and other processes. */
export function privateBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) * 1024
}

export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length
}
