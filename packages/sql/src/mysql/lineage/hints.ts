/**
 * Optimizer and index hints. SET_VAR changes a setting for the statement; whatever else makes the server read
 * rows by an index brings them in the order of its columns, which tells of their values.
 */
import type { IndexHint } from '../ast.ts'
import { type Item, leaves, type Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** Hints that choose no plan. */
const HARMLESS = /^(MAX_EXECUTION_TIME|QB_NAME|SET_VAR)$/i
/** `NAME(...)`: brackets do not nest, except in the value of SET_VAR, which ends the last of its strings. */
const HINT = /([A-Z_0-9]+)\s*(?:\(((?:[^()'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*)\))?/giy
const VARIABLE = /^\s*([\w$.]+)\s*=\s*([-\w.$]+|'[^'\\]*'|"[^"\\]*")\s*$/

export function noteHints(walk: Walk, hints: string | null, scope: Scope): void {
  if (hints === null) return
  walk.draft.literalIndependent = false
  HINT.lastIndex = 0
  while (HINT.lastIndex < hints.length) {
    if (/\s|,/.test(hints[HINT.lastIndex]!)) {
      HINT.lastIndex++
      continue
    }
    const match = HINT.exec(hints)
    if (match === null) {
      walk.draft.unknown('an optimizer hint')
      return
    }
    const [, name = '', inside = ''] = match
    if (name.toUpperCase() === 'SET_VAR') noteVariable(walk, inside)
    if (!HARMLESS.test(name)) for (const { item } of scope.entries) noteOrder(walk, item)
  }
}

/** The server ignores what it cannot read; here it is a setting that nobody may change. */
function noteVariable(walk: Walk, text: string): void {
  const [, name, value = ''] = VARIABLE.exec(text) ?? []
  walk.draft.effect('session')
  walk.draft.state.push({
    kind: 'set',
    name: name?.toLowerCase() ?? 'set_var',
    local: true,
    values: [value.replace(/^(['"])(.*)\1$/, '$2')],
  })
}

/** USE and FORCE INDEX. */
export function noteIndexHints(walk: Walk, hints: readonly IndexHint[], item: Item): void {
  const names = hints.flatMap((hint) => (hint.action === 'ignore' ? [] : hint.names))
  if (names.length === 0) return
  const primary = names.every(({ value }) => /^primary$/i.test(value)) ? primaryOf(item) : null
  noteOrder(walk, item, primary)
}

/** Columns of its primary key, which no other index has the name of; null: not known. */
function primaryOf(item: Item): readonly string[] | null {
  if (item.kind !== 'leaf') return null
  const key = item.table?.constraints?.find((one) => one.kind === 'unique' && one.primary)
  return key?.columns ?? null
}

/** `names`: of the columns that rows come in the order of; null: it may be any. */
function noteOrder(walk: Walk, item: Item, names: readonly string[] | null = null): void {
  for (const leaf of leaves(item)) {
    for (const { name, value } of leaf.columns)
      if (names?.includes(name) !== false) walk.draft.useAll(value, 'order')
    if (leaf.open !== null) walk.draft.useAll(leaf.open, 'order')
  }
}
