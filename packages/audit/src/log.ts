/**
 * The append-only event log: records into a buffer, buffer into segments, heads signed on the way.
 *
 * append and flush are synchronous and run on the data path. Signing heads every HEAD_RECORDS or HEAD_MS,
 * making closed segments durable and anchoring happen behind it, one after the other. A write that fails
 * anywhere fails the whole log: append and flush refuse until recover() has written what was pending.
 */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { AuditError, systemCodeOf } from './errors.ts'
import type { AuditEvent, KeyChange, SignedHead, Tombstone } from './event.ts'
import { encodeHead, HEADS_FILE, HeadChain, type HeadContent, signHead } from './heads.ts'
import { IndexWorker } from './index/worker.ts'
import { appendKeyChange, makeNextKey, signKeyChange, takeNextKey } from './key-changes.ts'
import { keepPublicKey, type SigningKey } from './keys.ts'
import { ANCHOR_MS_MAX, CLOCK_STEP_MS, SEGMENT_MS } from './limits.ts'
import type { DirectoryLock } from './lock.ts'
import {
  type AppendFile,
  openHeads,
  openSegment,
  syncDirectory,
  syncDirectoryNow,
} from './log-files.ts'
import { dropOldHeads } from './old-heads.ts'
import type { Settings, SyncPolicy } from './options.ts'
import { isCount } from './record.ts'
import { RecordWriter } from './record-writer.ts'
import type { Found } from './recover.ts'
import { type Grave, signTombstone } from './retention/tombstone.ts'
import type { StatementForm, StatementOf } from './statement-form.ts'

export interface AuditLog {
  readonly directory: string
  readonly state: 'open' | 'failed' | 'closed'
  /** Whether records wait for flush. */
  readonly pending: boolean
  /**
   * Adds a record to the buffer and returns its sequence number. Not on disk before flush().
   * @throws AuditError unavailable: refuse the statement; invalid-event: nothing was added, refuse too
   */
  append(event: AuditEvent): number
  /** The same for a statement that is recorded often. @throws AuditError as append does */
  appendForm(form: StatementForm, of: StatementOf): number
  /**
   * Writes every record appended so far, as durably as `sync` says; the log's own policy unless given, so
   * that one connection may ask for more than another.
   * @throws AuditError unavailable, and the log has failed
   */
  flush(sync?: SyncPolicy): void
  /** After a failure: writes what is pending and records the gap. @throws AuditError unavailable */
  recover(): void
  /** Flushes, makes the records durable, signs and anchors a head over all of them. */
  signHead(): Promise<SignedHead>
  /** Since when the signing key has been in use, milliseconds since 1970. */
  readonly keySince: number
  /**
   * Another signing key, from the next record on: the old one vouches for it, signs a last head and is destroyed.
   * @throws AuditError unavailable, key-unsafe: the key stays
   */
  rotateKey(): Promise<KeyChange>
  /** Records are kept so many days; null: for ever. */
  readonly keepDays: number | null
  /** Number of the newest `legal-hold` record of this run; 0: there is none. */
  readonly newestHold: number
  /**
   * Says, on the disk, that a closed segment is removed, and returns what is to stand in its place: for pruneLog.
   * @throws AuditError unavailable, and the segment stays
   */
  entomb(grave: Grave, by: string): Tombstone
  /** Resolves when the index holds every record flushed so far. @throws AuditError index-unavailable */
  indexed(): Promise<void>
  /** Calls back with the newest indexed sequence number; returns how to stop. */
  onIndexed(listener: (seq: number) => void): () => void
  /** Records the stop, signs a last head and lets go of everything. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly code: string; readonly since: number }
  | { readonly kind: 'closed' }

/** Made by openAuditLog alone. */
export class FileAuditLog implements AuditLog {
  readonly directory: string
  readonly #settings: Settings
  #key: SigningKey
  readonly #keyFile: string
  #keySince: number
  readonly #lock: DirectoryLock
  readonly #writer: RecordWriter
  #heads: AppendFile
  readonly #headChain: HeadChain
  #index: IndexWorker | null = null
  #shared: IndexWorker | null = null
  #timer: NodeJS.Timeout | null = null
  #state: State = { kind: 'open' }
  /** Number of the segment being written, or of the next one while #segment is null. */
  #segmentNumber: number
  #segment: AppendFile | null
  /** Time of the first record of #segment, or of one soon after. */
  #segmentSince: number
  #newestHold = 0
  /** The segment's directory entry may not be on the disk yet. */
  #hasNewEntry = false
  /** The newest record in the buffer is the footer of #segment. */
  #pendingFooter: SignedHead | null = null
  /** The last records of the log: they stay in the segment they are in. */
  #stopping = false
  #refused = 0
  #clockStepped = false
  #anchorFailing = false
  #headSeq: number
  #headUnderWay = false
  /** Work behind the data path, in order; never rejects. */
  #background: Promise<void> = Promise.resolve()
  #closing: Promise<void> | null = null

  constructor(parts: {
    settings: Settings
    found: Found
    key: SigningKey
    keyFile: string
    lock: DirectoryLock
  }) {
    const { settings, found } = parts
    this.directory = settings.directory
    this.#settings = settings
    this.#key = parts.key
    this.#keyFile = parts.keyFile
    this.#keySince = statSync(parts.keyFile).mtimeMs
    this.#lock = parts.lock
    this.#writer = new RecordWriter({
      bufferBytes: settings.bufferBytes,
      chain: found.chain,
      frontier: found.frontier,
    })
    this.#segmentNumber = found.segment
    this.#headSeq = found.newest?.seq ?? 0
    this.#heads = openHeads(join(settings.directory, HEADS_FILE))
    this.#headChain = new HeadChain(found.newest)
    this.#segment = openSegment(settings.directory, found)
    this.#segmentSince = found.since ?? Math.floor(settings.now())
  }

  /** Records how the log was found, durably, and starts what runs behind it. */
  async start(found: Found): Promise<void> {
    try {
      if (found.dropped !== null) {
        const { segment, offset } = found
        this.append({ type: 'log-recovered', v: 1, segment, offset, ...found.dropped })
      }
      const { previous } = found
      const { keepDays } = this
      const kept = keepDays === null ? {} : { keepDays }
      this.append({ type: 'log-started', v: 1, keyId: this.#key.keyId, previous, ...kept })
      await syncDirectory(this.directory)
      await this.signHead()
    } catch (error) {
      this.#segment?.close()
      this.#heads.close()
      throw error
    }
    this.#timer = setInterval(() => this.#headSoon(), this.#settings.headMs)
    this.#timer.unref()
    const { directory } = this
    const { index, shared, onIndexFailure: onFailure = () => {} } = this.#settings
    if (index !== false) this.#index = new IndexWorker({ directory, shared: null, onFailure })
    if (shared !== undefined) this.#shared = new IndexWorker({ directory, shared, onFailure })
  }

  get state(): 'open' | 'failed' | 'closed' {
    return this.#state.kind
  }

  get pending(): boolean {
    return this.#writer.pendingBytes > 0
  }

  append(event: AuditEvent): number {
    this.#mustBeOpen()
    const seq = this.#writer.append(event, this.#time())
    if (event.type === 'legal-hold') this.#newestHold = seq
    return seq
  }

  appendForm(form: StatementForm, of: StatementOf): number {
    this.#mustBeOpen()
    return this.#writer.appendForm(form, of, this.#time())
  }

  flush(sync: SyncPolicy = this.#settings.sync): void {
    if (this.#state.kind !== 'open') throw unavailable(this.#state)
    if (this.#writer.pendingBytes === 0 && sync === 'page-cache') return
    try {
      this.#writeOut(sync)
    } catch (cause) {
      throw this.#fail(cause)
    }
    if (this.#writer.seq - this.#headSeq >= this.#settings.headRecords) this.#headSoon()
  }

  recover(): void {
    if (this.#state.kind !== 'failed') return
    const { code, since } = this.#state
    try {
      this.#writeOut(this.#settings.sync)
    } catch (cause) {
      throw new AuditError('unavailable', `audit log still fails: ${systemCodeOf(cause)}`, {
        cause,
      })
    }
    this.#state = { kind: 'open' }
    const refused = this.#refused
    this.#refused = 0
    this.append({ type: 'log-failed', v: 1, code, since, refused })
    this.flush()
  }

  async signHead(): Promise<SignedHead> {
    this.flush()
    const head = await this.#storeHead().catch((cause: unknown) => {
      throw this.#fail(cause)
    })
    await this.#anchorHead(head)
    return head
  }

  get keySince(): number {
    return this.#keySince
  }

  async rotateKey(): Promise<KeyChange> {
    this.flush('fdatasync')
    const next = makeNextKey(this.#keyFile)
    const at = this.#time()
    const place = { at, seq: this.#writer.seq + 1 }
    const change = signKeyChange(place, { old: this.#key, next })
    // INVARIANT: from here to the new key nothing is signed: it is one turn. The record comes first, because one
    // that is not in keys.jsonl changes nothing.
    this.#writer.append({ type: 'key-rotated', v: 1, change }, at)
    this.flush('fdatasync')
    try {
      appendKeyChange(this.directory, change)
      takeNextKey(this.#keyFile)
    } catch (cause) {
      const message = `the signing key stays: ${systemCodeOf(cause)}`
      throw new AuditError('unavailable', message, { cause })
    }
    this.#key = next
    this.#keySince = at
    keepPublicKey(this.directory, next)
    await this.signHead()
    return change
  }

  get keepDays(): number | null {
    return this.#settings.keepDays ?? null
  }

  get newestHold(): number {
    return this.#newestHold
  }

  entomb(grave: Grave, by: string): Tombstone {
    this.#mustBeOpen()
    const { keepDays } = this
    if (keepDays === null) throw new AuditError('invalid-option', 'this log keeps its records')
    const at = this.#time()
    const seq = this.#writer.seq + 1
    const tombstone = signTombstone({ ...grave, at, seq, keepDays, by }, this.#key)
    this.#writer.append({ type: 'segment-removed', v: 1, tombstone }, at)
    this.flush('fdatasync')
    return tombstone
  }

  async indexed(): Promise<void> {
    if (this.#index === null) throw new AuditError('index-unavailable', 'this log keeps no index')
    if (this.pending) this.flush()
    await this.#index.reaches(this.#writer.seq)
  }

  onIndexed(listener: (seq: number) => void): () => void {
    return this.#index?.onIndexed(listener) ?? (() => {})
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #mustBeOpen(): void {
    if (this.#state.kind === 'open') return
    this.#refused++
    throw unavailable(this.#state)
  }

  /** The clock, never behind the record before. */
  #time(): number {
    const wall = Math.floor(this.#settings.now())
    if (!isCount(wall)) throw new AuditError('invalid-event', `the clock says \`${wall}\``)
    const { at } = this.#writer
    if (wall >= at) {
      this.#clockStepped = false
      return wall
    }
    if (!this.#clockStepped && at - wall > CLOCK_STEP_MS) {
      this.#clockStepped = true
      this.#writer.append({ type: 'clock-stepped', v: 1, wall }, at)
    }
    return at
  }

  /** Writes the buffer, and the footer and a new segment when the current one is long enough. */
  #writeOut(sync: SyncPolicy): void {
    const writer = this.#writer
    for (;;) {
      const segment = this.#segment ?? this.#nextSegment()
      if (sync === 'fdatasync' && this.#hasNewEntry) {
        syncDirectoryNow(this.directory)
        this.#hasNewEntry = false
      }
      // Nothing between these two may throw: the file would hold what the buffer still does.
      segment.write(writer.pending(), { sync: sync === 'fdatasync' })
      writer.clear()
      const footer = this.#pendingFooter
      if (footer !== null) {
        this.#pendingFooter = null
        this.#segment = null
        this.#segmentNumber++
        writer.frontier.reset()
        this.#retire(segment, footer)
      } else if (this.#stopping || !this.#isDone(segment)) {
        return
      } else {
        const content = { ...this.#describeHead(), ...this.#headChain.durable }
        const head = signHead(content, this.#key)
        writer.append({ type: 'segment-closed', v: 1, head }, writer.at)
        this.#pendingFooter = head
      }
    }
  }

  /** Long enough, or so old that it would keep its first records beyond their time. */
  #isDone({ offset }: AppendFile): boolean {
    if (offset >= this.#settings.segmentBytes) return true
    return this.keepDays !== null && this.#writer.at - this.#segmentSince >= SEGMENT_MS
  }

  #nextSegment(): AppendFile {
    const segment = openSegment(this.directory, { segment: this.#segmentNumber, offset: 0 })
    this.#segment = segment
    this.#segmentSince = this.#writer.at
    this.#hasNewEntry = true
    return segment
  }

  /** Makes a closed segment durable behind the data path; if the disk refuses, the log has failed. */
  #retire(segment: AppendFile, footer: SignedHead): void {
    const retired = this.#behind(async () => {
      try {
        await segment.sync()
        await syncDirectory(this.directory)
      } finally {
        segment.close()
      }
      // Failing, it is tried again behind the next segment.
      const heads = await dropOldHeads(this.directory, footer).catch(() => null)
      if (heads === null) return
      this.#heads.close()
      this.#heads = heads
    })
    retired.catch((cause: unknown) => this.#fail(cause))
  }

  #describeHead(): HeadContent {
    const { seq, at, head } = this.#writer.chain
    const { frontier } = this.#writer
    const segment = this.#segmentNumber
    return { at, seq, head, segment, records: frontier.count, root: frontier.root() }
  }

  // INVARIANT: a head is written only after the records it speaks of are on the disk, so a head that is
  // ahead of its segment means that records were cut. It is linked when it is written: none is named that is not there.
  #storeHead(): Promise<SignedHead> {
    const [content, key, segment] = [this.#describeHead(), this.#key, this.#segment]
    return this.#behind(async () => {
      await segment?.sync()
      const head = signHead({ ...content, ...this.#headChain.next }, key)
      this.#heads.write(Buffer.from(encodeHead(head)), { sync: false })
      this.#headChain.written(head)
      this.#headSeq = head.seq
      await this.#heads.sync()
      this.#headChain.synced()
      return head
    })
  }

  async #anchorHead(head: SignedHead): Promise<void> {
    const { anchor } = this.#settings
    if (anchor === undefined) return
    const signal = AbortSignal.timeout(ANCHOR_MS_MAX)
    try {
      await Promise.race([anchor(head, signal), rejectionOf(signal)])
      this.#anchorFailing = false
    } catch (cause) {
      if (this.#anchorFailing || this.#state.kind !== 'open') return
      this.#anchorFailing = true
      this.append({ type: 'anchor-failed', v: 1, seq: head.seq, code: systemCodeOf(cause) })
      this.flush()
    }
  }

  /** Signs a head unless one is under way or nothing is new. A failure has failed the log already. */
  #headSoon(): void {
    if (this.#headUnderWay || this.#state.kind !== 'open') return
    if (this.#writer.seq === this.#headSeq) return
    this.#headUnderWay = true
    this.signHead()
      .catch(() => {})
      .finally(() => {
        this.#headUnderWay = false
      })
  }

  #behind<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#background.then(task)
    this.#background = run.then(
      () => {},
      () => {},
    )
    return run
  }

  #fail(cause: unknown): AuditError {
    const code = systemCodeOf(cause)
    const error = new AuditError('unavailable', `audit log cannot be written: ${code}`, { cause })
    if (this.#state.kind === 'open') {
      this.#state = { kind: 'failed', code, since: Math.floor(this.#settings.now()) }
      this.#settings.onFailure?.(error)
    }
    return error
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    try {
      this.recover()
      this.#stopping = true
      this.append({ type: 'log-stopped', v: 1 })
      this.flush()
      // Nothing may follow the stop, while its head is still being stored.
      this.#state = { kind: 'closed' }
      await this.#anchorHead(await this.#storeHead())
    } finally {
      this.#state = { kind: 'closed' }
      await this.#background
      await Promise.all([this.#index?.close(), this.#shared?.close()])
      this.#segment?.close()
      this.#heads.close()
      this.#lock.release()
    }
  }
}

function unavailable(state: State): AuditError {
  const what = state.kind === 'failed' ? `has failed: ${state.code}` : 'is closed'
  return new AuditError('unavailable', `audit log ${what}`)
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
