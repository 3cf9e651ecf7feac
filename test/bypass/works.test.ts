/**
 * The other half of a guard: what applications, ORMs and psql send every day must pass. The answers through
 * the gateway must be the server's own, for a reader without masks, and for an agent with masks wherever
 * the statement does not touch a masked column.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cells, errorsOf, extended, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: read, who: everyone, allow: { effects: [read, copy], relations: ['public.*'] } }
  - { name: locks, who: everyone, allow: { effects: [lock], relations: ['*'], commands: [select] } }
  - { name: work, who: everyone, allow: { effects: [write, lock], relations: [public.orders, public.support_tickets] } }
masks:
  - { columns: [public.customers.email, public.customers.name, '*.*.phone', '*.*.ssn'], with: redact, who: { groups: [agents] } }
  - { columns: [public.payments.card_number, public.payments.iban, public.employees.salary], with: redact, who: { groups: [agents] } }
`

const WORKS: Readonly<Record<string, readonly string[]>> = {
  'drivers and pools': [
    'SELECT 1',
    'SELECT 1 AS one, 2::bigint, NULL, true, $$text$$',
    '',
    ';',
    '-- ping',
    '/* app=x */ SELECT 1',
    'SELECT version()',
    'SELECT current_database(), current_schema(), current_user, session_user',
    'SHOW server_version',
    'SHOW transaction_isolation',
    'SHOW search_path',
    "SELECT current_setting('server_version_num')::int",
    "SELECT set_config('application_name', 'x', false)",
    "SET application_name = 'app'",
    'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'SET statement_timeout = 30000',
    "SET TIME ZONE 'UTC'",
    'SET DateStyle = ISO',
    "SET client_encoding TO 'UTF8'",
    'SET extra_float_digits = 3',
    'SET search_path TO public',
    'RESET ALL',
    'DISCARD ALL',
    'DEALLOCATE ALL',
    'UNLISTEN *',
    'BEGIN; SELECT 1; COMMIT',
    'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; COMMIT',
    'BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT',
    'SELECT pg_backend_pid() > 0',
    'SELECT now() IS NOT NULL, clock_timestamp() > now()',
    'SELECT pg_is_in_recovery(), inet_server_port() IS NULL OR true',
    "SELECT oid, typname, typarray FROM pg_type WHERE typname = 'text'",
    "SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, t.typelem FROM pg_type t WHERE t.typname = ANY(ARRAY['hstore', 'json'])",
  ],
  introspection: [
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1, 2",
    "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = 'orders' ORDER BY ordinal_position",
    "SELECT tc.constraint_name, kcu.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name) WHERE tc.table_name = 'orders' ORDER BY 1, 2",
    "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2",
    "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3",
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, a.attidentity, a.attgenerated FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'public.orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    "SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c.oid = 'public.orders'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY 1",
    "SELECT conname, pg_catalog.pg_get_constraintdef(r.oid, true) FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'public.orders'::regclass ORDER BY 1",
    "SELECT p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid) FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' ORDER BY 1",
    'SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d WHERE d.datname = current_database()',
    "SELECT e.enumlabel FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid WHERE t.typname = 'ticket_status' ORDER BY e.enumsortorder",
    "SELECT obj_description('public.orders'::regclass, 'pg_class'), col_description('public.orders'::regclass, 1)",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    'SELECT extname, extversion FROM pg_extension ORDER BY 1',
    "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' ORDER BY 1",
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY 1",
    "SELECT to_regclass('public.orders') IS NOT NULL, 'orders'::regclass::text",
    "SELECT has_table_privilege('public.orders', 'SELECT')",
    "SELECT pg_get_serial_sequence('public.orders', 'id')",
    "SELECT pg_total_relation_size('public.orders') > 0",
    "SELECT s.setting FROM pg_settings s WHERE name = 'max_identifier_length'",
  ],
  applications: [
    'SELECT id, status, placed_at FROM orders ORDER BY id LIMIT 5',
    'SELECT * FROM orders WHERE id = 1',
    'SELECT "orders"."id", "orders"."status" FROM "orders" WHERE "orders"."customer_id" = 1 ORDER BY "orders"."id" ASC LIMIT 10 OFFSET 0',
    'SELECT count(*) FROM orders',
    'SELECT status, count(*) AS n FROM orders GROUP BY status HAVING count(*) > 0 ORDER BY n DESC, status',
    'SELECT o.id, sum(i.quantity * i.unit_price) AS total FROM orders o JOIN order_items i ON i.order_id = o.id GROUP BY o.id ORDER BY total DESC, o.id LIMIT 5',
    'SELECT c.id, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY 2 DESC, 1 LIMIT 5',
    'SELECT id, created_at FROM customers WHERE id IN (1, 2, 3) ORDER BY id',
    'SELECT EXISTS (SELECT 1 FROM customers WHERE id = 1)',
    'WITH recent AS (SELECT * FROM orders ORDER BY placed_at DESC LIMIT 10) SELECT id FROM recent ORDER BY id',
    'SELECT id, row_number() OVER (PARTITION BY status ORDER BY placed_at, id) FROM orders ORDER BY id LIMIT 5',
    "SELECT date_trunc('month', placed_at), count(*) FROM orders GROUP BY 1 ORDER BY 1",
    'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price) FROM order_items',
    "SELECT id, CASE status WHEN 'paid' THEN 1 ELSE 0 END FROM orders ORDER BY id LIMIT 3",
    "SELECT subject FROM support_tickets WHERE subject ILIKE '%a%' ORDER BY id LIMIT 5",
    'SELECT city, orders FROM customer_overview ORDER BY id LIMIT 5',
    'SELECT id, tags FROM customers ORDER BY id LIMIT 3',
    'SELECT json_agg(json_build_object($$id$$, id)) FROM (SELECT id FROM orders ORDER BY id LIMIT 3) s',
    'SELECT o.id FROM orders o JOIN LATERAL (SELECT 1 FROM order_items i WHERE i.order_id = o.id LIMIT 1) x ON true ORDER BY 1 LIMIT 3',
    'SELECT id FROM orders WHERE id = ANY (ARRAY[1, 2]) UNION SELECT id FROM orders WHERE id = 3 ORDER BY 1',
    'SELECT id FROM events ORDER BY id LIMIT 3',
    'BEGIN; SELECT id FROM orders WHERE id = 1 FOR UPDATE; ROLLBACK',
    "BEGIN; UPDATE orders SET note = 'x' WHERE id = 1; ROLLBACK",
    "BEGIN; INSERT INTO orders (customer_id, status) VALUES (1, 'draft'); ROLLBACK",
    "BEGIN; UPDATE support_tickets SET status = 'open' WHERE id = 1 RETURNING id, status; ROLLBACK",
    'BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id; SELECT 1; COMMIT',
    'EXPLAIN SELECT id FROM orders',
    'COPY (SELECT id, status FROM orders ORDER BY id LIMIT 3) TO STDOUT',
    'COPY order_items TO STDOUT (FORMAT csv, HEADER)',
    'VALUES (1, 2), (3, 4)',
    "SELECT generate_series(1, 3), unnest(ARRAY['a', 'b', 'c'])",
    'SELECT * FROM jsonb_to_recordset(\'[{"a": 1}]\') AS x(a int)',
    "SELECT to_char(now(), 'YYYY') > '2000', extract(year FROM now()) > 2000, age(now(), now())",
    'SELECT gen_random_uuid() IS NOT NULL, random() < 1',
    "SELECT string_agg(status::text, ',' ORDER BY id) FROM (SELECT * FROM orders ORDER BY id LIMIT 3) o",
  ],
  'agents near masked columns': [
    "SELECT id FROM customers WHERE email = 'nobody@example.org'",
    'SELECT count(*), count(email) FROM customers',
    'SELECT id FROM customers WHERE phone IS NULL ORDER BY id LIMIT 3',
    'SELECT e.id, e.department FROM employees e ORDER BY e.id LIMIT 3',
    'SELECT p.id, p.amount FROM payments p JOIN customers c ON c.id = p.customer_id ORDER BY p.id LIMIT 3',
    'SELECT sum(amount) FROM payments',
  ],
}

let database: TestDatabase
let gateway: TestGateway
const wires: Record<'direct' | 'reader' | 'agent', WireClient> = {} as never

beforeAll(async () => {
  database = await usePostgres({ demo: true })
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  const through = {
    host: gateway.host,
    port: gateway.plainPort,
    user: 'app',
    database: gateway.connection,
  }
  const { host, port, superuser } = database
  wires.direct = await WireClient.connect({ host, port, database: database.database, ...superuser })
  wires.reader = await WireClient.connect({ ...through, password: await gateway.token() })
  wires.agent = await WireClient.connect({
    ...through,
    password: await gateway.token({ groups: ['agents'] }),
  })
})
afterAll(async () => {
  for (const wire of Object.values(wires)) wire.close()
  await gateway.close()
  await database.drop()
})

async function answer(
  wire: WireClient,
  text: string,
  way: 'simple' | 'extended',
): Promise<unknown> {
  if (way === 'simple') wire.send({ kind: 'Query', text })
  else wire.send(...extended(text))
  const frames = await wire.replies()
  const copied = frames.filter(({ type }) => type === 'd').map(({ bytes }) => bytes.toString())
  return {
    rows: cells(frames),
    copied,
    errors: errorsOf(frames).map(({ sqlstate, message }) => `${sqlstate} ${message}`),
    tags: frames.flatMap(({ message }) =>
      message.kind === 'CommandComplete' ? [message.tag] : [],
    ),
  }
}

describe.each(['simple', 'extended'] as const)('%s', (way) => {
  describe.each(['reader', 'agent'] as const)('%s', (who) => {
    test.each(Object.keys(WORKS))('%s', async (category) => {
      const different: unknown[] = []
      for (const text of WORKS[category] ?? []) {
        if (way === 'extended' && text.includes(';')) continue
        const expected = await answer(wires.direct, text, way)
        const got = await answer(wires[who], text, way)
        if (JSON.stringify(got) !== JSON.stringify(expected))
          different.push({ text, got, expected })
      }
      expect(different).toEqual([])
    })
  })
})
