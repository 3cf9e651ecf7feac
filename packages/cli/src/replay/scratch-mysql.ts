/** A MySQL or MariaDB scratch database. Everything is asked in text, so that cells come as they are written. */
import { mysqlText } from '@sallyport/gateway'
import mysql, { type Connection, type FieldPacket } from 'mysql2/promise'
import { CONNECT_MS_MAX, type Scratch, type ScratchAnswer, type ScratchResult } from './scratch.ts'

const WHOLE_NUMBER = /^-?(0|[1-9]\d{0,14})$/
const HEX = /^\\x([0-9a-f]*)$/

export async function mysqlScratch(url: string): Promise<Scratch> {
  const connection = await mysql.createConnection({
    uri: url.replace(/^mariadb:/, 'mysql:'),
    connectTimeout: CONNECT_MS_MAX,
    multipleStatements: true,
    rowsAsArray: true,
    typeCast: (field) => field.buffer(),
  })
  // A connection that is lost fails the statements that follow; unheard, it would end the process.
  connection.on('error', () => undefined)
  return {
    run: (sql, parameters) => run(connection, sql, parameters),
    close: () => connection.end(),
  }
}

async function run(
  connection: Connection,
  sql: string,
  parameters: readonly (string | null)[],
): Promise<ScratchAnswer> {
  try {
    if (parameters.length === 0) return answerOf(await connection.query(sql))
    const names = parameters.map((_, i) => `@replayed${i}`)
    await connection.query('PREPARE replayed FROM ?', [sql])
    await connection.query(
      `SET ${names.map((name) => `${name} = ?`).join(', ')}`,
      parameters.map(sentAs),
    )
    return answerOf(await connection.query(`EXECUTE replayed USING ${names.join(', ')}`))
  } catch (error) {
    const sqlstate = (error as { sqlState?: unknown }).sqlState
    return {
      kind: 'failed',
      sqlstate: typeof sqlstate === 'string' ? sqlstate : '',
      message: String(error),
    }
  }
}

/** What type it was sent as is not recorded: whole numbers are taken for numbers. */
function sentAs(text: string | null): string | number | Buffer | null {
  if (text === null) return null
  if (WHOLE_NUMBER.test(text)) return Number(text)
  const bytes = HEX.exec(text)?.[1]
  return bytes === undefined ? text : Buffer.from(bytes, 'hex')
}

/** One result, or, where there are several, a list of them and of their fields. */
function answerOf([answer, fields]: readonly [unknown, unknown]): ScratchAnswer {
  const isList =
    Array.isArray(fields) && fields.some((one) => one === undefined || Array.isArray(one))
  const results = isList ? (answer as readonly unknown[]) : [answer]
  // Safe: with `rowsAsArray` and `typeCast` these are the shapes mysql2 gives.
  const described = (isList ? fields : [fields]) as readonly (readonly FieldPacket[] | undefined)[]
  return {
    kind: 'done',
    results: results.map((result, i) => resultOf(result, described[i] ?? [])),
  }
}

function resultOf(result: unknown, fields: readonly FieldPacket[]): ScratchResult {
  if (!Array.isArray(result)) return { rows: [] }
  // Safe: see above.
  const rows = result as readonly (readonly (Buffer | null)[])[]
  return {
    rows: rows.map((row) => row.map((cell, i) => (cell === null ? null : textOf(cell, fields[i])))),
  }
}

function textOf(cell: Buffer, field: FieldPacket | undefined): string {
  const { columnType, characterSet } = field ?? {}
  return mysqlText(cell, {
    type: columnType ?? -1,
    ...(characterSet !== undefined && { collation: characterSet }),
  })
}
