/**
 * What `ClientLogin` tells its caller, and what it is told to let a client in: types only.
 */

import type { ErrorFields } from './error-fields.ts'
import type { CancelRequest, Startup } from './startup.ts'

/** What the client wants, or what the machine waits for. */
export type ClientLoginEvent =
  | { readonly kind: 'need-data' }
  /**
   * The client asks for TLS. Answer with `acceptTls` or `refuseTls`. `direct`: by its ClientHello,
   * which is in `bytes` and belongs to the TLS layer; it cannot be refused, only dropped.
   */
  | { readonly kind: 'tls-requested'; readonly direct: boolean; readonly bytes: Uint8Array }
  /** Forward it; this connection is over, and gets no answer. */
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  /** Answer with `askPassword`, `askToken`, `accept` or `refuse`. */
  | { readonly kind: 'startup'; readonly startup: Startup; readonly encrypted: boolean }
  /** Answer with `accept` or `refuse`. */
  | { readonly kind: 'password'; readonly password: string }
  /** Answer with `accept`, `refuse` or `refuseToken`; `token` is null from a client that has none. */
  | { readonly kind: 'token'; readonly token: string | null }
  /** The client has acknowledged `refuseToken`. Answer with `refuse`. */
  | { readonly kind: 'token-refused' }
  /** The client has ended the login. Close. */
  | { readonly kind: 'terminated' }

/** What a client that is let in is told. */
export interface Acceptance {
  /** ParameterStatus messages, in order. */
  readonly parameters: Iterable<readonly [string, string]>
  readonly pid: number
  /** Four bytes unless `protocolMinor` is 2, then 4 to 256. */
  readonly secret: Uint8Array
  /** Sent before ReadyForQuery. */
  readonly notices?: readonly ErrorFields[]
}
