import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditLog, openAuditLog } from '@sallyport/audit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RecordingRoom } from '../recordings/room.ts'
import { createLogger } from '../telemetry/index.ts'
import { SteadyClock } from '../trail/steady-clock.ts'
import { Turnstile } from './turnstile.ts'

let directory: string
let audit: AuditLog
let turnstile: Turnstile

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'turnstile-'))
  audit = await openAuditLog({ directory, now: Date.now })
  const recordings = new RecordingRoom({
    directory: join(directory, 'recordings'),
    key: null,
    previousKeys: [],
    keepDays: null,
    audit,
    log: createLogger({ level: 'error' }),
    clock: new SteadyClock({ now: Date.now, monotonic: () => performance.now() }),
  })
  turnstile = new Turnstile(audit, recordings)
})
afterEach(async () => {
  await audit.close()
  rmSync(directory, { recursive: true, force: true })
})

function append(version: string): void {
  audit.append({ type: 'config-loaded', v: 1, version })
}

/** What another process would read now. */
function written(): string {
  return readdirSync(directory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('')
}

function waits(): Promise<{ written: string } | { blocked: unknown }> {
  return new Promise((resolve) => {
    turnstile.enter({
      release: () => resolve({ written: written() }),
      blocked: (error) => resolve({ blocked: error }),
    })
    turnstile.request()
  })
}

test('whoever is released finds every record of the tick written', async () => {
  append('first')
  const one = waits()
  append('second')
  const other = waits()
  expect(written()).not.toContain('first')
  for (const released of await Promise.all([one, other])) {
    expect(released).toMatchObject({ written: expect.stringMatching(/first[\s\S]*second/) })
  }
})

test('passing at once writes at once', () => {
  append('first')
  let found = ''
  turnstile.enter({
    release: () => {
      found = written()
    },
    blocked: () => undefined,
  })
  turnstile.request()
  turnstile.passNow()
  expect(found).toContain('first')
})

test('nobody is released by a log that cannot be written', async () => {
  let released = 0
  await audit.close()
  const blocked = await new Promise((resolve) => {
    turnstile.enter({ release: () => released++, blocked: resolve })
    turnstile.request()
  })
  expect(blocked).toMatchObject({ code: 'unavailable' })
  expect(released).toBe(0)
})
