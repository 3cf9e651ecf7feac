/** State and audit directories: there, ours, closed to others, with room, and who writes the log now. */
import { constants, existsSync } from 'node:fs'
import { access, readFile, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { GatewayConfig } from '@sallyport/gateway'
import { systemCodeOf } from '../errors.ts'
import { Area } from './findings.ts'

/** Free space below which the audit directory is a warning and a failure, bytes. */
export const FREE_BYTES_WARN = 5 * 1024 ** 3
export const FREE_BYTES_MIN = 256 * 1024 ** 2
const OTHERS_BITS = 0o077
/** Files whose content is a secret; only their owner may open them. */
const STATE_SECRETS = ['state.sqlite', 'mask.key', 'tls/server.key']
const AUDIT_SECRETS = ['signing-key.pem']

export async function checkState({ stateDirectory }: GatewayConfig): Promise<Area> {
  const area = new Area(`state directory ${stateDirectory}`)
  if (await checkDirectory(area, stateDirectory)) {
    await checkFiles(area, stateDirectory, STATE_SECRETS)
    const hasMaskKey = existsSync(join(stateDirectory, 'mask.key'))
    if (hasMaskKey)
      area.ok('back up mask.key: without it hashed columns no longer match older exports')
  }
  return area
}

export async function checkAudit({ audit }: GatewayConfig): Promise<Area> {
  const area = new Area(`audit directory ${audit.directory}`)
  if (!(await checkDirectory(area, audit.directory))) return area
  await checkFiles(area, audit.directory, AUDIT_SECRETS)
  await checkRoom(area, audit.directory)
  await checkLock(area, audit.directory)
  return area
}

/** True when it exists and can be written. */
async function checkDirectory(area: Area, directory: string): Promise<boolean> {
  if (!existsSync(directory)) {
    const parent = nearest(directory)
    if (await mayWrite(parent)) area.ok(`will be made in \`${parent}\` at the first start`)
    else {
      area.fail(
        `does not exist, and this account may not make it in \`${parent}\``,
        'Make it, owned by the gateway’s account, mode 700.',
      )
    }
    return false
  }
  const found = await stat(directory)
  if (!found.isDirectory()) {
    area.fail('is not a directory', 'Correct the configuration.')
    return false
  }
  const mine = process.getuid?.()
  if (mine !== undefined && found.uid !== mine) {
    area.warn(
      `belongs to the account ${found.uid}, this is ${mine}`,
      'Run the doctor as the account the gateway runs as: it then sees what the gateway sees.',
    )
  }
  if (!(await mayWrite(directory))) {
    area.fail('this account may not write there', 'Give it to the gateway’s account.')
    return false
  }
  if (process.platform !== 'win32' && (found.mode & OTHERS_BITS) !== 0) {
    area.warn(
      `other accounts may look into it (mode ${(found.mode & 0o777).toString(8)})`,
      `chmod 700 ${directory}`,
    )
  } else area.ok('writable, closed to other accounts')
  return true
}

function nearest(path: string): string {
  const parent = dirname(path)
  return existsSync(parent) || parent === path ? parent : nearest(parent)
}

const mayWrite = (path: string): Promise<boolean> =>
  access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )

async function checkFiles(area: Area, directory: string, names: readonly string[]): Promise<void> {
  if (process.platform === 'win32') return
  for (const name of names) {
    const path = join(directory, name)
    if (!existsSync(path)) continue
    const { mode } = await stat(path)
    if ((mode & OTHERS_BITS) !== 0) {
      area.fail(
        `\`${path}\` is open to other accounts (mode ${(mode & 0o777).toString(8)})`,
        `chmod 600 ${path}`,
      )
    }
  }
}

async function checkRoom(area: Area, directory: string): Promise<void> {
  try {
    const { bavail, bsize } = await statfs(directory)
    const free = bavail * bsize
    const words = `${(free / 1024 ** 3).toFixed(1)} GiB free`
    const fix = 'Make room: when the log cannot be written, every statement is refused.'
    if (free < FREE_BYTES_MIN) area.fail(words, fix)
    else if (free < FREE_BYTES_WARN) area.warn(words, fix)
    else area.ok(words)
  } catch (error) {
    area.warn(`free space is not known: ${systemCodeOf(error)}`, 'Watch it by other means.')
  }
}

/** Linux tells who holds a file's lock; elsewhere nothing is said. */
async function checkLock(area: Area, directory: string): Promise<void> {
  const path = join(directory, 'lock.db')
  if (process.platform !== 'linux' || !existsSync(path)) return
  try {
    const { ino } = await stat(path)
    const locks = (await readFile('/proc/locks', 'utf8')).split('\n')
    const holder = locks.find((line) => line.includes(' WRITE ') && line.includes(`:${ino} `))
    const pid = holder?.trim().split(/\s+/)[4]
    if (pid === undefined) area.ok('no process writes the log now')
    else area.ok(`the log is being written by process ${pid}`)
  } catch {
    // Not every container shows /proc/locks; nothing is said then.
  }
}
