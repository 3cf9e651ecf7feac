/** What a log can be told when it is opened, with defaults and ranges. */

import { AuditError } from './errors.ts'
import type { Anchor } from './heads.ts'
import type { SharedIndex } from './index/worker.ts'
import {
  BUFFER_BYTES_DEFAULT,
  HEAD_MS_DEFAULT,
  HEAD_RECORDS_DEFAULT,
  RECORD_BYTES_MAX,
  SEGMENT_BYTES_DEFAULT,
  SEGMENT_BYTES_MAX,
} from './limits.ts'

export type SyncPolicy = 'page-cache' | 'fdatasync'

export interface AuditLogOptions {
  readonly directory: string
  /** The clock, milliseconds since 1970. */
  readonly now: () => number
  /** PKCS #8 PEM, made on the first run; `signing-key.pem` in the directory unless given. */
  readonly signingKey?: { readonly file: string }
  readonly segmentBytes?: number
  readonly bufferBytes?: number
  /** fdatasync: flush returns once the disk has the records. page-cache: once the system has them. */
  readonly sync?: SyncPolicy
  readonly headRecords?: number
  readonly headMs?: number
  /** Where signed heads also go. A failure is recorded and does not stop the log. */
  readonly anchor?: Anchor
  /** Records are kept so many days, and pruneLog may remove older ones; for ever unless given. */
  readonly keepDays?: number
  /** False: no search index is kept (it can be built later). */
  readonly index?: boolean
  /** An index that several gateways share; what it does not take now it gets later. */
  readonly shared?: SharedIndex
  /** Called once each time the log starts to refuse. */
  readonly onFailure?: (error: AuditError) => void
  /** Called when an index worker reports an error; the log itself is not affected. */
  readonly onIndexFailure?: (error: AuditError) => void
}

/** The options with every default filled in. */
export type Settings = Required<
  Pick<AuditLogOptions, 'segmentBytes' | 'bufferBytes' | 'sync' | 'headRecords' | 'headMs'>
> &
  AuditLogOptions

/** @throws AuditError invalid-option */
export function settingsOf(options: AuditLogOptions): Settings {
  const settings = {
    segmentBytes: SEGMENT_BYTES_DEFAULT,
    bufferBytes: BUFFER_BYTES_DEFAULT,
    sync: 'page-cache' as const,
    headRecords: HEAD_RECORDS_DEFAULT,
    headMs: HEAD_MS_DEFAULT,
    ...options,
  }
  const ranges = [
    ['segmentBytes', settings.segmentBytes, 1, SEGMENT_BYTES_MAX],
    ['bufferBytes', settings.bufferBytes, 1, 64 * RECORD_BYTES_MAX],
    ['headRecords', settings.headRecords, 1, 1_000_000],
    ['headMs', settings.headMs, 100, 3_600_000],
    ['keepDays', settings.keepDays ?? 1, 1, 100_000],
  ] as const
  for (const [name, value, min, max] of ranges) {
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      throw new AuditError('invalid-option', `\`${name}\` is ${value}, expected ${min} to ${max}`)
    }
  }
  return settings
}
