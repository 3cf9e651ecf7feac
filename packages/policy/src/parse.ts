/**
 * One policy file: YAML text → validated plain data, or errors with line and column.
 * Positions come from the YAML nodes, so a schema error points at the key or value that is wrong.
 */

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { PolicyError, PolicyErrorCode } from './errors.ts'
import { POLICY_ERRORS_MAX, POLICY_FILE_BYTES_MAX } from './limits.ts'
import type { PolicyFile } from './policy-file.ts'
import { POLICY_SCHEMA } from './schema.ts'
import { nearest } from './suggest.ts'

export type Path = readonly (string | number)[]

/** A file that validated, with the means to point back into its text. */
export interface ParsedFile<T> {
  readonly path: string
  readonly content: T
  readonly fault: (
    at: Path,
    code: PolicyErrorCode,
    message: string,
    suggestion?: string | null,
  ) => PolicyError
}

export function compileSchema(schema: object): ValidateFunction {
  return new Ajv2020({
    allErrors: true,
    verbose: true,
    strict: true,
    strictRequired: false,
    strictTypes: false,
  }).compile(schema)
}

interface Source {
  readonly path: string
  readonly document: Document.Parsed
  readonly lines: LineCounter
}

const validatePolicy = compileSchema(POLICY_SCHEMA)

export function parsePolicyFile(file: {
  readonly path: string
  readonly text: string
}): ParsedFile<PolicyFile> | { readonly errors: readonly PolicyError[] } {
  return parseFile<PolicyFile>(file, validatePolicy)
}

/** `T` is what the schema behind `validate` describes. */
export function parseFile<T>(
  file: { readonly path: string; readonly text: string },
  validate: ValidateFunction,
): ParsedFile<T> | { readonly errors: readonly PolicyError[] } {
  const { path, text } = file
  const at = (
    line: number,
    column: number,
    code: PolicyErrorCode,
    message: string,
  ): PolicyError => ({
    code,
    path,
    line,
    column,
    message,
    suggestion: null,
  })
  if (Buffer.byteLength(text) > POLICY_FILE_BYTES_MAX)
    return {
      errors: [at(1, 1, 'too-large', `the file is larger than ${POLICY_FILE_BYTES_MAX} bytes`)],
    }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0)
    return {
      errors: document.errors.slice(0, POLICY_ERRORS_MAX).map((error) => {
        const { line, col } = lines.linePos(error.pos[0])
        return at(line, col, 'yaml', `not valid YAML: ${error.message.split('\n')[0]}`)
      }),
    }
  let content: unknown
  try {
    content = document.toJS()
  } catch (error) {
    return { errors: [at(1, 1, 'yaml', `not valid YAML: ${(error as Error).message}`)] }
  }
  const source: Source = { path, document, lines }
  if (!validate(content)) return { errors: schemaErrors(source, validate.errors ?? []) }
  return {
    path,
    // Safe: ajv has just validated it against the schema this type describes.
    content: content as T,
    fault: (where, code, message, suggestion = null) =>
      errorAt(source, { at: where, onKey: false }, { code, message, suggestion }),
  }
}

function offsetOf(document: Document.Parsed, at: Path, onKey: boolean): number {
  if (onKey && at.length > 0) {
    const parent = document.getIn(at.slice(0, -1), true)
    const key = at.at(-1)
    if (isMap(parent))
      for (const pair of parent.items)
        if (isScalar(pair.key) && pair.key.value === key) return pair.key.range?.[0] ?? 0
  }
  for (let depth = at.length; depth > 0; depth--) {
    const node = document.getIn(at.slice(0, depth), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0
}

function errorAt(
  source: Source,
  place: { readonly at: Path; readonly onKey: boolean },
  what: {
    readonly code: PolicyErrorCode
    readonly message: string
    readonly suggestion: string | null
  },
): PolicyError {
  const { line, col } = source.lines.linePos(offsetOf(source.document, place.at, place.onKey))
  return { ...what, path: source.path, line: Math.max(line, 1), column: Math.max(col, 1) }
}

function pathOf(pointer: string): Path {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

const WRAPPERS = new Set(['anyOf', 'if', '$ref'])

/** Drops what alternatives that were never meant complain about: keeps the deepest complaint of each place. */
function meaningful(errors: readonly ErrorObject[]): ErrorObject[] {
  const concrete = errors.filter((error) => !WRAPPERS.has(error.keyword))
  const isShallow = (error: ErrorObject) =>
    ['type', 'const', 'enum', 'required'].includes(error.keyword) &&
    /\/(anyOf|oneOf)\//.test(error.schemaPath)
  return concrete.filter(
    (error) =>
      !isShallow(error) ||
      !concrete.some(
        (other) =>
          other !== error &&
          !isShallow(other) &&
          (other.instancePath === error.instancePath ||
            other.instancePath.startsWith(`${error.instancePath}/`)),
      ),
  )
}

function schemaErrors(source: Source, errors: readonly ErrorObject[]): readonly PolicyError[] {
  const seen = new Set<string>()
  const found: PolicyError[] = []
  for (const error of meaningful(errors)) {
    const described = describe(error)
    const at = [...pathOf(error.instancePath), ...described.child]
    const result = errorAt(
      source,
      { at, onKey: described.child.length > 0 },
      { code: 'schema', ...described.text },
    )
    const key = `${result.line}:${result.column}:${result.message}`
    if (!seen.has(key)) found.push(result)
    seen.add(key)
  }
  return found.slice(0, POLICY_ERRORS_MAX)
}

interface Described {
  readonly child: Path
  readonly text: { readonly message: string; readonly suggestion: string | null }
}

const quote = (words: readonly unknown[]): string =>
  words.map((word) => `\`${String(word)}\``).join(', ')

function describe(error: ErrorObject): Described {
  const params = error.params as Record<string, unknown>
  const say = (message: string, suggestion: string | null = null, child: Path = []): Described => ({
    child,
    text: { message, suggestion },
  })
  const schema = error.parentSchema as { properties?: Record<string, unknown> } | undefined
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty'])
      const known = Object.keys(schema?.properties ?? {})
      return say(`unknown key \`${key}\`; known here: ${quote(known)}`, nearest(key, known), [key])
    }
    case 'required':
      return say(`the key \`${String(params['missingProperty'])}\` is missing`)
    case 'enum': {
      const words = params['allowedValues'] as readonly unknown[]
      return say(
        `\`${String(error.data)}\` is not one of ${quote(words)}`,
        nearest(String(error.data), words.map(String)),
      )
    }
    case 'const':
      return say(`expected \`${String(params['allowedValue'])}\``)
    case 'oneOf':
      return say('a rule needs exactly one of `allow`, `approve`, `deny`')
    case 'type':
      return say(`expected ${words(String(params['type']))}`)
    case 'pattern':
      return say(`\`${String(error.data)}\` does not have the form ${String(params['pattern'])}`)
    default:
      return say(error.message ?? 'is not valid')
  }
}

const words = (type: string): string =>
  type === 'array'
    ? 'a list'
    : type === 'object'
      ? 'a mapping of keys'
      : type === 'integer'
        ? 'a whole number'
        : `a ${type}`
