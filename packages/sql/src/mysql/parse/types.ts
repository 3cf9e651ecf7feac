/** Data types of columns, casts, parameters and variables. */
import type { DataType, TypeField } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { columnName, nameOrText, number, objectName, text } from './names.ts'

/** Names of one word. */
const SIMPLE = new Set(
  (
    'BIT TINYINT SMALLINT MEDIUMINT INT INTEGER BIGINT INT1 INT2 INT3 INT4 INT8 MIDDLEINT BOOL BOOLEAN SERIAL ' +
    'FLOAT FLOAT4 FLOAT8 REAL DECIMAL DEC NUMERIC FIXED NUMBER ' +
    'DATE TIME DATETIME TIMESTAMP YEAR ' +
    'BINARY VARBINARY BLOB TINYBLOB MEDIUMBLOB LONGBLOB TEXT TINYTEXT MEDIUMTEXT LONGTEXT VARCHAR VARCHARACTER ' +
    'NVARCHAR VARCHAR2 CLOB RAW ENUM SET JSON VECTOR UUID INET4 INET6 XMLTYPE ' +
    'GEOMETRY POINT LINESTRING POLYGON MULTIPOINT MULTILINESTRING MULTIPOLYGON GEOMETRYCOLLECTION GEOMCOLLECTION'
  ).split(' '),
)

const MODIFIERS = [
  'UNSIGNED',
  'SIGNED',
  'ZEROFILL',
  'BINARY',
  'ASCII',
  'UNICODE',
  'BYTE',
  'COMPRESSED',
] as const

export function isType(cursor: Cursor): boolean {
  const { key } = cursor.token
  return SIMPLE.has(key) || MANY_WORDS.has(key)
}

/** `length` of the words is variable: `LONG VARCHAR`, `NATIONAL CHARACTER VARYING`. */
const MANY_WORDS = new Set(['DOUBLE', 'LONG', 'CHAR', 'CHARACTER', 'NCHAR', 'NATIONAL'])

export function dataType(cursor: Cursor): DataType {
  const { start } = cursor
  if (cursor.inBody > 0 && cursor.mariadb) {
    const anchored = anchoredType(cursor, start)
    if (anchored !== null) return anchored
  }
  const name = typeName(cursor)
  return finished(cursor, start, name)
}

/** What CAST and CONVERT take: SIGNED and UNSIGNED are types there. */
export function castType(cursor: Cursor): DataType {
  const { start } = cursor
  if (cursor.mariadb && cursor.acceptAll('INTERVAL', 'DAY_SECOND'))
    return finished(cursor, start, 'interval day_second')
  const sign = cursor.acceptOne('SIGNED', 'UNSIGNED')
  if (sign === null) return dataType(cursor)
  cursor.acceptOne('INTEGER', 'INT')
  return finished(cursor, start, sign)
}

function typeName(cursor: Cursor): string {
  const { key } = cursor.token
  if (SIMPLE.has(key)) return cursor.next().key.toLowerCase()
  if (!MANY_WORDS.has(key)) cursor.fail('expected a data type')
  cursor.next()
  switch (key) {
    case 'DOUBLE':
      return cursor.accept('PRECISION') ? 'double precision' : 'double'
    case 'LONG': {
      const kind = cursor.acceptOne('VARCHAR', 'VARBINARY', 'VARCHARACTER')
      if (kind !== null) return `long ${kind}`
      const varying = cursor.isOne('CHAR', 'CHARACTER') && cursor.peek().key === 'VARYING'
      if (!varying) return 'long'
      cursor.next()
      cursor.next()
      return 'long varchar'
    }
    case 'NATIONAL': {
      const varying = cursor.acceptOne('VARCHAR', 'VARCHARACTER')
      if (varying !== null) return 'national varchar'
      cursor.expectOne('CHAR', 'CHARACTER')
      return cursor.accept('VARYING') ? 'national varchar' : 'national char'
    }
    case 'NCHAR':
      return cursor.acceptOne('VARYING', 'VARCHAR', 'VARCHARACTER')
        ? 'national varchar'
        : 'national char'
    default:
      return cursor.accept('VARYING') ? 'varchar' : 'char'
  }
}

function finished(cursor: Cursor, start: number, name: string): DataType {
  const members = name === 'enum' || name === 'set' ? cursor.bracketed(text) : []
  const parameters = members.length === 0 ? typeParameters(cursor) : []
  const modifiers: string[] = []
  let charset: string | null = null
  let collation: string | null = null
  for (;;) {
    const modifier = cursor.acceptOne(...MODIFIERS)
    if (modifier !== null) modifiers.push(modifier)
    else if (
      cursor.acceptAll('CHARACTER', 'SET') ||
      cursor.acceptAll('CHAR', 'SET') ||
      cursor.accept('CHARSET')
    )
      charset = nameOrText(cursor)
    else if (cursor.is('COLLATE')) {
      cursor.next()
      collation = cursor.accept('DEFAULT') ? 'default' : nameOrText(cursor)
    } else break
  }
  return node(cursor, start, {
    kind: 'data-type',
    name,
    parameters,
    members,
    modifiers,
    charset,
    collation,
    of: null,
    fields: [],
  })
}

function typeParameters(cursor: Cursor): string[] {
  if (!cursor.accept('(')) return []
  if (cursor.accept(')')) return []
  const parameters = cursor.list(number)
  cursor.expect(')')
  return parameters
}

/** MariaDB: `TYPE OF c`, `ROW TYPE OF t`, `ROW (a INT, b TEXT)`. */
function anchoredType(cursor: Cursor, start: number): DataType | null {
  const rest = { parameters: [], members: [], modifiers: [], charset: null, collation: null }
  if (cursor.acceptAll('TYPE', 'OF')) {
    const of = columnName(cursor)
    return node(cursor, start, { kind: 'data-type', name: 'type of', ...rest, of, fields: [] })
  }
  if (cursor.acceptAll('ROW', 'TYPE', 'OF')) {
    const of = objectName(cursor)
    return node(cursor, start, { kind: 'data-type', name: 'row type of', ...rest, of, fields: [] })
  }
  if (!cursor.acceptAll('ROW')) return null
  const fields = cursor.bracketed(typeField)
  return node(cursor, start, { kind: 'data-type', name: 'row', ...rest, of: null, fields })
}

function typeField(cursor: Cursor): TypeField {
  const { start } = cursor
  return node(cursor, start, { kind: 'type-field', name: cursor.name(), type: dataType(cursor) })
}
