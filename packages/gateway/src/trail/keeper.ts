/** What a log needs now and then by itself: another signing key, and the end of segments past their time. */
import { AuditError, type AuditLog, type Pruned, pruneLog } from '@sallyport/audit'
import { exportedUpTo } from '../exports/exporter.ts'
import type { Logger } from '../telemetry/index.ts'
import type { SteadyClock } from './steady-clock.ts'

/** How often it is looked whether something is due, ms. */
const INTERVAL_MS = 3_600_000
const DAY_MS = 86_400_000

export interface KeeperOptions {
  readonly audit: AuditLog
  /** A signing key is used this long; null: until somebody asks for another. */
  readonly rotateKeyDays: number | null
  /** Directory of recordings. */
  readonly recordings: string
  /** Files that keep where the exports stand: what they have not sent is not removed. */
  readonly cursors: readonly string[]
  readonly log: Logger
  readonly clock: SteadyClock
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
    this.#working = this.#working.then(async () => {
      await this.#rotateKey()
      await this.#pruneAll()
    })
    return this.#working
  }

  /** One run of the retention, or what it would do. @throws AuditError unavailable, index-unavailable */
  async prune({ by, dryRun }: { by: string; dryRun: boolean }): Promise<Pruned> {
    if (!dryRun && this.#options.clock.jumped !== null) {
      throw new AuditError('unavailable', 'the clock has jumped: nothing is removed by it')
    }
    const running = this.#working.then(() => this.#prune(by, dryRun))
    this.#working = running.then(
      () => {},
      () => {},
    )
    return running
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#working
  }

  async #rotateKey(): Promise<void> {
    const { audit, rotateKeyDays, log, clock } = this.#options
    if (rotateKeyDays === null || clock.now() - audit.keySince < rotateKeyDays * DAY_MS) return
    try {
      const { from, to } = await audit.rotateKey()
      log.info({ from, to }, 'the audit log has another signing key')
    } catch (error) {
      log.error({ err: error }, 'the audit log’s signing key stays')
    }
  }

  async #pruneAll(): Promise<void> {
    const { audit, clock, log } = this.#options
    if (audit.keepDays === null) return
    if (clock.jumped !== null) {
      log.error({ jumped: clock.jumped }, 'the clock has jumped: nothing is removed')
      return
    }
    try {
      for (let more = true; more; ) {
        const { removed, keep, more: left } = await this.#prune('retention', false)
        if (removed.length > 0) log.info({ segments: removed.length }, 'records past their time')
        for (const { segment, why } of keep.filter((one) => one.why === 'damaged')) {
          log.error({ segment, why }, 'a segment past its time does not verify, and stays')
        }
        more = left && removed.length > 0
      }
    } catch (error) {
      log.error({ err: error }, 'records past their time stay')
    }
  }

  #prune(by: string, dryRun: boolean): Promise<Pruned> {
    const { audit, recordings, cursors, clock } = this.#options
    const keepFrom = exportedUpTo(cursors)
    return pruneLog({ log: audit, recordings, now: clock.now(), by, keepFrom, dryRun })
  }
}
