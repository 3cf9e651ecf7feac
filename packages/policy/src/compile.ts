/**
 * Validated policy files → one compiled Policy. Everything that can be wrong is found here, at load: patterns,
 * conditions, durations, mask options, duplicate names. A policy with one error does not load at all.
 */

import { createHash } from 'node:crypto'
import type { Effect } from '@sallyport/sql'
import { type ConditionFault, compileCondition } from './conditions.ts'
import type { PolicyError } from './errors.ts'
import {
  POLICY_ERRORS_MAX,
  POLICY_FILES_MAX,
  POLICY_RULES_MAX,
  PREVIEW_ROWS,
  RECORDED_BYTES_DEFAULT,
  RECORDED_ROWS_DEFAULT,
} from './limits.ts'
import { compileMaskKind } from './masks/compile-spec.ts'
import { checkPattern } from './masks/regex-safety.ts'
import type {
  ApproverRequirement,
  Budget,
  EstimateBounds,
  GrantRule,
  LimitRule,
  MaskRule,
  Match,
  Policy,
  PreviewAllowed,
  ProbeBudget,
  RecordRule,
  Rule,
  TrustedFunctions,
  Who,
  WhoClause,
} from './model.ts'
import { type ParsedFile, type Path, parsePolicyFile } from './parse.ts'
import {
  compileColumn,
  compileFunction,
  compileGlob,
  compileRelation,
  type Glob,
} from './patterns.ts'
import type {
  GrantFile,
  LimitFile,
  MaskFile,
  MatchFile,
  PolicyFile,
  RecordFile,
  RuleFile,
  WhoFile,
} from './policy-file.ts'
import { EFFECT_WORDS } from './schema.ts'
import { parseBytes, parseDuration } from './units.ts'

export type CompileResult =
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'errors'; readonly errors: readonly PolicyError[] }

/** Collects faults of one file while its parts compile. */
interface Scope {
  readonly file: ParsedFile<PolicyFile>
  readonly connections: readonly Glob[]
  readonly errors: PolicyError[]
  readonly warnings: string[]
}

/** Files merge; their order never matters. */
export function compilePolicy(
  files: readonly { readonly path: string; readonly text: string }[],
): CompileResult {
  const errors: PolicyError[] = []
  const warnings: string[] = []
  const rules: Rule[] = []
  const masks: MaskRule[] = []
  const limits: LimitRule[] = []
  const records: RecordRule[] = []
  const grants: GrantRule[] = []
  const trusted: TrustedFunctions[] = []
  const contents: string[] = []
  if (files.length > POLICY_FILES_MAX)
    return {
      kind: 'errors',
      errors: [wholeFault(files[0]?.path ?? '', `more than ${POLICY_FILES_MAX} files`)],
    }
  for (const source of files) {
    const file = parsePolicyFile(source)
    if ('errors' in file) {
      errors.push(...file.errors)
      continue
    }
    const connections = (file.content.connections ?? ['*']).map((text) => compileGlob(text))
    const scope: Scope = { file, connections, errors, warnings }
    contents.push(canonical(file.content))
    const { rules: ruleFiles = [], masks: maskFiles = [], limits: limitFiles = [] } = file.content
    for (const [i, one] of (file.content.record ?? []).entries())
      compileRecord(scope, one, ['record', i], records)
    for (const [i, rule] of ruleFiles.entries()) compileRule(scope, rule, ['rules', i], rules)
    for (const [i, mask] of maskFiles.entries()) compileMask(scope, mask, ['masks', i], masks)
    for (const [i, limit] of limitFiles.entries()) compileLimit(scope, limit, ['limits', i], limits)
    for (const [i, one] of (file.content.grants ?? []).entries()) {
      compileGrant(scope, one, ['grants', i], grants)
    }
    const names = file.content['trusted-functions']
    if (names !== undefined)
      trusted.push({
        connections,
        patterns: patterns(scope, names, ['trusted-functions'], compileFunction),
      })
  }
  if (rules.length + masks.length > POLICY_RULES_MAX)
    errors.push(wholeFault(files[0]?.path ?? '', `more than ${POLICY_RULES_MAX} rules and masks`))
  if (errors.length > 0) return { kind: 'errors', errors: errors.slice(0, POLICY_ERRORS_MAX) }
  const version = createHash('sha256').update(contents.sort().join('\n')).digest('hex')
  return {
    kind: 'policy',
    policy: { version, rules, masks, limits, records, grants, trusted, warnings },
  }
}

const wholeFault = (path: string, message: string): PolicyError => ({
  code: 'too-large',
  path,
  line: 1,
  column: 1,
  message,
  suggestion: null,
})

/** JSON with sorted keys: equal content gives equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const record = value as Record<string, unknown>
    const keys = Object.keys(record).sort()
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

function patterns<T extends object>(
  scope: Scope,
  sources: readonly string[],
  at: Path,
  compile: (source: string) => T | string,
): readonly T[] {
  return sources.flatMap((source, i) => {
    const pattern = compile(source)
    if (typeof pattern !== 'string') return [pattern]
    scope.errors.push(scope.file.fault([...at, i], 'pattern', pattern))
    return []
  })
}

const globs = (texts: readonly string[] | undefined): readonly Glob[] | null =>
  texts === undefined ? null : texts.map((text) => compileGlob(text))

export function compileWho(who: WhoFile): Who {
  const clauses = who === 'everyone' ? [{}] : Array.isArray(who) ? who : [who]
  return {
    everyone: who === 'everyone',
    source: canonical(who),
    clauses: clauses.map(
      (clause): WhoClause => ({
        groups: globs(clause.groups),
        roles: globs(clause.roles),
        subjects: globs(clause.subjects),
        graphs: globs(clause.graph),
        nodes: globs(clause.node),
        kind: clause.kind ?? null,
        except: clause.except === undefined ? null : compileWho(clause.except),
      }),
    ),
  }
}

const NAMED_EFFECTS = EFFECT_WORDS.filter(
  (word): word is Effect => word !== '*' && word !== 'unknown',
)

function effectsOf(words: MatchFile['effects']): ReadonlySet<Effect> | null {
  if (words === undefined) return null
  return new Set(words.flatMap((word) => (word === '*' ? NAMED_EFFECTS : [word])))
}

function compileMatch(scope: Scope, match: MatchFile, at: Path): Match {
  const list = <T extends object>(
    key: 'relations' | 'functions' | 'columns',
    compile: (s: string) => T | string,
  ) => (match[key] === undefined ? null : patterns(scope, match[key], [...at, key], compile))
  let when: Match['when'] = null
  if (match.when !== undefined) {
    const condition = compileCondition(match.when)
    if ('evaluate' in condition) when = condition
    else scope.errors.push(conditionFault(scope, match.when, [...at, 'when'], condition))
  }
  return {
    effects: effectsOf(match.effects),
    relations: list('relations', compileRelation),
    throughViews: match['through-views'] ?? false,
    commands: globs(match.commands),
    functions: list('functions', compileFunction),
    columns: list('columns', compileColumn),
    settings: globs(match.settings),
    when,
    estimate: boundsOf(match),
  }
}

function boundsOf(written: MatchFile | LimitFile): EstimateBounds | null {
  const { 'estimated-rows': rows = null, 'estimated-cost': cost = null } = written
  return rows === null && cost === null ? null : { rows, cost }
}

function conditionFault(
  scope: Scope,
  source: string,
  at: Path,
  fault: ConditionFault,
): PolicyError {
  const near = source.slice(fault.offset, fault.offset + 24).split('\n')[0] ?? ''
  const where = near === '' ? 'at its end' : `at \`${near}\``
  return scope.file.fault(
    at,
    'condition',
    `the condition cannot be used: ${fault.message} (${where})`,
  )
}

function compileRule(scope: Scope, rule: RuleFile, at: Path, rules: Rule[]): void {
  const { file, errors } = scope
  if (rules.some((other) => other.name === rule.name))
    errors.push(
      file.fault([...at, 'name'], 'duplicate', `another rule is also called \`${rule.name}\``),
    )
  const kind = rule.allow !== undefined ? 'allow' : rule.approve !== undefined ? 'approve' : 'deny'
  const source = rule[kind] ?? {}
  const base = {
    name: rule.name,
    path: file.path,
    connections: scope.connections,
    who: compileWho(rule.who),
    match: compileMatch(scope, source, [...at, kind]),
    hint: rule.hint ?? null,
  }
  if (kind !== 'deny' && base.match.estimate === null) checkGrant(scope, source, [...at, kind])
  else if (kind === 'deny' && source['through-views'] !== undefined)
    errors.push(
      file.fault([...at, kind, 'through-views'], 'value', 'a deny rule always sees through views'),
    )
  if (kind === 'allow') {
    for (const key of ['estimated-rows', 'estimated-cost'] as const)
      if (source[key] !== undefined)
        errors.push(
          file.fault([...at, kind, key], 'value', `\`${key}\` belongs to an approve or deny rule`),
        )
  }
  if (kind !== 'approve') {
    for (const key of ['approvers', 'reason', 'mode', 'preview'] as const)
      if (rule[key] !== undefined)
        errors.push(file.fault([...at, key], 'value', `\`${key}\` belongs to an approve rule`))
    rules.push({ ...base, kind })
    return
  }
  if (rule.approvers === undefined)
    errors.push(file.fault(at, 'value', 'an approve rule needs `approvers` (groups or subjects)'))
  rules.push({ ...base, kind, approvers: compileApprovers(scope, rule, at) })
}

/** A rule that grants must say what: effects, functions or settings. */
function checkGrant(scope: Scope, match: MatchFile, at: Path): void {
  const fault = (key: string | null, message: string) =>
    scope.errors.push(scope.file.fault(key === null ? at : [...at, key], 'value', message))
  if (match.effects === undefined && match.functions === undefined && match.settings === undefined)
    fault(null, 'say what is granted: `effects`, `functions` or `settings`')
  if (match.effects === undefined && (match.relations ?? match.columns) !== undefined)
    fault(null, '`relations` and `columns` need `effects` in a rule that grants')
  if (match.columns !== undefined && match.effects?.some((effect) => effect !== 'read'))
    fault(
      'columns',
      '`columns` limits what may be read; grant other effects in a rule of their own',
    )
}

function compileGrant(scope: Scope, grant: GrantFile, at: Path, grants: GrantRule[]): void {
  const max = parseDuration(grant.max ?? '8h')
  if (max === null) {
    const message = 'expected 1s to 7d, such as `4h`'
    scope.errors.push(scope.file.fault([...at, 'max'], 'value', message))
  }
  const { approvers, role } = grant
  const asRule = { name: `grant ${role}`, approvers, reason: grant.reason ?? 'required' } as const
  const breakGlass = grant['break-glass']
  grants.push({
    path: scope.file.path,
    connections: scope.connections,
    role,
    who: compileWho(grant.who),
    approvers: compileApprovers(scope, asRule, at),
    maxMs: max ?? 0,
    onRefusal: grant['on-refusal'] ?? 'hint',
    breakGlass: breakGlass === undefined ? null : compileWho(breakGlass),
  })
}

function compileApprovers(
  scope: Scope,
  rule: Pick<RuleFile, 'name' | 'approvers' | 'reason' | 'mode' | 'preview'>,
  at: Path,
): ApproverRequirement {
  const approvers = rule.approvers ?? {}
  const time = (key: 'within' | 'use-within', fallback: string): number => {
    const value = parseDuration(approvers[key] ?? fallback)
    if (value !== null) return value
    scope.errors.push(
      scope.file.fault([...at, 'approvers', key], 'value', 'expected 1s to 7d, such as `15m`'),
    )
    return 0
  }
  const { ticket } = approvers
  const unfit = ticket === undefined ? null : checkPattern(ticket)
  if (unfit !== null)
    scope.errors.push(scope.file.fault([...at, 'approvers', 'ticket'], 'value', unfit))
  return {
    rule: rule.name,
    groups: approvers.groups ?? [],
    subjects: approvers.subjects ?? [],
    count: approvers.count ?? 1,
    withinMs: time('within', '15m'),
    useWithinMs: time('use-within', '10m'),
    reason: rule.reason ?? ('optional' as const),
    mode: rule.mode ?? ('hold' as const),
    ticket: ticket ?? null,
    preview: rule.preview === undefined ? null : previewAllowed(rule.preview),
  }
}

function previewAllowed({
  rows = PREVIEW_ROWS,
  'in-transactions': inTransactions = false,
}: NonNullable<RuleFile['preview']>): PreviewAllowed {
  return { rows, inTransactions }
}

function compileMask(scope: Scope, mask: MaskFile, at: Path, masks: MaskRule[]): void {
  const name = mask.name ?? mask.columns.join(', ')
  const spec = compileMaskKind(mask.with, (path, message) => {
    scope.errors.push(scope.file.fault([...at, 'with', ...path], 'value', message))
  })
  const who = compileWho(mask.who ?? 'everyone')
  const except = mask.except === undefined ? null : compileWho(mask.except)
  if (mask.predicates === 'open')
    scope.warnings.push(
      `${scope.file.path}: mask \`${name}\`: values can be found by searching (predicates: open)`,
    )
  masks.push({
    name,
    path: scope.file.path,
    connections: scope.connections,
    written: mask.name === undefined ? mask.columns : null,
    columns: patterns(scope, mask.columns, [...at, 'columns'], compileColumn),
    spec,
    who,
    except,
    audience: `${who.source} except ${except?.source ?? 'nobody'}`,
    derived: mask.derived ?? 'redact',
    predicates: mask.predicates ?? 'equality',
    probes: compileProbes(scope, mask, at),
    groupMin: mask.groups?.min ?? null,
  })
}

function compileProbes(scope: Scope, { probes }: MaskFile, at: Path): ProbeBudget | null {
  if (probes === undefined) return null
  const withinMs = parseDuration(probes.within ?? '1h')
  if (withinMs === null) {
    const where = [...at, 'probes', 'within']
    scope.errors.push(scope.file.fault(where, 'value', 'expected a duration such as `1h`'))
  }
  return { max: probes.max, withinMs: withinMs ?? 0 }
}

function compileBytes(scope: Scope, written: number | string | undefined, at: Path): number | null {
  const bytes = written === undefined ? null : parseBytes(written)
  if (written !== undefined && bytes === null)
    scope.errors.push(
      scope.file.fault([...at, 'bytes'], 'value', 'expected a size such as `20MiB`'),
    )
  return bytes
}

function compileRecord(scope: Scope, record: RecordFile, at: Path, records: RecordRule[]): void {
  const { who, rows = RECORDED_ROWS_DEFAULT, bytes, parameters = true } = record
  records.push({
    path: scope.file.path,
    connections: scope.connections,
    who: compileWho(who),
    recording: {
      rows: rows === 'all' ? null : rows === 'none' ? 0 : rows,
      bytes:
        rows === 'all' && bytes === undefined
          ? null
          : (compileBytes(scope, bytes, at) ?? RECORDED_BYTES_DEFAULT),
      parameters,
    },
  })
}

function compileBudget(
  scope: Scope,
  limit: LimitFile,
  per: Budget['per'],
  at: Path,
): readonly Budget[] {
  const written = limit[`per-${per}`]
  if (written === undefined) return []
  const { statements = null, rows = null } = written
  const bytes = compileBytes(scope, written.bytes, [...at, `per-${per}`])
  return [{ name: limit.name ?? `budget per ${per}`, per, statements, rows, bytes }]
}

function compileLimit(scope: Scope, limit: LimitFile, at: Path, limits: LimitRule[]): void {
  const bytes = compileBytes(scope, limit.bytes, at)
  const onExceed = limit['on-exceed'] ?? 'deny'
  const estimate = boundsOf(limit)
  const name = limit.name ?? `limits[${limits.length}]`
  const fault = (where: Path, message: string) =>
    scope.errors.push(scope.file.fault([...at, ...where], 'value', message))
  if (onExceed === 'approve' && limit.approvers === undefined)
    fault(['on-exceed'], '`approve` needs `approvers` (groups or subjects)')
  if (onExceed !== 'approve' && limit.approvers !== undefined)
    fault(['approvers'], '`approvers` belongs to a limit with `on-exceed: approve`')
  if (onExceed === 'truncate' && estimate !== null)
    fault(['on-exceed'], 'what is estimated cannot be cut: use `deny` or `approve`')
  limits.push({
    name,
    path: scope.file.path,
    connections: scope.connections,
    who: compileWho(limit.who),
    limits: {
      rows: limit.rows ?? null,
      bytes,
      statementsPerMinute: limit['statements-per-minute'] ?? null,
      onExceed,
      approvers:
        limit.approvers === undefined
          ? []
          : [compileApprovers(scope, { name, approvers: limit.approvers }, at)],
      budgets: (['token', 'run'] as const).flatMap((per) => compileBudget(scope, limit, per, at)),
    },
    estimate,
  })
}
