/** The `with:` of a mask → MaskSpec, with the checks a schema cannot express. */

import { assertNever } from '../errors.ts'
import { JSON_PATHS_MAX } from '../limits.ts'
import type { KeyedFile, MaskKindFile } from '../policy-file.ts'
import { parseJsonPath } from './json-path.ts'
import { checkPattern } from './regex-safety.ts'
import { DETECTORS, type MaskSpec, REDACT } from './spec.ts'

type Report = (path: readonly (string | number)[], message: string) => void

const keyed = (options: KeyedFile | undefined) => ({
  domain: options?.domain ?? '',
  salt: options?.salt ?? ('none' as const),
})

/** On a fault the answer is `redact`, but the policy does not load, so it is never used. */
export function compileMaskKind(source: MaskKindFile, report: Report): MaskSpec {
  switch (source) {
    case 'null':
    case 'redact':
    case 'email':
      return { kind: source }
    case 'hash':
    case 'tokenize':
      return { kind: source, ...keyed(undefined) }
    case 'detect':
      return { kind: 'detect', detectors: DETECTORS }
    default:
      return typeof source === 'object' ? compileObject(source, report) : assertNever(source)
  }
}

function compileObject(source: Exclude<MaskKindFile, string>, report: Report): MaskSpec {
  if (source.partial !== undefined) {
    const { partial } = source
    const char = partial.char ?? '*'
    if ([...char].length !== 1) report(['partial', 'char'], 'expected one character')
    if (/[\p{L}\p{N}\s\p{Cc}]/u.test(char))
      report(['partial', 'char'], 'a letter, digit or space would look like a value')
    return {
      kind: 'partial',
      keepFirst: partial['keep-first'] ?? 0,
      keepLast: partial['keep-last'] ?? 0,
      char,
      sameLength: partial['same-length'] ?? true,
    }
  }
  if (source.hash !== undefined) return { kind: 'hash', ...keyed(source.hash) }
  if (source.tokenize !== undefined) return { kind: 'tokenize', ...keyed(source.tokenize) }
  if (source['truncate-date'] !== undefined)
    return { kind: 'truncate-date', unit: source['truncate-date'] }
  if (source.bucket !== undefined) return { kind: 'bucket', width: source.bucket }
  if (source.detect !== undefined) return { kind: 'detect', detectors: [...source.detect] }
  if (source.json !== undefined) return compileJson(source.json, report)
  if (source.regex !== undefined) return compileRegex(source.regex, report)
  report([], 'the kind of mask is missing')
  return REDACT
}

type Objects = Exclude<MaskKindFile, string>

function compileJson(json: NonNullable<Objects['json']>, report: Report): MaskSpec {
  json.paths.forEach((path, i) => {
    const parsed = parseJsonPath(path)
    if (typeof parsed === 'string') report(['json', 'paths', i], parsed)
  })
  if (json.paths.length > JSON_PATHS_MAX)
    report(['json', 'paths'], `more than ${JSON_PATHS_MAX} paths`)
  const mask =
    json.mask === undefined
      ? REDACT
      : compileMaskKind(json.mask, (path, message) => report(['json', 'mask', ...path], message))
  if (
    !['redact', 'null', 'partial', 'email', 'hash', 'tokenize', 'detect', 'regex'].includes(
      mask.kind,
    )
  )
    report(['json', 'mask'], `\`${mask.kind}\` does not work inside JSON`)
  return { kind: 'json', paths: json.paths, mask }
}

function compileRegex(regex: NonNullable<Objects['regex']>, report: Report): MaskSpec {
  const fault = checkPattern(regex.pattern)
  if (fault !== null) report(['regex', 'pattern'], fault)
  return {
    kind: 'regex',
    pattern: regex.pattern,
    replacement: regex.replacement,
    flags: regex['ignore-case'] === true ? 'giu' : 'gu',
    otherwise: regex.otherwise ?? 'redact',
  }
}
