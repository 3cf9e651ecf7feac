/** A given token: what it says, whether it is accepted, and whether it would get into a connection. */
import type { GatewayConfig } from '@sallyport/gateway'
import { assertConnection, IdentityError } from '@sallyport/identity'
import { type Policy, viewFor } from '@sallyport/policy'
import type { Cli } from '../context.ts'
import { formatMoment, relativeTo } from '../duration.ts'
import { decodeToken, sayClaim, timeClaim } from '../token/jwt.ts'
import { type Verified, verifyToken } from '../token/verify.ts'
import { Area } from './findings.ts'

interface Given {
  readonly token: string
  readonly config: GatewayConfig
  /** Null when it does not load. */
  readonly policy: Policy | null
  /** Null: every connection. */
  readonly connection: string | null
  readonly role: string | null
}

export async function checkToken(given: Given, cli: Cli): Promise<Area> {
  const area = new Area('token')
  const decoded = decodeToken(given.token)
  if (decoded.kind === 'neither') {
    area.fail(`no token: ${decoded.why}`, 'Give the token alone, whole, without quotes.')
    return area
  }
  const { now } = cli
  if (decoded.kind === 'jwt') {
    const { claims } = decoded
    const expires = timeClaim(claims, 'exp')
    const until =
      expires === null ? 'no exp' : `exp ${formatMoment(expires)}, ${relativeTo(now(), expires)}`
    const says = `a JWT of ${sayClaim(claims['iss'])} for ${sayClaim(claims['aud'])}, sub ${sayClaim(claims['sub'])}, ${until}`
    area.ok(`${says} (as it says, before verification)`)
  } else area.ok('a session token')
  const verified = await verifyToken(given.token, given.config, cli)
  if (verified.kind === 'refused') {
    const { code, message, fix } = verified.diagnosis
    area.fail(`refused (${code}): ${message}`, fix)
    return area
  }
  const { subject, kind, groups, roles, expiresAt } = verified.principal
  area.ok(
    `accepted as ${subject} (${kind}), groups ${groups.join(', ') || 'none'}, roles ${roles.join(', ') || 'none'}, until ${formatMoment(expiresAt)}`,
  )
  for (const name of given.connection === null
    ? given.config.connections.keys()
    : [given.connection]) {
    checkEntry(area, name, { verified, ...given })
  }
  return area
}

function checkEntry(
  area: Area,
  connection: string,
  { verified, policy, role: asked, config }: Given & { verified: Verified & { kind: 'accepted' } },
): void {
  const { principal, verifier } = verified
  try {
    if (!config.connections.has(connection)) {
      area.fail(
        `there is no connection \`${connection}\``,
        `There are: ${[...config.connections.keys()].join(', ')}.`,
      )
      return
    }
    assertConnection(principal, connection)
    const { role, groups } = verifier.chooseRole(principal, asked ?? '')
    if (policy === null) return
    const { subject, kind, graph, node, run, claims } = principal
    const view = viewFor(
      policy,
      { subject, kind, groups, role, graph, node, run, claims },
      connection,
    )
    const as = role === null ? 'without a role' : `as ${role}`
    if (view.mayConnect) area.ok(`may log in to ${connection} ${as}`)
    else {
      area.fail(
        `no rule of the policy lets it into ${connection} ${as}`,
        'Add its group to `who` of a rule, or give it a group that has one.',
      )
    }
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error
    area.fail(
      `${connection}: ${error.message} (${error.code})`,
      'Use another role, or another token.',
    )
  }
}
