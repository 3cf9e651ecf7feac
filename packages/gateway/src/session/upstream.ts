/** Opening the upstream of a session that was let in, and taking note of its end: the same for every protocol. */

import { SQLSTATE } from '@sallyport/protocol-postgres'
import { GatewayError } from '../errors.ts'
import type { Secret } from '../secrets/secret.ts'
import type { Admitted, SessionDeps } from './admission.ts'
import type { Report } from './reports.ts'
import type { EndReason, Session } from './session.ts'

export type Opened<T> =
  | { readonly kind: 'open'; readonly upstream: T }
  /** What the client may read of why not; it has been logged. */
  | { readonly kind: 'failed'; readonly report: Report }

/** `open` is called once more when the server refuses the credential and its secret can be read again. */
export async function openWithCredential<T>(
  id: string,
  { role, connection }: Admitted,
  deps: SessionDeps,
  open: (user: string, password: Secret | null) => Promise<T>,
): Promise<Opened<T>> {
  const credential = connection.credential(role)
  const started = performance.now()
  const attempt = async (): Promise<T> =>
    open(credential.user, await connection.password(credential))
  try {
    const upstream = await attempt().catch((error: unknown) => {
      // A rotated password: read the secret once more, then give up.
      const rejected = error instanceof GatewayError && error.code === 'upstream-refused'
      if (!rejected || !connection.refused(credential)) throw error
      return attempt()
    })
    return { kind: 'open', upstream }
  } catch (error) {
    deps.log.error(
      { err: error, session: id, connection: connection.config.name },
      'upstream failed',
    )
    return { kind: 'failed', report: reportOf(error) }
  } finally {
    deps.telemetry.upstreamConnected((performance.now() - started) * 1000)
  }
}

function reportOf(error: unknown): Report {
  if (error instanceof GatewayError) return { sqlstate: error.sqlstate, message: error.message }
  return {
    sqlstate: SQLSTATE.CONNECTION_FAILURE,
    message: 'the database behind this connection cannot be reached',
  }
}

/** What is to be done when a session has ended. */
export function noteEnd(deps: SessionDeps): (ended: Session, reason: EndReason) => void {
  return (ended, reason) => {
    deps.registry.remove(ended)
    deps.telemetry.sessionClosed()
    try {
      deps.audit.append({ type: 'session-ended', v: 1, session: ended.id, reason })
      deps.recorded()
    } catch {
      // The log refuses: nothing can be recorded, and nothing runs either.
    }
  }
}
