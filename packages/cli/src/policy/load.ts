/** Policy files into a compiled policy, with every error told by place. */
import { compilePolicy, formatPolicyError, type Policy, type PolicyError } from '@sallyport/policy'
import type { Cli } from '../context.ts'
import { CliError } from '../errors.ts'
import { readConfig, readText } from '../files.ts'

const CASES_SUFFIX = '.cases.yaml'

export const isCasesFile = (path: string): boolean => path.endsWith(CASES_SUFFIX)

/** `crm.cases.yaml` → `crm.yaml`. */
export const policyBeside = (casesFile: string): string =>
  `${casesFile.slice(0, -CASES_SUFFIX.length)}.yaml`

export type Compiled =
  | { readonly kind: 'policy'; readonly policy: Policy; readonly files: readonly string[] }
  | { readonly kind: 'errors'; readonly errors: readonly PolicyError[] }

/** The files merged. Throws when one cannot be read. */
export async function compileFiles(files: readonly string[]): Promise<Compiled> {
  const texts = await Promise.all(files.map(async (path) => ({ path, text: await readText(path) })))
  const compiled = compilePolicy(texts)
  return compiled.kind === 'errors' ? compiled : { ...compiled, files }
}

/** The policies a configuration names, read as the gateway reads them. */
export async function compileConfigured(path: string, cli: Cli): Promise<Compiled> {
  const config = await readConfig(path, cli)
  const { loadPolicy, PolicyLoadError } = await import('@sallyport/gateway')
  try {
    return { kind: 'policy', ...(await loadPolicy(config.policies)) }
  } catch (error) {
    if (!(error instanceof PolicyLoadError)) throw error
    return { kind: 'errors', errors: error.errors }
  }
}

/** For commands that need a policy: --policy files, or those of --config. Throws CliError `config`. */
export async function policyOf(
  flags: { readonly policy?: readonly string[]; readonly config?: string },
  cli: Cli,
): Promise<Policy> {
  if (flags.policy === undefined && flags.config === undefined) {
    throw new CliError('usage', 'say which policy: --policy FILE, or --config FILE')
  }
  const compiled =
    flags.policy === undefined
      ? await compileConfigured(flags.config ?? '', cli)
      : await compileFiles(flags.policy)
  if (compiled.kind === 'policy') return compiled.policy
  for (const error of compiled.errors) cli.out.note(formatPolicyError(error))
  throw new CliError('config', 'the policy has errors')
}
