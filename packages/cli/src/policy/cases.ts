/** `policy test`: DBAs' own cases, each against its policy and schema. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type CaseResult,
  formatPolicyError,
  type Policy,
  type PolicyError,
  runPolicyCases,
} from '@sallyport/policy'
import { type Catalog, createFreshAnalyze, type FreshAnalyze } from '@sallyport/sql'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig, readText } from '../files.ts'
import { styled } from '../output.ts'

import { fileCatalog, liveCatalog, placeOf } from './catalog.ts'
import type { TestFlags } from './flags.ts'
import { isCasesFile, policyBeside, policyOf } from './load.ts'

/** Beside a file of cases, used when no flag names a schema. */
const CATALOG_BESIDE = 'catalog.json'

interface Report {
  readonly results: readonly CaseResult[]
  readonly errors: readonly PolicyError[]
}

export async function testCases(
  files: readonly string[],
  flags: TestFlags,
  cli: Cli,
): Promise<ExitCode> {
  const analyze = await createFreshAnalyze({ searchPath: flags.searchPath })
  const catalogs = await namedCatalogs(flags, cli)
  const shared =
    flags.policy === undefined && flags.config === undefined ? null : await policyOf(flags, cli)
  const reports: Report[] = []
  for (const path of files) {
    const policy = shared ?? (await policyOf({ policy: [besideOf(path)] }, cli))
    reports.push(await runFile(path, { policy, catalogs, analyze, cli }))
  }
  const results = reports.flatMap((report) => report.results)
  const errors = reports.flatMap((report) => report.errors)
  if (flags.json === true) {
    cli.out.json({
      ok: errors.length === 0 && results.every(({ passed }) => passed),
      results,
      errors,
    })
  } else print(results, { errors, flags, cli })
  return errors.length === 0 && results.every(({ passed }) => passed) ? EXIT.ok : EXIT.notOk
}

function besideOf(path: string): string {
  if (isCasesFile(path)) return policyBeside(path)
  throw new CliError('usage', `\`${path}\` is not called NAME.cases.yaml: say --policy FILE`)
}

interface Run {
  readonly policy: Policy
  readonly catalogs: Catalogs
  readonly analyze: FreshAnalyze
  readonly cli: Cli
}

async function runFile(path: string, { policy, catalogs, analyze, cli }: Run): Promise<Report> {
  const text = await readText(path)
  const beside = await catalogs.beside(path)
  let isBlind = false
  const report = runPolicyCases(policy, {
    files: [{ path, text }],
    now: cli.now(),
    analyze: (sql, connection) => {
      const catalog = catalogs.of(connection) ?? beside
      isBlind ||= catalog === null
      return analyze(sql, catalog, catalogs.databaseOf(connection))
    },
  })
  if (isBlind) {
    cli.out.note(
      `warning: ${path}: no schema (--catalog, --config or ${CATALOG_BESIDE}): names are not resolved`,
    )
  }
  return report
}

interface Catalogs {
  of(connection: string): Catalog | null
  /** Where names without a database are, as far as a configuration says it. */
  databaseOf(connection: string): string | undefined
  /** `catalog.json` beside a file, when no flag names a schema. */
  beside(path: string): Promise<Catalog | null>
}

async function namedCatalogs(flags: TestFlags, cli: Cli): Promise<Catalogs> {
  const byName = new Map<string, Catalog>()
  const databases = new Map<string, string>()
  let forAll: Catalog | null = null
  for (const entry of flags.catalog ?? []) {
    const at = entry.indexOf('=')
    if (at < 0) forAll = await fileCatalog(entry)
    else byName.set(entry.slice(0, at), await fileCatalog(entry.slice(at + 1)))
  }
  if (flags.config !== undefined && flags.catalog === undefined) {
    const config = await readConfig(flags.config, cli)
    for (const name of config.connections.keys()) {
      const place = placeOf(config, name)
      byName.set(name, await liveCatalog(place, cli))
      databases.set(name, place.database)
    }
  }
  const isNamed = flags.catalog !== undefined || flags.config !== undefined
  return {
    of: (connection) => byName.get(connection) ?? forAll,
    databaseOf: (connection) => databases.get(connection),
    beside: async (path) => {
      const file = join(dirname(path), CATALOG_BESIDE)
      return isNamed || !existsSync(file) ? null : fileCatalog(file)
    },
  }
}

function print(
  results: readonly CaseResult[],
  { errors, flags, cli }: { errors: readonly PolicyError[]; flags: TestFlags; cli: Cli },
): void {
  const { out } = cli
  for (const error of errors) out.line(formatPolicyError(error))
  for (const { path, line, name, passed, failures } of results) {
    if (passed) {
      if (flags.failed !== true) out.line([styled('green', 'pass'), `  ${name}`])
      continue
    }
    out.line([styled('red', 'FAIL'), `  ${name}`, styled('dim', `  ${path}:${line}`)])
    for (const failure of failures) out.line(`      ${failure}`)
  }
  const failed = results.filter(({ passed }) => !passed).length
  out.line(
    failed + errors.length === 0
      ? [styled('green', `${results.length} passed`)]
      : [
          styled('red', `${failed} failed`),
          `, ${results.length - failed} passed, ${errors.length} errors in files`,
        ],
  )
}
