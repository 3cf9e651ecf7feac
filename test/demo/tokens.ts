/** Fresh tokens in files, so that commands stay short: `PGPASSWORD=$(cat FOLDER/analyst)`. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RunningIssuer } from '../support/issuer.ts'
import { isRoleName, ROLE_NAMES, ROLES } from './people.ts'

/** Tokens live 15 minutes. */
const RENEW_TOKENS_MS = 5 * 60_000

/** The file of a role's token in a folder of tokens. */
export function tokenFile(folder: string, role: string): string {
  if (!isRoleName(role)) throw new Error(`no role \`${role}\`: ${ROLE_NAMES.join(', ')}`)
  return join(folder, role)
}

/** Writes a token of every role into `folder`, and again before it expires. Returns what ends that. */
export async function keepTokensFresh(
  folder: string,
  issuer: RunningIssuer,
): Promise<() => Promise<void>> {
  const renew = async (): Promise<void> => {
    for (const role of ROLE_NAMES) {
      const file = tokenFile(folder, role)
      await writePrivate(file, await issuer.token(ROLES[role].user.sub))
    }
  }
  await renew()
  let renewing: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    // What fails now (the folder was taken away) shows when a token is used.
    renewing = renew().catch(() => undefined)
  }, RENEW_TOKENS_MS)
  return async () => {
    clearInterval(timer)
    await renewing
  }
}

/** Readable by this account alone; replaced in one step, so that no reader sees half of it. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.new`
  await writeFile(fresh, text, { mode: 0o600 })
  await chmod(fresh, 0o600)
  await rename(fresh, file)
}
