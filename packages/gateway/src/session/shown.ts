/**
 * What a recorded session shows its client, on the way into its recording. Each protocol has its own, since
 * only it knows where a row begins (`postgres/shown.ts`).
 */
import type { Output } from '../sockets/leg.ts'

export interface Shown {
  /** The bytes of `out` behind its first `skip` are about to be sent. Throws AuditError `unavailable`. */
  take(out: Output, skip: number): void
  /** The whole of `message` is about to be sent, the last before the end. Throws likewise. */
  last(message: Buffer): void
  ended(reason: string): void
}
