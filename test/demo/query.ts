/**
 * A client that needs nothing but this project, for machines without psql:
 *   node_modules/.bin/node test/demo/query.ts --as analyst "SELECT email FROM customers"
 * Connects to the running demo with the role's fresh token over verified TLS and prints as psql does.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { DEFAULT_FOLDER, type DemoAddress, readAddress } from './demo.ts'
import { ROLE_NAMES } from './people.ts'
import { SHOP } from './shop.ts'
import { formatError, formatResult } from './table.ts'
import { tokenFile } from './tokens.ts'

const USAGE = `usage: query.ts [--as ${ROLE_NAMES.join('|')}] [--shop] [--dir FOLDER] SQL...
Runs each SQL at the demo that \`npm run demo\` started; --shop: on its MySQL side. Exit code 1 when one fails.`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      as: { type: 'string', default: 'analyst' },
      dir: { type: 'string', default: DEFAULT_FOLDER },
      shop: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help || positionals.length === 0) {
    process.stdout.write(`${USAGE}\n`)
    return values.help ? 0 : 2
  }
  if (values.shop) return askShop(values.as, values.dir, positionals)
  const client = new pg.Client(await configFor(values.as, values.dir))
  // The end of the session is told by the query that it breaks.
  client.on('error', () => undefined)
  try {
    await client.connect()
    for (const sql of positionals) await runOne(client, sql)
    return 0
  } catch (error) {
    if (!(error instanceof Error)) throw error
    process.stderr.write(`${formatError(error)}\n`)
    return 1
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function addressIn(folder: string): Promise<DemoAddress> {
  return readAddress(folder).catch(() => {
    throw new Error('no demo is running: start one with `npm run demo`')
  })
}

async function askShop(role: string, folder: string, texts: readonly string[]): Promise<number> {
  let client: mysql.Connection | null = null
  try {
    const { shopPort, certificate } = await addressIn(folder)
    if (shopPort === null) throw new Error('the demo found no MySQL or MariaDB server for the shop')
    client = await mysql.createConnection({
      host: 'localhost',
      port: shopPort,
      user: role,
      password: await readFile(tokenFile(join(folder, 'tokens'), role), 'utf8'),
      database: SHOP,
      ssl: { ca: await readFile(certificate, 'utf8') },
      rowsAsArray: true,
      typeCast: (field) => field.string(),
    })
    for (const sql of texts) {
      const [answer, fields] = await client.query(sql)
      const columns = (fields ?? []).map(({ name }) => name)
      const rows = (Array.isArray(answer) ? answer : []) as (string | null)[][]
      process.stdout.write(
        `${formatResult({ columns, rows, tag: columns.length === 0 ? 'OK' : '' })}\n`,
      )
    }
    return 0
  } catch (error) {
    if (!(error instanceof Error)) throw error
    process.stderr.write(`${formatError(error)}\n`)
    return 1
  } finally {
    await client?.end().catch(() => undefined)
  }
}

async function configFor(role: string, folder: string): Promise<pg.ClientConfig> {
  const { port, certificate, connection } = await addressIn(folder)
  return {
    host: 'localhost',
    port,
    user: role,
    password: await readFile(tokenFile(join(folder, 'tokens'), role), 'utf8'),
    database: connection,
    ssl: { ca: await readFile(certificate, 'utf8'), rejectUnauthorized: true },
    types: { getTypeParser: () => (value: string) => value },
  }
}

async function runOne(client: pg.Client, sql: string): Promise<void> {
  const query = { text: sql, rowMode: 'array' as const }
  // Rows of COPY TO STDOUT go to this connection event; pg's queries leave them to whoever listens.
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
  const print = ({ chunk }: { chunk: Buffer }): void => void process.stdout.write(chunk)
  connection.on('copyData', print)
  try {
    const answer: pg.QueryArrayResult | pg.QueryArrayResult[] = await client.query(query)
    for (const result of Array.isArray(answer) ? answer : [answer]) {
      const tag = [result.command, result.rowCount].filter((part) => part !== null).join(' ')
      const columns = result.fields.map((field: pg.FieldDef) => field.name)
      const rows = result.rows as (string | null)[][]
      process.stdout.write(`${formatResult({ columns, rows, tag })}\n`)
    }
  } finally {
    connection.off('copyData', print)
  }
}

process.exitCode = await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  return 2
})
