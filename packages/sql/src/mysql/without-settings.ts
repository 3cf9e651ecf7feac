/** A SET without some of what it sets. */
import type { Dialect, SetItem } from './ast.ts'
import { SqlError } from './errors.ts'
import { parseMysql } from './parse.ts'

/** `names`: lower case. Null: it is no SET of its own, or nothing would be left of it. */
export function withoutMysqlSettings(
  sql: string,
  names: readonly string[],
  dialect: Dialect,
): string | null {
  // Without comments, as it is sent.
  const text = settings(sql, dialect)?.text ?? ''
  const kept = settings(text, dialect)?.items.filter((item) => !names.includes(nameOf(item)))
  if (kept === undefined || kept.length === 0) return null
  const made = `SET ${kept.map(({ start, end }) => text.slice(start, end)).join(', ')}`
  const again = settings(made, dialect)
  return meaning(again?.items) === meaning(kept) ? made : null
}

function settings(
  sql: string,
  dialect: Dialect,
): { readonly items: readonly SetItem[]; readonly text: string } | null {
  try {
    const [parsed, ...more] = parseMysql(sql, dialect)
    if (parsed?.statement.kind !== 'set' || more.length > 0) return null
    return { items: parsed.statement.items, text: parsed.text }
  } catch (error) {
    if (error instanceof SqlError) return null
    throw error
  }
}

/** Of the session's own; empty: it is none. */
function nameOf(item: SetItem): string {
  if (item.kind !== 'set-variable' || item.target.kind !== 'system-variable') return ''
  const { name, scope, instance } = item.target
  const own = instance === null && (scope === null || scope === 'session' || scope === 'local')
  return own ? name.toLowerCase() : ''
}

/** Equal for equal trees, wherever they stand. */
const meaning = (items: readonly SetItem[] | undefined): string | undefined =>
  JSON.stringify(items, (key, value: unknown) =>
    key === 'start' || key === 'end' ? undefined : value,
  )
