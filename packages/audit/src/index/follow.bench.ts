/**
 * What the index costs while a log is written: CPU of the whole process per query (a statement and its
 * outcome), at a steady rate, with the index worker and without.
 *
 *   node packages/audit/src/index/follow.bench.ts [queries a second]
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { AuditLog } from '../log.ts'
import { openAuditLog } from '../open.ts'
import { opening, outcome, statement } from '../testing-events.ts'

const RATE = Number(process.argv[2] ?? 4_000)
const SECONDS = 5
const SESSIONS = 8

async function microsPerQuery(index: boolean): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-follow-bench-'))
  const log = await openAuditLog({ directory, now: Date.now, index })
  for (let i = 0; i < SESSIONS; i++) for (const event of opening(`s${i}`, 'ann')) log.append(event)
  await write(log, 1)
  const before = process.cpuUsage()
  const queries = await write(log, SECONDS)
  if (index) await log.indexed()
  const { user, system } = process.cpuUsage(before)
  await log.close()
  rmSync(directory, { recursive: true })
  return (user + system) / queries
}

async function write(log: AuditLog, seconds: number): Promise<number> {
  const start = performance.now()
  let queries = 0
  for (;;) {
    const elapsed = performance.now() - start
    if (elapsed >= seconds * 1000) return queries
    for (const due = (elapsed * RATE) / 1000; queries < due; queries++) {
      const session = `s${queries % SESSIONS}`
      const sql = `SELECT abalance FROM pgbench_accounts WHERE aid = ${queries}`
      log.append(outcome({ session, statement: log.append(statement({ session, sql })) }))
      if (queries % SESSIONS === 0) log.flush()
    }
    log.flush()
    await pause(1)
  }
}

await microsPerQuery(true)
for (let round = 0; round < 3; round++) {
  const without = await microsPerQuery(false)
  const with_ = await microsPerQuery(true)
  console.log(`${without.toFixed(1)} µs a query, ${with_.toFixed(1)} µs with the index`)
}
