/**
 * Budgets of one gateway: in memory, and in a file of its state directory, so that a restart does not begin them anew.
 * A line for every charge says what the account comes to; the last one counts.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Amounts,
  type BudgetLedger,
  type Charge,
  type Charged,
  FORGOTTEN_MS,
} from './ledger.ts'

/** Lines beyond those of the accounts themselves, before the file is written anew. */
const SPARE_LINES_MAX = 50_000

interface Line extends Amounts {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export class LocalLedger implements BudgetLedger {
  readonly #file: string
  readonly #now: () => number
  readonly #accounts = new Map<string, Line>()
  #lines = 0

  /** `now`: milliseconds since 1970. @throws what reading or writing the file does */
  constructor(directory: string, now: () => number) {
    this.#file = join(directory, 'budgets.jsonl')
    this.#now = now
    if (existsSync(this.#file)) {
      for (const text of readFileSync(this.#file, 'utf8').split('\n')) {
        const line = lineIn(text)
        if (line !== null) this.#accounts.set(line.key, line)
      }
    }
    this.#rewrite()
  }

  async charge(charges: readonly Charge[]): Promise<readonly Charged[]> {
    const at = this.#now()
    const made = charges.map(({ key, statements, statementsMax, rows, bytes }) => {
      const before = this.#accounts.get(key) ?? { statements: 0, rows: 0, bytes: 0 }
      const taken = Math.min(statements, Math.max(0, statementsMax - before.statements))
      const total = {
        statements: Math.max(0, before.statements + taken),
        rows: before.rows + rows,
        bytes: before.bytes + bytes,
      }
      return { line: { key, ...total, at }, total, taken }
    })
    // What cannot be written has not been charged.
    appendFileSync(this.#file, textOf(made.map(({ line }) => line)), { mode: 0o600 })
    for (const { line } of made) this.#accounts.set(line.key, line)
    this.#lines += made.length
    if (this.#lines > this.#accounts.size + SPARE_LINES_MAX) this.#rewrite()
    return made
  }

  #rewrite(): void {
    for (const { key, at } of this.#accounts.values()) {
      if (this.#now() - at > FORGOTTEN_MS) this.#accounts.delete(key)
    }
    writeFileSync(`${this.#file}.new`, textOf([...this.#accounts.values()]), { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
    this.#lines = this.#accounts.size
  }
}

const textOf = (lines: readonly Line[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** Null: empty, or cut by the end of the process that wrote it. */
function lineIn(text: string): Line | null {
  try {
    const line = JSON.parse(text) as Partial<Line>
    const { key, statements, rows, bytes, at } = line
    const whole = [statements, rows, bytes, at].every((one) => Number.isSafeInteger(one))
    // Safe: its members have just been looked at.
    return typeof key === 'string' && whole ? (line as Line) : null
  } catch {
    return null
  }
}
