/**
 * Promise: a refusal is an ordinary database error. Right SQLSTATE, connection usable, transaction and
 * pipeline in the state a real server's error would leave; and nothing of the refused text was executed.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningDemo } from '../demo.ts'
import { CONNECTION } from '../people.ts'
import { tokenFile } from '../tokens.ts'
import { sallyport, type Tour } from './context.ts'
import { errorOf, say, shapeOf, WireClient } from './wire.ts'

interface Refusal {
  readonly title: string
  readonly sql: string
  readonly sqlstate: string
}

const REFUSED: readonly Refusal[] = [
  { title: 'a write', sql: "UPDATE orders SET note = 'x' WHERE id = 1", sqlstate: '42501' },
  { title: 'DDL', sql: 'DROP TABLE orders', sqlstate: '42501' },
  { title: 'a hidden DROP', sql: 'SELECT 1; DROP TABLE orders', sqlstate: '42501' },
  {
    title: 'a DROP behind a comment',
    sql: 'SELECT 1 /* ; -- */; /* x */ dRoP TABLE orders --',
    sqlstate: '42501',
  },
  {
    title: 'a write inside a SELECT',
    sql: 'WITH gone AS (DELETE FROM orders WHERE id = 1 RETURNING id) SELECT id FROM gone',
    sqlstate: '42501',
  },
  { title: 'a file of the server', sql: "SELECT pg_read_file('/etc/passwd')", sqlstate: '42501' },
  { title: 'a program on the server', sql: "COPY customers TO PROGRAM 'cat'", sqlstate: '42501' },
  { title: 'a file on the server', sql: "COPY customers TO '/tmp/out'", sqlstate: '42501' },
  { title: 'another role', sql: 'SET ROLE app_admin', sqlstate: '42501' },
  { title: 'procedural code', sql: 'DO $$ BEGIN DELETE FROM orders; END $$', sqlstate: '42501' },
  { title: 'text that is not SQL', sql: 'SELEC email FROM customers', sqlstate: '42601' },
  { title: 'an unfinished string', sql: "SELECT 'x", sqlstate: '42601' },
]

export async function refusalChapter(tour: Tour): Promise<void> {
  const { narrator } = tour
  narrator.chapter('3. A refusal is an ordinary error')
  const analyst = await tour.connect('analyst')
  for (const { title, sql, sqlstate } of REFUSED) {
    const answer = await analyst.ask(sql, { verdict: 'deny' })
    narrator.promise(`${title}: refused with ${sqlstate}`, answer.error?.code === sqlstate, answer)
    const next = await analyst.ask('SELECT 1', { quiet: true })
    narrator.promise('… and the connection goes on', next.rows[0]?.[0] === '1', next)
  }
  await analyst.close()
  await nothingHappened(tour)
  await explained(tour)
  await inTransaction(tour)
  await inPipeline(tour)
}

async function nothingHappened({ demo, narrator }: Tour): Promise<void> {
  const [orders] = await demo.server.sql<{ n: number; changed: number }>(
    demo.database,
    `SELECT count(*)::int AS n, count(*) FILTER (WHERE note = 'x')::int AS changed FROM public.orders`,
  )
  narrator.promise(
    'the table is there, whole and unchanged',
    orders?.n === 61 && orders.changed === 0,
    orders,
  )
}

/** The command that says why, with the token of who was refused, and without running anything. */
async function explained({ narrator, demo }: Tour): Promise<void> {
  const sql = "UPDATE orders SET note = 'x' WHERE id = 1"
  const token = tokenFile(join(demo.folder, 'tokens'), 'analyst')
  narrator.command('$', `sallyport policy explain "${sql}" --token-file ${token} --config …`)
  const at = ['--config', demo.configFile, '--connection', CONNECTION]
  const flags = ['--token-file', token, ...at]
  const why = await sallyport('policy', 'explain', sql, ...flags)
  narrator.output(why.stdout || why.stderr)
  narrator.promise(
    '`policy explain` names the same rule',
    why.exit === 1 && why.stdout.includes('analysts change nothing'),
    why,
  )
  const tests = await sallyport(
    'policy',
    'test',
    ...(await caseFiles(demo)),
    '--config',
    demo.configFile,
  )
  narrator.promise('every case that the policies’ authors wrote passes', tests.exit === 0, tests)
}

async function caseFiles({ folder }: RunningDemo): Promise<string[]> {
  const policies = join(folder, 'policies')
  const names = (await readdir(policies)).filter((name) => name.endsWith('.cases.yaml'))
  return names.map((name) => join(policies, name))
}

/** The same four messages to the gateway with a refused one, and to the server with one that fails. */
async function inTransaction(tour: Tour): Promise<void> {
  const { narrator, demo, sent } = tour
  narrator.command('analyst', 'BEGIN; UPDATE orders …  -- refused; SELECT 1; COMMIT')
  const refused = "UPDATE orders SET note = 'y' WHERE id = 1"
  const gateway = await tour.wire('analyst')
  const shapes = await transactionShapes(gateway, refused)
  gateway.close()
  for (const [sql, verdict] of [
    ['BEGIN', 'allow'],
    [refused, 'deny'],
  ] as const) {
    sent.push({ sql, role: 'analyst', verdict })
  }
  const { superuser } = demo.server
  const direct = await directClient(tour, superuser)
  const expected = await transactionShapes(direct, 'SELECT 1/0')
  direct.close()
  narrator.output(`gateway: ${shapes.join(' ')}\nserver:  ${expected.join(' ')}`)
  narrator.promise(
    'inside a transaction: aborted until ROLLBACK, frame for frame as after a server error',
    JSON.stringify(shapes) === JSON.stringify(expected) && expected[1] === 'EZE',
    { shapes, expected },
  )
}

async function transactionShapes(client: WireClient, failing: string): Promise<string[]> {
  const shapes: string[] = []
  for (const sql of ['BEGIN', failing, 'SELECT 1', 'COMMIT', 'SELECT 1']) {
    const frames = await client.ask(say.query(sql))
    const error = frames.find(({ type }) => type === 'E')
    const aborted = error !== undefined && errorOf(error).code === '25P02' ? '(25P02)' : ''
    const tag = frames.find(({ type }) => type === 'C')?.body.toString('latin1', 0, 8)
    shapes.push(shapeOf(frames) + aborted + (sql === 'COMMIT' ? `(${tag})` : ''))
  }
  return shapes
}

/** To the server itself, past the gateway, for comparison. */
async function directClient(
  { demo }: Tour,
  superuser: { readonly user: string; readonly password: string },
): Promise<WireClient> {
  await demo.server.setAuthentication({ users: { [superuser.user]: 'password' } })
  return WireClient.login({ port: demo.server.port, database: demo.database, ...superuser })
}

async function inPipeline(tour: Tour): Promise<void> {
  const { narrator, demo, sent } = tour
  const ticket = (id: number): string =>
    `UPDATE support_tickets SET subject = 'by pipeline' WHERE id = ${id}`
  const refused = 'DELETE FROM support_tickets WHERE id = 3'
  narrator.command('agent', `[pipeline] ${ticket(1)}; ${refused}; ${ticket(2)}; Sync`)
  const agent = await tour.wire('agent')
  const step = (sql: string): Buffer[] => [say.parse(sql), say.bind(), say.execute()]
  const frames = await agent.ask(
    ...step(ticket(1)),
    ...step(refused),
    ...step(ticket(2)),
    say.sync(),
  )
  sent.push(
    { sql: ticket(1), role: 'agent', verdict: 'allow' },
    { sql: refused, role: 'agent', verdict: 'deny' },
  )
  const shape = shapeOf(frames)
  narrator.output(shape)
  narrator.promise(
    'in a pipeline: one error, and everything behind it is skipped up to Sync',
    shape === '12CEZI',
    shape,
  )
  const done = await demo.server.sql<{ n: number }>(
    demo.database,
    `SELECT count(*)::int AS n FROM public.support_tickets WHERE subject = 'by pipeline'`,
  )
  narrator.promise('… and what stood before it did not commit by halves', done[0]?.n === 0, done)
  const next = await agent.ask(...step('SELECT 1'), say.sync())
  narrator.promise('… and the connection goes on', shapeOf(next) === '12DCZI', shapeOf(next))
  agent.close()
}
