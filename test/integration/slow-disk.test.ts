/**
 * A disk that takes hundreds of milliseconds for each write to the log and the recordings, and for each sync: what
 * runs waits until it is recorded, everybody else is served between two writes, memory stays bounded, and when the
 * disk is quick again all of it is in the log. The disk is a library that the gateway is started with (slow-disk.c).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyLog } from '@sallyport/audit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { debianProgram } from '../support/debian.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { plainPostgres } from '../support/plain-clients.ts'
import { freePort } from '../support/ports.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]
record: [{ who: everyone, rows: all }]`
const SOURCE = fileURLToPath(new URL('../support/slow-disk.c', import.meta.url))
const COMPILER = process.platform === 'linux' ? debianProgram('gcc', ['gcc']) : null
const SLOW_MS = 300
const CLIENTS = 4
const INSERTS = 4
/** Rows of 1,000 bytes, recorded. */
const LONG_ROWS = 60_000
/** Less than the long result: it is not held while the disk takes it. */
const GROWTH_BYTES_MAX = 32_000_000

describe.skipIf(COMPILER === null)('a slow disk', () => {
  let directory: string
  let database: TestDatabase
  let gateway: TestGateway
  let admin: string
  const diskTakes = (ms: number) => writeFileSync(join(directory, 'ms'), String(ms))

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-slow-'))
    const library = join(directory, 'slow-disk.so')
    execFileSync(COMPILER ?? '', ['-shared', '-fPIC', '-o', library, SOURCE, '-ldl'])
    diskTakes(0)
    database = await usePostgres()
    await database.sql('CREATE TABLE marks (mark text)')
    const port = await freePort()
    admin = `http://127.0.0.1:${port}`
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      policies: [POLICY],
      // Read in large pieces: TLS hands over one record at a time, and each is written.
      via: 'tcp',
      config: { admin: { host: '127.0.0.1', port } },
      spawn: true,
      environment: {
        LD_PRELOAD: library,
        SLOW_DISK_PATH: '/audit/',
        SLOW_DISK_MS: join(directory, 'ms'),
      },
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Memory that JavaScript holds, buffers among it: not what V8 needs to compile the parser. */
  const heldBytes = async (): Promise<number> => {
    const metrics = await (await fetch(`${admin}/metrics`)).text()
    const of = (name: string) => Number(new RegExp(`^\\S*${name} (\\S+)$`, 'm').exec(metrics)?.[1])
    return of('nodejs_heap_size_used_bytes') + of('nodejs_external_memory_bytes')
  }

  test('delays, refuses nothing, and loses nothing', async () => {
    const token = await gateway.token()
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => plainPostgres(gateway, token)),
    )
    expect(readFileSync(`/proc/${gateway.pid()}/maps`, 'utf8')).toContain('slow-disk.so')
    const [reader] = clients
    await reader?.query('SELECT 1')
    const before = await heldBytes()
    let peak = before
    diskTakes(SLOW_MS)
    let working = true
    const work = Promise.all(
      clients.map(async (client, c) => {
        for (let i = 0; i < INSERTS; i++) {
          await client.query('INSERT INTO marks VALUES ($1)', [`m${c}-${i}`])
        }
      }),
    ).finally(() => {
      working = false
    })
    const health: number[] = []
    while (working) {
      health.push((await fetch(`${admin}/healthz`)).status)
      const [mark] = await database.sql('SELECT count(*) AS n FROM marks')
      const recorded = marksRecorded().size
      // Asked for before the log was read: whatever had run then must be in it.
      expect(recorded).toBeGreaterThanOrEqual(Number(mark?.['n']))
      peak = Math.max(peak, await heldBytes())
    }
    await work
    expect(health.length).toBeGreaterThan(1)
    expect(new Set(health)).toEqual(new Set([200]))

    // A long result is read from the database no faster than the disk takes it.
    diskTakes(4)
    let reading = true
    const long = reader
      ?.query(`SELECT repeat('x', 1000) AS x FROM generate_series(1, ${LONG_ROWS})`)
      .finally(() => {
        reading = false
      })
    while (reading) {
      expect((await fetch(`${admin}/healthz`)).status).toBe(200)
      peak = Math.max(peak, await heldBytes())
    }
    expect((await long)?.rows).toHaveLength(LONG_ROWS)
    expect(peak - before).toBeLessThan(GROWTH_BYTES_MAX)

    diskTakes(0)
    await Promise.all(clients.map((client) => client.end()))
    const key = readdirSync(gateway.auditDirectory).find((name) => name.startsWith('public-key-'))
    const report = await verifyLog(gateway.auditDirectory, {
      publicKeys: [readFileSync(join(gateway.auditDirectory, key ?? ''), 'utf8')],
      recordings: join(gateway.auditDirectory, 'recordings'),
      live: true,
    })
    expect(report.findings).toEqual([])
    expect(marksRecorded().size).toBe(CLIENTS * INSERTS)
  })

  /** What the statements in the log say they write. */
  function marksRecorded(): Set<string> {
    const { auditDirectory } = gateway
    const texts = readdirSync(auditDirectory)
      .filter((name) => /^\d+\.jsonl$/.test(name))
      .map((name) => readFileSync(join(auditDirectory, name), 'utf8'))
    return new Set(texts.join('').match(/m\d-\d/g))
  }
})
