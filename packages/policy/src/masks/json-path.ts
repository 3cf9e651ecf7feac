/**
 * The JSONPath subset of `json` masks: `$`, `.name`, `['any name']`, `.*`, `[*]`, `[n]`, and `..name` / `..*` for
 * any depth. Wildcards match members of objects and elements of arrays alike.
 */

export type JsonStep =
  | { readonly kind: 'key'; readonly name: string; readonly deep: boolean }
  | { readonly kind: 'index'; readonly index: number; readonly deep: boolean }
  | { readonly kind: 'any'; readonly deep: boolean }

const STEPS_MAX = 32

/** The steps, or in words why it is not a path. */
export function parseJsonPath(source: string): readonly JsonStep[] | string {
  const problem = `\`${source}\` is not a path such as $.a.b, $.list[*].x, $['odd name'], $..anywhere`
  if (!source.startsWith('$')) return problem
  const step = /(\.\.|\.)?(?:(\*)|([\p{L}\p{N}_-]+)|\[(?:(\*)|(\d{1,9})|'([^']*)'|"([^"]*)")\])/uy
  const steps: JsonStep[] = []
  step.lastIndex = 1
  while (step.lastIndex < source.length) {
    const found = step.exec(source)
    if (found === null) return problem
    const deep = found[1] === '..'
    const isBracket = found[2] === undefined && found[3] === undefined
    if ((found[1] === undefined) !== isBracket && !deep) return problem
    const name = found[3] ?? found[6] ?? found[7]
    if (name !== undefined) steps.push({ kind: 'key', name, deep })
    else if (found[5] !== undefined) steps.push({ kind: 'index', index: Number(found[5]), deep })
    else steps.push({ kind: 'any', deep })
  }
  if (steps.length > STEPS_MAX) return `\`${source}\` has more than ${STEPS_MAX} steps`
  return steps
}
