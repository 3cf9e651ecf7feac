/** Programs of Debian packages: found where they are installed, or installed where a run may. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']

/** Where a program of this name is, in order of PATH and of where packages put them. */
export function programsNamed(name: string): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...FOLDERS]
  return folders.map((folder) => join(folder, name)).filter((path) => existsSync(path))
}

/** Nothing happens where that is not possible: not root, not Debian, no network. */
export function aptInstall(...packages: readonly string[]): void {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return
  const apt = (...args: readonly string[]) =>
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-qq', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...packages)
}

/** The program, with CI set installed from these packages when it is not there; null: it cannot be had. */
export function debianProgram(name: string, packages: readonly string[]): string | null {
  const found = programsNamed(name)[0]
  if (found !== undefined) return found
  if (process.env['CI']) aptInstall(...packages)
  return programsNamed(name)[0] ?? null
}
