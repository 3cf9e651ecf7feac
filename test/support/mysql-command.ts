/**
 * MySQL started by the command that SALLYPORT_MYSQL_SERVER names. Its first start installs the server into
 * the folder it is given, which takes long: that folder is kept in the temporary folder, and every run gets
 * a copy (links to the binaries, files of its own for the data).
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCertificateAuthority } from './certs.ts'
import { type MysqlAddress, mysqlSql } from './mysql-address.ts'
import { freePort } from './ports.ts'
import { spawnWatchdog } from './watchdog.ts'

/** Installing takes about 40 s where the network is good, ms. */
const COMMAND_MS_MAX = 170_000
/** Where the server keeps its data, below the folder it is installed in. */
const DATA = 'var/my'

export async function startByCommand(
  command: string,
): Promise<MysqlAddress & { stop(): Promise<void> }> {
  const installed = await install(command)
  const home = await mkdtemp(join(tmpdir(), 'sp-mysql-'))
  const folder = join(home, 'server')
  try {
    copyInstallation(installed, folder)
    const port = await freePort()
    await run(command, ['start', folder, String(port)])
    const pid = Number(await readFile(join(folder, DATA, 'mysqld.pid'), 'utf8'))
    const watchdog = spawnWatchdog({ pid, signal: 'KILL', home })
    const root = { host: '127.0.0.1', port, superuser: { user: 'root', password: '' } }
    const superuser = { user: 'tester', password: randomBytes(12).toString('base64url') }
    const ca = await useOwnCertificate(root, join(folder, DATA, 'data'))
    const rows = await mysqlSql<{ version: string }>(root, {
      text: `CREATE USER '${superuser.user}'@'%' IDENTIFIED BY '${superuser.password}';
        GRANT ALL PRIVILEGES ON *.* TO '${superuser.user}'@'%' WITH GRANT OPTION;
        SELECT VERSION() AS version`,
    })
    const stop = async (): Promise<void> => {
      await run(command, ['stop', folder])
      watchdog.kill('SIGKILL')
      await rm(home, { recursive: true, force: true })
    }
    return {
      ...root,
      superuser,
      flavour: 'mysql',
      version: rows[0]?.version ?? '',
      origin: 'SALLYPORT_MYSQL_SERVER',
      ...(existsSync(join(folder, 'usr/bin/mysql')) && { system: folder }),
      ca,
      stop,
    }
  } catch (error) {
    await run(command, ['stop', folder]).catch(() => undefined)
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

/** The folder with the stopped server, made on first use. */
async function install(command: string): Promise<string> {
  const id = createHash('sha256').update(command).digest('hex').slice(0, 12)
  const target = join(tmpdir(), `sallyport-mysql-${id}`)
  if (existsSync(target)) return target
  const staging = await mkdtemp(join(tmpdir(), 'sallyport-mysql-install-'))
  const folder = join(staging, 'server')
  try {
    await run(command, ['start', folder, String(await freePort())])
    await run(command, ['stop', folder])
    // Another run may have been faster: then its installation is as good as ours.
    await rename(folder, target).catch(() => undefined)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return target
}

function copyInstallation(installed: string, folder: string): void {
  const script =
    'cp -al "$1" "$2" && rm -rf "$2/$3" && cp -a --reflink=auto "$1/$3" "$2/$3" && rm -f "$2/$3"/*.pid'
  const done = spawnSync('/bin/sh', ['-c', script, 'sh', installed, folder, DATA], {
    encoding: 'utf8',
  })
  if (done.status !== 0) throw new Error(`cannot copy \`${installed}\`: ${done.stderr}`)
}

/** The PEM of the authority that signed what the server shows from now on. */
async function useOwnCertificate(
  root: Parameters<typeof mysqlSql>[0],
  dataDir: string,
): Promise<string> {
  const authority = await createCertificateAuthority()
  const { cert, key } = await authority.server(['localhost', '127.0.0.1', '::1'])
  const owner = await stat(dataDir)
  const files = { 'own-ca.pem': authority.cert, 'own-cert.pem': cert, 'own-key.pem': key }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(dataDir, name), text, { mode: 0o600 })
    await chown(join(dataDir, name), owner.uid, owner.gid)
  }
  await mysqlSql(root, {
    text: `SET GLOBAL ssl_ca = 'own-ca.pem', GLOBAL ssl_cert = 'own-cert.pem', GLOBAL ssl_key = 'own-key.pem';
      ALTER INSTANCE RELOAD TLS`,
  })
  return authority.cert
}

async function run(command: string, args: readonly string[]): Promise<void> {
  // Not piped: the server it leaves behind would hold the pipe open.
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const late = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS_MAX)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  clearTimeout(late)
  if (code !== 0) throw new Error(`\`${command} ${args[0]}\` failed (${code})`)
}
