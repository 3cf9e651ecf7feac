/** The demo's tour as users run it: a process of its own that starts everything and checks every promise. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const TOUR_MS_MAX = 150_000

test(
  'the tour of the demo finds every promise kept',
  async () => {
    const options = { timeout: TOUR_MS_MAX, maxBuffer: 16 * 1024 * 1024 }
    const tour = promisify(execFile)(process.execPath, [MAIN, '--tour', '--quiet'], options)
    const { stdout } = await tour
    expect(stdout).toMatch(/^\s*\d{3} promises kept, 0 broken/)
  },
  TOUR_MS_MAX + 10_000,
)
