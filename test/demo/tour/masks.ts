/**
 * Promise: no protected value leaves unmasked, whatever the way out. The tour asks for a customer whose
 * protected values are random (canaries.ts), by every way a client has, and then searches every byte that
 * clients under masks received.
 */
import { formatError } from '../table.ts'
import { run, type Tour } from './context.ts'
import type { Answer, Person } from './person.ts'
import { copiedIn, errorOf, rowsIn, say } from './wire.ts'

export async function maskChapter(tour: Tour): Promise<void> {
  const { narrator } = tour
  narrator.chapter('2. One query, three people')
  await sameQuery(tour)
  await otherWays(tour)
  await writesAndCopies(tour)
  await withPsql(tour)
  controlled(tour)
}

const COLUMNS_SQL = 'SELECT name, email, phone, ssn, birth_date, profile FROM customers WHERE id = '

async function sameQuery(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  const sql = COLUMNS_SQL + String(canaries.customer)
  const [analyst, agent, dba] = [
    await tour.connect('analyst'),
    await tour.connect('agent'),
    await tour.connect('dba'),
  ]
  const [seen, agentSeen, dbaSeen] = [
    row(await analyst.ask(sql)),
    row(await agent.ask(sql)),
    row(await dba.ask(sql)),
  ]
  narrator.promise(
    'the analyst sees the ends of names and phones, a shape of the address, no identity number',
    seen[0] === '*'.repeat(canaries.name.length - 2) + canaries.name.slice(-2) &&
      seen[1] === `${canaries.email[0]}***@***.example` &&
      seen[2]?.endsWith(canaries.phone.slice(-2)) === true &&
      seen[3] === null &&
      seen[4] === '1987-01-01',
    seen,
  )
  narrator.promise(
    'the agent sees other masks of the same columns: a stable token, a phone that is none',
    /^[0-9a-f]{32}$/.test(agentSeen[1] ?? '') &&
      /^\+\d-\d{3}-\d{3}-\d{4}$/.test(agentSeen[2] ?? '') &&
      agentSeen[3] === '[redacted]',
    agentSeen,
  )
  const { name, email, phone, ssn } = canaries
  narrator.promise(
    'the DBA sees the values',
    [name, email, phone, ssn, '1987-08-23'].every((value, i) => dbaSeen[i] === value),
    dbaSeen,
  )
  const masked = JSON.parse(seen[5] ?? '{}') as Record<string, unknown>
  narrator.promise(
    'inside JSON only the protected paths are masked',
    masked['phone'] === '[redacted]' && JSON.stringify(masked['preferences']) === '{}',
    masked,
  )
  await inBinary(tour, { analyst: seen, agent: agentSeen })
  for (const person of [analyst, agent, dba]) await person.close()
}

/** Binary results hold the same masked values: text types are the same bytes, a date is decoded. */
async function inBinary(
  tour: Tour,
  text: Readonly<Record<'analyst' | 'agent', readonly (string | null)[]>>,
): Promise<void> {
  const { narrator, canaries, sent } = tour
  const sql = `${COLUMNS_SQL}$1`
  for (const role of ['analyst', 'agent'] as const) {
    const wire = await tour.wire(role)
    const bind = say.bind([String(canaries.customer)], 'binary')
    const frames = await wire.ask(say.parse(sql), bind, say.execute(), say.sync())
    wire.close()
    sent.push({ sql, role, verdict: 'allow' })
    const values = rowsIn(frames)[0] ?? []
    // Days since 2000-01-01, big-endian; 1987-01-01 is 4,748 days before.
    const date = values[4]
    // jsonb is a version byte and the text.
    const profile = values[5]?.subarray(1).toString()
    narrator.promise(
      `${role}: binary results show the same masks, and decode`,
      [0, 1, 2, 3].every((i) => (values[i]?.toString() ?? null) === text[role][i]) &&
        date?.length === 4 &&
        date.readInt32BE() === -4748 &&
        profile === text[role][5],
      values.map((value) => value?.toString('latin1') ?? null),
    )
  }
}

interface Way {
  readonly title: string
  readonly sql: string
  /** What the analyst gets: this in the first column, or a refusal. */
  readonly gets: RegExp | 'refused'
}

const MASKED = /^\w\*\*\*@\*\*\*\.\w+$/
const REDACTED = /^("?\[redacted\]"?)?$/

function waysOut(id: number): Way[] {
  const one = `FROM customers WHERE id = ${id}`
  return [
    { title: 'an alias', sql: `SELECT email AS city ${one}`, gets: MASKED },
    { title: 'an expression', sql: `SELECT upper(email) || '!' ${one}`, gets: REDACTED },
    { title: 'a generated column', sql: `SELECT email_domain ${one}`, gets: REDACTED },
    { title: 'a subquery', sql: `SELECT (SELECT email ${one})`, gets: MASKED },
    {
      title: 'a CTE',
      sql: `WITH c AS MATERIALIZED (SELECT * ${one}) SELECT c.email FROM c`,
      gets: MASKED,
    },
    {
      title: 'a join',
      sql: `SELECT c.email FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.id = ${id}`,
      gets: MASKED,
    },
    {
      title: 'a UNION',
      sql: `SELECT note FROM orders WHERE false UNION ALL SELECT email ${one}`,
      gets: /^(\w\*\*\*@\*\*\*\.\w+|\[redacted\])$/,
    },
    {
      title: 'a view',
      sql: `SELECT contact FROM customer_overview WHERE id = ${id}`,
      gets: MASKED,
    },
    {
      title: 'a view of a view',
      sql: `SELECT reply_to, excerpt FROM ticket_inbox WHERE id = ${id}`,
      gets: MASKED,
    },
    {
      title: 'a materialized view',
      sql: `SELECT email FROM customer_revenue WHERE customer_id = ${id}`,
      gets: MASKED,
    },
    { title: 'a JSON path', sql: `SELECT profile->>'phone' ${one}`, gets: REDACTED },
    {
      title: 'a deeper one',
      sql: `SELECT profile #>> '{address,street}', profile->'address'->>'city' ${one}`,
      gets: REDACTED,
    },
    { title: 'a subscript', sql: `SELECT profile['address']['zip'] ${one}`, gets: REDACTED },
    {
      title: 'free text',
      sql: `SELECT body FROM support_tickets WHERE id = ${id}`,
      gets: /redacted/,
    },
    { title: 'a whole row', sql: `SELECT c FROM customers c WHERE c.id = ${id}`, gets: 'refused' },
    {
      title: 'to_jsonb',
      sql: `SELECT to_jsonb(c) FROM customers c WHERE c.id = ${id}`,
      gets: 'refused',
    },
    { title: 'an aggregate', sql: `SELECT string_agg(email, ',') ${one}`, gets: REDACTED },
    { title: 'a conversion error', sql: `SELECT email::integer ${one}`, gets: 'refused' },
    {
      title: 'a guess by pattern',
      sql: `SELECT 1 FROM customers WHERE email LIKE 'a%'`,
      gets: 'refused',
    },
    { title: 'sorting', sql: 'SELECT id FROM customers ORDER BY email LIMIT 1', gets: 'refused' },
    {
      title: 'statistics',
      sql: `SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers'`,
      gets: 'refused',
    },
    {
      title: 'a function that runs SQL',
      sql: `SELECT query_to_xml('SELECT email FROM customers', true, false, '')`,
      gets: 'refused',
    },
    {
      title: 'a copy into a table of one’s own',
      sql: `CREATE TEMPORARY TABLE mine AS SELECT email FROM customers`,
      gets: 'refused',
    },
  ]
}

async function otherWays(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  const analyst = await tour.connect('analyst')
  const agent = await tour.connect('agent')
  for (const { title, sql, gets } of waysOut(canaries.customer)) {
    const answer = await analyst.ask(sql)
    const first = row(answer)[0] ?? ''
    const held =
      gets === 'refused' ? answer.error !== null : answer.error === null && gets.test(first)
    narrator.promise(`by ${title}: ${gets === 'refused' ? 'refused' : 'masked'}`, held, answer)
    // The agent by the same way; what it received is searched below.
    await agent.ask(sql, { quiet: true })
  }
  await preparedAndCursor(tour, analyst)
  for (const person of [analyst, agent]) await person.close()
}

async function preparedAndCursor({ narrator, canaries }: Tour, analyst: Person): Promise<void> {
  const parameters = [canaries.customer]
  const sql = 'SELECT email FROM customers WHERE id = $1'
  for (const use of ['first', 'second'] as const) {
    const answer = await analyst.ask(sql, { parameters, name: 'by_id', quiet: use === 'second' })
    narrator.promise(
      `by a prepared statement (${use} use): masked`,
      MASKED.test(row(answer)[0] ?? ''),
      answer,
    )
  }
  const steps = [
    'PREPARE p AS SELECT email FROM customers WHERE id = $1',
    `EXECUTE p(${canaries.customer})`,
  ]
  narrator.promise(
    'by PREPARE and EXECUTE: masked',
    MASKED.test(row(await last(analyst, steps))[0] ?? ''),
  )
  const cursor = [
    'BEGIN',
    `DECLARE c CURSOR FOR SELECT email FROM customers WHERE id = ${canaries.customer}`,
    'FETCH ALL FROM c',
  ]
  const fetched = await last(analyst, cursor)
  narrator.promise('by a cursor: masked', MASKED.test(row(fetched)[0] ?? ''), fetched)
  await analyst.ask('COMMIT', { quiet: true })
}

async function last(person: Person, statements: readonly string[]): Promise<Answer> {
  let answer = await person.ask(statements[0] ?? '')
  for (const sql of statements.slice(1)) answer = await person.ask(sql)
  return answer
}

async function writesAndCopies(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  const agent = await tour.connect('agent')
  const returned = await agent.ask(
    `UPDATE support_tickets SET status = 'open' WHERE id = ${canaries.ticket} RETURNING id, body`,
  )
  narrator.promise(
    'by RETURNING: masked, and the row is changed',
    returned.tag === 'UPDATE 1' && (row(returned)[1] ?? '').includes('[redacted:email]'),
    returned,
  )
  const shown = row(returned)[1] ?? ''
  const back = await agent.ask(
    `UPDATE support_tickets SET body = '${shown.replaceAll("'", "''")}' WHERE id = ${canaries.ticket}`,
    { verdict: 'deny' },
  )
  narrator.promise('a mask written back over the value is refused', back.error !== null, back)
  const held = await agent.ask(`UPDATE orders SET status = 'cancelled' WHERE id = 9001`)
  narrator.promise(
    'an order change says that a person must approve it (SQLSTATE SP001)',
    held.error?.code === 'SP001',
    held,
  )
  await agent.close()
  await copyOut(tour)
}

async function copyOut(tour: Tour): Promise<void> {
  const { narrator, canaries, sent } = tour
  const wire = await tour.wire('analyst')
  for (const options of ['', ' (FORMAT csv)', ' (FORMAT binary)']) {
    const sql = `COPY (SELECT name, email, phone FROM customers WHERE id = ${canaries.customer}) TO STDOUT${options}`
    narrator.command('analyst', sql)
    const frames = await wire.ask(say.query(sql))
    sent.push({ sql, role: 'analyst', verdict: 'allow' })
    const refused = frames.find(({ type }) => type === 'E')
    if (refused !== undefined) narrator.output(formatError(errorOf(refused)))
    const text = copiedIn(frames).toString('latin1')
    narrator.output(text.replace(/[^\x20-\x7e\n\t]/g, '·'))
    narrator.promise(
      `by COPY${options}: masked`,
      text.includes(`${canaries.email[0]}***@***.example`) && canaries.leaksIn(text).length === 0,
      text,
    )
  }
  wire.close()
}

async function withPsql(tour: Tour): Promise<void> {
  const { narrator, canaries, demo, sent } = tour
  const { exit } = await run('psql', ['--version'])
  if (exit !== 0) {
    narrator.line('psql is not on PATH: its part is left out')
    return
  }
  const sql = `SELECT name, email, phone FROM customers WHERE id = ${canaries.customer}`
  for (const role of ['analyst', 'agent'] as const) {
    narrator.command('$', `psql "… user=${role} sslmode=verify-full sslrootcert=…" -c "${sql}"`)
    const conninfo =
      `host=localhost port=${demo.ports.gateway} dbname=crm user=${role} ` +
      `sslmode=verify-full sslrootcert='${demo.certificate}'`
    const result = await run('psql', ['-X', conninfo, '-c', sql], {
      PGPASSWORD: await tour.token(role),
    })
    sent.push({ sql, role, verdict: 'allow' })
    narrator.output(result.stdout || result.stderr)
    const clean = canaries.leaksIn(result.stdout + result.stderr).length === 0
    narrator.promise(
      `${role}: psql over verified TLS shows masks`,
      result.exit === 0 && clean,
      result,
    )
  }
}

/** The search itself, and that it would have found something. */
function controlled({ narrator, canaries, tap, dbaTap }: Tour): void {
  const leaks = tap.received().flatMap((bytes) => canaries.leaksIn(bytes))
  const bytes = tap.received().reduce((sum, one) => sum + one.length, 0)
  narrator.promise(
    `no byte of a protected value in the ${bytes} bytes that clients under masks received so far`,
    bytes > 0 && leaks.length === 0,
    leaks,
  )
  const found = new Set(dbaTap.received().flatMap((one) => canaries.leaksIn(one)))
  narrator.promise(
    'the same search finds them in what the DBA received',
    ['name', 'email', 'phone', 'ssn', 'profile street'].every((label) => found.has(label)),
    [...found],
  )
}

function row(answer: Answer): readonly (string | null)[] {
  return answer.rows[0] ?? []
}
