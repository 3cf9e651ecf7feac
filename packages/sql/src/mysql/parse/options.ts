/** Lists of options: `NAME = value`, `NAME value`, flags. What is not in the list given is not an option. */
import type { Option } from '../ast.ts'
import type { Cursor } from './cursor.ts'
import { option } from './names.ts'

/** Options by first word, longest first. */
export interface OptionTable {
  readonly valued: ReadonlyMap<string, readonly (readonly string[])[]>
  readonly flags: ReadonlyMap<string, readonly (readonly string[])[]>
  /** MariaDB's engines take options of any name: `name = value`. */
  readonly anyName: boolean
}

export function optionTable(
  lists: { readonly valued?: string; readonly flags?: string },
  { anyName }: { readonly anyName: boolean } = { anyName: false },
): OptionTable {
  return { valued: byFirstWord(lists.valued ?? ''), flags: byFirstWord(lists.flags ?? ''), anyName }
}

/** `text`: options separated by commas, words by spaces. */
function byFirstWord(text: string): Map<string, string[][]> {
  const map = new Map<string, string[][]>()
  for (const entry of text.split(',')) {
    const words = entry.trim().split(/\s+/)
    const first = words[0] as string
    if (first === '') continue
    const list = map.get(first) ?? []
    list.push(words)
    list.sort((a, b) => b.length - a.length)
    map.set(first, list)
  }
  return map
}

/** The option at the cursor, taken; null where there is none. */
export function readOption(cursor: Cursor, table: OptionTable): Option | null {
  const { start, key } = cursor.token
  const flag = table.flags.get(key)?.find((words) => cursor.ahead(...words))
  if (flag !== undefined) {
    cursor.expectAll(...flag)
    return option(cursor, start, flag.join(' '))
  }
  const words = table.valued.get(key)?.find((candidate) => cursor.ahead(...candidate))
  if (words !== undefined) {
    cursor.expectAll(...words)
    cursor.accept('=')
    return option(cursor, start, words.join(' '), optionValue(cursor))
  }
  if (!table.anyName || !cursor.mariadb || !cursor.isName() || cursor.peek().key !== '=')
    return null
  const { value: name } = cursor.next()
  cursor.expect('=')
  return option(cursor, start, name.toUpperCase(), optionValue(cursor))
}

/** All options from here on, with or without commas in between. */
export function readOptions(cursor: Cursor, table: OptionTable): Option[] {
  const options: Option[] = []
  for (;;) {
    const found = readOption(cursor, table)
    if (found === null) return options
    options.push(found)
    if (cursor.is(',') && isOption(cursor, table)) cursor.next()
  }
}

/** Is there an option behind the comma at the cursor? */
function isOption(cursor: Cursor, table: OptionTable): boolean {
  const { key } = cursor.peek()
  const behind = (words: readonly string[]) =>
    words.every((word, i) => cursor.peek(i + 1).key === word)
  if (table.valued.get(key)?.some(behind) || table.flags.get(key)?.some(behind)) return true
  return table.anyName && cursor.mariadb && cursor.peek(2).key === '='
}

/** Words that are values though they are reserved. */
const VALUES = new Set([
  'DEFAULT',
  'ON',
  'BINARY',
  'FORCE',
  'FALSE',
  'TRUE',
  'NULL',
  'ALL',
  'EXCLUSIVE',
  'PRIMARY',
  'IGNORE',
  'SQL',
])

function optionValue(cursor: Cursor): string {
  const { type, key } = cursor.token
  const sign = key === '-' || key === '+' ? cursor.next().key : ''
  switch (sign === '' ? type : cursor.token.type) {
    case 'string':
    case 'integer':
    case 'decimal':
    case 'float':
    case 'hex':
      return sign + cursor.next().value
    default:
      if (sign !== '' || !(cursor.isName() || VALUES.has(key))) cursor.fail('expected a value')
      return cursor.next().value
  }
}
