/**
 * Clients that npm does not have, each with a small program of its own beside this file. They run
 * where they are installed and are skipped, visibly, where they are not. Each program is run
 * - `session`: directly and through the gateway; what it prints must be the same;
 * - `masked`: through a tap; types stay, nothing protected is on the wire or in the output;
 * - `ruled`: a refused statement leaves transaction and connection as a server error would.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canariesIn } from './canaries.ts'
import { openTap } from './tap.ts'
import { openTargets, type Target, type Targets } from './targets.ts'

type Mode = 'session' | 'masked' | 'ruled'

interface Client {
  readonly name: string
  /** Null: not on this machine. */
  readonly command: ((mode: Mode) => readonly string[]) | null
  /** What `ruled` prints somewhere. */
  readonly ruled: readonly (string | RegExp)[]
}

const PROGRAM_MS_MAX = 50_000
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'sp-clients-'))

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 120_000 }).status === 0
}

const PYTHONS = [process.env['SALLYPORT_TEST_PYTHON'], '/usr/bin/python3', 'python3']

function python(name: string, modules: string): Client {
  const found = PYTHONS.find((path) => path !== undefined && runs(path, '-c', `import ${modules}`))
  const program = here(`./${name}/session.py`)
  return {
    name,
    command: found === undefined ? null : (mode) => [found, program, mode],
    ruled:
      name === 'django' ? ['refused: "42501"', 'recovered: 50'] : [/refused: "42501"/, /recovered/],
  }
}

const JDBC_JARS = [process.env['SALLYPORT_TEST_JDBC'], '/usr/share/java/postgresql.jar']

function jdbc(): Client {
  const jar = JDBC_JARS.find((path) => path !== undefined && runs('test', '-f', path))
  const compiled =
    jar !== undefined &&
    runs('javac', '-version') &&
    runs('javac', '-cp', jar, '-d', scratch, here('./jdbc/Session.java'))
  return {
    name: 'jdbc',
    command: compiled ? (mode) => ['java', '-cp', `${scratch}:${jar}`, 'Session', mode] : null,
    ruled: [
      'refused: 42501',
      'aborted: 25P02',
      'recovered: 5',
      'batch refused: 42501',
      'after: 100',
    ],
  }
}

/** Debian's Go packages are sources under GOPATH, so that nothing is downloaded. */
function golang(): Client {
  const program = join(scratch, 'session')
  const gopath = process.env['SALLYPORT_TEST_GOPATH'] ?? '/usr/share/gocode'
  const built =
    runs('test', '-d', join(gopath, 'src/github.com/jackc/pgx/v4')) &&
    spawnSync('go', ['build', '-o', program, here('./go/session.go')], {
      stdio: 'ignore',
      timeout: 170_000,
      env: {
        ...process.env,
        GOPATH: gopath,
        GO111MODULE: 'off',
        GOCACHE: join(tmpdir(), 'sp-go-cache'),
      },
    }).status === 0
  return {
    name: 'go (pgx)',
    command: built ? (mode) => [program, mode] : null,
    ruled: [
      'refused: 42501',
      'aborted: 25P02',
      'recovered: [5.00]',
      'batch: 0 42501',
      'undone: [5.00]',
    ],
  }
}

function psqls(): Client[] {
  const paths = (process.env['SALLYPORT_TEST_PSQL'] ?? 'psql').split(':')
  return paths.map((path) => {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.match(
      /[\d.]+/,
    )?.[0]
    return {
      name: `psql ${version ?? '(none)'}`,
      command:
        version === undefined
          ? null
          : (mode) => [path, '-X', '-a', '-P', 'pager=off', '-f', here(`./psql/${mode}.sql`)],
      ruled: ['ERROR:  42501', 'ERROR:  25P02', /5\.00/],
    }
  })
}

function scripted(name: string, command: readonly string[], file: string): Client {
  const [program = '', ...probe] = command
  return {
    name,
    command: runs(program, ...probe) ? (mode) => [program, here(`./${file}`), mode] : null,
    ruled: [/refused: "?42501/, /25P02|aborted/, /recovered.*5\.00/],
  }
}

const CLIENTS: readonly Client[] = [
  ...psqls(),
  python('psycopg2', 'psycopg2'),
  python('psycopg3', 'psycopg'),
  python('asyncpg', 'asyncpg'),
  python('sqlalchemy', 'sqlalchemy, psycopg2'),
  python('django', 'django, psycopg2'),
  python('langchain', 'langchain_community.utilities, psycopg2'),
  jdbc(),
  golang(),
  scripted('php', ['php', '-r', 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);'], 'php/session.php'),
  scripted('ruby', ['ruby', '-e', 'require "pg"'], 'ruby/session.rb'),
  scripted('perl', ['perl', '-e', 'use DBD::Pg; use DBI;'], 'perl/session.pl'),
]

let targets: Targets
beforeAll(async () => {
  targets = await openTargets()
})
afterAll(async () => {
  await targets?.[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(command: readonly string[], target: Target): Promise<Outcome> {
  const [program = '', ...args] = command
  const env = {
    ...process.env,
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGPASSWORD: target.password,
    PGDATABASE: target.database,
    PGSSLMODE: target.ca === null ? 'disable' : 'verify-full',
    ...(target.caFile !== null && { PGSSLROOTCERT: target.caFile }),
    PGCONNECT_TIMEOUT: '10',
    PYTHONDONTWRITEBYTECODE: '1',
    LC_ALL: 'C.UTF-8',
  }
  return new Promise((resolve) => {
    const options = { env, timeout: PROGRAM_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX }
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

/** What differs between any two connections, whatever is between them. */
function settle(text: string, target: Target): string {
  return text
    .replaceAll(/PID \d+/g, 'PID n')
    .replaceAll(/\b(OID|oid)\D{0,4}\d+/g, 'oid')
    .replaceAll(/double_\d+/g, 'double_n')
    .replaceAll(`:${target.port}`, ':port')
}

describe.each(CLIENTS)('$name', ({ command, ruled }) => {
  const found = command ?? (() => [])

  test.skipIf(command === null)('sees the same through the gateway', async () => {
    const { direct, gateway, reset } = targets
    await reset()
    const expected = await run(found('session'), direct)
    expect(expected, expected.stderr).toMatchObject({ code: 0 })
    expect(expected.stdout.length).toBeGreaterThan(500)
    await reset()
    const actual = await run(found('session'), gateway)
    expect(settle(actual.stderr, gateway)).toBe(settle(expected.stderr, direct))
    expect(settle(actual.stdout, gateway)).toBe(settle(expected.stdout, direct))
    expect(actual.code).toBe(0)
  })

  test.skipIf(command === null)('reads masked values and no others', async () => {
    await using tap = await openTap(targets.masked.port)
    const direct = await run(found('masked'), { ...targets.direct })
    const masked = await run(found('masked'), { ...targets.masked, port: tap.port })
    expect(masked).toMatchObject({ code: 0, stderr: '' })
    expect(tap.received().length).toBeGreaterThan(500)
    expect(canariesIn(tap.received())).toEqual([])
    expect(canariesIn(Buffer.from(masked.stdout))).toEqual([])
    // Programs print types, nulls and what no mask covers: the same as without masks.
    if (found('masked')[0]?.endsWith('psql')) expect(masked.stdout).toContain('plain too')
    else expect(masked.stdout).toBe(direct.stdout)
  })

  test.skipIf(command === null)('goes on after a refused statement', async () => {
    await targets.reset()
    const { stdout, stderr, code } = await run(found('ruled'), targets.ruled)
    for (const text of ruled) {
      if (typeof text === 'string') expect(stdout + stderr).toContain(text)
      else expect(stdout + stderr).toMatch(text)
    }
    expect(code).toBe(0)
  })
})

test('a JWT of a real issuer is longer than any password, and fits', async () => {
  const { startIssuer } = await import('../support/issuer.ts')
  const { startTestGateway } = await import('../support/gateway.ts')
  const audience = 'sallyport'
  await using issuer = await startIssuer({
    audience,
    users: [{ sub: 'ann', groups: Array.from({ length: 40 }, (_, n) => `team-number-${n}`) }],
  })
  await using gateway = await startTestGateway({
    upstream: targets.database,
    database: targets.database.database,
    policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
    identity: { issuers: [{ issuer: issuer.issuer, audience }] },
  })
  const token = await issuer.token('ann')
  expect(token.length).toBeGreaterThan(1100)
  const { ca, caFile, port } = gateway
  const target = { ...targets.gateway, ca, caFile, port, password: token }
  const outcomes: Record<string, Outcome> = {}
  for (const { name, command } of CLIENTS) {
    if (command === null) continue
    await targets.reset()
    // The first thing each program does is connect; what it does then is judged above.
    outcomes[name] = await run(command('ruled'), target)
  }
  const failed = Object.entries(outcomes).filter(([, { stdout }]) => stdout.length === 0)
  expect(failed).toEqual([])
})
