/** Where the gateway keeps session tokens and revocations, opened from beside it. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { GatewayConfig, TokenState } from '@sallyport/gateway'
import type { Cli } from '../context.ts'
import { CliError } from '../errors.ts'

/** Name of the file within the state directory, where gateways share no store. */
const STATE_FILE = 'state.sqlite'

export function stateExists(config: GatewayConfig): boolean {
  return config.store !== null || existsSync(join(config.stateDirectory, STATE_FILE))
}

/** `create`: make it when the gateway has never run. Throws CliError, GatewayError, or what SQLite says. */
export async function openState(
  config: GatewayConfig,
  cli: Cli,
  options: { readonly create: boolean },
): Promise<TokenState> {
  if (!options.create && !stateExists(config)) {
    throw new CliError(
      'config',
      `there is no ${STATE_FILE} in \`${config.stateDirectory}\`: the gateway has not run with this configuration here`,
    )
  }
  if (config.store === null) noteOtherOwner(config.stateDirectory, cli)
  const { openTokenState } = await import('@sallyport/gateway')
  return openTokenState(config)
}

/** Files made by another account may shut the gateway out of its own state. */
function noteOtherOwner(directory: string, cli: Cli): void {
  const mine = process.getuid?.()
  if (mine === undefined || !existsSync(directory)) return
  const { uid } = statSync(directory)
  if (uid === mine) return
  cli.out.note(
    `warning: \`${directory}\` belongs to the account ${uid}, this is ${mine}: run this as the account the gateway runs as`,
  )
}
