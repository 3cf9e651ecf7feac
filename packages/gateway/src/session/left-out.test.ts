import { compilePolicy, viewFor } from '@sallyport/policy'
import { buildCatalog, type CatalogRelation, createFreshAnalyze } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { leftOutOf } from './left-out.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks: [{ columns: [crm.people.ssn], with: redact, except: { groups: [dba] } }]`

function relation(name: string, ...columns: readonly string[]): CatalogRelation {
  return {
    id: name.length,
    schema: 'crm',
    name,
    kind: 'table',
    columns: columns.map((column, i) => ({
      name: column,
      number: i + 1,
      type: column.endsWith('id') ? 'integer' : 'text',
      typeId: column.endsWith('id') ? 23 : 25,
    })),
    parents: [],
    rules: false,
    triggers: false,
    rowSecurity: false,
  }
}

const DATA = {
  database: 'crm',
  relations: [
    relation('people', 'id', 'name', 'ssn'),
    relation('orders', 'id', 'person_id', 'note'),
  ],
  functions: [],
  userOperators: [],
}

const compiled = compilePolicy([{ path: 'policy.yaml', text: POLICY }])
if (compiled.kind !== 'policy') throw new Error(JSON.stringify(compiled.errors))
// Who sees the column as it is: the record is read by others.
const subject = { subject: 'dora', kind: 'human', role: null, groups: ['dba'], claims: {} } as const
const nobodys = { graph: null, node: null, run: null }
const view = viewFor(compiled.policy, { ...subject, ...nobodys }, 'crm')
const analyze = await createFreshAnalyze({ searchPath: 'crm' })

describe.each([
  ['PostgreSQL', buildCatalog({ ...DATA, serverVersion: 180000 }, 1)],
  [
    'MariaDB',
    buildCatalog(
      {
        ...DATA,
        serverVersion: 101100,
        mysql: { flavour: 'mariadb', lowerCaseTableNames: 0 },
      },
      1,
    ),
  ],
])('of a statement of %s is left out', (_, catalog) => {
  const leftOut = (sql: string): string => leftOutOf(analyze(sql, catalog, 'crm'), view)

  test.each([
    `SELECT name FROM people WHERE id = 4 AND name <> 'nobody'`,
    `INSERT INTO people (id, name) VALUES (4, 'ann')`,
    `UPDATE people SET name = 'bob' WHERE id = 4`,
    `DELETE FROM orders WHERE note = 'x'`,
  ])('nothing where no protected column is touched: %s', (sql) => {
    expect(leftOut(sql)).toBe('nothing')
  })

  test.each([
    `SELECT ssn FROM people WHERE id = 4 LIMIT 3`,
    `SELECT * FROM people WHERE name LIKE 'a%'`,
    `SELECT p.ssn FROM people p JOIN orders o ON o.person_id = p.id WHERE o.note = 'x'`,
    `SELECT name FROM people WHERE ssn IS NULL AND id = 4`,
    `SELECT (SELECT ssn FROM people p WHERE p.id = o.person_id) FROM orders o WHERE o.id = 4`,
    `SELECT x.s FROM (SELECT id, ssn AS s FROM people) x WHERE x.id = 4`,
    `SELECT ssn, count(*) FROM people WHERE name = 'ann' GROUP BY ssn HAVING count(*) > 4`,
    `SELECT s FROM (SELECT ssn AS s, id FROM people) x WHERE x.id > 4 GROUP BY s`,
    `SELECT DISTINCT ssn FROM people WHERE name = 'ann'`,
    `SELECT DISTINCT name, ssn FROM people WHERE id = 4`,
  ])('a comment where one is shown and no more: %s', (sql) => {
    expect(leftOut(sql)).toBe('comments')
  })

  test.each([
    `SELECT id FROM people WHERE ssn = '1'`,
    `SELECT id FROM people WHERE ssn LIKE '1%'`,
    `SELECT id FROM people WHERE (ssn, id) = ('1', 4)`,
    `SELECT id FROM people WHERE '1' IN (SELECT ssn FROM people)`,
    `SELECT x.s FROM (SELECT id, ssn AS s FROM people) x WHERE x.s = '1'`,
    `WITH v AS (SELECT '1' AS x) SELECT id FROM people, v WHERE ssn = v.x`,
    `SELECT id FROM people JOIN (SELECT '1' AS ssn) v USING (ssn)`,
    `SELECT o.id FROM orders o JOIN people p ON o.note = p.ssn WHERE o.note = '1'`,
    `SELECT ssn = '1' FROM people`,
    `SELECT coalesce(ssn, '1') FROM people`,
    `SELECT CASE WHEN ssn = '1' THEN 1 ELSE 2 END FROM people`,
    `SELECT name FROM people ORDER BY ssn = '1'`,
    `SELECT name FROM people GROUP BY name, ssn = '1'`,
    `SELECT count(*) FROM people GROUP BY ssn HAVING ssn = '1'`,
    `SELECT ssn FROM people UNION SELECT '1'`,
    `SELECT ssn FROM people UNION ALL SELECT '1'`,
    `SELECT count(*) FROM people GROUP BY ssn || '1'`,
    `SELECT ssn FROM people GROUP BY ssn HAVING max(ssn) > '1'`,
    `SELECT count(*) FROM (SELECT ssn AS s FROM people UNION ALL SELECT '1') x GROUP BY s`,
    `SELECT count(*) FROM (SELECT ssn FROM people UNION SELECT '1') x`,
    `SELECT DISTINCT coalesce(ssn, '1') FROM people`,
    `SELECT id FROM people WHERE ssn IN (SELECT '1' FROM people GROUP BY ssn)`,
    `INSERT INTO people (id, ssn) VALUES (4, '1')`,
    `INSERT INTO people VALUES (4, 'ann', '1')`,
    `UPDATE people SET ssn = '1' WHERE id = 4`,
    `INSERT INTO orders (note) SELECT ssn FROM people WHERE id = 4`,
    `UPDATE orders SET note = (SELECT ssn FROM people WHERE id = 4) WHERE note = '1'`,
    `SELECT ssn FROM people WHERE id = 4 AND somebodys_own('1')`,
    `SELECT ssn FROM people, nowhere WHERE nowhere.x = '1'`,
    `SELEC ssn FROM people WHERE ssn = '1'`,
    `EXPLAIN SELECT id FROM people WHERE ssn = '1'`,
    `CREATE TABLE copied AS SELECT '1' AS x, ssn FROM people`,
    `SELECT ssn FROM people WHERE id = 4; SELECT id FROM people WHERE ssn = '1'`,
  ])('every value where one could meet it: %s', (sql) => {
    expect(leftOut(sql)).toBe('values')
  })
})
