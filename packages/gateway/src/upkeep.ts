/** What a running gateway does by itself, every so often, until it closes. */
import type { AuditLog } from '@sallyport/audit'
import type { Verifier } from '@sallyport/identity'
import type { Turnstile } from './session/turnstile.ts'
import type { TokenState } from './state/token-state.ts'
import type { Logger } from './telemetry/index.ts'

/** Outcomes may wait this long to be written when nothing else is, ms: the statement's own record does not. */
const OUTCOME_FLUSH_MS = 5
/** How often a failed audit log is tried again, ms. */
const AUDIT_RECOVERY_MS = 2_000
/** How often an issuer without keys is asked again, ms. */
const ISSUER_RETRY_MS = 5_000
/** Expired session tokens are kept this long, for whoever lists them, and looked for this often, ms. */
const TOKENS_KEPT_MS = 7 * 24 * 3_600_000
const PURGE_MS = 3_600_000

export interface UpkeepDeps {
  readonly audit: AuditLog
  readonly turnstile: Turnstile
  readonly state: TokenState
  readonly verifier: () => Verifier
  readonly log: Logger
}

export class Upkeep {
  readonly #deps: UpkeepDeps
  readonly #timers: readonly NodeJS.Timeout[]
  #flushTimer: NodeJS.Timeout | null = null

  constructor(deps: UpkeepDeps) {
    this.#deps = deps
    this.#timers = [
      setInterval(() => this.#recoverAudit(), AUDIT_RECOVERY_MS).unref(),
      setInterval(() => this.#warmIssuers(), ISSUER_RETRY_MS).unref(),
      setInterval(() => void this.#purgeTokens(), PURGE_MS).unref(),
    ]
  }

  /** Outcomes go out with the next statement's record, or after OUTCOME_FLUSH_MS. */
  flushSoon(): void {
    if (this.#flushTimer !== null) return
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = null
      try {
        this.#deps.turnstile.write()
      } catch (error) {
        this.#deps.log.error({ err: error }, 'the record cannot be written')
      }
    }, OUTCOME_FLUSH_MS)
  }

  close(): void {
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
    for (const timer of this.#timers) clearInterval(timer)
  }

  /** A full disk that has room again: statements run again without a restart. */
  #recoverAudit(): void {
    const { audit, log } = this.#deps
    if (audit.state !== 'failed') return
    try {
      audit.recover()
      log.warn('audit log can be written again')
    } catch {
      // Still failing; it was logged when it began.
    }
  }

  /** An issuer that was down at start: without its keys nobody is sent here who could ask for them. */
  #warmIssuers(): void {
    const verifier = this.#deps.verifier()
    const waiting = verifier.status().some((issuer) => !issuer.ready)
    if (waiting) void verifier.warm().catch(() => undefined)
  }

  async #purgeTokens(): Promise<void> {
    const { state, log } = this.#deps
    try {
      await state.purge(Date.now() - TOKENS_KEPT_MS)
    } catch (error) {
      log.error({ err: error }, 'expired session tokens could not be removed')
    }
  }
}
