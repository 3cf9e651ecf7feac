/**
 * The demo's OpenID provider as a process of its own, for docker-compose.yml:
 *   node test/demo/issuer.ts PORT TOKENS_FOLDER
 * Listens on loopback only, keeps a fresh token of each role in the folder, and ends at SIGTERM.
 */
import process from 'node:process'
import { startIssuer } from '../support/issuer.ts'
import { AUDIENCE, USERS } from './people.ts'
import { keepTokensFresh } from './tokens.ts'

const [port, folder] = process.argv.slice(2)
if (folder === undefined || !/^\d{1,5}$/.test(port ?? '')) {
  process.stderr.write('usage: issuer.ts PORT TOKENS_FOLDER\n')
  process.exit(2)
}
const issuer = await startIssuer({ port: Number(port), audience: AUDIENCE, users: USERS })
const stopTokens = await keepTokensFresh(folder, issuer)
process.stdout.write(`${issuer.issuer}: tokens in ${folder}\n`)

const stop = async (): Promise<void> => {
  await stopTokens()
  await issuer.close()
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop())
