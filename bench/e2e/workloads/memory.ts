/**
 * What a connection costs the target's process in memory of its own.
 *
 * Idle: from a quarter of the sessions to all of them, so that what is allocated once does not count.
 * Stalled: readers that asked for a whole table and read nothing of it.
 * Both start from a process that has worked before: what it allocates once is not a connection's.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WireClient } from '../client/wire.ts'
import { BULK_TABLES } from '../postgres.ts'
import type { Site, Target } from '../targets/target.ts'
import { privateBytes } from '../usage.ts'
import type { Sample, Workload } from './workload.ts'

const OPENED_AT_ONCE = 10
const SETTLE_MS = 1500
const SMOKE_SETTLE_MS = 200
/** Sessions that may still be there from the workload before. */
const QUIET_SESSIONS = 20
const QUIET_MS_MAX = 30_000
const WARMING_STATEMENTS = 400
const KIB = 1024

const unfit = (target: Target): string | null =>
  target.pid === null ? 'the server is many processes' : null

export const memoryWorkloads: readonly Workload[] = [
  {
    name: 'memory.idle',
    unit: 'KiB/session',
    operation: 'session',
    better: 'lower',
    unfit,
    run: measureIdle,
  },
  {
    name: 'memory.stalled',
    unit: 'KiB/reader',
    operation: 'reader',
    better: 'lower',
    unfit,
    run: measureStalled,
  },
]

async function measureIdle(target: Target, site: Site): Promise<Sample> {
  await warm(target)
  await serverQuiet(site)
  const all = site.options.idleSessions
  const first = Math.floor(all / 4)
  const clients: WireClient[] = []
  try {
    await open(first, { target, clients })
    const before = await settledBytes(target, site)
    await open(all - first, { target, clients })
    const after = await settledBytes(target, site)
    return sample((after - before) / (all - first))
  } finally {
    for (const client of clients) client.close()
  }
}

async function measureStalled(target: Target, site: Site): Promise<Sample> {
  await warm(target)
  await serverQuiet(site)
  const clients: WireClient[] = []
  try {
    await open(site.options.stalledReaders, { target, clients })
    const before = await settledBytes(target, site)
    for (const client of clients) {
      client.stall()
      client.send('SELECT * FROM bulk_plain')
    }
    const after = await settledBytes(target, site)
    return sample((after - before) / clients.length)
  } finally {
    for (const client of clients) client.close()
  }
}

const sample = (bytes: number): Sample => ({ value: bytes / KIB, cpu: null, p50: null })

/** Different statements, one of each table, and all of one: code is compiled, schemas are read. */
async function warm(target: Target): Promise<void> {
  const client = await WireClient.open(target)
  try {
    for (let i = 0; i < WARMING_STATEMENTS; i++) {
      await client.query(
        `SELECT city, ${i} FROM ${BULK_TABLES[i % BULK_TABLES.length]} LIMIT ${i % 7}`,
      )
    }
    await client.query('SELECT * FROM bulk_plain')
  } finally {
    client.close()
  }
}

/** Each has run a query: then PgBouncer too has given it a connection to the server. */
async function open(
  count: number,
  { target, clients }: { target: Target; clients: WireClient[] },
): Promise<void> {
  const openOne = async (): Promise<void> => {
    const client = await WireClient.open(target)
    clients.push(client)
    await client.query('SELECT 1')
  }
  for (let opened = 0; opened < count; opened += OPENED_AT_ONCE) {
    const now = Math.min(OPENED_AT_ONCE, count - opened)
    await Promise.all(Array.from({ length: now }, openOne))
  }
}

async function settledBytes({ pid }: Target, { options }: Site): Promise<number> {
  await sleep(options.smoke ? SMOKE_SETTLE_MS : SETTLE_MS)
  return privateBytes(pid ?? 0)
}

/** Sessions of the target before are gone: the server has room for all of this one's. */
async function serverQuiet({ postgres }: Site): Promise<void> {
  const deadline = Date.now() + QUIET_MS_MAX
  while (Date.now() < deadline) {
    if ((await postgres.sessions()) <= QUIET_SESSIONS) return
    await sleep(100)
  }
  throw new Error(`the server still has ${await postgres.sessions()} sessions`)
}
