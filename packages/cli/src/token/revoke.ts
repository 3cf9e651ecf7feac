/** `token revoke`: offline through the gateway's state, or over HTTP with the token itself. */
import type { GatewayConfig, TokenState } from '@sallyport/gateway'
import { OPERATOR_ISSUER, type Revocation, sessionTokenHash } from '@sallyport/identity'
import type { Cli } from '../context.ts'
import { trust } from '../control/address.ts'
import { CliError, EXIT, type ExitCode, failureOf } from '../errors.ts'
import { readConfig, readToken } from '../files.ts'
import { revokeToken } from './exchange.ts'
import type { RevokeFlags } from './flags.ts'
import { openRecorder, operatorName } from './record.ts'
import { openState } from './state.ts'
import { verifyToken } from './verify.ts'

/** Records looked through for an id. */
const RECORDS_MAX = 100_000

export async function revoke(flags: RevokeFlags, cli: Cli): Promise<ExitCode> {
  const { config: path, url } = flags
  if ((path === undefined) === (url === undefined)) {
    throw new CliError(
      'usage',
      'give --config FILE to revoke on this machine, or --url ADDRESS to give a token back',
    )
  }
  if (path === undefined) return giveBack(flags, cli)
  if (flags.id !== undefined && flags.subject !== undefined) {
    throw new CliError('usage', 'give --id or --subject, not both')
  }
  const config = await readConfig(path, cli)
  const state = await openState(config, cli, { create: true })
  try {
    const revocations = await revocationsFor(flags, { config, state, cli })
    const recorded = await apply(revocations, { config, state, cli, reason: flags.reason })
    print(revocations, { recorded, flags, cli })
    return EXIT.ok
  } finally {
    await state.close()
  }
}

async function giveBack(flags: RevokeFlags, cli: Cli): Promise<ExitCode> {
  const unfit = (['id', 'subject', 'issuer', 'forGood', 'reason'] as const).find(
    (flag) => flags[flag] !== undefined,
  )
  if (unfit !== undefined || flags.url === undefined) {
    throw new CliError('usage', 'with --url only the token itself is given, on stdin or by file')
  }
  await trust(flags.ca, cli)
  await revokeToken(flags.url, await readToken(flags.tokenFile, cli))
  // RFC 7009 §2.2: the gateway answers alike whether it was live or not.
  if (flags.json === true) cli.out.json({ revoked: true })
  else cli.out.line('the gateway does not accept this token any more')
  return EXIT.ok
}

interface Revoking {
  readonly config: GatewayConfig
  readonly state: TokenState
  readonly cli: Cli
}

async function revocationsFor(
  flags: RevokeFlags,
  { config, state, cli }: Revoking,
): Promise<readonly Revocation[]> {
  const at = cli.now()
  const reason = flags.reason ?? null
  if (flags.subject !== undefined) {
    const issuers = config.identity.issuers.map(({ issuer }) => issuer)
    const of = flags.issuer === undefined ? [...issuers, OPERATOR_ISSUER] : [flags.issuer]
    // One millisecond on, so that what was issued in this one is included.
    const issuedBefore = flags.forGood === true ? null : at + 1
    const { subject } = flags
    return of.map((issuer) => ({ kind: 'subject', issuer, subject, at, issuedBefore, reason }))
  }
  if (flags.id !== undefined) {
    const { id } = flags
    const filter = { issuer: null, subject: null, limit: RECORDS_MAX }
    const known = (await state.list(filter)).find((record) => record.id === id)
    if (known === undefined) {
      cli.out.note(
        `warning: no session token here has the id \`${id}\`; it is revoked as the jti of a JWT`,
      )
    }
    return [{ kind: 'token', tokenId: id, at, until: known?.expiresAt ?? null, reason }]
  }
  const token = await readToken(flags.tokenFile, cli)
  const known = await state.findByHash(sessionTokenHash(token))
  if (known !== undefined) {
    return [{ kind: 'token', tokenId: known.id, at, until: known.expiresAt, reason }]
  }
  const verified = await verifyToken(token, config, cli)
  if (verified.kind === 'refused') {
    const code = verified.retryable ? 'unavailable' : 'not-ok'
    throw new CliError(
      code,
      `this token is not accepted here anyway: ${verified.diagnosis.message}`,
    )
  }
  const { tokenId, expiresAt } = verified.principal
  return [{ kind: 'token', tokenId, at, until: expiresAt, reason }]
}

/** Revoking must work while the log is held or broken: first the door, then the book. True: recorded. */
async function apply(
  revocations: readonly Revocation[],
  { config, state, cli, reason }: Revoking & { readonly reason: string | undefined },
): Promise<boolean> {
  for (const revocation of revocations) await state.revoke(revocation)
  try {
    return await record(revocations, reason ?? 'not given', { config, cli })
  } catch (error) {
    const { message } = failureOf(error)
    throw new CliError('unavailable', `revoked, but not recorded: ${message}`, { cause: error })
  }
}

async function record(
  revocations: readonly Revocation[],
  reason: string,
  { config, cli }: Pick<Revoking, 'config' | 'cli'>,
): Promise<boolean> {
  const recorder = await openRecorder(config, cli.now)
  try {
    const by = operatorName()
    for (const revocation of revocations) {
      recorder.record({ type: 'token-revoked', v: 1, tokenId: aboutOf(revocation), by, reason })
    }
    return recorder.log !== null
  } finally {
    await recorder.close()
  }
}

function aboutOf(revocation: Revocation): string {
  return revocation.kind === 'token'
    ? revocation.tokenId
    : `subject:${revocation.issuer}:${revocation.subject}`
}

function print(
  revocations: readonly Revocation[],
  { recorded, flags, cli }: { recorded: boolean; flags: RevokeFlags; cli: Cli },
): void {
  const { out } = cli
  if (flags.json === true) out.json({ revoked: revocations, audited: recorded })
  else {
    for (const revocation of revocations) {
      if (revocation.kind === 'token') out.line(`revoked ${revocation.tokenId}`)
      else {
        const which = revocation.issuedBefore === null ? 'every token' : 'every token issued so far'
        out.line(`revoked ${which} of ${revocation.subject} from ${revocation.issuer}`)
      }
    }
  }
  if (!recorded) {
    out.note('warning: a running gateway holds the audit log, so this act is not in it')
  }
}
