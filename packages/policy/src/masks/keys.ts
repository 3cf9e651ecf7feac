import type { KeyObject } from 'node:crypto'

/** Keys of keyed masks. A KeyObject, not bytes: createHmac with raw bytes costs ten times as much. */
export interface MaskKeys {
  /** HMAC key, at least 32 random bytes; the same on every gateway that must agree. */
  readonly hmac: KeyObject
}
