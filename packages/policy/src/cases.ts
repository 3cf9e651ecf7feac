/**
 * A policy's own tests: cases in YAML, run against the compiled policy. Texts in, results out; the command line
 * reads the files and brings the parser.
 */

import type { Analysis } from '@sallyport/sql'
import { CASES_SCHEMA, type CaseFile, type CaseSubject, type CasesFile } from './cases-schema.ts'
import { decide } from './decide.ts'
import type { PolicyError } from './errors.ts'
import { settleEstimate } from './estimates.ts'
import type { Policy, Subject } from './model.ts'
import { compileSchema, type ParsedFile, parseFile } from './parse.ts'
import type { Verdict } from './verdict.ts'
import { viewFor } from './view.ts'

export interface CasesInput {
  readonly files: readonly { readonly path: string; readonly text: string }[]
  /** Reads a statement as the connection's engine and catalog do. */
  readonly analyze: (sql: string, connection: string) => Analysis
  /** The time of cases that name none, milliseconds since 1970. */
  readonly now: number
}

export interface CaseResult {
  readonly path: string
  readonly line: number
  readonly name: string
  readonly passed: boolean
  /** What was expected and what came; empty when passed. */
  readonly failures: readonly string[]
  readonly verdict: Verdict
}

export interface CasesReport {
  readonly results: readonly CaseResult[]
  /** Files that could not be read as cases. */
  readonly errors: readonly PolicyError[]
}

const validate = compileSchema(CASES_SCHEMA)

export function runPolicyCases(policy: Policy, input: CasesInput): CasesReport {
  const results: CaseResult[] = []
  const errors: PolicyError[] = []
  for (const source of input.files) {
    const file = parseFile<CasesFile>(source, validate)
    if ('errors' in file) {
      errors.push(...file.errors)
      continue
    }
    for (const [i, one] of file.content.cases.entries()) {
      const subject = subjectOf(file, one, i)
      if ('code' in subject) errors.push(subject)
      else results.push(runCase(policy, input, { file, one, subject, line: lineOf(file, i) }))
    }
  }
  return { results, errors }
}

const lineOf = (file: ParsedFile<CasesFile>, i: number): number =>
  file.fault(['cases', i], 'value', '').line

function subjectOf(file: ParsedFile<CasesFile>, one: CaseFile, i: number): Subject | PolicyError {
  const named = file.content.subjects ?? {}
  const who: CaseSubject | undefined = typeof one.who === 'string' ? named[one.who] : one.who
  if (who === undefined || (typeof one.who === 'string' && !Object.hasOwn(named, one.who)))
    return file.fault(['cases', i, 'who'], 'value', `no subject is called \`${String(one.who)}\``)
  return {
    subject: who.subject ?? (typeof one.who === 'string' ? one.who : 'someone'),
    kind: who.kind ?? 'human',
    groups: who.groups ?? [],
    role: who.role ?? null,
    graph: who.graph ?? null,
    node: who.node ?? null,
    run: who.run ?? null,
    claims: who.claims ?? {},
  }
}

interface CaseRun {
  readonly file: ParsedFile<CasesFile>
  readonly one: CaseFile
  readonly subject: Subject
  readonly line: number
}

function runCase(
  policy: Policy,
  input: CasesInput,
  { file, one, subject, line }: CaseRun,
): CaseResult {
  const connection = one.connection ?? file.content.connection ?? ''
  const view = viewFor(policy, subject, connection)
  const analysis = input.analyze(one.sql, connection)
  const now = one.at === undefined ? input.now : Date.parse(one.at)
  const decided = decide(view, analysis, { now })
  const { estimate } = one
  const verdict =
    decided.kind === 'deny' || estimate === undefined
      ? decided
      : settleEstimate(decided, { cost: null, ...estimate })
  const failures = [
    ...compareVerdict(one, verdict),
    ...(one.masks === undefined ? [] : compareMasks(one.masks, analysis, verdict)),
  ]
  return { path: file.path, line, name: one.name, passed: failures.length === 0, failures, verdict }
}

function compareVerdict(one: CaseFile, verdict: Verdict): string[] {
  const failures: string[] = []
  const words = verdict.kind === 'allow' ? `allowed by ${verdict.rule}` : verdict.message
  if (verdict.kind !== one.expect)
    failures.push(`expected ${one.expect}, came ${verdict.kind} (${words})`)
  if (one.rule !== undefined && !(verdict.rule ?? '').split(' + ').includes(one.rule))
    failures.push(`expected the rule \`${one.rule}\`, came \`${verdict.rule ?? 'none'}\``)
  const code = verdict.kind === 'deny' ? verdict.code : 'none'
  if (one.code !== undefined && one.code !== code)
    failures.push(`expected the code \`${one.code}\`, came \`${code}\``)
  return failures
}

/** Masks of the first statement that returns rows, by the name of the result column. */
function compareMasks(
  expected: Readonly<Record<string, string>>,
  analysis: Analysis,
  verdict: Verdict,
): string[] {
  if (analysis.kind === 'unparsable' || verdict.kind === 'deny') return ['no result to mask']
  const i = analysis.statements.findIndex((facts) => Array.isArray(facts.outputs))
  const outputs = analysis.statements[i]?.outputs
  const plan = verdict.results[i]
  if (!Array.isArray(outputs) || plan === undefined || plan === null) return ['no result to mask']
  return Object.entries(expected).flatMap(([name, mask]) => {
    const at = outputs.findIndex((output) => output.name === name)
    if (at < 0) return [`the result has no column \`${name}\``]
    const came = plan.columns[at]?.spec.kind ?? 'none'
    return came === mask
      ? []
      : [`column \`${name}\`: expected the mask \`${mask}\`, came \`${came}\``]
  })
}
