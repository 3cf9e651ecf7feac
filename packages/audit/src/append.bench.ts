/**
 * What the data path pays for the record of one statement: nanoseconds per record for append (encode, hash,
 * chain, Merkle), and per flush. Run it on an idle machine:
 *
 *   node packages/audit/src/append.bench.ts
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from './event.ts'
import { openAuditLog } from './open.ts'

const RECORDS = 200_000
const ROUNDS = 5
const RECORDS_PER_FLUSH = [1, 2, 16, 128]

const SQL = {
  short: 'SELECT abalance FROM pgbench_accounts WHERE aid = $1;',
  long: `SELECT c.id, c.name, o.total FROM public.customers c JOIN public.orders o ON o.customer_id = c.id
WHERE c.region = 'north' AND o.created_at > now() - interval '7 days' AND o.status IN ('open', 'paid')
ORDER BY o.created_at DESC LIMIT 100 -- dashboard`,
}

function statementOf(sql: string): AuditEvent {
  return {
    type: 'statement',
    v: 1,
    session: '01J9ZK3V8Q7W',
    ordinal: 42,
    via: 'execute',
    sql,
    fingerprint: '9f86d081884c7d65',
    verdict: 'allow',
    rule: 'analysts read',
    relations: [{ access: 'read', name: 'public.pgbench_accounts' }],
    effects: ['read'],
    masks: [],
  }
}

function outcomeOf(statement: number): AuditEvent {
  return {
    type: 'outcome',
    v: 1,
    session: '01J9ZK3V8Q7W',
    statement,
    status: 'ok',
    rows: 1,
    bytes: 143,
    micros: 218,
    commandTag: 'SELECT 1',
  }
}

async function measure(sql: string, perFlush: number): Promise<{ append: number; flush: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-bench-'))
  const log = await openAuditLog({ directory, now: Date.now, index: false })
  const statement = statementOf(sql)
  let append = 0n
  let flush = 0n
  for (let i = 0; i < RECORDS; i += perFlush) {
    const start = process.hrtime.bigint()
    for (let k = 0; k < perFlush; k++) log.append(k % 2 === 0 ? statement : outcomeOf(i))
    const appended = process.hrtime.bigint()
    log.flush()
    append += appended - start
    flush += process.hrtime.bigint() - appended
  }
  await log.close()
  rmSync(directory, { recursive: true })
  return { append: Number(append) / RECORDS, flush: Number(flush) / (RECORDS / perFlush) }
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[sorted.length >> 1] ?? 0).toFixed(0)
}

for (const [name, sql] of Object.entries(SQL)) {
  for (const perFlush of RECORDS_PER_FLUSH) {
    const rounds = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(sql, perFlush))
    const append = median(rounds.map((round) => round.append))
    const flush = median(rounds.map((round) => round.flush))
    console.log(`${name} sql, ${perFlush}/flush: append ${append} ns a record, flush ${flush} ns`)
  }
}
