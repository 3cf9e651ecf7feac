/** Where session tokens and revocations are: in a file of one gateway, or in the store that several share. */
import type { RevocationStore, SessionTokenStore } from '@sallyport/identity'
import type { GatewayConfig } from '../config/model.ts'
import { createSecrets } from '../secrets/store.ts'
import { openSharedStore } from '../store/open.ts'
import { PostgresState } from './postgres-store.ts'
import { StateStore } from './store.ts'

export interface TokenState extends SessionTokenStore, RevocationStore {
  close(): void | Promise<void>
}

/**
 * For an operator's command beside the gateway; the file is created where it is not there. Closing it closes the
 * connection to the store, too.
 * @throws GatewayError `config`: the shared store cannot be used; SecretError; what SQLite says
 */
export async function openTokenState(
  config: Pick<GatewayConfig, 'store' | 'stateDirectory'>,
): Promise<TokenState> {
  if (config.store === null) return new StateStore(config.stateDirectory)
  const secrets = createSecrets({ now: Date.now })
  // Nothing is followed here: what fails is thrown where it is asked for.
  const store = await openSharedStore(config.store, secrets, () => undefined)
  try {
    return await PostgresState.open(store, { own: true })
  } catch (error) {
    await store.close()
    throw error
  }
}
