import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCatalog, type Catalog, type CatalogRelation } from '@sallyport/sql'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { MYSQL_CATALOG } from '../../packages/gateway/src/catalog/mysql-source.ts'
import type { CatalogLogin, CatalogReader } from '../../packages/gateway/src/catalog/source.ts'
import { CatalogStore } from '../../packages/gateway/src/catalog/store.ts'
import { Secret } from '../../packages/gateway/src/secrets/secret.ts'
import { UpstreamTls } from '../../packages/gateway/src/tls/upstream.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

onMysqlServers('the schema of %s', (flavour) => {
  let db: TestMysqlDatabase
  let folder: string
  let caFile: string
  const closers: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-'))
    caFile = join(folder, 'ca.pem')
    await writeFile(caFile, db.ca ?? '')
    await db.sql(`
      CREATE TABLE other (id INT PRIMARY KEY);
      CREATE TABLE t (
        id INT UNSIGNED ZEROFILL AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), \`b\`\`c\` DECIMAL(10,2),
        g VARCHAR(40) AS (CONCAT(UPPER(a), '\\'', '\\\\')) STORED, hidden INT INVISIBLE, x INT, y INT,
        UNIQUE KEY xy (x, y), CONSTRAINT fk FOREIGN KEY (x) REFERENCES other (id),
        CHECK (\`b\`\`c\` > 0 AND a <> 'y'));
      CREATE VIEW v AS SELECT a AS shown FROM t;
      CREATE VIEW vv AS SELECT shown FROM v;
      CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 'z';
      CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;
      CREATE PROCEDURE p() SELECT 1;
      CREATE TABLE m1 (a INT) ENGINE=MyISAM; CREATE TABLE m2 (a INT) ENGINE=MyISAM;
      CREATE TABLE m (a INT) ENGINE=MERGE UNION=(m1, m2)`)
  })
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  afterAll(async () => {
    await db?.drop()
    await rm(folder, { recursive: true, force: true })
  })

  const login = (over: Partial<CatalogLogin> = {}): CatalogLogin => ({
    host: db.host,
    port: db.port,
    database: db.database,
    user: db.superuser.user,
    password: new Secret(db.superuser.password),
    tls: new UpstreamTls({ mode: 'require' }),
    ...over,
  })

  async function connect(over: Partial<CatalogLogin> = {}): Promise<CatalogReader> {
    const reader = await MYSQL_CATALOG.connect(login(over))
    closers.push(() => reader.end())
    return reader
  }

  async function load(over: Partial<CatalogLogin> = {}): Promise<Catalog> {
    return buildCatalog((await (await connect(over)).load()).data, 1)
  }

  function relation(catalog: Catalog, name: string): CatalogRelation {
    const relation = catalog.relation(db.database, name)
    if (relation === undefined) throw new Error(`no ${name}`)
    return relation
  }

  test('has columns with types, generation and visibility', async () => {
    const catalog = await load()
    expect(catalog.data.mysql).toEqual({ flavour, lowerCaseTableNames: 0 })
    const { columns } = relation(catalog, 't')
    expect(columns.map(({ name, number, type }) => [name, number, type])).toEqual([
      ['id', 1, 'int unsigned'],
      ['a', 2, 'varchar'],
      ['b`c', 3, 'decimal'],
      ['g', 4, 'varchar'],
      ['hidden', 5, 'int'],
      ['x', 6, 'int'],
      ['y', 7, 'int'],
    ])
    expect(columns.filter(({ invisible }) => invisible).map(({ name }) => name)).toEqual(['hidden'])
    const expression = columns[3]?.generated?.toLowerCase().replaceAll('_utf8mb4', '')
    expect(expression).toMatch(/^concat\(u(pper|case)\(`a`\),'\\'','\\\\'\)$/)
  })

  test('has views with the query that defines them, every name qualified', async () => {
    const catalog = await load()
    expect(relation(catalog, 'v')).toMatchObject({
      kind: 'view',
      columns: [{ name: 'shown', number: 1 }],
      definition: `select \`${db.database}\`.\`t\`.\`a\` AS \`shown\` from \`${db.database}\`.\`t\``,
    })
    expect(relation(catalog, 'vv').definition).toContain('`v`.`shown` AS `shown` from')
    expect(catalog.relation('information_schema', 'TABLES')).toMatchObject({ kind: 'table' })
  })

  test('has constraints, triggers, routines and what a MERGE table shows', async () => {
    const catalog = await load()
    const { constraints, triggers } = relation(catalog, 't')
    expect(triggers).toBe(true)
    expect(relation(catalog, 'other').triggers).toBe(false)
    expect(constraints).toEqual(
      expect.arrayContaining([
        { kind: 'unique', columns: ['id'], primary: true },
        { kind: 'unique', columns: ['x', 'y'] },
        { kind: 'check', columns: ['a', 'b`c'] },
        {
          kind: 'reference',
          columns: ['x'],
          schema: db.database,
          relation: 'other',
          referenced: ['id'],
        },
      ]),
    )
    const routines = ['f', 'p'].flatMap((name) =>
      catalog.functionsNamed(name).filter(({ schema }) => schema === db.database),
    )
    expect(routines).toMatchObject([
      {
        kind: 'function',
        language: 'sql',
        securityDefiner: true,
        returnType: 'int',
        definition: expect.stringMatching(/`f`\(`x` int.*\) RETURNS int.* RETURN x \+ 1;?$/),
      },
      { kind: 'procedure' },
    ])
    expect(routines[1]?.definition).toBeUndefined()
    expect(relation(catalog, 'm').parents).toEqual([`${db.database}.m1`, `${db.database}.m2`])
  })

  test('says what a function is now, and nothing of one whose text could mean something else', async () => {
    const reader = await connect()
    const named = (catalog: Catalog, name: string) =>
      catalog.functionsNamed(name).filter(({ schema }) => schema === db.database)
    const now = async (name: string) => {
      const catalog = buildCatalog((await reader.load()).data, 1)
      const [entry] = named(catalog, name)
      if (entry === undefined) throw new Error(`no ${name}`)
      const [definition] = await reader.definitions([entry])
      expect(definition).toBe(entry.definition)
      return entry
    }
    await db.sql('CREATE FUNCTION Changing(a INT) RETURNS INT NO SQL RETURN a')
    const first = await now('changing')
    await db.sql(
      'DROP FUNCTION changing; CREATE FUNCTION Changing(b INT, a INT) RETURNS INT NO SQL RETURN a',
    )
    expect(await reader.definitions([first])).not.toEqual([first.definition])
    await db.sql(
      `DROP FUNCTION changing; SET sql_mode = 'ANSI_QUOTES'; CREATE FUNCTION Changing(a INT) RETURNS INT NO SQL RETURN a; SET sql_mode = DEFAULT`,
    )
    expect((await now('changing')).definition).toBeUndefined()
    await db.sql('DROP FUNCTION changing')
    expect(await reader.definitions([first])).toEqual([undefined])
  })

  test('takes what the account may not see for unknown', async () => {
    const user = `little_${db.database}`
    await db.sql(
      `CREATE USER ${user} IDENTIFIED BY 'x'; GRANT SELECT ON ${db.database}.* TO ${user}`,
    )
    try {
      const little = { user, password: new Secret('x') }
      const catalog = await load(little)
      expect(catalog.relation(db.database, 'v')).toBeUndefined()
      expect(relation(catalog, 'other').triggers).toBe(true)
      await db.sql(`GRANT SHOW VIEW, TRIGGER ON ${db.database}.* TO ${user}`)
      const more = await load(little)
      expect(relation(more, 'v').kind).toBe('view')
      expect(relation(more, 'other').triggers).toBe(false)
    } finally {
      await db.sql(`DROP USER ${user}`)
    }
  })

  test.each([
    ['a table', 'CREATE TABLE new1 (a INT)'],
    ['a column', 'ALTER TABLE other ADD COLUMN new2 INT'],
    ['a view that now shows something else', 'CREATE OR REPLACE VIEW vv AS SELECT 1 AS shown'],
    ['a trigger', 'CREATE TRIGGER tr2 BEFORE DELETE ON other FOR EACH ROW SET @a = 1'],
    ['a routine', 'CREATE PROCEDURE p2() SELECT 1'],
    ['a constraint', 'ALTER TABLE other ADD CONSTRAINT CHECK (id <> 7)'],
  ])('changes its probe with %s', async (_what, statement) => {
    const reader = await connect()
    const before = await reader.probe()
    expect(await reader.probe()).toBe(before)
    await db.sql('INSERT INTO other (id) VALUES (1); DELETE FROM other')
    expect(await reader.probe()).toBe(before)
    await db.sql(statement)
    expect(await reader.probe()).not.toBe(before)
  })

  test('is kept by the store, and read again after DDL', async () => {
    const store = new CatalogStore({
      source: MYSQL_CATALOG,
      login: async () => login(),
      build: buildCatalog,
      now: () => performance.now(),
      random: () => 0.5,
    })
    closers.push(() => store.close())
    const before = await store.ensure()
    await db.sql('CREATE TABLE later (a INT)')
    const after = await store.refresh('ddl')
    expect(before.relation(db.database, 'later')).toBeUndefined()
    expect(after.relation(db.database, 'later')).toBeDefined()
  })

  test('is read over TLS that is verified, by name and by address', async (context) => {
    context.skip(db.ca === undefined, 'a server with a certificate of its own')
    const tls = (servername?: string) =>
      new UpstreamTls({ mode: 'verify-full', caFile, ...(servername && { servername }) })
    await expect(connect({ tls: tls() })).resolves.toBeDefined()
    await expect(connect({ host: 'localhost', tls: tls() })).resolves.toBeDefined()
    await expect(connect({ tls: tls('localhost') })).resolves.toBeDefined()
    await expect(connect({ tls: tls('db.example.com') })).rejects.toMatchObject({
      code: 'unreachable',
    })
    await expect(connect({ tls: new UpstreamTls({ mode: 'verify-full' }) })).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('says a refused login and a silent server apart', async () => {
    await expect(connect({ password: new Secret('wrong') })).rejects.toMatchObject({
      code: 'credential-refused',
    })
    await expect(connect({ port: 1 })).rejects.toMatchObject({ code: 'unreachable' })
  })
})
