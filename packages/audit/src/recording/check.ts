/**
 * Recordings held against the log: each must begin with exactly the bytes whose hash its newest seal gives,
 * and hold nothing more once its session has ended, or the log was closed. Keys are not needed: the hash is of the file.
 */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import type { AuditRecord } from '../record.ts'
import { listJournals } from './journal.ts'
import { recordingPath, type Seal, sealOf } from './recording-file.ts'

interface Expected {
  readonly seal: Seal & { readonly final: boolean }
  /** Number of the record that says so. */
  readonly seq: number
  isErased: boolean
}

export class RecordingChecks {
  readonly #directory: string
  readonly #live: boolean
  readonly #expected = new Map<string, Expected>()
  /** The last record says that the log was closed, and so the recordings before it. */
  #isStopped = false
  #checked = 0
  #tails = 0

  constructor(directory: string, options: { live: boolean }) {
    this.#directory = directory
    this.#live = options.live
  }

  /** Recordings found as the log says. */
  get checked(): number {
    return this.#checked
  }

  /** Recordings with something behind their last seal. */
  get tails(): number {
    return this.#tails
  }

  note({ seq, event }: AuditRecord): void {
    this.#isStopped = event.type === 'log-stopped'
    const { session, bytes, sha256, final } = event
    if (typeof session !== 'string') return
    if (event.type === 'recording-erased' && event['what'] === 'recording') {
      const known = this.#expected.get(session)
      if (known !== undefined) known.isErased = true
    }
    if (event.type !== 'recording-sealed') return
    if (typeof bytes !== 'number' || typeof sha256 !== 'string') return
    const seal = { bytes, sha256, final: final === true }
    this.#expected.set(session, { seal, seq, isErased: false })
  }

  async run(findings: Findings): Promise<void> {
    // With a journal that was not taken apart, it may be what follows.
    const mayFollow = !this.#isStopped || this.#hasJournals()
    for (const [session, expected] of this.#expected) {
      this.#check(session, expected, { findings, mayFollow })
      await setImmediate()
    }
    if (!this.#live) this.#findUnknown(findings)
  }

  #check(
    session: string,
    { seal, seq, isErased }: Expected,
    { findings, mayFollow }: { findings: Findings; mayFollow: boolean },
  ): void {
    const file = pathOf(this.#directory, session)
    const name = file === null ? session : basename(file)
    const add = (code: 'recording-changed' | 'recording-missing', message: string): void =>
      findings.add({ code, message, file: name, line: null, seq })
    // An id that no session has: the record was changed.
    const found = file === null ? null : sealOf(this.#directory, session, seal.bytes)
    if (file === null || found === null) {
      if (!isErased) add('recording-missing', `the recording of session ${session} is missing`)
      return
    }
    if (found.bytes < seal.bytes) {
      return add('recording-changed', `the recording of session ${session} was cut`)
    }
    if (found.sha256 !== seal.sha256) {
      return add('recording-changed', `the recording of session ${session} was changed`)
    }
    this.#checked++
    if (statSync(file).size === seal.bytes) return
    if (!seal.final && mayFollow) this.#tails++
    else add('recording-changed', `something follows the recording of session ${session}`)
  }

  #hasJournals(): boolean {
    return existsSync(this.#directory) && listJournals(this.#directory).length > 0
  }

  #findUnknown(findings: Findings): void {
    if (!existsSync(this.#directory)) return
    for (const entry of readdirSync(this.#directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.rec')) continue
      const session = entry.name.slice(0, -'.rec'.length)
      const isInPlace = join(entry.parentPath, entry.name) === pathOf(this.#directory, session)
      if (isInPlace && this.#expected.has(session)) continue
      findings.add({
        code: 'recording-unknown',
        message: `the log does not speak of recording ${entry.name}`,
        file: entry.name,
        line: null,
        seq: null,
      })
    }
  }
}

/** Null for a name that no session has. */
function pathOf(directory: string, session: string): string | null {
  try {
    return recordingPath(directory, session)
  } catch {
    return null
  }
}
