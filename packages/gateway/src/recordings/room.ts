/**
 * The gateway's recordings: opened when policy first asks for one, or when a run before has left some
 * unfinished. A gateway whose policy records nothing pays nothing.
 */
import { existsSync, readdirSync } from 'node:fs'
import {
  AuditError,
  type AuditLog,
  expireRecordings,
  type RecordingOpen,
  Recordings,
  type Rewrapped,
  rewrapRecordings,
  type SessionRecording,
  wrappingKey,
} from '@sallyport/audit'
import { GatewayError } from '../errors.ts'
import type { Secrets } from '../secrets/store.ts'
import type { Logger } from '../telemetry/index.ts'
import type { SteadyClock } from '../trail/steady-clock.ts'

/** How often recordings past their time are looked for, ms. */
const RETENTION_INTERVAL_MS = 3_600_000
const DAY_MS = 86_400_000

export interface RecordingRoomOptions {
  readonly directory: string
  /** 32 bytes; null: recordings are not encrypted. */
  readonly key: Uint8Array | null
  /** Likewise, of before: journals and recordings they encrypted are completed. */
  readonly previousKeys: readonly Uint8Array[]
  /** Null: none goes by age. */
  readonly keepDays: number | null
  readonly audit: AuditLog
  readonly log: Logger
  readonly clock: SteadyClock
}

export class RecordingRoom {
  readonly #options: RecordingRoomOptions
  #recordings: Recordings | null = null
  readonly #retention: NodeJS.Timeout | null
  #expiring: Promise<void> = Promise.resolve()

  constructor(options: RecordingRoomOptions) {
    this.#options = options
    const { directory } = options
    const isUnfinished =
      existsSync(directory) && readdirSync(directory).some((name) => name.endsWith('.journal'))
    if (isUnfinished) this.#open()
    const { keepDays } = options
    this.#retention =
      keepDays === null
        ? null
        : setInterval(() => void this.expire(), RETENTION_INTERVAL_MS).unref()
    void this.expire()
  }

  /** False: what is to be recorded cannot be, so nothing of it is to be run. */
  get available(): boolean {
    return this.#recordings?.available ?? true
  }

  /** Begins a session's recording. Throws AuditError `unavailable`. */
  begin(open: RecordingOpen): SessionRecording {
    return this.#open().open(open)
  }

  /** Writes what sessions are about to show. Throws AuditError `unavailable`: show nothing. */
  flush(): void {
    this.#recordings?.flush()
  }

  /** After every session has ended, before the log is closed. */
  async close(): Promise<void> {
    if (this.#retention !== null) clearInterval(this.#retention)
    await this.#expiring
    await this.#recordings?.close()
  }

  /** Destroys what is past its time. What a clock that jumps makes old stays: it cannot be brought back. */
  expire(): Promise<void> {
    const { keepDays, directory, audit, log, clock } = this.#options
    if (keepDays === null) return Promise.resolve()
    const { jumped } = clock
    if (jumped !== null) {
      log.error({ jumped }, 'the clock has jumped: no recording is destroyed until the next start')
      return Promise.resolve()
    }
    const before = clock.now() - keepDays * DAY_MS
    const expiry = { directory, log: audit, before, reason: `keep-days: ${keepDays}` }
    this.#expiring = this.#expiring
      .then(() => expireRecordings(expiry))
      .then(({ erased, held }) => {
        if (erased + held > 0) log.info({ erased, held }, 'recordings past their time')
      })
      .catch((error: unknown) => log.error({ err: error }, 'recordings past their time stay'))
    return this.#expiring
  }

  /** Data keys under earlier keys get under the present one: so many in one run. @throws AuditError key-missing, unavailable */
  async rewrap(by: string): Promise<Rewrapped> {
    const { key, previousKeys, directory, audit: log } = this.#options
    if (key === null) throw new AuditError('key-missing', 'audit.recordings has no key')
    const from = previousKeys.map(wrappingKey)
    return rewrapRecordings({ directory, log, to: wrappingKey(key), from, by })
  }

  #open(): Recordings {
    const { audit, log, clock, directory, key, previousKeys } = this.#options
    this.#recordings ??= new Recordings({
      directory,
      key,
      previousKeys,
      now: clock.now,
      record: (events) => {
        for (const event of events) audit.append(event)
        audit.flush()
      },
      onFailure: (error) => log.fatal({ err: error }, 'recordings failed'),
    })
    return this.#recordings
  }
}

const KEY_BYTES = 32

/** The key that data keys are wrapped by. Throws SecretError, or GatewayError where it is no such key. */
export async function recordingKey(secrets: Secrets, reference: string): Promise<Uint8Array> {
  const key = Buffer.from((await secrets.get(reference)).reveal(), 'base64')
  if (key.length === KEY_BYTES) return key
  throw new GatewayError(
    'config',
    `a key of audit.recordings must be ${KEY_BYTES} bytes in base64 (openssl rand -base64 32)`,
  )
}
