import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type AuditLog, openAuditLog, recordingPath } from '@sallyport/audit'
import { expect, onTestFinished, test } from 'vitest'
import { createLogger } from '../telemetry/index.ts'
import { SteadyClock } from '../trail/steady-clock.ts'
import { RecordingRoom } from './room.ts'

const SESSION = '0f5d3c9a-0000-4000-8000-000000000000'
const DAY_MS = 86_400_000

/** A recording last written two days ago, and the log that is to say what became of it. */
async function sample(): Promise<{ directory: string; file: string; audit: AuditLog }> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-room-'))
  const directory = join(root, 'recordings')
  const file = recordingPath(directory, SESSION)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, 'anything')
  const at = (Date.now() - 2 * DAY_MS) / 1_000
  utimesSync(file, at, at)
  const audit = await openAuditLog({ directory: join(root, 'audit'), now: Date.now, index: false })
  onTestFinished(async () => {
    await audit.close()
    rmSync(root, { recursive: true })
  })
  return { directory, file, audit }
}

test.each([
  ['goes on with the machine', 0, true],
  ['jumps ahead by years', 5_000 * DAY_MS, false],
  ['falls back', -30 * DAY_MS, false],
])('a clock that %s: what is old is destroyed only where it is old', async (_, jump, isGone) => {
  const { directory, file, audit } = await sample()
  let [now, monotonic] = [Date.now(), 5]
  const room = new RecordingRoom({
    directory,
    key: null,
    previousKeys: [],
    keepDays: 10,
    audit,
    log: createLogger({ level: 'error' }),
    clock: new SteadyClock({ now: () => now, monotonic: () => monotonic }),
  })
  await room.expire()
  expect(existsSync(file)).toBe(true)
  // Nine days on, by the machine; and by the clock as it says.
  monotonic += 9 * DAY_MS
  now += 9 * DAY_MS + jump
  await room.expire()
  expect(existsSync(file)).toBe(!isGone)
  await room.close()
})
