/** `sallyport request`, `sallyport grants …`: roles for a time. */
import type { Cli } from '../context.ts'
import { durationOf, formatMoment } from '../duration.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { accessOf, type ControlFlags, call } from './client.ts'
import type { GrantView } from './contract.ts'

export interface RequestFlags extends ControlFlags {
  readonly role: string
  readonly connection: string
  readonly for: string
  readonly reason?: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly breakGlass?: boolean
}

export async function requestGrant(flags: RequestFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const { role, connection, reason, graph, node, run, breakGlass } = flags
  const asked = await call<GrantView>(access, 'POST', '/v1/grants', {
    role,
    connection,
    seconds: Math.ceil(durationOf(flags.for, '--for') / 1000),
    ...(reason !== undefined && { reason }),
    ...(graph !== undefined && { graph }),
    ...(node !== undefined && { node }),
    ...(run !== undefined && { run }),
    ...(breakGlass === true && { breakGlass }),
  })
  if (flags.json === true) cli.out.json(asked)
  else if (asked.until !== null) {
    cli.out.line(`${asked.id}  held until ${formatMoment(Date.parse(asked.until))}`)
    cli.out.note('This is on record, and will be reviewed.')
  } else {
    cli.out.line(`${asked.id}  ${asked.status}`)
    cli.out.note(`to approve it: sallyport approvals approve ${asked.id}`)
  }
  return EXIT.ok
}

export async function listGrants(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const { grants } = await call<{ grants: GrantView[] }>(access, 'GET', '/v1/grants')
  if (flags.json === true) cli.out.json(grants)
  else if (grants.length === 0) cli.out.note('no grants')
  else {
    cli.out.table(
      ['id', 'status', 'who', 'role', 'connection', 'until', 'review'].map((title) => ({ title })),
      grants.map((one) => [
        one.id,
        one.status,
        one.subject,
        one.role,
        one.connection,
        one.until === null ? '' : formatMoment(Date.parse(one.until)),
        needsReview(one) ? 'needed' : '',
      ]),
    )
    const taken = grants.find(needsReview)
    if (taken !== undefined)
      cli.out.note(`to review it: sallyport approvals approve ${taken.id} --reason …, or deny`)
  }
  return EXIT.ok
}

const needsReview = ({ breakGlass, reviewed }: GrantView): boolean => breakGlass && !reviewed

export async function revokeGrant(id: string, flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  await call(access, 'DELETE', `/v1/grants/${encodeURIComponent(id)}`)
  cli.out.note('ended')
  return EXIT.ok
}
