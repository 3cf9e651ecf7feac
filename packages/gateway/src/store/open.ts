/** The shared store as the configuration names it. */
import type { StoreConfig } from '../config/model.ts'
import { GatewayError } from '../errors.ts'
import type { Secrets } from '../secrets/store.ts'
import { SharedStore } from './shared-store.ts'

/** @throws GatewayError `config`: it cannot be used; SecretError */
export async function openSharedStore(
  { url }: StoreConfig,
  secrets: Secrets,
  onError: (error: unknown) => void,
): Promise<SharedStore> {
  const connectionString = (await secrets.get(url)).reveal()
  try {
    const store = new SharedStore({ connection: { connectionString }, onError })
    await store.query('SELECT 1').catch(async (error: unknown) => {
      await store.close()
      throw error
    })
    return store
  } catch (cause) {
    // What the driver says may name the store's address and user.
    throw new GatewayError('config', '`store.url`: the shared store cannot be used', { cause })
  }
}
