/**
 * The current catalog of one database: loaded once, probed for changes, loaded again when something
 * changed. Readers get a snapshot that was confirmed within STALE_MS_MAX or none at all.
 *
 *     refresh ─→ (gap since the last start) ─→ probe ── same ──→ confirmed
 *                                               └─ differs, or a forcing reason ─→ load ─→ swapped
 *
 * Refreshes are coalesced: whoever asks before one has begun shares it; whoever asks after gets the
 * next one, because the one under way may have taken its snapshot before the caller's DDL.
 */
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Catalog, CatalogData, Defined } from '@sallyport/sql'
import { DefinitionCheck } from './definition-check.ts'
import { CatalogError } from './errors.ts'
import {
  REFRESH_BACKOFF_MS_MAX,
  REFRESH_GAP_LOADS,
  REFRESH_GAP_MS,
  REFRESH_INTERVAL_MS,
  REFRESH_JITTER,
  SETTLE_TRIES_MAX,
  STALE_MS_MAX,
  UNSETTLED_INTERVAL_MS,
} from './limits.ts'
import type { CatalogLogin, CatalogReader, CatalogSource, LoadedCatalog } from './source.ts'

export type RefreshReason =
  /** Nobody has needed it before. */
  | 'first-use'
  | 'interval'
  /** A session has run DDL: always a full load, temporary tables are not probed. */
  | 'ddl'
  /** Result metadata contradicts the snapshot: always a full load. */
  | 'metadata'
  | 'operator'

export type CatalogEvent =
  | { readonly kind: 'confirmed'; readonly reason: RefreshReason; readonly ms: number }
  | {
      readonly kind: 'loaded'
      readonly reason: RefreshReason
      readonly ms: number
      readonly version: number
      /** False when the content turned out to be the same. */
      readonly changed: boolean
      /** False when relations were dropped or locked under the load; the next refresh loads again. */
      readonly settled: boolean
      readonly relations: number
    }
  | { readonly kind: 'failed'; readonly reason: RefreshReason; readonly error: CatalogError }

export interface CatalogStoreOptions {
  readonly source: CatalogSource
  /** Credentials for one connection attempt; asked again for each. */
  readonly login: () => Promise<CatalogLogin>
  /** Called when the database refuses them; true asks for one more attempt with new ones. */
  readonly onCredentialRefused?: () => boolean
  readonly build: (data: CatalogData, version: number) => Catalog
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
  /** Must not throw. */
  readonly onEvent?: (event: CatalogEvent) => void
  readonly intervalMs?: number
  readonly staleMs?: number
}

export type CatalogStatus =
  | { readonly kind: 'absent'; readonly error: CatalogError | undefined }
  | { readonly kind: 'current'; readonly version: number; readonly ageMs: number }
  /** The last refresh failed; the snapshot still counts until it is too old. */
  | {
      readonly kind: 'stale'
      readonly version: number
      readonly ageMs: number
      readonly error: CatalogError
    }

interface Snapshot {
  readonly catalog: Catalog
  readonly digest: string
  /** Undefined when the next refresh must load whatever the probe says. */
  readonly probe: string | undefined
  /** When the last load or probe that vouches for it began. */
  readonly confirmedAt: number
}

/** One refresh: why, and when it began. */
interface Run {
  readonly reason: RefreshReason
  readonly startedAt: number
}

/** Versions are unique in the process, so two databases never share a decision cache key. */
let lastVersion = 0

export class CatalogStore {
  readonly #options: CatalogStoreOptions
  readonly #closing = new AbortController()
  #snapshot: Snapshot | undefined
  #reader: CatalogReader | undefined
  #running: Promise<Catalog> | undefined
  #queued: { readonly result: Promise<Catalog>; reason: RefreshReason } | undefined
  #startedAt = -Infinity
  #tookMs = 0
  #failures = 0
  #lastError: CatalogError | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #definitions: DefinitionCheck

  constructor(options: CatalogStoreOptions) {
    this.#options = options
    this.#definitions = new DefinitionCheck(() => this.#connectTwice())
  }

  /** The snapshot, or null when there is none that was confirmed recently enough. */
  get(): Catalog | null {
    const { staleMs = STALE_MS_MAX, now } = this.#options
    const snapshot = this.#snapshot
    if (snapshot === undefined || now() - snapshot.confirmedAt > staleMs) return null
    return snapshot.catalog
  }

  /** The snapshot, loading it when there is none. Throws CatalogError. */
  async ensure(): Promise<Catalog> {
    return this.get() ?? this.refresh('first-use')
  }

  /**
   * Resolves when a refresh that began after this call is done, with the snapshot then in force.
   * Throws CatalogError; after a failure, at once with `backing-off` until the next attempt is due.
   */
  refresh(reason: RefreshReason): Promise<Catalog> {
    if (this.#closing.signal.aborted) return Promise.reject(closed())
    if (this.#queued !== undefined) {
      if (forces(reason)) this.#queued.reason = reason
      return this.#queued.result
    }
    const wait = this.#startedAt + this.#gapMs() - this.#options.now()
    if (this.#failures > 0 && wait > 0 && this.#running === undefined) {
      const cause = this.#lastError
      return Promise.reject(
        new CatalogError('backing-off', `the last attempt failed: ${cause?.code}`, { cause }),
      )
    }
    const queued = { result: this.#afterCurrent(), reason }
    this.#queued = queued
    return queued.result
  }

  /** Are these views of the snapshot still defined as it says, as of now? Throws CatalogError. */
  async unchanged(views: readonly Defined[]): Promise<boolean> {
    try {
      return await this.#definitions.unchanged(views)
    } catch (cause) {
      throw this.#options.source.classify(cause)
    }
  }

  /** A connection of its own, for who reads more than the schema; the caller ends it. Throws CatalogError. */
  connect(): Promise<CatalogReader> {
    return this.#connectTwice()
  }

  status(): CatalogStatus {
    const snapshot = this.#snapshot
    if (snapshot === undefined || this.get() === null) {
      return { kind: 'absent', error: this.#lastError }
    }
    const version = snapshot.catalog.version
    const ageMs = this.#options.now() - snapshot.confirmedAt
    return this.#lastError === undefined
      ? { kind: 'current', version, ageMs }
      : { kind: 'stale', version, ageMs, error: this.#lastError }
  }

  /** Ends the connection and the periodic probe; a refresh under way fails with `closed`. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    this.#snapshot = undefined
    await Promise.all([this.#dropReader(), this.#definitions.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #afterCurrent(): Promise<Catalog> {
    await this.#running?.catch(() => undefined)
    const wait = this.#startedAt + this.#gapMs() - this.#options.now()
    // Also when there is nothing to wait for: the caller sets #queued first.
    await pause(Math.max(0, wait), this.#closing.signal)
    const reason = this.#queued?.reason ?? 'interval'
    this.#queued = undefined
    if (this.#closing.signal.aborted) throw closed()
    const running = this.#run(reason)
    this.#running = running
    try {
      return await running
    } finally {
      if (this.#running === running) this.#running = undefined
    }
  }

  async #run(reason: RefreshReason): Promise<Catalog> {
    const { now, onEvent } = this.#options
    const startedAt = now()
    this.#startedAt = startedAt
    try {
      const event = await this.#probeOrLoad({ reason, startedAt })
      this.#failures = 0
      this.#lastError = undefined
      onEvent?.(event)
      if (this.#snapshot === undefined) throw closed()
      return this.#snapshot.catalog
    } catch (cause) {
      const error = this.#closing.signal.aborted ? closed() : this.#options.source.classify(cause)
      this.#failures += 1
      this.#lastError = error
      await this.#dropReader()
      onEvent?.({ kind: 'failed', reason, error })
      throw error
    } finally {
      this.#tookMs = now() - startedAt
      this.#schedule()
    }
  }

  async #probeOrLoad(run: Run): Promise<CatalogEvent> {
    const reused = this.#reader !== undefined
    try {
      return await this.#probeOrLoadOnce(run)
    } catch (cause) {
      // A connection that idled may have been cut by the network or a restart: that is no failure yet.
      if (!reused || this.#options.source.classify(cause).code !== 'unreachable') throw cause
      await this.#dropReader()
      return this.#probeOrLoadOnce(run)
    }
  }

  async #probeOrLoadOnce(run: Run): Promise<CatalogEvent> {
    const reader = await this.#connected()
    const known = this.#snapshot
    if (known?.probe === undefined || forces(run.reason)) return this.#load(reader, run)
    const same = (await reader.probe()) === known.probe
    return same ? this.#confirm(known, run) : this.#load(reader, run)
  }

  #confirm(known: Snapshot, run: Run): CatalogEvent {
    this.#snapshot = { ...known, confirmedAt: run.startedAt }
    return { kind: 'confirmed', reason: run.reason, ms: this.#options.now() - run.startedAt }
  }

  async #load(reader: CatalogReader, { reason, startedAt }: Run): Promise<CatalogEvent> {
    const { loaded, settled } = await loadSettled(reader, this.#options.source)
    const digest = await digestOf(loaded.data)
    if (this.#closing.signal.aborted) throw closed()
    const known = this.#snapshot
    const changed = known?.digest !== digest
    const catalog =
      known === undefined || changed
        ? this.#options.build(loaded.data, ++lastVersion)
        : known.catalog
    const probe = settled ? loaded.probe : undefined
    this.#snapshot = { catalog, digest, probe, confirmedAt: startedAt }
    const ms = this.#options.now() - startedAt
    const { version } = catalog
    const relations = loaded.data.relations.length
    return { kind: 'loaded', reason, ms, version, changed, settled, relations }
  }

  async #connected(): Promise<CatalogReader> {
    if (this.#reader !== undefined) return this.#reader
    // INVARIANT: a probe is only compared with one of the same connection (see PROBE).
    if (this.#snapshot !== undefined) this.#snapshot = { ...this.#snapshot, probe: undefined }
    const reader = await this.#connectTwice()
    reader.onEnd(() => {
      if (this.#reader === reader) this.#reader = undefined
    })
    this.#reader = reader
    if (this.#closing.signal.aborted) await this.#dropReader()
    return reader
  }

  async #connectTwice(): Promise<CatalogReader> {
    const { source, login } = this.#options
    try {
      return await source.connect(await login())
    } catch (error) {
      const refused = error instanceof CatalogError && error.code === 'credential-refused'
      if (!refused || this.#options.onCredentialRefused?.() !== true) throw error
      return source.connect(await login())
    }
  }

  async #dropReader(): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    await reader?.end().catch(() => undefined)
  }

  /**
   * From one start to the next. Doubles with every failure in a row; after a long load it is a multiple
   * of that load, so that no client can keep the database busy with its schema alone.
   */
  #gapMs(): number {
    const base = Math.max(REFRESH_GAP_MS, REFRESH_GAP_LOADS * this.#tookMs)
    return Math.min(base * 2 ** Math.min(this.#failures, 20), REFRESH_BACKOFF_MS_MAX)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    const { intervalMs = REFRESH_INTERVAL_MS, random } = this.#options
    const unsettled = this.#snapshot !== undefined && this.#snapshot.probe === undefined
    const sooner =
      this.#failures > 0 ? this.#gapMs() : unsettled ? UNSETTLED_INTERVAL_MS : intervalMs
    const base = Math.min(sooner, intervalMs)
    const delay = base * (1 + REFRESH_JITTER * (2 * random() - 1))
    this.#timer = setTimeout(() => {
      // Its failure is in the event and the status; nobody waits for this one.
      this.refresh('interval').catch(() => this.#schedule())
    }, delay)
    this.#timer.unref()
  }
}

/** Reasons that a probe can't answer. */
function forces(reason: RefreshReason): boolean {
  return reason === 'ddl' || reason === 'metadata'
}

/**
 * Loads until the probe after the load equals the one in its snapshot: view definitions are
 * those of the newest rows, not of the snapshot, so only then is everything of one moment. Under DDL without a
 * pause the last load is taken all the same: it is newer than what it replaces.
 */
async function loadSettled(
  reader: CatalogReader,
  source: CatalogSource,
): Promise<{ readonly loaded: LoadedCatalog; readonly settled: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    const last = attempt === SETTLE_TRIES_MAX
    let loaded: LoadedCatalog
    try {
      loaded = await reader.load()
    } catch (error) {
      if (last || !source.movedMeanwhile(error)) throw error
      continue
    }
    const same = (await reader.probe()) === loaded.probe
    if (same || last) return { loaded, settled: same && loaded.complete }
  }
}

/** Hash of the content; large schemas give other work a turn in between. */
async function digestOf(data: CatalogData): Promise<string> {
  const { relations, ...rest } = data
  const hash = createHash('sha256').update(JSON.stringify(rest))
  for (let start = 0; start < relations.length; start += 500) {
    if (start > 0) await nextTurn()
    hash.update(JSON.stringify(relations.slice(start, start + 500)))
  }
  return hash.digest('hex')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

function closed(): CatalogError {
  return new CatalogError('closed', 'the catalog store is closed')
}
