/** LOAD DATA: fields of a file, or of what the client sends, go to columns and variables. */
import { CONSTANT, unknownOf } from '../../lineage/value.ts'
import type { Load } from '../ast.ts'
import { noteWritten } from './checked.ts'
import { noteVariable } from './expression.ts'
import { columnsOf, type LeafItem, openOf, scopeOf } from './scope.ts'
import type { Walk } from './walk.ts'
import { noteAssignment, storedColumn, writtenItem } from './writes.ts'

/** LOAD DATA: fields of a file, or of what the client sends, go to columns and variables. */
export function noteLoad(walk: Walk, load: Load): void {
  walk.visited.add(load)
  const { draft } = walk
  const target = writtenItem(walk, load.table)
  draft.literalIndependent = false
  const fields = load.fields ?? []
  const names = load.fields === null ? (columnsOf(target) ?? []).map((column) => column.name) : null
  names?.forEach((name, index) => {
    noteSent(walk, target, { name, field: index, local: load.local })
  })
  fields.forEach((field, index) => {
    walk.visited.add(field)
    if (field.kind === 'user-variable') {
      // What is in a file of the server is not known.
      noteVariable(walk, field, load.local ? CONSTANT : unknownOf('a file of the server'))
    } else noteSent(walk, target, { name: field.name.value, field: index, local: load.local })
  })
  if (load.fields === null && openOf(target) !== null) draft.remark('columns not known')
  const scope = scopeOf(target)
  for (const assignment of load.assignments) {
    noteAssignment(walk, assignment, { target, scope, fresh: true })
  }
  noteWritten(walk, load.table, { values: null, fresh: true })
}

function noteSent(
  walk: Walk,
  target: LeafItem,
  {
    name,
    field,
    local,
  }: { readonly name: string; readonly field: number; readonly local: boolean },
): void {
  const column = storedColumn(target, name)
  if (column !== null && local) {
    walk.draft.constantWrites.push({ column, value: { kind: 'sent', field }, fresh: true })
  }
}
