/**
 * The gateway killed with SIGKILL at random moments under load, over one audit directory: whatever the
 * database executed is in the log, whatever a client saw is in its recording, and both verify.
 *
 * A few rounds here; more by SALLYPORT_KILL_ROUNDS=200, on one server with `-t 'before postgres '` (nearly all of a
 * round is the gateway's start: 2 s of CPU).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRecording, verifyLog } from '@sallyport/audit'
import { replayFrames } from '@sallyport/gateway'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { plainMysql, plainPostgres } from '../support/plain-clients.ts'
import { findMysql, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const ROUNDS = Number(process.env['SALLYPORT_KILL_ROUNDS'] ?? 3)
const CLIENTS = 4
/** A round lives this long at most after a client has been answered, ms. */
const LIFE_MS_MAX = 600
const ROUND_MS_MAX = 60_000
const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]
record: [{ who: everyone, rows: all }]`

/** What a client writes and reads: its round, client, connection and number. */
const MARK = /['"](r\d+c\d+-\d+-\d+)['"]/g

/** Every so many reads one is longer than what is copied into a batch of the journal. */
const LONG_EVERY = 10
const LONG_CHARS = 40_000

/** What is compared of a value that was shown. */
const told = (value: string): string =>
  value.length < LONG_CHARS ? value : `${value.slice(0, value.indexOf('.'))} ${value.length}`

/** A client of one connection: one prepared write, one of text, one read. */
interface Client {
  prepared(mark: string): Promise<unknown>
  text(mark: string): Promise<unknown>
  shown(sql: string): Promise<string>
  end(): Promise<unknown>
}

async function postgresClient(gateway: TestGateway, token: string): Promise<Client> {
  const client = await plainPostgres(gateway, token)
  return {
    prepared: (mark) => client.query('INSERT INTO marks VALUES ($1)', [mark]),
    text: (mark) => client.query(`INSERT INTO marks VALUES ('${mark}')`),
    shown: async (sql) => (await client.query(sql)).rows[0].shown,
    end: () => client.end(),
  }
}

async function mysqlClient(gateway: TestGateway, token: string): Promise<Client> {
  const client = await plainMysql(gateway, token)
  const rowsOf = (answer: unknown): { shown: string }[] => (answer as [{ shown: string }[]])[0]
  return {
    prepared: (mark) => client.execute('INSERT INTO marks VALUES (?)', [mark]),
    text: (mark) => client.query(`INSERT INTO marks VALUES ('${mark}')`),
    shown: async (sql) => rowsOf(await client.query(sql))[0]?.shown ?? '',
    end: async () => client.destroy(),
  }
}

describe.each(['postgres', 'mariadb', 'mysql'] as const)(
  'a gateway before %s that is killed',
  async (server) => {
    const found = server === 'postgres' ? null : await findMysql(server)
    if (found !== null && 'unavailable' in found) {
      test.skip(found.unavailable, () => undefined)
      return
    }
    let database: TestDatabase | TestMysqlDatabase
    let gateway: TestGateway
    const sql = (text: string): Promise<{ mark: string }[]> =>
      'flavour' in database ? database.sql(text) : database.sql(text)

    beforeAll(async () => {
      database = server === 'postgres' ? await usePostgres() : await useMysql(server)
      await sql('CREATE TABLE marks (mark varchar(40))')
      gateway = await startTestGateway({
        upstream: database,
        database: database.database,
        connection: 'crm',
        policies: [POLICY],
        config: { audit: { directory: 'audit', 'segment-bytes': 200_000 } },
        spawn: true,
      })
    })
    afterAll(async () => {
      await gateway?.close()
      await database?.drop()
    })

    /** Writes and reads marks until the round is over; adds to `seen` what it was shown. */
    async function live(name: string, token: string, round: AbortSignal, seen: Set<string>) {
      const connect = server === 'postgres' ? postgresClient : mysqlClient
      for (let connection = 0; !round.aborted; connection++) {
        let client: Client | null = null
        try {
          client = await connect(gateway, token)
          for (let i = 0; ; i++) {
            const mark = `${name}-${connection}-${i}`
            if (i % 3 === 0) await client.prepared(mark)
            else if (i % 3 === 1) await client.text(mark)
            else {
              const length = (i - 2) % (3 * LONG_EVERY) === 0 ? LONG_CHARS : mark.length + 1
              seen.add(told(await client.shown(`SELECT rpad('${mark}', ${length}, '.') AS shown`)))
            }
          }
        } catch {
          // Killed, or not up yet.
        } finally {
          await client?.end().catch(() => undefined)
        }
        await sleep(50)
      }
    }

    const recordings = () => join(gateway.auditDirectory, 'recordings')

    /** Of all statements in the log, in their text or as a parameter. */
    function marksInLog(): Set<string> {
      const marks = new Set<string>()
      const names = readdirSync(gateway.auditDirectory).filter((name) => /^\d+\.jsonl$/.test(name))
      for (const name of names) {
        const lines = readFileSync(join(gateway.auditDirectory, name), 'utf8').split('\n')
        for (const line of lines.filter((one) => one.includes('"type":"statement"'))) {
          for (const [, mark] of line.matchAll(MARK)) marks.add(mark ?? '')
        }
      }
      return marks
    }

    /** Everything that any recording shows, once the journals of the last life are taken apart. */
    async function everythingShown(): Promise<Set<string>> {
      const journals = () => readdirSync(recordings()).filter((name) => name.endsWith('.journal'))
      await expect.poll(() => journals().length, { timeout: 20_000 }).toBeLessThanOrEqual(1)
      const shown = new Set<string>()
      for (const entry of readdirSync(recordings(), { recursive: true, withFileTypes: true })) {
        if (!entry.name.endsWith('.rec')) continue
        const session = entry.name.slice(0, -'.rec'.length)
        for (const item of replayFrames(readRecording({ directory: recordings(), session }))) {
          if (item.kind === 'row') for (const cell of item.cells) shown.add(told(cell ?? ''))
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
          // One for each round: they are short-lived.
          const token = await gateway.token()
          const over = new AbortController()
          const lives = Array.from({ length: CLIENTS }, (_, i) =>
            live(`r${round}c${i}`, token, over.signal, seen),
          )
          const before = seen.size
          await expect
            .poll(() => seen.size, { timeout: ROUND_MS_MAX, message: `round ${round}` })
            .toBeGreaterThan(before)
          await sleep(Math.random() * LIFE_MS_MAX)
          over.abort()
          await gateway.crash()
          await Promise.all(lives)
        }
        await gateway.revive()
        const shown = await everythingShown()
        const logged = marksInLog()
        const rows = await sql('SELECT mark FROM marks')
        expect(rows.length).toBeGreaterThan(ROUNDS)
        expect(rows.filter(({ mark }) => !logged.has(mark))).toEqual([])
        expect(seen.size).toBeGreaterThan(0)
        expect([...seen].filter((one) => !shown.has(one))).toEqual([])
        const key = readdirSync(gateway.auditDirectory).find((name) =>
          name.startsWith('public-key-'),
        )
        const report = await verifyLog(gateway.auditDirectory, {
          publicKeys: [readFileSync(join(gateway.auditDirectory, key ?? ''), 'utf8')],
          recordings: recordings(),
          live: true,
        })
        expect(report.findings).toEqual([])
      },
      ROUNDS * ROUND_MS_MAX,
    )
  },
)
