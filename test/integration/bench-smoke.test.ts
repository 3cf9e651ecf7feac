/**
 * The benchmark runs, from end to end and in small: every target that is installed, every kind of
 * workload. What it measures is not looked at, only that it was measured and summed up right.
 */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const RUN = fileURLToPath(new URL('../../bench/e2e/run.ts', import.meta.url))
const RUN_MS_MAX = 300_000

/** What this test reads of a result. */
interface Result {
  readonly absent: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly failures: readonly unknown[]
  readonly rows: readonly {
    readonly workload: string
    readonly target: string
    readonly value: number
    readonly toDirect: number | null
    readonly cpuAll: number | null
    readonly p50: number | null
  }[]
  readonly samples: readonly {
    readonly workload: string
    readonly target: string
    readonly sample: { readonly value: number }
  }[]
}

/** Where the benchmark looks, too. */
function hasPgbench(): boolean {
  const debian = '/usr/lib/postgresql'
  if (existsSync(debian)) {
    const found = readdirSync(debian).some((one) => existsSync(join(debian, one, 'bin/pgbench')))
    if (found) return true
  }
  try {
    execFileSync('pgbench', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const possible = process.platform === 'linux' && hasPgbench()

describe.skipIf(!possible)('npm run bench -- --smoke (needs Linux and pgbench)', () => {
  let directory: string
  let table: string
  let result: Result
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sp-bench-test-'))
    const json = join(directory, 'result.json')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [RUN, '--smoke', '--json', json],
      { timeout: RUN_MS_MAX },
    )
    table = stdout
    // The benchmark's own file: its shape is what is tested.
    result = JSON.parse(await readFile(json, 'utf8')) as Result
  }, RUN_MS_MAX)
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('measures the gateway with every workload', () => {
    expect(result.failures).toEqual([])
    const measured = result.rows.filter(({ target }) => target === 'gateway')
    expect(measured.map(({ workload }) => workload)).toEqual([
      'select.simple.c1',
      'select.simple.c8',
      'select.simple.c64',
      'select.extended.c1',
      'select.extended.c8',
      'select.prepared.c1',
      'select.prepared.c8',
      'tls.prepared.c8',
      'connect.c8',
      'bulk.unmasked',
      'bulk.masked.same-length',
      'bulk.masked.variable',
      'bulk.masked.hashed',
      'memory.idle',
      'memory.stalled',
    ])
    for (const { workload, cpuAll, p50 } of measured) {
      expect(cpuAll !== null, workload).toBe(!workload.startsWith('memory.'))
      expect(p50 !== null, workload).toBe(workload.endsWith('.c1'))
    }
  })

  test('measures every other target or says what to install', () => {
    for (const target of ['direct', 'pgbouncer', 'haproxy', 'gateway-socket']) {
      const rows = result.rows.filter((row) => row.target === target)
      if (target in result.versions) expect(rows.length).toBeGreaterThan(10)
      else expect(result.absent[target]).toMatch(/^apt-get install /)
    }
  })

  test('gives ratios of what was measured in the same round', () => {
    const value = (workload: string, target: string): number =>
      result.samples.find((one) => one.workload === workload && one.target === target)?.sample
        .value ?? Number.NaN
    for (const { workload, target, toDirect } of result.rows) {
      const direct = value(workload, 'direct')
      if (workload.startsWith('memory.')) expect(toDirect).toBeNull()
      else expect(toDirect).toBeCloseTo(value(workload, target) / direct, 6)
    }
  })

  test('prints a line for every row', () => {
    expect(table.trimEnd().split('\n')).toHaveLength(result.rows.length + 1)
  })
})
