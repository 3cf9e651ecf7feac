/** What the token commands do: call identity, the gateway's state or its HTTP endpoints, and print. */
import { randomBytes } from 'node:crypto'
import type { TokenState } from '@sallyport/gateway'
import {
  mintOperatorToken,
  type Narrowed,
  type OperatorMintRequest,
  type PrincipalKind,
  type SessionTokenRecord,
} from '@sallyport/identity'
import type { Cli } from '../context.ts'
import { trust } from '../control/address.ts'
import { durationOf, formatDuration, formatMoment, relativeTo } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig, readToken } from '../files.ts'
import { countOf } from '../numbers.ts'
import { styled } from '../output.ts'
import { exchangeToken } from './exchange.ts'
import type { ExchangeFlags, InspectFlags, ListFlags, MintFlags, NarrowingFlags } from './flags.ts'
import { decodeToken } from './jwt.ts'
import { openRecorder, type Recorder } from './record.ts'
import { publicRecord, sayNarrowing, showDecoded, showPrincipal } from './show.ts'
import { openState } from './state.ts'
import { type Verified, verifyToken } from './verify.ts'

export { revoke } from './revoke.ts'

/** Rows `token list` prints at most. */
const LIST_ROWS_MAX = 10_000

export async function mintOrExchange(
  flags: Partial<MintFlags & ExchangeFlags>,
  cli: Cli,
): Promise<ExitCode> {
  const { config, url } = flags
  if (config !== undefined && url === undefined) return mint({ ...flags, config }, cli)
  if (url === undefined || config !== undefined) {
    throw new CliError(
      'usage',
      'give --config FILE to mint a token, or --url ADDRESS to exchange one (not both)',
    )
  }
  const unfit = (['subject', 'group', 'kind', 'label'] as const).find((flag) => flag in flags)
  if (unfit !== undefined) {
    throw new CliError(
      'usage',
      `--${unfit} is for minting (--config): an exchange keeps who it is for`,
    )
  }
  return exchange({ ...flags, url }, cli)
}

export async function mint(flags: MintFlags, cli: Cli): Promise<ExitCode> {
  const request = mintRequest(flags)
  const config = await readConfig(flags.config, cli)
  const unknown = request.connections?.find((name) => !config.connections.has(name))
  if (unknown !== undefined) {
    throw new CliError('usage', `the configuration has no connection \`${unknown}\``)
  }
  const recorder = await openRecorder(config, cli.now)
  try {
    if (recorder.log === null && flags.requireAudit === true) {
      throw new CliError('unavailable', 'a running gateway holds the audit log, nothing was minted')
    }
    const state = await openState(config, cli, { create: true })
    try {
      const minted = await mintOperatorToken(request, {
        config: config.identity,
        now: cli.now,
        randomBytes,
        sessionTokens: state,
      })
      await recordMinted(minted.record, { recorder, state, now: cli.now })
      printMinted(minted, { flags, recorded: recorder.log !== null, cli })
      return EXIT.ok
    } finally {
      await state.close()
    }
  } finally {
    await recorder.close()
  }
}

/** INVARIANT: a token leaves only after its record is written; one that could not be recorded is dead. */
async function recordMinted(
  record: SessionTokenRecord,
  { recorder, state, now }: { recorder: Recorder; state: TokenState; now: () => number },
): Promise<void> {
  const { id: tokenId, subject, expiresAt, narrowed, graph, node, run } = record
  try {
    recorder.record({
      type: 'token-minted',
      v: 1,
      tokenId,
      subject,
      expiresAt,
      ...(narrowed.connections && { connection: narrowed.connections.join(',') }),
      ...(graph && { graph }),
      ...(node && { node }),
      ...(run && { run }),
    })
  } catch (error) {
    await state.revoke({ kind: 'token', tokenId, at: now(), until: null, reason: 'not recorded' })
    throw error
  }
}

function mintRequest(flags: MintFlags): OperatorMintRequest {
  const { subject, kind = 'machine', group = [], label } = flags
  if (subject === undefined) throw new CliError('usage', 'say who the token is for: --subject NAME')
  if (!isKind(kind)) throw new CliError('usage', '--kind takes human or machine')
  const seconds = lifetimeOf(flags)
  return {
    subject,
    kind,
    groups: group,
    ...(flags.role && { roles: flags.role }),
    ...(flags.connection && { connections: flags.connection }),
    ...(flags.graph !== undefined && { graph: flags.graph }),
    ...(flags.node !== undefined && { node: flags.node }),
    ...(flags.run !== undefined && { run: flags.run }),
    ...(seconds !== null && { lifetimeSeconds: seconds }),
    ...(label !== undefined && { label }),
  }
}

const isKind = (text: string): text is PrincipalKind => text === 'human' || text === 'machine'

/** Seconds; null when not given. */
function lifetimeOf(flags: NarrowingFlags): number | null {
  return flags.for === undefined ? null : Math.ceil(durationOf(flags.for, '--for') / 1000)
}

function printMinted(
  minted: Awaited<ReturnType<typeof mintOperatorToken>>,
  { flags, recorded, cli }: { flags: MintFlags; recorded: boolean; cli: Cli },
): void {
  const { out } = cli
  const { token, record } = minted
  if (flags.json === true) {
    out.json({ token, ...publicRecord(record), audited: recorded })
  } else {
    out.raw(`${token}\n`)
    const { id, subject, kind, groups, expiresAt } = record
    const lasts = `${relativeTo(cli.now(), expiresAt)} (${formatMoment(expiresAt)})`
    out.note(
      `${id} for ${subject} (${kind}; groups: ${groups.join(', ') || 'none'}), expires ${lasts}`,
    )
  }
  const seconds = lifetimeOf(flags)
  const given = record.expiresAt - record.issuedAt
  if (seconds !== null && given < seconds * 1000) {
    out.note(`warning: the configuration allows at most ${formatDuration(given)}`)
  }
  if (!recorded) {
    out.note(
      'warning: a running gateway holds the audit log, so this act is not in it; `sallyport token list` shows it',
    )
  }
}

export async function exchange(flags: ExchangeFlags, cli: Cli): Promise<ExitCode> {
  const lifetimeSeconds = lifetimeOf(flags)
  const narrowed: Narrowed = {
    connections: flags.connection ?? null,
    roles: flags.role ?? null,
    graph: flags.graph ?? null,
    node: flags.node ?? null,
    run: flags.run ?? null,
  }
  await trust(flags.ca, cli)
  const token = await readToken(flags.tokenFile, cli)
  const given = await exchangeToken({ url: flags.url, token, narrowed, lifetimeSeconds })
  if (flags.json === true) {
    cli.out.json(given)
    return EXIT.ok
  }
  cli.out.raw(`${given.token}\n`)
  const limits = given.scope === '' ? '' : `, only ${given.scope}`
  cli.out.note(`expires in ${formatDuration(given.expiresInSeconds * 1000)}${limits}`)
  return EXIT.ok
}

export async function inspect(flags: InspectFlags, cli: Cli): Promise<ExitCode> {
  const { out } = cli
  const config = flags.config === undefined ? null : await readConfig(flags.config, cli)
  const token = await readToken(flags.tokenFile, cli)
  const decoded = decodeToken(token)
  const verified = config === null ? null : await verifyToken(token, config, cli)
  if (flags.json === true) {
    const result = verified === null ? null : resultOf(verified)
    out.json({ verified: result !== null, ...decoded, ...(result !== null && { result }) })
  } else {
    showDecoded(decoded, cli)
    if (verified !== null) showVerified(verified, cli)
    else if (decoded.kind === 'jwt') {
      out.line()
      const warning = ': anybody can write these claims; --config verifies them'
      out.line([styled('yellow', 'NOT VERIFIED'), warning])
    }
  }
  if (verified === null) return decoded.kind === 'neither' ? EXIT.notOk : EXIT.ok
  if (verified.kind === 'accepted') return EXIT.ok
  return verified.retryable ? EXIT.unavailable : EXIT.notOk
}

function resultOf(verified: Verified): object {
  return verified.kind === 'accepted'
    ? { accepted: true, principal: verified.principal }
    : { accepted: false, ...verified.diagnosis }
}

function showVerified(verified: Verified, cli: Cli): void {
  const { out } = cli
  out.line()
  if (verified.kind === 'accepted') {
    out.line([styled('green', 'ACCEPTED'), ' as'])
    showPrincipal(verified.principal, cli)
  } else {
    const { code, message, fix } = verified.diagnosis
    out.line([styled('red', 'REFUSED'), ` (${code}): ${message}`])
    out.line(`  ${fix}`)
  }
}

export async function list(flags: ListFlags, cli: Cli): Promise<ExitCode> {
  const limit = countOf(flags.limit ?? '100', { flag: '--limit', min: 1, max: LIST_ROWS_MAX })
  const config = await readConfig(flags.config, cli)
  const state = await openState(config, cli, { create: false })
  try {
    const now = cli.now()
    const filter = { issuer: null, subject: flags.subject ?? null, limit: LIST_ROWS_MAX }
    const rows: { record: SessionTokenRecord; status: Status }[] = []
    for (const record of await state.list(filter)) {
      if (rows.length >= limit) break
      const status = await statusOf(record, { state, now })
      if (flags.all === true || status === 'live') rows.push({ record, status })
    }
    if (flags.json === true) {
      cli.out.json(rows.map(({ record, status }) => ({ status, ...publicRecord(record) })))
      return EXIT.ok
    }
    if (rows.length === 0) {
      cli.out.note(flags.all === true ? 'no session tokens' : 'no live session tokens')
      return EXIT.ok
    }
    cli.out.table(
      ['id', 'subject', 'kind', 'groups', 'only', 'expires', 'status', 'by', 'label'].map(
        (title) => ({ title, max: title === 'groups' || title === 'only' ? 40 : 60 }),
      ),
      rows.map(({ record, status }) => [
        record.id,
        record.subject,
        record.kind,
        record.groups.join(', ') || '-',
        sayNarrowing(record),
        relativeTo(now, record.expiresAt),
        styled(status === 'live' ? 'green' : 'dim', status),
        record.mintedBy,
        record.label ?? '',
      ]),
    )
    return EXIT.ok
  } finally {
    await state.close()
  }
}

type Status = 'live' | 'expired' | 'revoked'

async function statusOf(
  record: SessionTokenRecord,
  { state, now }: { state: TokenState; now: number },
): Promise<Status> {
  const { id, ancestorTokenIds, issuer, subject, issuedAt, expiresAt } = record
  if (expiresAt <= now) return 'expired'
  const of = { tokenId: id, ancestorTokenIds, issuer, subject, issuedAt }
  const revoked = await state.isRevoked(of)
  return revoked ? 'revoked' : 'live'
}
