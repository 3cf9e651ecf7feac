/** `audit verify`: the report of verifyLog in words, with what it cannot prove. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  checkInclusion,
  type InclusionCheck,
  type InclusionProof,
  inclusionProof,
  isInclusionProof,
  type Unproven,
  type VerifyReport,
  verifyLog,
} from '@sallyport/audit'
import type { Cli } from '../context.ts'
import { formatMoment } from '../duration.ts'
import { assertNever, CliError, EXIT, type ExitCode } from '../errors.ts'
import { readText } from '../files.ts'
import { counted, countOf } from '../numbers.ts'
import { styled } from '../output.ts'
import { noteReading } from './desk.ts'
import type { ReadingFlags, VerifyFlags } from './flags.ts'
import { directoryOf } from './read.ts'

export async function verify(
  directory: string | undefined,
  flags: VerifyFlags,
  cli: Cli,
): Promise<ExitCode> {
  if (flags.proof !== undefined) return checkProof(flags.proof, flags, cli)
  if (directory === undefined) throw new CliError('usage', 'say which directory, or --proof FILE')
  await noteReading(directory, { action: 'verify', query: {} }, {}, cli)
  const publicKeys = await Promise.all(flags.publicKey.map(readPublicKey))
  const heads = flags.heads ?? []
  for (const file of heads) await readText(file)
  const report = await verifyLog(directory, {
    publicKeys,
    heads,
    ...recordingsOf(directory, flags),
    ...(flags.live !== undefined && { live: flags.live }),
  })
  if (flags.json === true) cli.out.json(report)
  else print(report, cli)
  return report.ok ? EXIT.ok : EXIT.notOk
}

/** Those beside the log are looked at unless others are named. */
function recordingsOf(directory: string, flags: VerifyFlags): { recordings?: string } {
  const beside = join(directory, 'recordings')
  const recordings = flags.recordings ?? (existsSync(beside) ? beside : undefined)
  return recordings === undefined ? {} : { recordings }
}

/** Prints a proof that record `seq` is in the log: for somebody who is to see no other. */
export async function prove(seq: string, flags: ReadingFlags, cli: Cli): Promise<ExitCode> {
  const directory = await directoryOf(flags, cli)
  const number = countOf(seq, { flag: 'SEQ', min: 1, max: Number.MAX_SAFE_INTEGER })
  await noteReading(directory, { action: 'prove', query: { seq: number } }, flags, cli)
  cli.out.json(inclusionProof(directory, number))
  return EXIT.ok
}

const WHY_NOT: Readonly<Record<(InclusionCheck & { readonly ok: false })['why'], string>> = {
  record: 'it holds no record, or another than it says',
  path: 'the record is not the one that was signed: it, its place or its path has been changed',
  'unknown-key': 'its head is signed by a key that none of the public keys given vouches for',
  'bad-signature': 'the signature of its head is not good',
}

async function checkProof(file: string, flags: VerifyFlags, cli: Cli): Promise<ExitCode> {
  const publicKeys = await Promise.all(flags.publicKey.map(readPublicKey))
  const check = checkInclusion(proofOf(await readText(file), file), { publicKeys })
  if (flags.json === true) cli.out.json(check)
  else if (check.ok) {
    const { seq, at } = check.record
    cli.out.line([
      styled('green', 'PROVEN'),
      `: record ${seq} of ${formatMoment(at)} is in the log`,
    ])
    cli.out.block(JSON.stringify(check.record.event, null, 2), '  ')
  } else cli.out.line([styled('red', 'NOT PROVEN'), `: ${WHY_NOT[check.why]}`])
  return check.ok ? EXIT.ok : EXIT.notOk
}

function proofOf(text: string, file: string): InclusionProof {
  try {
    const proof: unknown = JSON.parse(text)
    if (isInclusionProof(proof)) return proof
  } catch {
    // Told below.
  }
  throw new CliError('usage', `\`${file}\` is no proof: \`audit prove\` writes one`)
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
  const { segments, records, heads, recordings, provenTo } = report
  const { head, findings, findingsTotal } = report
  if (report.ok) out.line([styled('green', 'VERIFIED'), ': nothing was changed, added or removed'])
  else out.line([styled('red', 'NOT VERIFIED'), `: ${counted(findingsTotal, 'finding')}`])
  out.line(
    `  ${counted(records, 'record')} in ${counted(segments, 'segment')}, ${counted(heads, 'good signature')}, ${counted(recordings, 'recording')} as sealed`,
  )
  if (report.removed !== null) {
    const { records: gone, segments: graves, until } = report.removed
    out.line(
      `  ${counted(gone, 'record')} in ${counted(graves, 'segment')} up to ${formatMoment(until)} are past their time and gone, each segment with a signed tombstone`,
    )
  }
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
      return unproven.after === 0
        ? 'that nothing was cut from the end together with its heads: give --heads kept elsewhere'
        : `that nothing was cut from the end together with its heads: those of --heads end at record ${unproven.after}`
    case 'recording-tails':
      return `what ${counted(unproven.recordings, 'recording')} of sessions without an end hold behind the last hash in the log`
    case 'nothing-signed':
      return 'anything: no signature covers these records'
    default:
      return assertNever(unproven)
  }
}
