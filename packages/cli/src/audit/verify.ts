/** `audit verify`: the report of verifyLog in words, with what it cannot prove. */
import { type Unproven, type VerifyReport, verifyLog } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { assertNever, CliError, EXIT, type ExitCode } from '../errors.ts'
import { readText } from '../files.ts'
import { counted } from '../numbers.ts'
import { styled } from '../output.ts'
import type { VerifyFlags } from './flags.ts'

export async function verify(directory: string, flags: VerifyFlags, cli: Cli): Promise<ExitCode> {
  const publicKeys = await Promise.all(flags.publicKey.map(readPublicKey))
  const heads = flags.heads ?? []
  for (const file of heads) await readText(file)
  const report = await verifyLog(directory, {
    publicKeys,
    heads,
    ...(flags.live !== undefined && { live: flags.live }),
  })
  if (flags.json === true) cli.out.json(report)
  else print(report, cli)
  return report.ok ? EXIT.ok : EXIT.notOk
}

/** A private key would do as well, and must not be carried to where logs are verified. */
async function readPublicKey(file: string): Promise<string> {
  const pem = await readText(file)
  if (!pem.includes('PRIVATE KEY')) return pem
  throw new CliError(
    'usage',
    `\`${file}\` is a private key; verification needs the public one only`,
  )
}

function print(report: VerifyReport, cli: Cli): void {
  const { out } = cli
  const { segments, records, heads, provenTo, head, findings, findingsTotal } = report
  if (report.ok) out.line([styled('green', 'VERIFIED'), ': nothing was changed, added or removed'])
  else out.line([styled('red', 'NOT VERIFIED'), `: ${counted(findingsTotal, 'finding')}`])
  out.line(
    `  ${counted(records, 'record')} in ${counted(segments, 'segment')}, ${counted(heads, 'good signature')}`,
  )
  out.line(`  proven up to record ${provenTo}; the last is ${report.lastSeq}`)
  out.line(`  head ${head}`)
  if (findings.length > 0) {
    out.line()
    out.table(
      [
        { title: 'record', align: 'right' },
        { title: 'finding' },
        { title: 'where' },
        { title: 'what', max: 300 },
      ],
      findings.map(({ code, message, file, line, seq }) => [
        seq === null ? '-' : String(seq),
        styled('red', code),
        line === null ? file : `${file}:${line}`,
        message,
      ]),
    )
    if (findingsTotal > findings.length) out.line(`and ${findingsTotal - findings.length} more`)
  }
  for (const one of report.unproven) out.line([styled('yellow', 'not proven: '), sayUnproven(one)])
}

function sayUnproven(unproven: Unproven): string {
  switch (unproven.kind) {
    case 'after-last-head':
      return `records ${unproven.from} to ${unproven.to} come after the last signature; whoever can write the files could have changed them`
    case 'tail-without-outside-heads':
      return 'that nothing was cut from the end together with its heads: give --heads kept elsewhere'
    case 'nothing-signed':
      return 'anything: no signature covers these records'
    default:
      return assertNever(unproven)
  }
}
