/**
 * One table of cases for every engine: policy × statement × identity → verdict, and what is shown. A text that
 * has to be written differently for MySQL has its own there; what it means is the same.
 */

export type Identity = 'agent' | 'writer' | 'dba' | 'nobody'

type Rows = readonly (readonly (string | null | RegExp)[])[]

export interface Case {
  readonly name: string
  readonly as: Identity
  readonly sql: string
  readonly mysql?: string
  /** `ok`: it runs; else the reason for which it is refused. */
  readonly verdict: 'ok' | 'denied' | 'masked' | 'write-back' | 'approval'
  /** Rows as text, where they are the same for every engine. */
  readonly rows?: Rows
  /** Where MySQL and MariaDB do not compute a column: NULL, not what its type is redacted to. */
  readonly mysqlRows?: Rows
}

/** `SCHEMA` stands for the schema (PostgreSQL) or database (MySQL) of the test. */
export const POLICY = `
version: 1
rules:
  - name: agents read
    who: { groups: [agents] }
    allow: { effects: [read], relations: [SCHEMA.customers, SCHEMA.orders, SCHEMA.overview] }
  - name: writers
    who: { groups: [writers] }
    allow: { effects: [read, write], relations: [SCHEMA.orders, SCHEMA.customers] }
  - name: everything
    who: { groups: [dba] }
    allow: { effects: ['*'] }
  - name: updates need a WHERE
    who: everyone
    deny: { commands: [update, delete], when: '!statement.has_where' }
masks:
  - name: email
    columns: [SCHEMA.customers.email]
    with: { hash: { domain: contact } }
    except: { groups: [dba] }
  - name: ssn
    columns: [SCHEMA.customers.ssn]
    with: redact
    predicates: equality
    except: { groups: [dba] }
  - name: card
    columns: [SCHEMA.customers.card]
    with: { partial: { keep-last: 4 } }
    except: { groups: [dba] }
  - name: born
    columns: [SCHEMA.customers.born]
    with: { truncate-date: year }
    except: { groups: [dba] }
  - name: salary
    columns: [SCHEMA.customers.salary]
    with: { bucket: 1000 }
    except: { groups: [dba] }
`

export const SCHEMA: readonly string[] = [
  `CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(40), email VARCHAR(80), ssn VARCHAR(20),
     card VARCHAR(20), born DATE, salary INTEGER, note VARCHAR(80))`,
  'CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, total INTEGER, note VARCHAR(80))',
  'CREATE TABLE secrets (id INTEGER PRIMARY KEY, word VARCHAR(20))',
  `INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', '111-11-1111', '4111111111111111', '1990-05-06', 1234, 'a'),
     (2, 'Bob', 'bob@example.com', '222-22-2222', '5500000000000004', '1985-01-02', 5678, NULL), (3, 'Eve', NULL, NULL, NULL, NULL, NULL, 'c')`,
  "INSERT INTO orders VALUES (10, 1, 100, 'x'), (11, 1, 50, NULL), (12, 2, 70, 'y')",
  "INSERT INTO secrets VALUES (1, 'word')",
  'CREATE VIEW overview AS SELECT c.id AS who, c.ssn AS number, o.total FROM customers c JOIN orders o ON o.customer_id = c.id',
]

const HASH = /^[0-9a-f]{32}$/
const agent = (
  name: string,
  sql: string,
  rows: NonNullable<Case['rows']>,
  mysql?: string,
): Case => ({
  name,
  as: 'agent',
  sql,
  verdict: 'ok',
  rows,
  ...(mysql !== undefined && { mysql }),
})
const refused = (
  name: string,
  sql: string,
  verdict: Exclude<Case['verdict'], 'ok'> = 'masked',
  mysql?: string,
): Case => ({ name, as: 'agent', sql, verdict, ...(mysql !== undefined && { mysql }) })

export const CASES: readonly Case[] = [
  agent('columns come masked', 'SELECT name, email, ssn, card, born, salary FROM customers WHERE id = 1', [
    ['Ada', HASH, '[redacted]', '************1111', '1990-01-01', '1000'],
  ]),
  agent('a star comes masked', 'SELECT * FROM customers WHERE id = 2', [
    ['2', 'Bob', HASH, '[redacted]', '************0004', '1985-01-01', '5000', null],
  ]),
  agent('NULL stays NULL', 'SELECT email, ssn, card, born, salary FROM customers WHERE id = 3', [
    [null, null, null, null, null],
  ]),
  agent('an alias', 'SELECT ssn AS harmless FROM customers WHERE id = 1', [['[redacted]']]),
  agent('a subquery', 'SELECT x FROM (SELECT ssn AS x FROM customers WHERE id = 1) AS d', [['[redacted]']]),
  agent('a CTE', 'WITH c AS (SELECT ssn AS x FROM customers WHERE id = 1) SELECT x FROM c', [['[redacted]']]),
  agent('a UNION', 'SELECT ssn FROM customers WHERE id = 1 UNION ALL SELECT name FROM customers WHERE id = 2', [
    ['[redacted]'],
    ['[redacted]'],
  ]),
  agent('a view', 'SELECT number, total FROM overview WHERE who = 2', [['[redacted]', '70']]),
  agent('a join by an unmasked column', 'SELECT c.card, o.total FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id', [
    ['************1111', '100'],
    ['************1111', '50'],
    ['************0004', '70'],
  ]),
  agent('a scalar subquery', 'SELECT o.id, (SELECT c.ssn FROM customers c WHERE c.id = o.customer_id) FROM orders o WHERE o.id = 12', [
    ['12', '[redacted]'],
  ]),
  agent('an expression shows nothing', 'SELECT upper(email), concat(ssn, name) FROM customers WHERE id = 1', [
    ['[redacted]', '[redacted]'],
  ]),
  agent('a count tells no value', 'SELECT count(*), count(ssn) FROM customers', [['3', '2']]),
  agent('equality with a constant is allowed', "SELECT id FROM customers WHERE ssn = '222-22-2222'", [['2']]),
  agent('IS NULL is allowed', 'SELECT id FROM customers WHERE ssn IS NULL', [['3']]),
  agent('unmasked columns are free', "SELECT id FROM customers WHERE name LIKE 'A%' ORDER BY name", [['1']]),
  agent('nothing of a table', 'SELECT 1 + 1', [['2']]),
  refused('LIKE on a masked column', "SELECT id FROM customers WHERE ssn LIKE '1%'"),
  refused('a range on a masked column', 'SELECT id FROM customers WHERE salary > 2000'),
  refused('order by a masked column', 'SELECT id FROM customers ORDER BY ssn'),
  refused('a function of a masked column in WHERE', "SELECT id FROM customers WHERE substring(ssn, 1, 1) = '1'"),
  { name: 'CASE over a masked column', as: 'agent', sql: "SELECT CASE WHEN ssn > '2' THEN 1 ELSE 0 END FROM customers", verdict: 'ok', rows: [['0'], ['0'], ['0']], mysqlRows: [[null], [null], [null]] },
  refused('group by an expression of a masked column', 'SELECT count(*) FROM customers GROUP BY left(ssn, 1)'),
  refused('a masked column through a join condition', "SELECT o.id FROM orders o JOIN customers c ON c.ssn LIKE concat(o.note, '%')"),
  refused('HAVING over a masked column', "SELECT name FROM customers GROUP BY name HAVING max(ssn) > '2'"),
  refused('another table', 'SELECT * FROM secrets', 'denied'),
  refused('another table in a subquery', 'SELECT id FROM orders WHERE note IN (SELECT word FROM secrets)', 'denied'),
  refused('a write', 'UPDATE orders SET total = 0 WHERE id = 10', 'denied'),
  refused('a delete', 'DELETE FROM orders WHERE id = 10', 'denied'),
  refused('DDL', 'CREATE TABLE more (id INTEGER)', 'denied'),
  refused('a drop behind a select', 'SELECT 1; DROP TABLE orders', 'denied'),
  { name: 'a writer updates with a WHERE', as: 'writer', sql: "UPDATE orders SET note = 'z' WHERE id = 11", verdict: 'ok' },
  { name: 'a writer inserts', as: 'writer', sql: "INSERT INTO orders VALUES (13, 2, 5, 'n')", verdict: 'ok' },
  { name: 'a writer deletes with a WHERE', as: 'writer', sql: 'DELETE FROM orders WHERE id = 13', verdict: 'ok' },
  { name: 'no update without WHERE', as: 'writer', sql: 'UPDATE orders SET total = 0', verdict: 'denied' },
  { name: 'no delete without WHERE', as: 'writer', sql: 'DELETE FROM orders', verdict: 'denied' },
  { name: 'not even for the DBA', as: 'dba', sql: 'DELETE FROM orders', verdict: 'denied' },
  { name: 'a mask is not written back', as: 'writer', sql: "UPDATE customers SET card = '************1111' WHERE id = 1", verdict: 'write-back' },
  { name: 'nor a redaction', as: 'writer', sql: "UPDATE customers SET ssn = '[redacted]' WHERE id = 1", verdict: 'write-back' },
  { name: 'a real value is written', as: 'writer', sql: "UPDATE customers SET ssn = '111-11-1111' WHERE id = 1", verdict: 'ok' },
  { name: 'masked values do not flow into other columns', as: 'writer', sql: 'UPDATE customers SET note = ssn WHERE id = 1', verdict: 'masked' },
  { name: 'nor into other tables', as: 'writer', sql: 'INSERT INTO orders SELECT 20, 1, 1, ssn FROM customers WHERE id = 1', verdict: 'masked' },
  { name: 'the DBA sees everything', as: 'dba', sql: 'SELECT email, ssn, card, salary FROM customers WHERE id = 1', verdict: 'ok', rows: [['ada@example.com', '111-11-1111', '4111111111111111', '1234']] },
  { name: 'the DBA may sort', as: 'dba', sql: 'SELECT id FROM customers WHERE ssn IS NOT NULL ORDER BY ssn DESC', verdict: 'ok', rows: [['2'], ['1']] },
] // biome-ignore format: a table
