/**
 * The login kept between commands: `sallyport/login.json` in the user's configuration folder, readable by
 * its owner alone.
 */
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Cli } from '../context.ts'

export interface Login {
  readonly v: 1
  /** The gateway's admin address. */
  readonly url: string
  /** PEM file of the authority behind its certificate, absolute; null: what the system trusts. */
  readonly ca: string | null
  readonly issuer: string
  readonly clientId: string
  readonly token: string
  readonly refreshToken: string | null
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export function loginFile(env: Cli['env']): string {
  return join(
    env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'),
    'sallyport',
    'login.json',
  )
}

/** Written beside and renamed: nobody reads half of it, or it with another mode. */
export async function keepLogin(login: Login, env: Cli['env']): Promise<void> {
  const file = loginFile(env)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.${process.pid}`
  await writeFile(next, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 })
  await chmod(next, 0o600)
  await rename(next, file)
}

/** True: there was one. */
export async function dropLogin(env: Cli['env']): Promise<boolean> {
  const login = await readLogin(env)
  await rm(loginFile(env), { force: true })
  return login !== null
}

export async function readLogin(env: Cli['env']): Promise<Login | null> {
  try {
    const login = JSON.parse(await readFile(loginFile(env), 'utf8')) as Login
    return login.v === 1 ? login : null
  } catch {
    return null
  }
}
