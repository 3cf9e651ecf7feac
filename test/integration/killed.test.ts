/**
 * The gateway killed with SIGKILL at random moments under load, over one audit directory: whatever the
 * database executed is in the log, whatever a client saw is in its recording, and both verify.
 *
 * A few rounds here; more by SALLYPORT_KILL_ROUNDS=200.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRecording, verifyLog } from '@sallyport/audit'
import { replayFrames } from '@sallyport/gateway'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const ROUNDS = Number(process.env['SALLYPORT_KILL_ROUNDS'] ?? 3)
const CLIENTS = 4
/** A round lives this long at most after a client has been answered, ms. */
const LIFE_MS_MAX = 600
const ROUND_MS_MAX = 60_000
const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]
record: [{ who: everyone, rows: all }]`

let database: TestDatabase
let gateway: TestGateway
let token: string

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE marks (mark text)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    policies: [POLICY],
    config: { audit: { directory: 'audit', 'segment-bytes': 200_000 } },
    spawn: true,
  })
  token = await gateway.token()
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

/** Writes and reads marks until the round is over; adds to `seen` what it was shown. */
async function live(name: string, seen: Set<string>, round: AbortSignal): Promise<void> {
  for (let connection = 0; !round.aborted; connection++) {
    const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
    client.on('error', () => {})
    try {
      await client.connect()
      for (let i = 0; ; i++) await act(client, `${name}-${connection}-${i}`, i, seen)
    } catch {
      // Killed, or not up yet.
    } finally {
      await client.end().catch(() => undefined)
    }
    await sleep(50)
  }
}

async function act(client: pg.Client, mark: string, i: number, seen: Set<string>): Promise<void> {
  if (i % 3 === 0) await client.query('INSERT INTO marks VALUES ($1)', [mark])
  else if (i % 3 === 1) await client.query(`INSERT INTO marks VALUES ('${mark}')`)
  else {
    const { rows } = await client.query<{ shown: string }>(`SELECT '${mark}' || '!' AS shown`)
    seen.add(rows[0]?.shown ?? '')
  }
}

const recordings = () => join(gateway.auditDirectory, 'recordings')

function logText(): string {
  return readdirSync(gateway.auditDirectory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .map((name) => readFileSync(join(gateway.auditDirectory, name), 'utf8'))
    .join('')
}

/** Everything that any recording shows, once the journals of the last life are taken apart. */
async function everythingShown(): Promise<Set<string>> {
  await expect
    .poll(() => readdirSync(recordings()).filter((name) => name.endsWith('.journal')).length, {
      timeout: 20_000,
    })
    .toBeLessThanOrEqual(1)
  const shown = new Set<string>()
  for (const entry of readdirSync(recordings(), { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.rec')) continue
    const session = entry.name.slice(0, -'.rec'.length)
    for (const item of replayFrames(readRecording({ directory: recordings(), session }))) {
      if (item.kind === 'row') for (const cell of item.cells) shown.add(cell ?? '')
    }
  }
  return shown
}

test(
  `loses nothing in ${ROUNDS} rounds`,
  async () => {
    const seen = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await gateway.revive()
      const over = new AbortController()
      const lives = Array.from({ length: CLIENTS }, (_, i) =>
        live(`r${round}c${i}`, seen, over.signal),
      )
      const before = seen.size
      await expect.poll(() => seen.size, { timeout: 40_000 }).toBeGreaterThan(before)
      await sleep(Math.random() * LIFE_MS_MAX)
      over.abort()
      await gateway.crash()
      await Promise.all(lives)
    }
    await gateway.revive()
    const shown = await everythingShown()
    const log = logText()
    const rows = await database.sql<{ mark: string }>('SELECT mark FROM marks')
    expect(rows.length).toBeGreaterThan(ROUNDS)
    expect(
      rows.filter(({ mark }) => !log.includes(`'${mark}'`) && !log.includes(`"${mark}"`)),
    ).toEqual([])
    expect(seen.size).toBeGreaterThan(0)
    expect([...seen].filter((one) => !shown.has(one))).toEqual([])
    const key = readdirSync(gateway.auditDirectory).find((name) => name.startsWith('public-key-'))
    const report = await verifyLog(gateway.auditDirectory, {
      publicKeys: [readFileSync(join(gateway.auditDirectory, key ?? ''), 'utf8')],
      recordings: recordings(),
      live: true,
    })
    expect(report.findings).toEqual([])
  },
  ROUNDS * ROUND_MS_MAX,
)
