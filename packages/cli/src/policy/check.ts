/** `policy check`. */
import { formatPolicyError } from '@sallyport/policy'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { counted } from '../numbers.ts'
import { styled } from '../output.ts'
import type { CheckFlags } from './flags.ts'
import { compileConfigured, compileFiles, isCasesFile } from './load.ts'

export async function check(
  files: readonly string[],
  flags: CheckFlags,
  cli: Cli,
): Promise<ExitCode> {
  const policies = files.filter((file) => !isCasesFile(file))
  if ((policies.length === 0) === (flags.config === undefined)) {
    throw new CliError('usage', 'name policy files, or a configuration with --config (not both)')
  }
  const compiled =
    flags.config === undefined
      ? await compileFiles(policies)
      : await compileConfigured(flags.config, cli)
  const { out } = cli
  if (compiled.kind === 'errors') {
    if (flags.json === true) out.json({ ok: false, errors: compiled.errors })
    else {
      for (const error of compiled.errors) out.line(formatPolicyError(error))
      out.line([
        styled('red', counted(compiled.errors.length, 'error')),
        ': the gateway would not load this',
      ])
    }
    return EXIT.notOk
  }
  const { version, rules, masks, limits, warnings } = compiled.policy
  if (flags.json === true) {
    const counts = { rules: rules.length, masks: masks.length, limits: limits.length }
    out.json({ ok: true, version, files: compiled.files, ...counts, warnings })
    return EXIT.ok
  }
  for (const warning of warnings) out.line([styled('yellow', 'warning: '), warning])
  out.line([
    styled('green', 'ok'),
    `: ${counted(compiled.files.length, 'file')}, ${counted(rules.length, 'rule')}, ${counted(masks.length, 'mask')}, ${counted(limits.length, 'limit')}`,
  ])
  out.line(`version ${version}`)
  return EXIT.ok
}
