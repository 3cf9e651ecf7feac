/**
 * How long pages of sessions take in an index of very many: generated ones, with few and many matches.
 *
 *   node packages/audit/src/index/sessions.bench.ts [sessions] [postgres://…]
 *
 * With a URL of an empty database in the index that gateways share, otherwise in SQLite.
 */

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PostgresLogIndex } from './postgres-store.ts'
import { type SessionsQuery, sessionRowsQueryOf } from './search.ts'
import { blankSession } from './session-row.ts'
import { SqliteIndexStore } from './sqlite-store.ts'
import type { IndexBlock, IndexStore, Position, SessionUpdate } from './store.ts'
import { termOf } from './terms.ts'

const SESSIONS = Number(process.argv[2] ?? 1_000_000)
const DATABASE = process.argv[3]
const PER_BATCH = 5_000
/** Records of a session: its own three, four statements with outcomes, the end. */
const RECORDS = 12
const START = 1_767_225_600_000
const ROUNDS = 20

const directory = mkdtempSync(join(tmpdir(), 'sallyport-sessions-bench-'))
const store: IndexStore =
  DATABASE === undefined
    ? new SqliteIndexStore(directory, 'write')
    : await PostgresLogIndex.open(
        { connectionString: DATABASE },
        { identity: 'bench', gateway: 'eu-1' },
      )
const started = performance.now()
let from: Position = await store.position()
for (let first = 0; first < SESSIONS; first += PER_BATCH) {
  const sessions: SessionUpdate[] = []
  const terms = new Set<string>()
  for (let n = first; n < Math.min(first + PER_BATCH, SESSIONS); n++) sessions.push(sessionOf(n))
  for (const { used } of sessions) for (const term of used) terms.add(term)
  const seq = from.seq + sessions.length * RECORDS
  const to = { ...from, seq, offset: from.offset + 1 }
  const block: IndexBlock = {
    firstSeq: from.seq + 1,
    lastSeq: seq,
    firstAt: START + first,
    lastAt: START + first + PER_BATCH,
    segment: 1,
    offset: from.offset,
    lines: Buffer.alloc(1),
    terms,
    sessions: new Set(sessions.map(({ description }) => description.session)),
    texts: new Set(),
  }
  await store.add({ from, to, blocks: [block], sessions, removed: [] })
  from = to
}
const seconds = (performance.now() - started) / 1000
const files = readdirSync(directory).map((name) => statSync(join(directory, name)).size)
const size = files.reduce((sum, one) => sum + one, 0)
console.log(`${SESSIONS} sessions in ${seconds.toFixed(0)} s, ${size >> 20} MiB beside the log`)

function sessionOf(n: number): SessionUpdate {
  const at = START + n
  const subject = `user ${n % 997}`
  const node = `node ${n % 31}`
  const connection = `db ${n % 5}`
  const used = new Set([
    termOf('relation', `public.t${n % 211}`),
    termOf('rule', `rule ${n % 13}`),
    termOf('verdict', n % 1_000 === 0 ? 'deny' : 'allow'),
  ])
  return {
    firstSeq: n * RECORDS + 1,
    description: { ...blankSession(`s${n}`, at), ended_at: at + 1, subject, connection, node },
    terms: [termOf('subject', subject), termOf('connection', connection), termOf('node', node)],
    used,
    totals: { statements: 4, refused: 0, rows: 9, bytes: 900 },
  }
}

const QUESTIONS: readonly (readonly [string, SessionsQuery])[] = [
  ['newest', {}],
  ['page in the middle', { before: (SESSIONS * RECORDS) / 2 }],
  ['subject', { subject: 'user 500' }],
  ['connection (a fifth of all)', { connection: 'db 3' }],
  ['subject and relation', { subject: 'user 500', relation: 'public.t7' }],
  ['connection and verdict deny', { connection: 'db 0', verdict: 'deny' }],
  ['node, rule and relation', { node: 'node 5', rule: 'rule 7', relation: 'public.t100' }],
  ['a subject nobody has', { subject: 'nobody' }],
  ['a day, by connection', { connection: 'db 2', since: START, until: START + SESSIONS / 2 }],
  ['by id', { session: `s${SESSIONS - 7}` }],
  ['live', { live: true }],
]

for (const [name, query] of QUESTIONS) {
  const times: number[] = []
  let rows = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    rows = (await store.sessions(sessionRowsQueryOf(query, 50))).length
    times.push(performance.now() - start)
  }
  const [median, worst] = [times.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0, Math.max(...times)]
  console.log(`${name}: ${rows} rows, ${median.toFixed(2)} ms (worst ${worst.toFixed(1)})`)
}
await store.close()
rmSync(directory, { recursive: true })
