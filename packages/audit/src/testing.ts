/** What this package's tests share: a directory of their own, a clock in hand. Not exported. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { SignedHead } from './event.ts'
import type { UnsignedHead } from './heads.ts'

/** An empty directory, removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface TestClock {
  now: () => number
  ms: number
}

/** A clock that stands still until it is moved. */
export function clockAt(ms = 1_767_225_600_000): TestClock {
  const clock: TestClock = { ms, now: () => clock.ms }
  return clock
}

/** The public key a log left in its directory. */
export function publicKeyIn(directory: string): string {
  const name = readdirSync(directory).find((file) => file.startsWith('public-key-'))
  return readFileSync(join(directory, name ?? ''), 'utf8')
}

/** A head as whoever has the key could sign it again, changed. */
export function unsigned(head: SignedHead | null): UnsignedHead {
  if (head?.v !== 2) throw new Error('no linked head')
  const { v: _, keyId: __, signature: ___, ...rest } = head
  return rest
}
