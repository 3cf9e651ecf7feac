/** The ways out of a database that masks must cover, each tried by the analyst and by the agent. */
import { join } from 'node:path'
import { formatError } from '../table.ts'
import { sallyport, type Tour } from './context.ts'
import { type Answer, firstRow, type Person } from './person.ts'
import { copiedIn, errorOf, say } from './wire.ts'

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
    { title: 'a conversion error', sql: `SELECT email::integer ${one}`, gets: /^0$/ },
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

export async function otherWays(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  const analyst = await tour.connect('analyst')
  const agent = await tour.connect('agent')
  for (const { title, sql, gets } of waysOut(canaries.customer)) {
    const answer = await analyst.ask(sql)
    const first = firstRow(answer)[0] ?? ''
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
      MASKED.test(firstRow(answer)[0] ?? ''),
      answer,
    )
  }
  const steps = [
    'PREPARE p AS SELECT email FROM customers WHERE id = $1',
    `EXECUTE p(${canaries.customer})`,
  ]
  narrator.promise(
    'by PREPARE and EXECUTE: masked',
    MASKED.test(firstRow(await last(analyst, steps))[0] ?? ''),
  )
  const cursor = [
    'BEGIN',
    `DECLARE c CURSOR FOR SELECT email FROM customers WHERE id = ${canaries.customer}`,
    'FETCH ALL FROM c',
  ]
  const fetched = await last(analyst, cursor)
  narrator.promise('by a cursor: masked', MASKED.test(firstRow(fetched)[0] ?? ''), fetched)
  await analyst.ask('COMMIT', { quiet: true })
}

async function last(person: Person, statements: readonly string[]): Promise<Answer> {
  let answer = await person.ask(statements[0] ?? '')
  for (const sql of statements.slice(1)) answer = await person.ask(sql)
  return answer
}

export async function writesAndCopies(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  const agent = await tour.connect('agent')
  const returned = await agent.ask(
    `UPDATE support_tickets SET status = 'open' WHERE id = ${canaries.ticket} RETURNING id, body`,
  )
  narrator.promise(
    'by RETURNING: masked, and the row is changed',
    returned.tag === 'UPDATE 1' && (firstRow(returned)[1] ?? '').includes('[redacted:email]'),
    returned,
  )
  const shown = firstRow(returned)[1] ?? ''
  const back = await agent.ask(
    `UPDATE support_tickets SET body = '${shown.replaceAll("'", "''")}' WHERE id = ${canaries.ticket}`,
    { verdict: 'deny' },
  )
  narrator.promise('a mask written back over the value is refused', back.error !== null, back)
  await approvedByAPerson(tour, agent)
  await agent.close()
  await copyOut(tour)
}

async function approvedByAPerson(tour: Tour, agent: Person): Promise<void> {
  const { narrator, demo } = tour
  const change = `UPDATE orders SET note = 'see ticket' WHERE id = 1 /*reason='customer asked'*/`
  const held = await agent.ask(change)
  narrator.promise(
    'an order change says that a person must approve it (SQLSTATE SP001)',
    held.error?.code === 'SP001',
    held,
  )
  const { approval } = JSON.parse(held.error?.detail ?? '{}') as { approval?: string }
  const url = `http://127.0.0.1:${demo.ports.admin}`
  const ada = ['--url', url, '--token-file', join(demo.folder, 'tokens', 'analyst')]
  for (const what of [['list'], ['approve', approval ?? '', '--reason', 'seen in the ticket']]) {
    narrator.command('$', `sallyport approvals ${what.join(' ')} ${ada.join(' ')}`)
    const { exit, stdout, stderr } = await sallyport('approvals', ...what, ...ada)
    narrator.output(`${stdout}${stderr}`)
    const isShown = stdout.includes(approval ?? 'none')
    const [verb] = what
    narrator.promise(`who leads support can ${verb} it`, exit === 0 && isShown, stdout + stderr)
  }
  const run = await agent.ask(change, { verdict: 'approve' })
  narrator.promise('the same statement then runs', run.tag === 'UPDATE 1', run)
  const again = await agent.ask(change)
  narrator.promise('… once', again.error?.code === 'SP001', again)
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
