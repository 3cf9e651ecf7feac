/** A token against a configuration, as the gateway verifies it at login; changes nothing on disk. */

import type { GatewayConfig } from '@sallyport/gateway'
import {
  createVerifier,
  IdentityError,
  MemoryRevocationStore,
  MemorySessionTokenStore,
  type Principal,
  type Verifier,
} from '@sallyport/identity'
import type { Cli } from '../context.ts'
import { type Diagnosis, diagnose } from './diagnose.ts'
import { decodeToken } from './jwt.ts'
import { openState, stateExists } from './state.ts'

export type Verified =
  | { readonly kind: 'accepted'; readonly principal: Principal; readonly verifier: Verifier }
  | { readonly kind: 'refused'; readonly diagnosis: Diagnosis; readonly retryable: boolean }

/** Asks the issuer for its keys. Session tokens and revocations are those of the gateway, if any. */
export async function verifyToken(
  token: string,
  config: GatewayConfig,
  cli: Cli,
): Promise<Verified> {
  const state = stateExists(config) ? await openState(config, cli, { create: false }) : null
  try {
    const verifier = createVerifier(config.identity, {
      now: cli.now,
      sessionTokens: state ?? new MemorySessionTokenStore(),
      revocations: state ?? new MemoryRevocationStore(),
    })
    return { kind: 'accepted', principal: await verifier.verify(token), verifier }
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error
    const context = { decoded: decodeToken(token), identity: config.identity, now: cli.now() }
    return {
      kind: 'refused',
      diagnosis: diagnose(error, context),
      retryable: error.retryable,
    }
  } finally {
    await state?.close()
  }
}
