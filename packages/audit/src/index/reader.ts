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
import {
  blockQueryOf,
  matcherOf,
  type SearchQuery,
  type SessionsQuery,
  sessionRowsQueryOf,
} from './search.ts'
import { SqliteIndexStore } from './sqlite-store.ts'
import type { BlockQuery, IndexStore, SessionSummary, StoredBlock } from './store.ts'
import { termOf } from './terms.ts'

export interface Page<T> {
  /** Newest first. */
  readonly items: readonly T[]
  /** Give it as `before` for the next page; null on the last. */
  readonly next: number | null
}

export interface AuditReader {
  /** The newest `n` records, newest first. */
  tail(n: number): Promise<readonly AuditRecord[]>
  /** One record and, for a statement, the records that refer to it, in order. @throws not-found */
  show(seq: number): Promise<readonly AuditRecord[]>
  /** A session's records in order, from record `after` on. `next`: give it as `after`. @throws not-found */
  showSession(
    session: string,
    options?: { after?: number; limit?: number },
  ): Promise<Page<AuditRecord>>
  search(query: SearchQuery): Promise<Page<AuditRecord>>
  sessions(query: SessionsQuery): Promise<Page<SessionSummary>>
  /** The newest record the index holds; 0 when it holds none. */
  indexedSeq(): Promise<number>
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

const EVERY_BLOCK: BlockQuery = {
  terms: [],
  session: null,
  words: [],
  since: null,
  until: null,
  before: Number.MAX_SAFE_INTEGER,
  after: 0,
  ascending: false,
  limit: INDEX_PAGE_BLOCKS,
}

class IndexReader implements AuditReader {
  readonly #store: IndexStore

  constructor(store: IndexStore) {
    this.#store = store
  }

  async tail(n: number): Promise<readonly AuditRecord[]> {
    return (await this.search({ limit: n })).items
  }

  async show(seq: number): Promise<readonly AuditRecord[]> {
    const { records, block } = await this.#holderOf(seq)
    const found = records.filter(
      (record) => record.seq === seq || record.event['statement'] === seq,
    )
    if (found[0]?.seq !== seq) throw notFound(seq)
    const query = { ...EVERY_BLOCK, terms: [termOf('refers', seq)], ascending: true }
    for (const later of await this.#store.blocks({ ...query, after: block.lastSeq + 1 })) {
      const more = await this.#recordsOf(later)
      found.push(...more.filter((record) => record.event['statement'] === seq))
    }
    return found.slice(0, QUERY_ROWS_MAX)
  }

  async showSession(
    session: string,
    options: { after?: number; limit?: number } = {},
  ): Promise<Page<AuditRecord>> {
    const limit = limitOf(options.limit)
    const start = options.after ?? 0
    const found: AuditRecord[] = []
    let after = start
    for (;;) {
      const query = { ...EVERY_BLOCK, session, ascending: true, after: after + 1 }
      const blocks = await this.#store.blocks(query)
      for (const block of blocks) {
        for (const record of await this.#recordsOf(block)) {
          if (record.event['session'] === session && record.seq > start) found.push(record)
        }
        after = block.lastSeq
        if (found.length > limit) break
      }
      if (found.length > limit || blocks.length < INDEX_PAGE_BLOCKS) break
    }
    if (found.length === 0 && start === 0) {
      throw new AuditError('not-found', `there is no session \`${session}\``)
    }
    return pageOf(found, limit, ({ seq }) => seq)
  }

  async search(query: SearchQuery): Promise<Page<AuditRecord>> {
    const limit = limitOf(query.limit)
    const asked = blockQueryOf(query)
    if (asked === null) return { items: [], next: null }
    const matches = matcherOf(query)
    const terms = new SessionTerms(this.#store)
    const found: AuditRecord[] = []
    let before = query.before ?? Number.MAX_SAFE_INTEGER
    for (;;) {
      const blocks = await this.#store.blocks({ ...EVERY_BLOCK, ...asked, before })
      for (const block of blocks) {
        const records = await this.#recordsOf(block)
        await terms.learn(records)
        found.push(...records.filter((one) => matches(one, terms.of(one))).reverse())
        before = block.first
        if (found.length > limit) return pageOf(found, limit, ({ seq }) => seq)
      }
      if (blocks.length < INDEX_PAGE_BLOCKS) return pageOf(found, limit, ({ seq }) => seq)
    }
  }

  async sessions(query: SessionsQuery): Promise<Page<SessionSummary>> {
    const limit = limitOf(query.limit)
    const rows = await this.#store.sessions(sessionRowsQueryOf(query, limit + 1))
    return pageOf(rows, limit, ({ firstSeq }) => firstSeq)
  }

  async indexedSeq(): Promise<number> {
    return (await this.#store.position()).seq
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #holderOf(seq: number): Promise<{ records: AuditRecord[]; block: StoredBlock }> {
    const [block] = await this.#store.blocks({ ...EVERY_BLOCK, before: seq + 1, limit: 1 })
    if (block === undefined || block.lastSeq < seq) throw notFound(seq)
    return { records: await this.#recordsOf(block), block }
  }

  /** @throws AuditError corrupt when the file does not hold there what was indexed */
  async #recordsOf(block: StoredBlock): Promise<AuditRecord[]> {
    const lines = await this.#store.lines(block)
    const records: AuditRecord[] = []
    let seq = block.firstSeq - 1
    for (let from = 0; from < lines.length; ) {
      const end = lines.indexOf(0x0a, from)
      const record = decodeRecord(lines.subarray(from, end < 0 ? lines.length : end))
      from = end < 0 ? lines.length : end + 1
      if (record === null) continue
      if (record.seq <= seq || record.seq > block.lastSeq) throw corrupt(block)
      seq = record.seq
      records.push(record)
    }
    if (records[0]?.seq !== block.firstSeq || seq !== block.lastSeq) throw corrupt(block)
    return records
  }
}

/** Terms of the sessions whose records are looked at, asked for once each. */
class SessionTerms {
  readonly #store: IndexStore
  readonly #known = new Map<unknown, readonly string[]>()

  constructor(store: IndexStore) {
    this.#store = store
  }

  async learn(records: readonly AuditRecord[]): Promise<void> {
    const unknown = new Set<string>()
    for (const { event } of records) {
      const { session } = event
      if (typeof session === 'string' && !this.#known.has(session)) unknown.add(session)
    }
    if (unknown.size === 0) return
    for (const session of unknown) this.#known.set(session, [])
    for (const [session, { terms }] of await this.#store.recall([...unknown])) {
      this.#known.set(session, terms)
    }
  }

  of({ event }: AuditRecord): readonly string[] {
    return this.#known.get(event['session']) ?? []
  }
}

function pageOf<T>(found: readonly T[], limit: number, cursorOf: (item: T) => number): Page<T> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, next: found.length > limit && last !== undefined ? cursorOf(last) : null }
}

function notFound(seq: number): AuditError {
  return new AuditError('not-found', `there is no record ${seq}`)
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
