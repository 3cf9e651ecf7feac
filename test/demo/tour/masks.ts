/**
 * Promise: no protected value leaves unmasked, whatever the way out. The tour asks for a customer whose
 * protected values are random (canaries.ts), by every way a client has, and then searches every byte that
 * clients under masks received.
 */
import { run, type Tour } from './context.ts'
import { firstRow } from './person.ts'
import { otherWays, writesAndCopies } from './ways-out.ts'
import { rowsIn, say } from './wire.ts'

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
    firstRow(await analyst.ask(sql)),
    firstRow(await agent.ask(sql)),
    firstRow(await dba.ask(sql)),
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
