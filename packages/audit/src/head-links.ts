/**
 * Whether heads.jsonl has every head it got, each once: a head says how many came before it and the hash of the newest
 * of them. Footers and heads kept elsewhere name heads, too, so that the first and the last cannot go unnoticed.
 *
 * The file may begin with any head that a footer names (old-heads.ts); that which the newest names stays for good.
 */

import type { SignedHead } from './event.ts'
import type { FindingCode, Findings } from './findings.ts'
import { HEADS_FILE, linkBehind, numberOf } from './heads.ts'
import { NO_HASH } from './merkle.ts'

/** Where a head was named, for a finding. */
export interface Namer {
  readonly file: string
  readonly line: number
  readonly seq: number
}

interface Named {
  readonly number: number
  readonly hash: string
  readonly by: Namer
}

export class HeadLinks {
  readonly #findings: Findings
  /** Hashes of the linked heads in heads.jsonl, by number. */
  readonly #stored = new Map<number, string>()
  /** The first line, when it is a linked head. */
  #first: SignedHead | null = null
  /** What the next head has to say; null: the line before it is none. */
  #expected: { readonly heads: number; readonly previous: string } | null = null
  #lines = 0
  #last = 0
  /** By footers, in order. */
  readonly #byFooters: Named[] = []
  /** By heads elsewhere that are not older than the first here. */
  readonly #byOutside: Named[] = []

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** The next line of heads.jsonl, its signature good; null: it is no such head. */
  stored(head: SignedHead | null, line: number): void {
    this.#lines++
    if (head === null) {
      this.#expected = null
      return
    }
    const link = linkBehind(head)
    if (head.v === 2) {
      if (this.#lines === 1) this.#first = head
      else if (this.#expected !== null) this.#follow(head, this.#expected, line)
      this.#stored.set(link.heads, link.previous)
      this.#last = Math.max(this.#last, link.heads)
    } else if (this.#last > 0) {
      this.#add('head-order', 'a head without a link stands behind one with', {
        line,
        seq: head.seq,
      })
    }
    this.#expected = link
  }

  #follow(
    head: SignedHead & { v: 2 },
    expected: { readonly heads: number; readonly previous: string },
    line: number,
  ): void {
    const { heads, previous, seq } = head
    if (heads > expected.heads) {
      const first = expected.heads + 1
      const message =
        heads === first ? `head ${heads} is missing` : `heads ${first} to ${heads} are missing`
      this.#add('head-missing', message, { line, seq })
    } else if (heads < expected.heads) {
      const number = numberOf(head)
      const message =
        number === expected.heads
          ? `head ${number} stands there twice`
          : `head ${number} stands behind head ${expected.heads}`
      this.#add('head-order', message, { line, seq })
    } else if (previous !== expected.previous) {
      const message = `head ${numberOf(head)} does not follow the one before it`
      this.#add('head-missing', message, { line, seq })
    }
  }

  /** A footer, well signed; footers in order. */
  footer(head: SignedHead, by: Namer): void {
    if (head.v === 1) return
    const { heads: number, previous: hash } = head
    const before = this.#byFooters.at(-1)?.number ?? 0
    if (number < before) {
      const message = `there were ${before} heads before, and the footer says ${number}`
      this.#findings.add({ code: 'head-missing', message, ...by })
    }
    if (number > 0) this.#byFooters.push({ number, hash, by })
  }

  /** A head kept elsewhere that fits the records. */
  outside(head: SignedHead, by: Namer): void {
    const { heads: number, previous: hash } = linkBehind(head)
    if (number === 0 || number < this.#firstNumber) return
    // Without one here, the newest is all there is to say.
    if (this.#lines === 0) this.#byOutside.length = 0
    this.#byOutside.push({ number, hash, by })
  }

  get #firstNumber(): number {
    return this.#first === null ? 0 : numberOf(this.#first)
  }

  /** After the last record. `live`: heads may have been stored since heads.jsonl was read. */
  end(live: boolean): void {
    this.#checkBeginning()
    const named = [...this.#byFooters, ...this.#byOutside]
    for (const { number, hash, by } of named) {
      const stored = this.#stored.get(number)
      if (stored === undefined || stored === hash) continue
      const message = `head ${number} of ${HEADS_FILE} is another than this names`
      this.#findings.add({ code: 'head-mismatch', message, ...by })
    }
    const newest = named.toSorted((a, b) => a.number - b.number).at(-1)
    if (live || newest === undefined || newest.number <= this.#last) return
    const message = `${HEADS_FILE} ends before head ${newest.number}, which this names`
    this.#findings.add({ code: 'head-missing', message, ...newest.by })
  }

  #checkBeginning(): void {
    const first = this.#first
    if (first === null || first.v === 1) return
    if (first.heads === 0 && first.previous === NO_HASH) return
    const number = numberOf(first)
    const hash = this.#stored.get(number)
    if (this.#byFooters.some((named) => named.number === number && named.hash === hash)) return
    const message = `heads before head ${number} are missing`
    this.#add('head-missing', message, { line: 1, seq: first.seq })
  }

  #add(code: FindingCode, message: string, at: { line: number; seq: number }): void {
    this.#findings.add({ code, message, file: HEADS_FILE, ...at })
  }
}
