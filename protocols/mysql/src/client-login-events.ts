/** What `ClientLogin` tells its caller, and what it is told to let a client in: types only. */

import type { KeyObject } from 'node:crypto'
import type { Capabilities } from './capabilities.ts'
import type { ClientCharset } from './charsets.ts'

/** Whom the client is greeted by. */
export interface Greeting {
  /** As the upstream says it: drivers choose dialect and features by it. */
  readonly serverVersion: string
  readonly connectionId: number
  /** 20 fresh random bytes, none of them zero or a dollar sign. */
  readonly challenge: Uint8Array
  /** See `offerTo`. TLS is offered where CLIENT.SSL is among them. */
  readonly capabilities: Capabilities
  /** Low 8 bits of the default collation. */
  readonly collation: number
  /** STATUS bits; AUTOCOMMIT usually. */
  readonly status: number
}

/** A key pair for passwords on a channel that is not encrypted. */
export interface RsaKey {
  readonly privateKey: KeyObject
  /** The public key, in PEM (SPKI). */
  readonly publicKeyPem: string
}

/** What the client said of itself. */
export interface Startup {
  readonly user: string
  /** Null where it names none. */
  readonly database: string | null
  /** What is in force on this leg: pass it to `UpstreamLogin` and `Relay`. */
  readonly capabilities: Capabilities
  /** The collation id, 8 bits; 0 is "whatever you have". */
  readonly collation: number
  /** Null: text in it cannot be read by its bytes. `askPassword` and `accept` are not legal then. */
  readonly charset: ClientCharset | null
  /** The largest packet it takes, bytes. */
  readonly packetBytesMax: number
  /** Asserted, not proven. */
  readonly attributes: readonly (readonly [string, string])[]
}

/** What the client wants, or what the machine waits for. */
export type ClientLoginEvent =
  | { readonly kind: 'need-data' }
  /**
   * The client starts TLS; `bytes` is what came behind its request and belongs to the TLS layer. Do the
   * handshake, then call `tlsEstablished`. It cannot be refused, only dropped.
   */
  | { readonly kind: 'tls-requested'; readonly bytes: Uint8Array }
  /** Answer with `askPassword` or `refuse`. */
  | { readonly kind: 'startup'; readonly startup: Startup; readonly encrypted: boolean }
  /** Answer with `accept` or `refuse`. Empty from a client that was given none. */
  | { readonly kind: 'password'; readonly password: string }
