/** A SET without some of what it sets. */
import type { Dialect, SetItem } from './ast.ts'
import { soleStatement, treeText } from './same-tree.ts'

/** `names`: lower case. Null: it is no SET of its own, or nothing would be left of it. */
export function withoutMysqlSettings(
  sql: string,
  names: readonly string[],
  dialect: Dialect,
): string | null {
  // Without comments, as it is sent.
  const text = soleStatement(sql, 'set', dialect)?.text ?? ''
  const set = soleStatement(text, 'set', dialect)?.statement
  const kept = set?.items.filter((item) => !names.includes(nameOf(item)))
  if (kept === undefined || kept.length === 0) return null
  const made = `SET ${kept.map(({ start, end }) => text.slice(start, end)).join(', ')}`
  const again = soleStatement(made, 'set', dialect)
  return treeText(again?.statement.items) === treeText(kept) ? made : null
}

/** Of the session's own; empty: it is none. */
function nameOf(item: SetItem): string {
  if (item.kind !== 'set-variable' || item.target.kind !== 'system-variable') return ''
  const { name, scope, instance } = item.target
  const own = instance === null && (scope === null || scope === 'session' || scope === 'local')
  return own ? name.toLowerCase() : ''
}
