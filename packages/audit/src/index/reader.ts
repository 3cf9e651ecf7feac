/**
 * Reading the trail: tail, show, search, sessions, through the index, with the records themselves read from
 * the segments. What it returns is what the files say; whether that is what was written is verifyLog's.
 *
 * Reading the trail is itself to be recorded: the caller appends a `trail-read` event.
 */

import { AuditError } from '../errors.ts'
import { INDEX_PAGE_BLOCKS, QUERY_ROWS_MAX } from '../limits.ts'
import { type AuditRecord, decodeRecord } from '../record.ts'
import { updateIndex } from './indexer.ts'
import type { SharedDatabase } from './postgres-pool.ts'
import { PostgresIndex } from './postgres-reads.ts'
import {
  blockQueryOf,
  EVERY_BLOCK,
  matcherOf,
  type SearchQuery,
  type SessionsQuery,
  sessionRowsQueryOf,
} from './search.ts'
import { SqliteIndexStore } from './sqlite-store.ts'
import type { IndexReads, RemovedRecords, SessionSummary, StoredBlock } from './store.ts'
import { termOf } from './terms.ts'

export interface Page<T> {
  /** Newest first. */
  readonly items: readonly T[]
  /** Give it as `before` for the next page; null on the last. */
  readonly next: number | null
}

/** A record, and in an index of several gateways whose log it is of. */
export interface FoundRecord extends AuditRecord {
  readonly gateway?: string
}

/** A record with its place in the index. */
interface Placed {
  readonly place: number
  readonly record: FoundRecord
}

export interface AuditReader {
  /** The newest `n` records, newest first. */
  tail(n: number): Promise<readonly FoundRecord[]>
  /** Records behind a place, oldest first. `next`: give it as `after`; null when there are none yet. */
  since(after: number): Promise<Page<FoundRecord>>
  /**
   * One record and, for a statement, the records that refer to it, in order. Of several gateways' logs say
   * which. @throws not-found, invalid-option
   */
  show(seq: number, options?: { gateway?: string }): Promise<readonly FoundRecord[]>
  /** A session's records in order, from place `after` on. `next`: give it as `after`. @throws not-found */
  showSession(
    session: string,
    options?: { after?: number; limit?: number },
  ): Promise<Page<FoundRecord>>
  search(query: SearchQuery): Promise<Page<FoundRecord>>
  sessions(query: SessionsQuery): Promise<Page<SessionSummary>>
  /** Place of the newest record the index holds; 0 when it holds none. */
  newest(): Promise<number>
  /** What retention removed of such records: no question finds them any more. */
  removed(
    query?: Pick<SearchQuery, 'gateway' | 'since' | 'until'>,
  ): Promise<readonly RemovedRecords[]>
  close(): Promise<void>
}

/**
 * Opens the index of a directory for reading, also while a log writes it.
 * `update`: first index what is not indexed yet, in this thread (needs write access).
 * @throws AuditError index-unavailable
 */
export async function openAuditReader(options: {
  directory: string
  update?: boolean
}): Promise<AuditReader> {
  if (options.update === true) await updateIndex(options.directory)
  return new IndexReader(new SqliteIndexStore(options.directory, 'read'))
}

/** Opens the index that several gateways share, in PostgreSQL. @throws AuditError index-unavailable */
export async function openSharedReader(database: SharedDatabase): Promise<AuditReader> {
  return new IndexReader(await PostgresIndex.open(database))
}

class IndexReader implements AuditReader {
  readonly #store: IndexReads

  constructor(store: IndexReads) {
    this.#store = store
  }

  async tail(n: number): Promise<readonly FoundRecord[]> {
    return (await this.search({ limit: n })).items
  }

  async since(after: number): Promise<Page<FoundRecord>> {
    const query = { ...EVERY_BLOCK, ascending: true, after: after + 1, limit: 1 }
    const [block] = await this.#store.blocks(query)
    const found = block === undefined ? [] : await this.#recordsOf(block)
    const fresh = found.filter(({ place }) => place > after)
    return { items: fresh.map(({ record }) => record), next: fresh.at(-1)?.place ?? null }
  }

  async show(seq: number, options: { gateway?: string } = {}): Promise<readonly FoundRecord[]> {
    const holders = await this.#store.holders(seq, options.gateway ?? null)
    const [block] = holders
    if (block === undefined) {
      throw notFound(seq, await this.#store.isRemoved(seq, options.gateway ?? null))
    }
    if (holders.length > 1) throw ambiguous(seq, holders)
    const isMeant = ({ record }: Placed): boolean => record.event['statement'] === seq
    const own = await this.#recordsOf(block)
    const found = own.filter((one) => one.record.seq === seq || isMeant(one))
    if (found[0]?.record.seq !== seq) throw notFound(seq, false)
    const query = { ...EVERY_BLOCK, terms: [termOf('refers', seq)], ascending: true }
    const asked = { ...query, log: block.log, after: block.last + 1 }
    for (const later of await this.#store.blocks(asked)) {
      found.push(...(await this.#recordsOf(later)).filter(isMeant))
    }
    return found.slice(0, QUERY_ROWS_MAX).map(({ record }) => record)
  }

  async showSession(
    session: string,
    options: { after?: number; limit?: number } = {},
  ): Promise<Page<FoundRecord>> {
    const limit = limitOf(options.limit)
    const start = options.after ?? 0
    const found: Placed[] = []
    let after = start
    for (;;) {
      const query = { ...EVERY_BLOCK, session, ascending: true, after: after + 1 }
      const blocks = await this.#store.blocks(query)
      for (const block of blocks) {
        for (const one of await this.#recordsOf(block)) {
          if (one.record.event['session'] === session && one.place > start) found.push(one)
        }
        after = block.last
        if (found.length > limit) break
      }
      if (found.length > limit || blocks.length < INDEX_PAGE_BLOCKS) break
    }
    if (found.length === 0 && start === 0) {
      throw new AuditError('not-found', `there is no session \`${session}\``)
    }
    return recordsPage(found, limit)
  }

  async search(query: SearchQuery): Promise<Page<FoundRecord>> {
    const limit = limitOf(query.limit)
    const asked = blockQueryOf(query)
    if (asked === null) return { items: [], next: null }
    const matches = matcherOf(query)
    const terms = new SessionTerms(this.#store)
    const found: Placed[] = []
    const start = query.before ?? Number.MAX_SAFE_INTEGER
    let before = start
    for (;;) {
      const blocks = await this.#store.blocks({ ...EVERY_BLOCK, ...asked, before })
      for (const block of blocks) {
        const records = await this.#recordsOf(block)
        await terms.learn(records)
        const fits = ({ place, record }: Placed): boolean =>
          place < start && matches(record, terms.of(record))
        found.push(...records.filter(fits).reverse())
        before = block.first
        if (found.length > limit) return recordsPage(found, limit)
      }
      if (blocks.length < INDEX_PAGE_BLOCKS) return recordsPage(found, limit)
    }
  }

  async sessions(query: SessionsQuery): Promise<Page<SessionSummary>> {
    const limit = limitOf(query.limit)
    const rows = await this.#store.sessions(sessionRowsQueryOf(query, limit + 1))
    return pageOf(rows, limit, ({ first }) => first)
  }

  newest(): Promise<number> {
    return this.#store.newest()
  }

  async removed(
    query: Pick<SearchQuery, 'gateway' | 'since' | 'until'> = {},
  ): Promise<readonly RemovedRecords[]> {
    const { gateway, since = 0, until = Number.MAX_SAFE_INTEGER } = query
    return (await this.#store.removed()).filter(
      (one) =>
        (gateway === undefined || one.gateway === null || one.gateway === gateway) &&
        one.until >= since &&
        one.since < until,
    )
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** Empty when they were removed. @throws AuditError corrupt when there is not what was indexed */
  async #recordsOf(block: StoredBlock): Promise<Placed[]> {
    const lines = await this.#store.lines(block)
    if (lines.length === 0) return []
    const found: Placed[] = []
    let seq = block.firstSeq - 1
    for (let from = 0; from < lines.length; ) {
      const end = lines.indexOf(0x0a, from)
      const record = decodeRecord(lines.subarray(from, end < 0 ? lines.length : end))
      from = end < 0 ? lines.length : end + 1
      if (record === null) continue
      if (record.seq <= seq || record.seq > block.lastSeq) throw corrupt(block)
      seq = record.seq
      const { gateway } = block
      found.push({
        place: block.first + seq - block.firstSeq,
        record: gateway === null ? record : { ...record, gateway },
      })
    }
    if (found[0]?.record.seq !== block.firstSeq || seq !== block.lastSeq) throw corrupt(block)
    return found
  }
}

/** Terms of the sessions whose records are looked at, asked for once each. */
class SessionTerms {
  readonly #store: IndexReads
  readonly #known = new Map<unknown, readonly string[]>()

  constructor(store: IndexReads) {
    this.#store = store
  }

  async learn(records: readonly Placed[]): Promise<void> {
    const unknown = new Set<string>()
    for (const { record } of records) {
      const { session } = record.event
      if (typeof session === 'string' && !this.#known.has(session)) unknown.add(session)
    }
    if (unknown.size === 0) return
    for (const session of unknown) this.#known.set(session, [])
    for (const [session, terms] of await this.#store.recall([...unknown])) {
      this.#known.set(session, terms)
    }
  }

  of({ event, gateway }: FoundRecord): readonly string[] {
    const terms = this.#known.get(event['session']) ?? []
    return gateway === undefined ? terms : [...terms, termOf('gateway', gateway)]
  }
}

function pageOf<T>(found: readonly T[], limit: number, cursorOf: (item: T) => number): Page<T> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? cursorOf(last) : null }
}

function recordsPage(found: readonly Placed[], limit: number): Page<FoundRecord> {
  const { items, next } = pageOf(found, limit, ({ place }) => place)
  return { items: items.map(({ record }) => record), next }
}

function ambiguous(seq: number, holders: readonly StoredBlock[]): AuditError {
  const gateways = [...new Set(holders.map(({ gateway }) => gateway))].join('`, `')
  const message = `record ${seq} is in ${holders.length} logs: say of which gateway (\`${gateways}\`)`
  return new AuditError('invalid-option', message)
}

function notFound(seq: number, isRemoved: boolean): AuditError {
  const why = isRemoved
    ? `record ${seq} is past its time and was removed`
    : `there is no record ${seq}`
  return new AuditError('not-found', why)
}

function corrupt({ firstSeq, lastSeq }: StoredBlock): AuditError {
  const which = `records ${firstSeq} to ${lastSeq}`
  return new AuditError('corrupt', `${which} are not where the index says; verify the log`)
}

function limitOf(limit: number | undefined): number {
  const wanted = limit ?? 100
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > QUERY_ROWS_MAX) {
    throw new AuditError('invalid-option', `limit is ${wanted}, expected 1 to ${QUERY_ROWS_MAX}`)
  }
  return wanted
}
