/** Statements of three lengths over one schema, as the micro benchmarks use them. */
import {
  buildCatalog,
  type Catalog,
  type CatalogRelation,
  type Dialect,
  type SessionNames,
} from '@sallyport/sql'

function relation(name: string, columns: readonly string[]): CatalogRelation {
  return {
    id: 0,
    schema: 'public',
    name,
    kind: 'table',
    columns: columns.map((column, i) => ({
      name: column,
      number: i + 1,
      type: 'text',
      typeId: 25,
    })),
    parents: [],
    rules: false,
    triggers: false,
    rowSecurity: false,
  }
}

export const CATALOG: Catalog = buildCatalog(
  {
    database: 'bench',
    relations: [
      relation('pgbench_accounts', ['aid', 'bid', 'abalance', 'filler']),
      relation('customers', ['id', 'name', 'email', 'region', 'card']),
      relation('orders', ['id', 'customer_id', 'total', 'status', 'created_at']),
      relation('items', ['id', 'order_id', 'sku', 'qty', 'price']),
      relation('products', ['sku', 'name', 'brand', 'color']),
      relation('shipments', ['order_id', 'code', 'country', 'city']),
    ],
    serverVersion: 150000,
    functions: [],
    userOperators: [],
  },
  1,
)

export const NAMES: SessionNames = {
  searchPath: ['public'],
  temporaries: new Map(),
  temporariesCertain: true,
  prepared: () => undefined,
  cursors: () => undefined,
}

export const MYSQL: Dialect = {
  flavour: 'mysql',
  version: 90704,
  ansiQuotes: false,
  noBackslashEscapes: false,
  pipesAsConcat: false,
  ignoreSpace: false,
  highNotPrecedence: false,
}

/** `n` varies a literal and nothing else. */
export const TEXTS = {
  short: (n: number) => `SELECT abalance FROM pgbench_accounts WHERE aid = ${n};`,
  medium: (n: number) =>
    'SELECT c.id, c.name, o.total, o.status FROM public.customers c JOIN public.orders o ' +
    `ON o.customer_id = c.id WHERE c.region = 'north' AND o.total > ${n} ` +
    "AND o.status IN ('open', 'paid') ORDER BY o.created_at DESC LIMIT 100",
  '20 columns, 4 joins': (n: number) =>
    'SELECT c.id, c.name, c.email, c.region, c.card, o.id AS oid, o.customer_id, o.total, o.status, o.created_at, ' +
    'i.id AS iid, i.sku, i.qty, i.price, p.name AS pname, p.brand, p.color, s.code, s.country, s.city ' +
    'FROM customers c JOIN orders o ON o.customer_id = c.id JOIN items i ON i.order_id = o.id ' +
    'LEFT JOIN products p ON p.sku = i.sku LEFT JOIN shipments s ON s.order_id = o.id ' +
    `WHERE c.region = 'north' AND o.total > ${n} AND o.status IN ('open', 'paid') ORDER BY o.created_at DESC LIMIT 100`,
  long: (n: number) =>
    'WITH recent AS (SELECT o.customer_id, sum(o.total::numeric) AS total, count(*) AS orders ' +
    `FROM public.orders o WHERE o.created_at > now() - interval '${n} days' GROUP BY o.customer_id), ` +
    'ranked AS (SELECT r.*, rank() OVER (ORDER BY r.total DESC) AS place FROM recent r) ' +
    "SELECT c.id, c.name, c.region, CASE WHEN r.place <= 10 THEN 'top' ELSE 'rest' END AS class, " +
    'r.total, r.orders, coalesce(c.email, $1) FROM ranked r JOIN public.customers c ' +
    "ON c.id = r.customer_id WHERE c.region IN ('north', 'south', 'east') AND r.orders > 2 " +
    'ORDER BY r.place LIMIT 50 OFFSET $2',
} as const
