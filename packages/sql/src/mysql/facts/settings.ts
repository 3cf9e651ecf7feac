/**
 * SET of variables: what a setting gets, as far as the text tells. A value put together from literals and the
 * session's own sql_mode is computed here, because that is how applications add to it.
 */
import type { ColumnReference, Expression, SetVariable, SystemVariable } from '../ast.ts'
import { noteVariable } from '../lineage/expression.ts'
import { newScope } from '../lineage/scope.ts'
import type { Run } from './run.ts'
import { noteFlow } from './run.ts'

/** `local`: for one statement. */
export function noteSettings(
  run: Run,
  items: readonly SetVariable[],
  { local }: { readonly local: boolean },
): void {
  const { draft, walk } = run
  draft.effect('session')
  draft.literalIndependent = false
  for (const { target, value } of items) {
    if (target.kind === 'user-variable') {
      const text = constantText(run, value, '')
      noteVariable(walk, target, walk.value(value, newScope(null)), text)
    } else if (target.kind === 'column') noteLocal(run, target, value)
    else noteSetting(run, target, { value, local })
  }
}

/** A local variable of a routine, or NEW.column of a trigger. */
function noteLocal(run: Run, target: ColumnReference, value: Expression): void {
  run.walk.visited.add(target)
  noteFlow(run, run.walk.value(value, newScope(null)), `the variable ${target.name.value}`)
}

function noteSetting(
  run: Run,
  target: SystemVariable,
  { value, local }: { readonly value: Expression; readonly local: boolean },
): void {
  const { draft } = run
  const bare = target.instance === null ? target.name : `${target.instance}.${target.name}`
  const lower = bare.toLowerCase()
  const global = target.scope !== null && /^(global|persist|persist_only)$/.test(target.scope)
  if (global) draft.effect('admin')
  const name = global ? `${target.scope}.${lower}` : lower
  if (value.kind === 'default') {
    run.walk.visited.add(value)
    draft.state.push({ kind: 'set', name, local, values: null })
    return
  }
  if (value.kind === 'column') {
    // ON, utf8mb4, DEFAULT: a bare word.
    run.walk.visited.add(value)
    draft.state.push({ kind: 'set', name, local, values: [value.name.value] })
    return
  }
  noteFlow(run, run.walk.value(value, newScope(null)), `the setting ${name}`)
  const text = constantText(run, value, lower)
  draft.state.push(
    text === null
      ? { kind: 'set', name, local, values: [], computed: true }
      : { kind: 'set', name, local, values: [text] },
  )
}

/** What an expression over literals and the setting's own value gives; null where that is not known. */
function constantText(run: Run, node: Expression, setting: string): string | null {
  switch (node.kind) {
    case 'literal':
      return node.type === 'hex' || node.type === 'bit' ? null : wordOf(node.type, node.value)
    case 'unary': {
      const text = constantText(run, node.operand, setting)
      return node.operator === '-' && text !== null ? `-${text}` : null
    }
    case 'system-variable':
      return setting === 'sql_mode' && isOwnMode(node) ? run.context.names.sqlMode : null
    case 'function':
      return node.database === null ? constantCall(run, node, setting) : null
    default:
      return null
  }
}

const wordOf = (type: string, value: string) =>
  type === 'true' ? '1' : type === 'false' ? '0' : type === 'null' ? 'null' : value

const isOwnMode = ({ name, scope }: SystemVariable) =>
  name.toLowerCase() === 'sql_mode' && (scope === null || scope === 'session' || scope === 'local')

function constantCall(
  run: Run,
  call: Extract<Expression, { kind: 'function' }>,
  setting: string,
): string | null {
  const args = call.arguments.map((arg) => constantText(run, arg, setting))
  const texts = args.flatMap((arg) => arg ?? [])
  if (texts.length !== args.length || call.distinct || call.over !== null) return null
  const [first = '', second = '', third = ''] = texts
  switch (call.name.value.toLowerCase()) {
    case 'concat':
      return texts.join('')
    case 'concat_ws':
      return texts.slice(1).join(first)
    case 'replace':
      return texts.length === 3 && second !== '' ? first.replaceAll(second, third) : null
    default:
      return null
  }
}
