/** What the records of one statement cost the data path: encoded, chained, and written once per batch. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditEvent, openAuditLog } from '@sallyport/audit'
import { suite } from './suite.ts'
import { TEXTS } from './texts.ts'

const directory = mkdtempSync(join(tmpdir(), 'sp-bench-audit-'))
const log = await openAuditLog({ directory, now: Date.now, index: false })

const statement = (sql: string): AuditEvent => ({
  type: 'statement',
  v: 1,
  session: '01J9ZK3V8Q7W',
  ordinal: 42,
  via: 'execute',
  sql,
  verdict: 'allow',
  rule: 'analysts read',
  relations: [{ access: 'read', name: 'public.pgbench_accounts' }],
  effects: ['read'],
  masks: [],
})

const outcome: AuditEvent = {
  type: 'outcome',
  v: 1,
  session: '01J9ZK3V8Q7W',
  statement: 42,
  status: 'ok',
  rows: 1,
  bytes: 143,
  micros: 218,
  commandTag: 'SELECT 1',
}

try {
  await suite('Audit log, one write per batch', [
    ...Object.entries(TEXTS).map(([size, text]) => {
      const event = statement(text(1000))
      return {
        name: `append a statement, ${size}`,
        run: () => void log.append(event),
        after: () => log.flush(),
      }
    }),
    {
      name: 'append an outcome',
      run: () => void log.append(outcome),
      after: () => log.flush(),
    },
  ])
} finally {
  await log.close()
  rmSync(directory, { recursive: true })
}
