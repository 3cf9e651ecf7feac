/**
 * The audit record of what an operator does offline. A log has one writer: while a gateway runs, it is
 * the gateway, and then this command can only say that its act is not in the log.
 */
import { userInfo } from 'node:os'
import type { AuditEvent, AuditLog } from '@sallyport/audit'
import type { GatewayConfig } from '@sallyport/gateway'

export interface Recorder {
  /** Null: a running gateway holds the log. */
  readonly log: AuditLog | null
  record(event: AuditEvent): void
  close(): Promise<void>
}

/**
 * Opens the log unless another process writes it. Every other failure is thrown: a log that is damaged or
 * unwritable must not make an act silent. @throws AuditError
 */
export async function openRecorder(config: GatewayConfig, now: () => number): Promise<Recorder> {
  const { AuditError, openAuditLog } = await import('@sallyport/audit')
  const { directory, segmentBytes } = config.audit
  try {
    const log = await openAuditLog({
      directory,
      segmentBytes,
      now,
      sync: 'fdatasync',
      index: false,
    })
    return {
      log,
      record(event) {
        log.append(event)
        log.flush()
      },
      close: () => log.close(),
    }
  } catch (error) {
    if (!(error instanceof AuditError) || error.code !== 'locked') throw error
    return { log: null, record: () => {}, close: async () => {} }
  }
}

/** Who acts: the account of the operating system. */
export function operatorName(): string {
  return `operator:${userInfo().username}`
}
