/** Clients whose statements are not UTF-8: every name must mean to the gateway what it means to the server. */
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

/** 0x80 to 0x9f. */
const C1 = Buffer.from(Array.from({ length: 32 }, (_, i) => 128 + i)).toString('hex')
/** MySQL's name, a collation, the Encoding Standard's name, bytes that the server or this driver have otherwise. */
const CHARSETS = [
  ['latin1', 'LATIN1_SWEDISH_CI', 'windows-1252', C1],
  ['latin2', 'LATIN2_GENERAL_CI', 'iso-8859-2', ''],
  ['latin7', 'LATIN7_GENERAL_CI', 'iso-8859-13', ''],
  ['cp1250', 'CP1250_GENERAL_CI', 'windows-1250', '8183889098'],
  ['cp1251', 'CP1251_GENERAL_CI', 'windows-1251', '98'],
  ['cp1256', 'CP1256_GENERAL_CI', 'windows-1256', '8a8f989a9faac0ff'],
  ['cp1257', 'CP1257_GENERAL_CI', 'windows-1257', '8183888a8c90989a9c9fa1a5'],
  ['cp866', 'CP866_GENERAL_CI', 'ibm866', 'fcfd'],
  ['koi8r', 'KOI8R_GENERAL_CI', 'koi8-r', ''],
  ['koi8u', 'KOI8U_GENERAL_CI', 'koi8-u', '95aebe'],
  ['macroman', 'MACROMAN_GENERAL_CI', 'macintosh', 'bddbf0'],
] as const
const NAME_CHARACTERS_MAX = 60

/** Names of every character above ASCII that gateway and server read alike. */
function namesOf(label: string, not: string): string[] {
  const skipped = new Set(Buffer.from(not, 'hex'))
  const bytes = Array.from({ length: 128 }, (_, i) => 128 + i).filter((byte) => !skipped.has(byte))
  const text = new TextDecoder(label).decode(Uint8Array.from(bytes))
  const names: string[] = []
  for (let at = 0; at < text.length; at += NAME_CHARACTERS_MAX) {
    names.push(text.slice(at, at + NAME_CHARACTERS_MAX))
  }
  return names
}

onMysqlServers('character sets on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    const tables = CHARSETS.map(([charset, , label, not]) => {
      const columns = namesOf(label, not).map((name, i) => `\`${name}\` INT DEFAULT ${i}`)
      return `CREATE TABLE t_${charset} (${columns.join()}); INSERT INTO t_${charset} () VALUES ()`
    })
    await db.sql(
      `SET NAMES utf8mb4; ${tables.join(';')};
       CREATE TABLE people (имя VARCHAR(20)) CHARSET utf8mb4; INSERT INTO people VALUES ('Пётр')`,
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [
        `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.имя'], with: { partial: { keep-last: 0 } } }
`,
      ],
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.end().catch(() => undefined)
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(collation: string): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway)),
      charset: collation,
    })
    open.push(connection)
    return connection
  }

  test.each(CHARSETS)('names in %s are the server’s', async (charset, collation, label, not) => {
    const connection = await client(collation)
    // Under masks a name that the schema does not have is refused.
    for (const [i, name] of namesOf(label, not).entries()) {
      const [rows] = await connection.query(`SELECT \`${name}\` AS n FROM t_${charset}`)
      expect(rows).toEqual([{ n: i }])
    }
  })

  test.each(['CP1251_GENERAL_CI', 'KOI8R_GENERAL_CI'])('a mask holds in %s', async (collation) => {
    const connection = await client(collation)
    const [[row]] = await connection.query<mysql.RowDataPacket[]>('SELECT `имя` AS n FROM people')
    expect(row?.['n']).not.toMatch(/[Пётр]/)
    const [said] = await connection.query("SELECT 'Пётр' AS n")
    expect(said).toEqual([{ n: 'Пётр' }])
  })

  test('one whose characters hide quotes is refused', async () => {
    await expect(client('GBK_CHINESE_CI')).rejects.toMatchObject({ errno: 1235 })
  })
})
