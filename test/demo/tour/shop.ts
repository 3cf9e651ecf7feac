/**
 * The same promises on the second protocol: a shop on MySQL or MariaDB, asked with the mysql2 driver over
 * TLS. Its protected values are random, and what a client under masks is shown is searched for them.
 */
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import mysql from 'mysql2/promise'
import type { RoleName } from '../people.ts'
import { SHOP, type Shop } from '../shop.ts'
import { formatError, formatResult } from '../table.ts'
import type { Tour } from './context.ts'
import { auditEvents } from './log.ts'

/** A piece this long is no coincidence. */
const PIECE_CHARS = 6
const CUSTOMER = 9001

interface Secret {
  readonly name: string
  readonly email: string
  readonly phone: string
}

export async function shopChapter(tour: Tour): Promise<void> {
  const { shop } = tour.demo
  const { narrator } = tour
  if (typeof shop === 'string') {
    narrator.chapter('7. MySQL')
    narrator.line(`not toured: ${shop}`)
    return
  }
  narrator.chapter(`7. MySQL: a shop on ${shop.server.version}`)
  const secret = await plant(shop)
  const seen: string[] = []
  const [analyst, agent, dba] = [
    await ShopClient.connect(tour, 'analyst', seen),
    await ShopClient.connect(tour, 'agent', seen),
    await ShopClient.connect(tour, 'dba', []),
  ]
  try {
    await masks(tour, { analyst, agent, dba }, secret)
    await waysOut(tour, analyst, seen)
    await refusals(tour, analyst, agent)
    narrator.promise(
      'nothing that came to a client under masks holds a piece of a protected value',
      leaksIn(seen.join('\n'), secret).length === 0,
      leaksIn(seen.join('\n'), secret),
    )
    await recorded(tour)
  } finally {
    for (const client of [analyst, agent, dba]) await client.close()
  }
}

async function masks(
  { narrator }: Tour,
  { analyst, agent, dba }: Record<RoleName, ShopClient>,
  secret: Secret,
): Promise<void> {
  const sql = `SELECT email, phone, birth_date, balance FROM customers WHERE id = ${CUSTOMER}`
  const [person, machine, owner] = [
    (await analyst.ask(sql)).rows[0] ?? [],
    (await agent.ask(sql)).rows[0] ?? [],
    (await dba.ask(sql)).rows[0] ?? [],
  ]
  narrator.promise(
    'the analyst sees a shape of the address, the end of the number, the year, no balance',
    person[0] === `${secret.email[0]}***@***.example` &&
      person[1]?.endsWith(secret.phone.slice(-2)) === true &&
      person[2] === '1987-01-01' &&
      Number(person[3]) === 0,
    person,
  )
  narrator.promise(
    'the agent sees a token of the address',
    /^[0-9a-f]{32}$/.test(machine[0] ?? ''),
    machine,
  )
  narrator.promise(
    'the DBA sees what is there: the masks are the gateway’s, not the data’s',
    owner[0] === secret.email && owner[1] === secret.phone && owner[3] === '4711.00',
    owner,
  )
  const prepared = await agent.ask('SELECT email FROM customers WHERE id = ?', [CUSTOMER])
  narrator.promise(
    'a prepared statement shows the same token, in the binary protocol',
    prepared.rows[0]?.[0] === machine[0],
    prepared,
  )
}

/** Each passes with masks, or is refused; none may show more. */
const WAYS = [
  `SELECT c.email AS harmless FROM customers AS c WHERE id = ${CUSTOMER}`,
  `SELECT x FROM (SELECT email AS x FROM customers WHERE id = ${CUSTOMER}) AS d`,
  `SELECT email FROM customers WHERE id = ${CUSTOMER} UNION SELECT 'a'`,
  `SELECT contact FROM customer_overview WHERE id = ${CUSTOMER}`,
  `SELECT UPPER(email), REVERSE(email), HEX(email) FROM customers WHERE id = ${CUSTOMER}`,
  `SELECT GROUP_CONCAT(phone) FROM customers WHERE id = ${CUSTOMER}`,
  `SELECT /*! email */ FROM customers WHERE id = ${CUSTOMER}`,
  `SELECT id FROM customers WHERE id = ${CUSTOMER} AND ExtractValue(1, CONCAT(0x5c, email))`,
  `SELECT * FROM customers WHERE id = ${CUSTOMER}`,
  `SELECT @v := email FROM customers WHERE id = ${CUSTOMER}`,
  'SELECT @v',
  `SELECT email FROM customers WHERE id = ${CUSTOMER} INTO OUTFILE '/tmp/shop.txt'`,
  `HANDLER customers OPEN; HANDLER customers READ FIRST`,
  'SHOW PROCESSLIST',
  'SELECT info FROM information_schema.processlist',
] as const

async function waysOut({ narrator }: Tour, analyst: ShopClient, seen: string[]): Promise<void> {
  const before = seen.length
  let shown = 0
  for (const sql of WAYS) if ((await analyst.ask(sql)).error === null) shown++
  narrator.promise(
    `${WAYS.length} other ways to the same columns: ${shown} come masked, the others are refused`,
    shown >= 6 && shown < WAYS.length && seen.length > before,
    shown,
  )
}

async function refusals({ narrator }: Tour, analyst: ShopClient, agent: ShopClient): Promise<void> {
  const write = await analyst.ask('UPDATE orders SET note = NULL WHERE id = 1')
  narrator.promise(
    'a write that no rule allows is refused as an ordinary error',
    write.error?.sqlState === '42000',
    write,
  )
  const whole = await agent.ask("UPDATE orders SET note = 'all'")
  narrator.promise(
    'an UPDATE without WHERE is refused, and says by which rule',
    /need a WHERE/.test(whole.error?.message ?? ''),
    whole,
  )
  const hidden = await analyst.ask('SELECT 1 /*!50000 ; DROP TABLE orders */')
  narrator.promise('a DROP inside an executable comment is refused', hidden.error !== null, hidden)
  const broken = await analyst.ask('SELEC email FROM customers')
  narrator.promise('a statement that cannot be parsed is refused', broken.error !== null, broken)
  const note = await agent.ask(`UPDATE orders SET note = 'called back' WHERE id = 1`)
  narrator.promise('the agent may note what it did', note.error === null, note)
  const still = await analyst.ask('SELECT COUNT(*) FROM orders')
  narrator.promise('the connection is still usable', still.rows[0]?.[0] === '200', still)
}

async function recorded({ narrator, demo }: Tour): Promise<void> {
  const events = await auditEvents(demo)
  const sessions = new Set(
    events.flatMap((event) =>
      event.type === 'session-started' && event.connection === SHOP ? [event.session] : [],
    ),
  )
  const verdicts = events.flatMap((event) =>
    event.type === 'statement' && sessions.has(event.session) ? [event.verdict] : [],
  )
  narrator.promise(
    'what was asked of the shop is on record with its verdicts',
    sessions.size === 3 &&
      verdicts.includes('allow') &&
      verdicts.filter((one) => one === 'deny').length >= 5,
    { sessions: sessions.size, verdicts },
  )
}

interface Answer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly error: { readonly sqlState: string; readonly message: string } | null
}

class ShopClient {
  readonly #role: string
  readonly #connection: mysql.Connection
  readonly #tour: Tour
  readonly #seen: string[]

  private constructor(role: string, connection: mysql.Connection, tour: Tour, seen: string[]) {
    this.#role = role
    this.#connection = connection
    this.#tour = tour
    this.#seen = seen
  }

  /** `seen` gets everything the client is shown. */
  static async connect(tour: Tour, role: RoleName, seen: string[]): Promise<ShopClient> {
    const { demo } = tour
    const connection = await mysql.createConnection({
      host: 'localhost',
      port: demo.ports.shop,
      user: role,
      password: await tour.token(role),
      database: SHOP,
      ssl: { ca: await readFile(demo.certificate, 'utf8') },
      rowsAsArray: true,
      dateStrings: true,
      multipleStatements: true,
    })
    return new ShopClient(role, connection, tour, seen)
  }

  /** With `parameters`: prepared. */
  async ask(sql: string, parameters?: readonly (string | number)[]): Promise<Answer> {
    const { narrator } = this.#tour
    narrator.command(this.#role, sql)
    const answer = await this.#run(sql, parameters)
    const { error } = answer
    this.#seen.push(JSON.stringify(answer))
    narrator.output(
      error === null
        ? formatResult({ ...answer, tag: answer.columns.length === 0 ? 'OK' : '' })
        : formatError({
            code: error.sqlState,
            message: error.message,
            detail: undefined,
            hint: undefined,
          }),
    )
    return answer
  }

  async #run(sql: string, parameters?: readonly (string | number)[]): Promise<Answer> {
    try {
      const [rows, fields] =
        parameters === undefined
          ? await this.#connection.query(sql)
          : await this.#connection.execute(sql, [...parameters])
      const columns = (fields ?? []).map((field) => field?.name ?? '')
      const cells = (Array.isArray(rows) ? rows : []) as unknown[][]
      return {
        columns,
        rows: cells.map((row) => (Array.isArray(row) ? row.map(asText) : [])),
        error: null,
      }
    } catch (error) {
      const { sqlState = '', message } = error as Error & { sqlState?: string }
      return { columns: [], rows: [], error: { sqlState, message } }
    }
  }

  async close(): Promise<void> {
    await this.#connection.end().catch(() => undefined)
  }
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

async function plant(shop: Shop): Promise<Secret> {
  const letters = (count: number): string =>
    Array.from({ length: count }, () => String.fromCharCode(97 + randomInt(26))).join('')
  const name = `${letters(9)} ${letters(11)}`
  const email = `${letters(12)}@${letters(12)}.example`
  const phone = `+1-2${randomInt(10, 100)}-5${randomInt(10, 100)}-${randomInt(1000, 10_000)}`
  await shop.sql(
    `INSERT INTO ${SHOP}.customers (id, name, email, phone, birth_date, balance, profile)
     VALUES (${CUSTOMER}, '${name}', '${email}', '${phone}', '1987-08-23', 4711, '{"phone": "${phone}"}')`,
  )
  return { name, email, phone }
}

/** Pieces of protected values in clear, reversed or as hex digits. */
function leaksIn(text: string, { name, email, phone }: Secret): string[] {
  const lower = text.toLowerCase()
  const hidden = {
    name: name.slice(1, -2),
    email: email.replace('.example', ''),
    phone: phone.slice(0, -2),
  }
  return Object.entries(hidden).flatMap(([label, value]) => {
    const pieces = Array.from({ length: value.length - PIECE_CHARS + 1 }, (_, i) =>
      value.slice(i, i + PIECE_CHARS),
    )
    const forms = pieces.flatMap((piece) => [
      piece,
      [...piece].reverse().join(''),
      Buffer.from(piece).toString('hex'),
    ])
    return forms.some((form) => lower.includes(form)) ? [label] : []
  })
}
