/**
 * How fast the index is built from segments: records per second of one thread.
 *
 *   node packages/audit/src/index/index.bench.ts
 */

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuditLog } from '../open.ts'
import { segmentPath } from '../segments.ts'
import { opening, outcome, statement } from '../testing-events.ts'
import { rebuildIndex } from './indexer.ts'

const STATEMENTS = 100_000
const PER_SESSION = 50

const directory = mkdtempSync(join(tmpdir(), 'sallyport-index-bench-'))
const log = await openAuditLog({ directory, now: Date.now, index: false })
for (let i = 0; i < STATEMENTS; i++) {
  const session = `session-${Math.floor(i / PER_SESSION)}`
  if (i % PER_SESSION === 0)
    for (const event of opening(session, `user ${i % 97}`)) log.append(event)
  const sql = `SELECT abalance FROM pgbench_accounts WHERE aid = ${i}`
  log.append(outcome({ session, statement: log.append(statement({ session, sql })) }))
  if (i % 100 === 0) log.flush()
}
await log.close()

const start = process.hrtime.bigint()
const records = await rebuildIndex(directory)
const seconds = Number(process.hrtime.bigint() - start) / 1e9
const logBytes = statSync(segmentPath(directory, 1)).size
const indexBytes = statSync(join(directory, 'index.db')).size
console.log(
  `${records} records in ${seconds.toFixed(1)} s: ${Math.round(records / seconds)} a second`,
)
console.log(`log ${logBytes >> 20} MiB, index ${indexBytes >> 20} MiB`)
rmSync(directory, { recursive: true })
