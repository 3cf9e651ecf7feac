/** Who a statement is explained for: a token's principal, or one put together from flags. */
import type { GatewayConfig } from '@sallyport/gateway'
import { assertConnection, chooseRole, matches, OPERATOR_ISSUER } from '@sallyport/identity'
import type { Subject } from '@sallyport/policy'
import type { Cli } from '../context.ts'
import { CliError } from '../errors.ts'
import { readToken } from '../files.ts'
import { verifyToken } from '../token/verify.ts'
import type { ExplainFlags } from './flags.ts'

interface Asked {
  readonly config: GatewayConfig | null
  /** Name of the connection, without a database. */
  readonly connection: string
  readonly cli: Cli
}

export async function subjectOf(flags: ExplainFlags, asked: Asked): Promise<Subject> {
  return flags.tokenFile === undefined ? fromFlags(flags, asked) : fromToken(flags, asked)
}

async function fromToken(
  flags: ExplainFlags,
  { config, connection, cli }: Asked,
): Promise<Subject> {
  if (config === null) throw new CliError('usage', '--token-file needs --config to verify it')
  const token = await readToken(flags.tokenFile, cli)
  const verified = await verifyToken(token, config, cli)
  if (verified.kind === 'refused') {
    const { code, message } = verified.diagnosis
    const how = verified.retryable ? 'unavailable' : 'not-ok'
    throw new CliError(how, `the token is refused (${code}): ${message}`)
  }
  const { principal, verifier } = verified
  assertConnection(principal, connection)
  const { role, groups } = verifier.chooseRole(principal, flags.role ?? '')
  const { subject, kind, graph, node, run, claims } = principal
  return { subject, kind, groups, role, graph, node, run, claims }
}

function fromFlags(flags: ExplainFlags, { config }: Asked): Subject {
  const { kind = 'human', graph = null, node = null, run = null } = flags
  if (kind !== 'human' && kind !== 'machine') {
    throw new CliError('usage', '--kind takes human or machine')
  }
  const subject = flags.as ?? 'someone'
  const all = flags.group ?? []
  const { role, groups } = roleOf(config, { subject, groups: all, role: flags.role })
  return { subject, kind, groups, role, graph, node, run, claims: claimsOf(flags.claim ?? []) }
}

/** With a configuration, as at login: a role brings only the groups that belong to it. */
function roleOf(
  config: GatewayConfig | null,
  who: { subject: string; groups: readonly string[]; role: string | undefined },
): { role: string | null; groups: readonly string[] } {
  const { subject, groups, role } = who
  if (config === null) return { role: role ?? null, groups }
  const { roles } = config.identity
  if (role !== undefined && !Object.hasOwn(roles, role)) {
    throw new CliError('usage', `the configuration has no role \`${role}\``)
  }
  const principal = { issuer: OPERATOR_ISSUER, subject, allGroups: groups }
  const mine = Object.entries(roles).flatMap(([name, one]) =>
    matches(one, principal) ? [name] : [],
  )
  return chooseRole({ groups, roles: mine.sort() }, role ?? '', roles)
}

/** `name=value`; a value that is JSON is that value. */
function claimsOf(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CliError('usage', '--claim takes name=value')
      const text = pair.slice(at + 1)
      try {
        return [pair.slice(0, at), JSON.parse(text)]
      } catch {
        return [pair.slice(0, at), text]
      }
    }),
  )
}
