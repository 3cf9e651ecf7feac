/**
 * Budgets of one gateway: in memory, and in a file of its state directory, so that a restart does not begin them anew.
 * A line for every charge says what it comes to; the last one counts.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BudgetLedger, type Charge, type Charged, charged, FORGOTTEN_MS } from './ledger.ts'

/** Lines beyond one for each key, before the file is written anew. */
const SPARE_LINES_MAX = 50_000

interface Line {
  readonly key: string
  readonly total: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export class LocalLedger implements BudgetLedger {
  readonly #file: string
  readonly #now: () => number
  readonly #totals = new Map<string, Line>()
  #lines = 0

  /** `now`: milliseconds since 1970. @throws what reading or writing the file does */
  constructor(directory: string, now: () => number) {
    this.#file = join(directory, 'budgets.jsonl')
    this.#now = now
    if (existsSync(this.#file)) {
      for (const text of readFileSync(this.#file, 'utf8').split('\n')) {
        const line = lineIn(text)
        if (line !== null) this.#totals.set(line.key, line)
      }
    }
    this.#rewrite()
  }

  async charge(charges: readonly Charge[]): Promise<readonly Charged[]> {
    const at = this.#now()
    const made = charges.map((charge) => {
      const { key } = charge
      const answer = charged(this.#totals.get(key)?.total ?? 0, charge)
      return { line: { key, total: answer.total, at }, ...answer }
    })
    // What cannot be written has not been charged.
    appendFileSync(this.#file, textOf(made.map(({ line }) => line)), { mode: 0o600 })
    for (const { line } of made) this.#totals.set(line.key, line)
    this.#lines += made.length
    if (this.#lines > this.#totals.size + SPARE_LINES_MAX) this.#rewrite()
    return made
  }

  #rewrite(): void {
    for (const { key, at } of this.#totals.values()) {
      if (this.#now() - at > FORGOTTEN_MS) this.#totals.delete(key)
    }
    writeFileSync(`${this.#file}.new`, textOf([...this.#totals.values()]), { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
    this.#lines = this.#totals.size
  }
}

const textOf = (lines: readonly Line[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** Null: empty, or cut by the end of the process that wrote it. */
function lineIn(text: string): Line | null {
  try {
    const line = JSON.parse(text) as Partial<Line>
    const { key, total, at } = line
    const whole = [total, at].every((one) => Number.isSafeInteger(one))
    // Safe: its members have just been looked at.
    return typeof key === 'string' && whole ? (line as Line) : null
  } catch {
    return null
  }
}
