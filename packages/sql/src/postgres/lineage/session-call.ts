/**
 * Functions that do something beside giving a value: settings, sequences, notifications, large objects.
 * What flows into them leaves the walk's sight and is noted as a flow.
 */
import type { FuncCall, Node } from 'libpg-query'
import { derive, lineageOf, type Value } from '../../lineage/value.ts'
import type { FunctionFacts } from '../functions.ts'
import { nameToRangeVar, useRelation } from '../resolve.ts'
import { as, literalText } from '../tree.ts'
import type { Walk } from './walk.ts'

export function noteSessionCall(
  walk: Walk,
  call: FuncCall,
  { facts, args }: { readonly facts: FunctionFacts; readonly args: readonly Value[] },
): void {
  const { name, schema, purity } = facts.use
  if (purity !== 'opaque') return
  const value = derive(args, { why: `argument of ${name}` })
  if (value.sources.length > 0 || value.kind === 'unknown') {
    walk.draft.flows.push({
      lineage: lineageOf(value),
      into: { kind: 'function', function: facts.use },
    })
  }
  if (schema !== 'pg_catalog') return
  if (name === 'set_config') noteSetConfig(walk, call.args ?? [])
  else if (name === 'nextval' || name === 'setval') noteSequence(walk, call.args?.[0], 'write')
  else if (name === 'currval') noteSequence(walk, call.args?.[0], 'read')
}

/** set_config(name, value, is_local): known only when all three are constants. */
function noteSetConfig(walk: Walk, args: readonly Node[]): void {
  walk.draft.literalIndependent = false
  const [name, value, local] = args.map(constantText)
  if (args.length !== 3 || name == null || value == null || local == null) {
    walk.draft.state.push({ kind: 'uncertain', why: 'set_config of a value that is not constant' })
    return
  }
  walk.draft.state.push({
    kind: 'set',
    name: name.toLowerCase(),
    local: /^(t|tr|tru|true|on|y|ye|yes|1)$/i.test(local.trim()),
    values: [value],
  })
}

/** The text of a constant, also behind a cast. */
function constantText(node: Node): string | null {
  const cast = as(node, 'TypeCast')
  return cast?.arg === undefined ? literalText(node) : constantText(cast.arg)
}

function noteSequence(walk: Walk, arg: Node | undefined, access: 'read' | 'write'): void {
  walk.draft.literalIndependent = false
  const text = arg === undefined ? null : constantText(arg)
  const parts = text === null ? null : splitName(text)
  if (parts === null) {
    walk.draft.relation({ schema: null, name: '', access, kind: 'unresolved' })
    return
  }
  useRelation(walk.context, walk.draft, { name: nameToRangeVar(parts), access })
}

/** `schema.name` with quoting, as the regclass type reads it; null when it is not one. */
function splitName(text: string): string[] | null {
  const parts: string[] = []
  const part = /\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*(\.|$)/y
  while (part.lastIndex < text.length || parts.length === 0) {
    const match = part.exec(text)
    if (match === null) return null
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]!.toLowerCase())
    if (match[3] === '') return part.lastIndex === text.length ? parts : null
  }
  return null
}
