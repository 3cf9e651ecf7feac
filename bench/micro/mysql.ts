/** What a MySQL text costs that has not been seen before: its key, and its tree with the text to send. */
import { fingerprintMysql, parseMysql } from '@sallyport/sql'
import { suite } from './suite.ts'
import { MYSQL } from './texts.ts'

const VARIANTS = 512

/** `n` varies a literal and nothing else. */
const TEXTS = {
  short: (n: number) => `SELECT abalance FROM pgbench_accounts WHERE aid = ${n};`,
  '20 columns, 4 joins': (n: number) =>
    'SELECT c.id, c.name, c.email, c.region, c.card, o.id AS oid, o.customer_id, o.total, o.status, o.created_at, ' +
    'i.id AS iid, i.sku, i.qty, i.price, p.name AS pname, p.brand, p.color, s.code, s.country, s.city ' +
    'FROM customers c JOIN orders o ON o.customer_id = c.id JOIN items i ON i.order_id = o.id ' +
    'LEFT JOIN products p ON p.sku = i.sku LEFT JOIN shipments s ON s.order_id = o.id ' +
    `WHERE c.region = 'north' AND o.total > ${n} AND o.status IN ('open', 'paid') ORDER BY o.created_at DESC LIMIT 100`,
  'with comments': (n: number) =>
    `/* node='research' */ SELECT /*! STRAIGHT_JOIN */ a, b FROM t -- x\n WHERE c = ${n}`,
} as const

const cases = Object.entries(TEXTS).flatMap(([size, text]) => {
  // Texts that differ in a literal: no string is the one of the call before.
  const texts = Array.from({ length: VARIANTS }, (_, i) => text(1000 + i))
  const pick = (i: number): string => texts[i % VARIANTS] as string
  const label = `${size}, ${text(1000).length} characters`
  return [
    { name: `fingerprint, ${label}`, run: (i: number) => void fingerprintMysql(pick(i), MYSQL) },
    { name: `parse, ${label}`, run: (i: number) => void parseMysql(pick(i), MYSQL) },
  ]
})

await suite('MySQL text to key, and to tree', cases)
