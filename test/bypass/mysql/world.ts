/**
 * Two databases of one MySQL or MariaDB server that differ in protected values alone, behind one gateway. Who
 * asks decides the masks. Databases have names of their own, as long as each other's; in answers they are
 * replaced by one.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import type { MysqlAddress } from '../../support/mysql-address.ts'
import { MysqlWire } from '../../support/mysql-wire.ts'
import { type Identity, type ProtectedPath, policyOver } from '../identities.ts'
import { type Canary, LeakDetector } from '../leaks.ts'
import { FILLED_ROWS, NULL_ROWS, type WorldName } from '../world-values.ts'
import { NO_CANARY, PROTECTED, valuesOf } from './world-values.ts'

/** Protected columns outside `people`, by the column of `people` they are masked like. */
const ELSEWHERE: readonly ProtectedPath[] = [
  ['*.cards.number', 'number'],
  ['*.payments.card', 'number'],
  ['*.accounts.owner_ssn', 'ssn'],
  ['*.parted.ssn', 'ssn'],
  ['*.people_generated.ssn', 'ssn'],
  ['*.people_hidden.ssn', 'ssn'],
  ['*.people_versioned.ssn', 'ssn'],
  ['*.people_default.ssn', 'ssn'],
  ['*.people_touched.active', 'active'],
]

function rowsOf(world: WorldName): string {
  const { columns, cards } = valuesOf(world)
  const names = [...columns.keys()]
  const people: string[] = []
  for (let row = 1; row <= FILLED_ROWS + NULL_ROWS; row++) {
    const open = [
      row,
      `'${row % 2 === 0 ? 'Bonn' : 'Ulm'}'`,
      `'note ${row}'`,
      1 + (row % 2),
      row - 1,
    ]
    const cells = names.map((name) => columns.get(name)?.[row - 1] ?? 'NULL')
    people.push(`(${[...open, ...cells].join(', ')})`)
  }
  const ssns = columns.get('ssn') ?? []
  return `
    INSERT INTO dept VALUES (1, 'north'), (2, 'south');
    INSERT INTO people VALUES ${people.join(',\n')};
    INSERT INTO cards VALUES ${cards.map((card, i) => `(${card}, ${i + 1})`).join(', ')};
    INSERT INTO payments (card, amount, at) SELECT number, 10 * person_id, DATE '2024-01-01' + INTERVAL person_id DAY FROM cards ORDER BY person_id;
    INSERT INTO accounts VALUES ${ssns
      .slice(0, 4)
      .map((ssn, i) => `(${i + 1}, ${ssn}, '2020-01-01')`)
      .join(', ')};
    INSERT INTO parted SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
    INSERT INTO people_generated (id, ssn) SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
    INSERT INTO people_touched (id, active) SELECT id, active FROM people WHERE active IS NOT NULL;
    INSERT INTO people_default (id, ssn) SELECT id, ssn FROM people WHERE ssn IS NOT NULL;
    INSERT INTO notes (id, body) VALUES (1, 'first'), (2, 'second'), (11, 'eleventh');`
}

/** Statements of a file: bodies of routines end in \`END;\` of their own. */
const file = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), 'utf8')

export interface MysqlWorld extends AsyncDisposable {
  readonly flavour: MysqlAddress['flavour']
  readonly gateway: TestGateway
  readonly detector: LeakDetector
  /** A session of its own through the gateway. */
  connect(who: Identity, world: WorldName): Promise<MysqlWire>
  /** As the superuser, past the gateway; several statements. */
  sql(world: WorldName, text: string): Promise<Record<string, unknown>[]>
  nameOf(world: WorldName): string
  /** The answer with the worlds' names made one. */
  withoutNames(bytes: Buffer): string
  /** Every row and name an attack might have changed. */
  contents(world: WorldName): Promise<unknown>
}

export async function openMysqlWorlds(server: MysqlAddress): Promise<MysqlWorld> {
  // Letters only: in messages numbers are withheld.
  const base = `worlds_${randomBytes(8).toString('hex').replaceAll(/[0-9]/g, 'x')}`
  const nameOf = (world: WorldName): string => `${base}_${world}`
  const direct = await mysql.createConnection({
    host: server.host,
    port: server.port,
    ...server.superuser,
    multipleStatements: true,
  })
  let at: WorldName | null = null
  const sql = async (world: WorldName, text: string): Promise<Record<string, unknown>[]> => {
    if (at !== world) await direct.query(`USE ${nameOf(world)}`)
    at = world
    const [rows] = await direct.query<RowDataPacket[]>(text)
    return Array.isArray(rows) ? rows : []
  }
  const columns = PROTECTED.map(({ name, type }) => `ADD COLUMN ${name} ${type}`).join(', ')
  for (const world of ['a', 'b'] as const) {
    await direct.query(`CREATE DATABASE ${nameOf(world)} CHARACTER SET utf8mb4`)
    // Creation times are shown: they are no difference of values.
    await direct.query('SET SESSION timestamp = 1700000000')
    await sql(world, await file('world.sql'))
    await sql(world, `ALTER TABLE people ${columns}`)
    await sql(world, await file('world-over-people.sql'))
    await sql(world, rowsOf(world))
    await sql(world, await file(`world-${server.flavour}.sql`))
  }
  const gateway = await startTestGateway({
    upstream: server,
    database: nameOf('a'),
    databases: [nameOf('b')],
    connection: 'crm',
    policies: [
      policyOver([
        ...PROTECTED.map(({ name }) => [`*.people.${name}`, name] as const),
        ...ELSEWHERE,
      ]),
    ],
    via: 'tcp',
    config: { limits: { 'connections-per-subject': 1000 } },
  })
  const detector = new LeakDetector(await readCanaries(direct, nameOf('a')))
  at = null
  return {
    flavour: server.flavour,
    gateway,
    detector,
    nameOf,
    sql,
    async connect(who, world) {
      return MysqlWire.connect({
        host: gateway.host,
        port: gateway.plainPort,
        user: 'agent',
        password: await gateway.token({ groups: who === 'clear' ? [] : [who] }),
        database: world === 'a' ? 'crm' : `crm/${nameOf('b')}`,
      })
    },
    withoutNames: (bytes) =>
      bytes
        .toString('latin1')
        .replaceAll(nameOf('b'), nameOf('a'))
        .replaceAll(utf16(nameOf('b')), utf16(nameOf('a'))),
    async contents(world) {
      const tables = await sql(
        world,
        `SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1`,
      )
      const rows: unknown[] = [tables]
      for (const name of [
        'people',
        'notes',
        'cards',
        'accounts',
        'audit_trail',
        'checked',
        'payments',
        'parted',
        'dept',
      ])
        rows.push(await sql(world, `SELECT * FROM ${name} ORDER BY 1`))
      rows.push(
        await sql(
          world,
          `SELECT routine_name AS name FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY 1`,
        ),
        await sql(
          world,
          `SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, ordinal_position`,
        ),
      )
      return JSON.stringify(rows)
    },
    async [Symbol.asyncDispose]() {
      await gateway.close()
      for (const world of ['a', 'b'] as const)
        await direct.query(`DROP DATABASE IF EXISTS ${nameOf(world)}`)
      await direct.end()
    },
  }
}

const utf16 = (text: string): string => [...text].map((c) => `\0${c}`).join('')

/** Every protected cell of world `a`, as text and as the bytes it is stored as. */
async function readCanaries(direct: Connection, database: string): Promise<Canary[]> {
  const names = PROTECTED.map(({ name }) => name).filter((name) => !NO_CANARY.has(name))
  const asText = (name: string): string =>
    name === 'place' ? `ST_AsText(${name})` : name === 'flags' ? `CAST(${name} + 0 AS CHAR)` : name
  const isBinary = new Set(['raw', 'flags', 'place'])
  const [people] = await direct.query<RowDataPacket[]>(
    `SELECT ${names
      .filter((name) => name !== 'raw')
      .map((name) => `CAST(${asText(name)} AS CHAR) AS ${name}`)
      .join(', ')} FROM ${database}.people WHERE id <= ${FILLED_ROWS}`,
  )
  const [bytes] = await direct.query<RowDataPacket[]>(
    `SELECT ${[...isBinary].map((name) => `CAST(HEX(${name}) AS CHAR) AS ${name}`).join(', ')} FROM ${database}.people WHERE id <= ${FILLED_ROWS}`,
  )
  const [cards] = await direct.query<RowDataPacket[]>(`SELECT number FROM ${database}.cards`)
  const words = [...people, ...cards].flatMap((row) =>
    Object.entries(row).flatMap(([name, cell]: [string, string]) =>
      (cell.match(/[A-Za-z0-9]{6,}/g) ?? [cell]).map((text) => ({
        name,
        text,
        cell,
        binary: null,
      })),
    ),
  )
  const raw = bytes.flatMap((row) =>
    Object.entries(row).map(([name, cell]: [string, string]) => ({
      name,
      text: cell.toLowerCase(),
      cell,
      binary: Buffer.from(cell, 'hex'),
    })),
  )
  return [...words, ...raw]
}
