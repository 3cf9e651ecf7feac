/**
 * LangChain.js: `SqlDatabase` over TypeORM and the tools an agent gets of its toolkit. They see through a gateway what
 * they see directly; under masks nothing protected; and what is refused is said in words a model can act on.
 * LangChain for Python: langchain/session.py, in clients.test.ts.
 */

import { SqlDatabase } from '@langchain/classic/sql_db'
import { InfoSqlTool, ListTablesSqlTool, QuerySqlTool } from '@langchain/classic/tools/sql'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canariesIn } from './canaries.ts'
import { openTap } from './tap.ts'
import { openTargets, type Target, type Targets } from './targets.ts'

let targets: Targets
beforeAll(async () => {
  targets = await openTargets()
})
afterAll(async () => {
  await targets?.[Symbol.asyncDispose]()
})

interface Toolkit extends AsyncDisposable {
  list(): Promise<string>
  info(tables: string): Promise<string>
  query(sql: string): Promise<string>
}

async function toolkitFor(target: Target, schema: string): Promise<Toolkit> {
  const { host, port, user: username, password, database, ca } = target
  const ssl = ca === null ? false : { ca }
  const source = new DataSource({
    type: 'postgres',
    host,
    port,
    username,
    password,
    database,
    schema,
    ssl,
  })
  await source.initialize()
  const db = await SqlDatabase.fromDataSourceParams({ appDataSource: source })
  return {
    list: () => new ListTablesSqlTool(db).invoke(''),
    info: (tables) => new InfoSqlTool(db).invoke(tables),
    query: (sql) => new QuerySqlTool(db).invoke(sql),
    [Symbol.asyncDispose]: () => source.destroy(),
  }
}

async function observed(target: Target): Promise<unknown> {
  await using tools = await toolkitFor(target, 'shop')
  return {
    tables: await tools.list(),
    info: await tools.info('items, sales'),
    rows: await tools.query('SELECT name, price, data FROM shop.items ORDER BY id LIMIT 3'),
    mistake: await tools.query('SELECT nme FROM shop.items'),
    change: await tools.query('UPDATE shop.items SET price = 7 WHERE id = 1 RETURNING price'),
  }
}

test('sees the same through the gateway', async () => {
  await targets.reset()
  const direct = await observed(targets.direct)
  expect(direct).toMatchObject({ info: expect.stringContaining('CREATE TABLE "shop"."items"') })
  await targets.reset()
  expect(await observed(targets.gateway)).toEqual(direct)
})

test('looks around and reads under masks; nothing protected comes over', async () => {
  await using tap = await openTap(targets.masked.port)
  await using tools = await toolkitFor({ ...targets.masked, port: tap.port }, 'crm')
  expect(await tools.info('people')).toContain('full_name')
  expect(JSON.parse(await tools.query('SELECT id, note FROM crm.people ORDER BY id'))).not.toEqual(
    [],
  )
  expect(JSON.parse(await tools.query('SELECT * FROM crm.people'))).not.toEqual([])
  expect(canariesIn(tap.received())).toEqual([])
})

test('a refusal is words for the model, and the next query works', async () => {
  await targets.reset()
  await using tools = await toolkitFor(targets.ruled, 'shop')
  expect(await tools.query('DELETE FROM shop.sales')).toContain('sales are not deleted')
  expect(await tools.query('SELECT count(*) FROM shop.sales')).toBe('[{"count":"100"}]')
})
