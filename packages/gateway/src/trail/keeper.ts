/** What a log needs now and then by itself: another signing key. */
import type { AuditLog } from '@sallyport/audit'
import type { Logger } from '../telemetry/index.ts'

/** How often it is looked whether something is due, ms. */
const INTERVAL_MS = 3_600_000
const DAY_MS = 86_400_000

export interface KeeperOptions {
  readonly audit: AuditLog
  /** A signing key is used this long; null: until somebody asks for another. */
  readonly rotateKeyDays: number | null
  readonly log: Logger
  readonly now: () => number
}

export class Keeper {
  readonly #options: KeeperOptions
  readonly #timer: NodeJS.Timeout
  #working: Promise<void> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.look(), INTERVAL_MS)
    this.#timer.unref()
    this.look()
  }

  /** Does what is due, once what it does already is done. */
  look(): Promise<void> {
    this.#working = this.#working.then(() => this.#rotateKey())
    return this.#working
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
  }

  async #rotateKey(): Promise<void> {
    const { audit, rotateKeyDays, log, now } = this.#options
    if (rotateKeyDays === null || now() - audit.keySince < rotateKeyDays * DAY_MS) return
    try {
      const { from, to } = await audit.rotateKey()
      log.info({ from, to }, 'the audit log has another signing key')
    } catch (error) {
      log.error({ err: error }, 'the audit log’s signing key stays')
    }
  }
}
