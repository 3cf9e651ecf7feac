/**
 * Signed heads from one source, in order, next to the records they speak of. Reads as it goes: a heads file
 * may be as old as the log.
 */

import { existsSync } from 'node:fs'
import type { SignedHead } from './event.ts'
import type { FindingCode, Findings } from './findings.ts'
import type { HeadLinks } from './head-links.ts'
import { checkHead, decodeHead } from './heads.ts'
import type { PublicKey } from './keys.ts'
import { LineReader } from './segments.ts'

export interface HeadSource {
  /** What findings call it. */
  readonly name: string
  readonly file: string
  /** True: its last line may be just being written. */
  readonly live: boolean
  /** Of the log's own: every head has to be there. */
  readonly links?: HeadLinks
}

export class HeadCursor {
  readonly name: string
  readonly #reader: LineReader | null
  readonly #findings: Findings
  readonly #keys: readonly PublicKey[]
  readonly #live: boolean
  readonly #links: HeadLinks | undefined
  #line = 0
  #lastSeq = 0
  #next: SignedHead | null = null
  #checked = 0

  constructor(source: HeadSource, tools: { findings: Findings; keys: readonly PublicKey[] }) {
    this.name = source.name
    this.#live = source.live
    this.#links = source.links
    this.#findings = tools.findings
    this.#keys = tools.keys
    this.#reader = existsSync(source.file) ? new LineReader(source.file) : null
    this.advance()
  }

  /** The head at the cursor, its signature checked; null at the end. */
  get head(): SignedHead | null {
    return this.#next
  }

  /** Of the newest record that a good head spoke of so far. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  get line(): number {
    return this.#line
  }

  /** Heads with a good signature so far. */
  get checked(): number {
    return this.#checked
  }

  /** On to the next head that is well-formed, well-signed and in order; the others are findings. */
  advance(): void {
    this.#next = null
    for (;;) {
      const line = this.#reader?.next() ?? { kind: 'end' as const }
      if (line.kind === 'end') return
      this.#line++
      if (line.kind === 'torn' && this.#live) return
      const head = line.kind === 'line' ? decodeHead(line.bytes.toString('utf8')) : null
      if (head === null) {
        this.#add('head-unreadable', 'this line is not a signed head', null)
        this.#links?.stored(null, this.#line)
        if (line.kind === 'oversized') return
        continue
      }
      const check = checkHead(head, this.#keys)
      if (check !== 'valid') {
        this.#add(check, `head of record ${head.seq}: ${check}`, head.seq)
        this.#links?.stored(null, this.#line)
        continue
      }
      this.#checked++
      if (head.seq < this.#lastSeq) {
        this.#add('head-order', `head of record ${head.seq} stands behind a later one`, head.seq)
        this.#links?.stored(null, this.#line)
        continue
      }
      this.#links?.stored(head, this.#line)
      this.#lastSeq = head.seq
      this.#next = head
      return
    }
  }

  close(): void {
    this.#reader?.close()
  }

  #add(code: FindingCode, message: string, seq: number | null): void {
    this.#findings.add({ code, message, file: this.name, line: this.#line, seq })
  }
}
