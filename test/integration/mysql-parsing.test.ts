/**
 * The MySQL reader against real servers: what is sent instead of a text does what the text does, strings say
 * what the server says they do, and brackets put where the tree has them change nothing.
 */
import fc from 'fast-check'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type {
  Dialect,
  Join,
  Literal,
  Query,
  Select,
  TableReference,
} from '../../packages/sql/src/mysql/ast.ts'
import { nodesOf, shape } from '../../packages/sql/src/mysql/fixtures.ts'
import { parseMysql } from '../../packages/sql/src/mysql/parse.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const MODES = {
  ansiQuotes: 'ANSI_QUOTES',
  noBackslashEscapes: 'NO_BACKSLASH_ESCAPES',
  pipesAsConcat: 'PIPES_AS_CONCAT',
  ignoreSpace: 'IGNORE_SPACE',
  highNotPrecedence: 'HIGH_NOT_PRECEDENCE',
} as const
type Mode = keyof typeof MODES

/** Rows as text, or the number of the error. Names of columns are the text itself, and differ. */
async function outcome(connection: Connection, sql: string): Promise<string> {
  try {
    const [rows] = await connection.query({ sql, rowsAsArray: true })
    return JSON.stringify(rows)
  } catch (error) {
    return `error ${(error as { errno?: number }).errno}`
  }
}

const SYNTAX_ERROR = 'error 1064'

/** What is sent instead, null where the text is refused. */
function sent(sql: string, dialect: Dialect): string | null {
  try {
    return parseMysql(sql, dialect)
      .map(({ text }) => text)
      .join(';')
  } catch {
    return null
  }
}

onMysqlServers('%s', (flavour) => {
  let database: TestMysqlDatabase
  let connection: Connection
  let version = 0

  beforeAll(async () => {
    database = await useMysql(flavour)
    // The driver would turn IGNORE_SPACE on.
    connection = await mysql.createConnection({ uri: database.url, flags: ['-IGNORE_SPACE'] })
    await connection.query("SET NAMES utf8mb4, sql_mode = ''")
    for (const name of ['a', 'b', 'c', 'd'])
      await connection.query(
        `CREATE TABLE ${name} AS SELECT 1 AS x UNION SELECT ${name.charCodeAt(0) % 3} UNION SELECT 2`,
      )
    const [major, minor, patch] = (/^(\d+)\.(\d+)\.(\d+)/.exec(database.version) ?? [])
      .slice(1)
      .map(Number)
    version = (major ?? 0) * 10_000 + (minor ?? 0) * 100 + (patch ?? 0)
  })
  afterAll(async () => {
    await connection?.end()
    await database?.drop()
  })

  async function inMode(...modes: readonly Mode[]): Promise<Dialect> {
    await connection.query('SET sql_mode = ?', [modes.map((mode) => MODES[mode]).join()])
    const on = (mode: Mode): boolean => modes.includes(mode)
    return {
      flavour,
      version,
      ansiQuotes: on('ansiQuotes'),
      noBackslashEscapes: on('noBackslashEscapes'),
      pipesAsConcat: on('pipesAsConcat'),
      ignoreSpace: on('ignoreSpace'),
      highNotPrecedence: on('highNotPrecedence'),
    }
  }

  /** The text and what is sent for it do the same; what is refused the server refuses, too. */
  async function agrees(sql: string, dialect: Dialect): Promise<void> {
    const theirs = await outcome(connection, sql)
    const text = sent(sql, dialect)
    if (text === null) expect(theirs, `refused, but taken: ${sql}`).toMatch(/^error/)
    else expect(await outcome(connection, text), `${sql} => ${text}`).toBe(theirs)
  }

  const versions = [
    '',
    '50000',
    '50699',
    '050000',
    '50700',
    '80400',
    '90704',
    '90705',
    '99999',
    '080000',
    '100000',
    '101119',
  ]
  const later = [
    '101120',
    '110000',
    '500000',
    '999999',
    '5',
    '50',
    '5000',
    '1000000',
    '0500001',
    '05000',
    '99998',
  ]

  test.each([...versions, ...later])('runs what it says it runs: %s', async (digits) => {
    const dialect = await inMode()
    for (const mark of ['!', 'M!', 'm!', ' !'])
      for (const body of ['+1', ' + 1', '00 + 1'])
        await agrees(`SELECT 1 /*${mark}${digits}${body} */`, dialect)
    await agrees(`SELECT 1 /*!${digits} /* b */ + 1 */`, dialect)
    await agrees(`SELECT 1 /*!${digits} + 1 /*! + 1 */ */`, dialect)
    await agrees(`SELECT 1 /*!${digits} + 1`, dialect)
  })

  test('has the same comments', async () => {
    const dialect = await inMode()
    const control = Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1))
    for (const after of [...control, ' ', '\x7f', '\u00a0', '1', '-', ''])
      await agrees(`SELECT 7 --${after}3\n + 1`, dialect)
    for (const sql of [
      'SELECT 1 --',
      'SELECT 1 # x\r + 1',
      'SELECT 1 /*/ + 1',
      'SELECT 1/**/+1',
      '/* x */',
      '-- x',
      'SELECT 1;\0',
    ])
      await agrees(sql, dialect)
    for (const sql of [
      'SELECT count/**/(1)',
      'SELECT count (1)',
      'SELECT 5 --/*!1*/',
      "SELECT 'a'/**/'b'",
      'SELECT \\N',
    ])
      await agrees(sql, dialect)
    await agrees('SELECT count/**/(1)', await inMode('ignoreSpace'))
    await agrees('SELECT count (1)', await inMode('ignoreSpace'))
  })

  test.each<readonly Mode[][]>([
    [[]],
    [['ansiQuotes']],
    [['noBackslashEscapes']],
    [['ansiQuotes', 'noBackslashEscapes']],
  ])('reads strings as the server does, in mode %j', async (modes) => {
    const dialect = await inMode(...modes)
    const piece = fc.constantFrom(
      "'",
      "''",
      '"',
      '""',
      '\\',
      "\\'",
      '\\\\',
      '\\n',
      '\\0',
      '\\Z',
      '\\%',
      '\\_',
      '\\q',
      'a',
      ' ',
      '`',
      '--',
      '/*',
      'é',
    )
    const text = fc
      .tuple(fc.constantFrom("'", '"'), fc.array(piece, { maxLength: 8 }))
      .map(([quote, parts]) => `${quote}${parts.join('')}${quote}`)
    await fc.assert(
      fc.asyncProperty(text, async (literal) => {
        const sql = `SELECT ${literal}`
        const theirs = await outcome(connection, sql)
        let literals: Literal[] | null = null
        try {
          literals = nodesOf<Literal>(parseMysql(sql, dialect), 'literal')
        } catch {
          expect(theirs).toMatch(/^error/)
        }
        // Two literals are two strings with signs in between.
        if (literals?.length !== 1 || theirs.startsWith('error')) return
        expect(theirs, sql).toBe(JSON.stringify([literals.map(({ value }) => value)]))
      }),
      { numRuns: 200 },
    )
  })

  test('takes the same texts, and what is sent does the same', { timeout: 120_000 }, async () => {
    const dialect = await inMode()
    const piece = fc.constantFrom(
      '1',
      '2',
      '.5',
      "'s'",
      '"d"',
      '-',
      '--',
      '+',
      '*',
      '/',
      '/**/',
      '/*!',
      '/*!50000',
      '/*!99999',
      '/*M!',
      '*/',
      '-- c\n',
      '# c\n',
      ' ',
      ' ',
      '\n',
      '(',
      ')',
      'count',
      '_utf8mb4',
      "x'41'",
      "N'n'",
      'e5',
      '1e1',
      '<',
      '=',
      '>',
      '!',
      '|',
      '&',
      '0x1',
      '0b1',
      ',',
      '.',
      '@v',
      ':=',
      '^',
      '~',
      'null',
    )
    // Where the server's own lexer goes on behind what is no token.
    const known = /[!<>=]\s*[!<>]|@|!\s*=|\/\*.*\/\*/s
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 7 }), async (pieces) => {
        const sql = `SELECT ${pieces.join('')}`
        const text = sent(sql, dialect)
        const theirs = await outcome(connection, sql)
        if (text !== null) expect(await outcome(connection, text), `${sql} => ${text}`).toBe(theirs)
        else if (!known.test(sql)) expect(theirs, `refused, but taken: ${sql}`).toMatch(/^error/)
      }),
      { numRuns: 1_500 },
    )
  })

  const operand = fc.constantFrom(
    '0',
    '1',
    '2',
    '3',
    'null',
    '-1',
    '(1)',
    '(2 - 1)',
    '((1) + 1)',
    '((1))',
    '(((2)) - 1)',
  )
  const operators = '| & << >> + - * / div % mod ^ = <=> <> != < <= > >= and && or || xor'.split(
    ' ',
  )
  const infix = fc
    .tuple(fc.constantFrom(...operators), operand)
    .map(([operator, right]) => `${operator} ${right}`)
  const predicate = fc.constantFrom(
    ...[
      'is null',
      'is not null',
      'is true',
      'is not false',
      'in (1, 2)',
      'not in (1)',
      'between 1 and 2',
      'not between 0 and 1',
      'like 1',
      'not like 2',
      'regexp 1',
    ],
  )
  const prefix = fc.constantFrom('', '', '', 'not ', '- ', '! ', '~ ')
  const expression = fc
    .tuple(
      prefix,
      operand,
      fc.array(fc.oneof({ weight: 3, arbitrary: infix }, predicate), { maxLength: 5 }),
      prefix,
    )
    .map(
      ([before, first, rest, inner]) =>
        `${before}${first} ${rest.map((part, i) => (i === 1 ? part.replace(/^(\S+) (\d)$/, `$1 ${inner}$2`) : part)).join(' ')}`,
    )

  test.each<readonly Mode[][]>([[[]], [['highNotPrecedence']], [['pipesAsConcat']]])(
    'has the same precedence, in mode %j',
    { timeout: 120_000 },
    async (modes) => {
      const dialect = await inMode(...modes)
      let compared = 0
      await fc.assert(
        fc.asyncProperty(expression, async (text) => {
          const theirs = await outcome(connection, `SELECT ${text}`)
          if (theirs === SYNTAX_ERROR) return
          const [parsed] = parseMysql(`SELECT ${text}`, dialect)
          const [select] = nodesOf<Select>(parsed?.statement as Query, 'select')
          const bracketed = shape((select as Select).items[0]?.expression as Literal)
          compared++
          expect(await outcome(connection, `SELECT ${bracketed}`), `${text} => ${bracketed}`).toBe(
            theirs,
          )
        }),
        { numRuns: 600 },
      )
      expect(compared).toBeGreaterThan(100)
    },
  )

  function bracketed(reference: TableReference): string {
    if (reference.kind === 'table') return reference.name.name.value
    const { type, natural, left, right, on, using } = reference as Join
    const words =
      type === 'straight'
        ? 'straight_join'
        : `${natural ? 'natural ' : ''}${type === 'inner' && natural ? '' : type} join`
    const condition =
      on === null ? '' : ` on ${(on as { text?: string }).text ?? onText(reference as Join)}`
    const list = using.length === 0 ? '' : ` using (${using.map(({ value }) => value).join(', ')})`
    return `(${bracketed(left)} ${words} ${bracketed(right)}${condition}${list})`
  }

  let source = ''
  function onText({ on }: Join): string {
    return source.slice(on?.start, on?.end)
  }

  test('joins the same tables', { timeout: 120_000 }, async () => {
    const dialect = await inMode()
    const table = fc.constantFrom('a', 'b', 'c', 'd')
    const kind = fc.constantFrom(
      'join',
      'inner join',
      'cross join',
      'left join',
      'right join',
      'straight_join',
      'natural join',
      'natural left join',
    )
    const condition = fc.constantFrom(
      '',
      '',
      ' on a.x = b.x',
      ' on b.x = c.x',
      ' on 1',
      ' using (x)',
      ' on a.x = d.x on b.x = 1',
      ' on 1 on 1',
    )
    const joined = fc.tuple(
      fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 2 }),
      fc.array(fc.tuple(kind, condition), { minLength: 3, maxLength: 3 }),
      table,
    )
    let compared = 0
    await fc.assert(
      fc.asyncProperty(joined, async ([tables, links]) => {
        const text = tables
          .map((name, i) => (i === 0 ? name : ` ${links[i - 1]?.[0]} ${name}${links[i - 1]?.[1]}`))
          .join('')
        source = `SELECT count(*) FROM ${text}`
        const theirs = await outcome(connection, source)
        if (theirs === SYNTAX_ERROR) return
        const [parsed] = parseMysql(source, dialect)
        const [select] = nodesOf<Select>(parsed?.statement as Query, 'select')
        const [reference] = (select as Select).from
        compared++
        const ours = `SELECT count(*) FROM ${bracketed(reference as TableReference)}`
        expect(await outcome(connection, ours), `${source} => ${ours}`).toBe(theirs)
      }),
      { numRuns: 600 },
    )
    expect(compared).toBeGreaterThan(100)
  })
})
