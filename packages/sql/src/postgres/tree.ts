/** Small helpers over the raw parse tree's JSON. */
import type { Node, String as StringNode, TypeName } from 'libpg-query'

/** Type of a wrapped node (`{ SelectStmt: {...} }`) and its fields. */
export function unwrap(node: Node): readonly [type: string, fields: object] {
  for (const type in node) return [type, (node as Record<string, object>)[type]!]
  return ['', node]
}

/** Fields of `node` when it is of the given type. */
export function as<K extends string>(
  node: Node | undefined,
  type: K,
): Extract<Node, Record<K, unknown>>[K] | undefined {
  return node === undefined ? undefined : (node as unknown as Record<string, never>)[type]
}

export function stringOf(node: Node | undefined): string {
  return (as(node, 'String') as StringNode | undefined)?.sval ?? ''
}

/** `[schema, name]` of a list of String nodes. */
export function stringsOf(nodes: readonly Node[] | undefined): string[] {
  const names: string[] = []
  if (nodes !== undefined) for (const node of nodes) names.push(stringOf(node))
  return names
}

/** Type name without `pg_catalog.` and modifiers, arrays with a leading underscore; '' when absent. */
export function typeNameOf(type: TypeName | undefined): string {
  if (type === undefined) return ''
  const parts = stringsOf(type.names)
  if (parts[0] === 'pg_catalog') parts.shift()
  const name = parts.join('.')
  return (type.arrayBounds?.length ?? 0) > 0 ? `_${name}` : name
}

export function hasTypeModifier(type: TypeName): boolean {
  return (type.typmods?.length ?? 0) > 0
}

/** The text of a literal constant; null for NULL, a truth value or anything but a constant. */
export function literalText(node: Node | undefined): string | null {
  const constant = as(node, 'A_Const')
  if (constant === undefined || constant.isnull === true) return null
  if (constant.sval !== undefined) return constant.sval.sval ?? ''
  if (constant.ival !== undefined) return String(constant.ival.ival ?? 0)
  if (constant.fval !== undefined) return constant.fval.fval ?? ''
  if (constant.bsval !== undefined) return constant.bsval.bsval ?? ''
  if (constant.boolval !== undefined) return String(constant.boolval.boolval ?? false)
  return null
}
