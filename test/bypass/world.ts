/**
 * Two databases that differ in protected values alone, made from one template so that object identifiers are
 * the same, behind one gateway. Who asks decides the masks: every identity is granted everything, so nothing
 * but the masks stands between it and the values.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type PostgresAddress, postgresSql } from '../support/servers.ts'
import { WireClient } from '../support/wire.ts'
import { type Identity, type ProtectedPath, policyOver } from './identities.ts'
import { type Canary, canariesOf, LeakDetector } from './leaks.ts'
import { FILLED_ROWS, NULL_ROWS, PROTECTED, valuesOf, type WorldName } from './world-values.ts'

/** Protected columns outside `people`, by the column of `people` they are masked like. */
const ELSEWHERE: readonly ProtectedPath[] = [
  ['*.cards.number', 'number'],
  ['*.payments.card', 'number'],
  ['*.accounts.owner_ssn', 'ssn'],
  ['*.parted.ssn', 'ssn'],
  ['*.people_generated.ssn', 'ssn'],
]

/** That hold rows. */
const TABLES =
  'dept, people, people_child, people_generated, people_mat, cards, payments, accounts, notes, parted'

const WITHOUT_AUTOVACUUM = `DO $$ DECLARE id oid; BEGIN
  FOR id IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND oid >= 16384 LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', id::regclass);
  END LOOP; END $$`

const quoted = (value: string): string => `'${value}'`

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
    const cells = names.map((name) => {
      const value = columns.get(name)?.[row - 1]
      return value === undefined ? 'NULL' : quoted(value)
    })
    people.push(`(${[...open, ...cells].join(', ')})`)
  }
  const ssns = columns.get('ssn') ?? []
  return `
    INSERT INTO dept VALUES (1, 'north'), (2, 'south');
    INSERT INTO people VALUES ${people.join(',\n')};
    INSERT INTO people_child SELECT p.id + 100, p.city, p.note, p.dept_id, p.manager_id, ${names
      .map((name) => (name === 'email' ? `'x' || p.email` : name === 'ssn' ? 'p.ssn' : `p.${name}`))
      .join(', ')}, 'extra' FROM ONLY people p WHERE p.id = 1;
    INSERT INTO cards SELECT c, n FROM unnest(ARRAY[${cards.map(quoted).join(', ')}]) WITH ORDINALITY AS t(c, n);
    INSERT INTO payments (card, amount, at) SELECT number, 10 * person_id, timestamptz '2024-01-01' + person_id * interval '1 day' FROM cards ORDER BY person_id;
    INSERT INTO accounts SELECT n, s, date '2020-01-01' FROM unnest(ARRAY[${ssns.slice(0, 4).map(quoted).join(', ')}]) WITH ORDINALITY AS t(s, n);
    INSERT INTO parted SELECT id, ssn FROM ONLY people WHERE ssn IS NOT NULL ORDER BY id;
    INSERT INTO people_generated SELECT id, ssn FROM ONLY people WHERE ssn IS NOT NULL ORDER BY id;
    INSERT INTO notes (id, body) VALUES (1, 'first'), (2, 'second'), (11, 'eleventh');
    REFRESH MATERIALIZED VIEW people_mat;
    REFRESH MATERIALIZED VIEW people_mat_expr;
    ANALYZE;`
}

export interface World extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly detector: LeakDetector
  /** A session of its own through the gateway. */
  connect(who: Identity, world: WorldName): Promise<WireClient>
  /** As the superuser, past the gateway. */
  sql(world: WorldName, text: string): Promise<Record<string, unknown>[]>
  /** Writes the tables of both worlds anew, without what was deleted or taken back. */
  rewrite(): Promise<void>
  /** Every row and name an attack might have changed. */
  contents(world: WorldName): Promise<unknown>
}

/**
 * `statistics: 'none'`: the planner knows nothing of the values, so it goes the same way in both worlds. What it has
 * collected of them is protected, but which of equal rows comes first, and which a LIMIT keeps, is the plan's.
 */
export async function openWorlds(
  server: PostgresAddress,
  { statistics = 'collected' }: { readonly statistics?: 'collected' | 'none' } = {},
): Promise<World> {
  const template = `worlds_${randomBytes(6).toString('hex')}`
  const file = async (name: string) => {
    const text = await readFile(new URL(name, import.meta.url), 'utf8')
    // Virtual columns are of PostgreSQL 18.
    return Number.parseInt(server.version, 10) < 18 ? text.replaceAll(' VIRTUAL', ' STORED') : text
  }
  const columns = PROTECTED.map(({ name, type }) => `ADD COLUMN ${name} ${type}`).join(', ')
  const inside = (database: string, text: string) => postgresSql(server, { database, text })
  await inside('postgres', `CREATE DATABASE ${template} TEMPLATE template0`)
  await inside(template, await file('world.sql'))
  await inside(template, `ALTER TABLE people ${columns}`)
  await inside(template, await file('world-over-people.sql'))
  // When it runs, in one world and not in the other, shows in the costs of plans.
  await inside(template, WITHOUT_AUTOVACUUM)
  const nameOf = (world: WorldName): string => `${template}_${world}`
  const sql = (world: WorldName, text: string) => inside(nameOf(world), text)
  const admin = (text: string) => inside('postgres', text)
  for (const world of ['a', 'b'] as const) {
    await admin(`CREATE DATABASE ${nameOf(world)} TEMPLATE ${template}`)
    await sql(world, rowsOf(world))
    if (statistics === 'none')
      await sql(world, 'DELETE FROM pg_statistic; DELETE FROM pg_statistic_ext_data')
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
  const canaries = await readCanaries(server, nameOf('a'))
  const close = async (): Promise<void> => {
    await gateway.close()
    for (const world of ['a', 'b'] as const)
      await admin(`DROP DATABASE IF EXISTS ${nameOf(world)} WITH (FORCE)`)
    await admin(`DROP DATABASE ${template} WITH (FORCE)`)
  }
  return {
    gateway,
    detector: new LeakDetector(canaries),
    async connect(who, world) {
      return WireClient.connect({
        host: gateway.host,
        port: gateway.plainPort,
        user: 'agent',
        password: await gateway.token({ groups: who === 'clear' ? [] : [who] }),
        database: world === 'a' ? 'crm' : `crm/${nameOf('b')}`,
      })
    },
    sql,
    async rewrite() {
      for (const world of ['a', 'b'] as const) await sql(world, `VACUUM FULL ${TABLES}`)
    },
    contents: (world) =>
      sql(
        world,
        `SELECT x FROM (
           SELECT to_jsonb(p)::text AS x FROM people p UNION ALL SELECT to_jsonb(notes)::text FROM notes
           UNION ALL SELECT to_jsonb(c)::text FROM cards c UNION ALL SELECT to_jsonb(a)::text FROM accounts a
           UNION ALL SELECT to_jsonb(t)::text FROM audit_trail t UNION ALL SELECT to_jsonb(k)::text FROM checked k
           UNION ALL SELECT to_jsonb(y)::text FROM payments y
           UNION ALL SELECT oid::regclass || ' ' || relkind::text FROM pg_class WHERE oid >= 16384 AND relkind <> 't'
           UNION ALL SELECT proname FROM pg_proc WHERE oid >= 16384
           UNION ALL SELECT attname FROM pg_attribute WHERE attrelid >= 16384 AND NOT attisdropped) s ORDER BY 1`,
      ),
    [Symbol.asyncDispose]: close,
  }
}

/** Every protected cell of world `a`, in the server's own text and binary forms. */
async function readCanaries(server: PostgresAddress, database: string): Promise<Canary[]> {
  await using wire = await WireClient.connect({
    host: server.host,
    port: server.port,
    database,
    ...server.superuser,
  })
  const canaries: Canary[] = []
  const texts = [
    `SELECT ${PROTECTED.filter(({ name }) => name !== 'mood' && name !== 'active')
      .map(({ name }) => name)
      .join(', ')} FROM ONLY people WHERE id <= ${FILLED_ROWS}`,
    'SELECT number FROM cards',
  ]
  for (const text of texts)
    canaries.push(...canariesOf(await wire.extended(text, [], 0), await wire.extended(text, [], 1)))
  return canaries
}
