/** `sallyport approvals …`: what is asked for, and deciding it. */

import type { Cli } from '../context.ts'
import { formatDuration, formatMoment, relativeTo } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { counted } from '../numbers.ts'
import { type Style, styled } from '../output.ts'
import { type Access, accessOf, type ControlFlags, call, follow } from './client.ts'
import type { ApprovalView } from './contract.ts'

export interface ListFlags extends ControlFlags {
  readonly all?: boolean
}
export interface DecideFlags extends ControlFlags {
  readonly reason?: string
  readonly ticket?: string
}

const STYLES: Readonly<Record<ApprovalView['status'], Style>> = {
  pending: 'yellow',
  approved: 'green',
  used: 'green',
  denied: 'red',
  expired: 'dim',
  cancelled: 'dim',
  ended: 'dim',
}

export async function listApprovals(flags: ListFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const path = flags.all === true ? '/v1/approvals' : '/v1/approvals?open=true'
  const { approvals } = await call<{ approvals: ApprovalView[] }>(access, 'GET', path)
  if (flags.json === true) {
    cli.out.json(approvals)
    return EXIT.ok
  }
  if (approvals.length === 0) cli.out.note('nothing is waiting')
  else
    cli.out.table(
      ['id', 'status', 'who', 'where', 'rule', 'decide'].map((title) => ({ title })),
      approvals.map((one) => [
        one.id,
        styled(STYLES[one.status], one.status),
        whoOf(one),
        one.connection,
        one.rule,
        one.status === 'pending' ? relativeTo(cli.now(), Date.parse(one.decideBy)) : '',
      ]),
    )
  return EXIT.ok
}

export async function showApproval(id: string, flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const approval = await call<ApprovalView>(access, 'GET', pathOf(id))
  if (flags.json === true) cli.out.json(approval)
  else print(approval, cli)
  return EXIT.ok
}

/** Shows what is decided first: nobody approves what they have not seen. */
export async function decide(
  id: string,
  decision: 'approve' | 'deny',
  flags: DecideFlags,
  cli: Cli,
): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  if (flags.json !== true) print(await call<ApprovalView>(access, 'GET', pathOf(id)), cli)
  const decided = await call<ApprovalView>(access, 'POST', `${pathOf(id)}/decision`, {
    decision,
    ...(flags.reason !== undefined && { reason: flags.reason }),
    ...(flags.ticket !== undefined && { ticket: flags.ticket }),
  })
  if (flags.json === true) cli.out.json(decided)
  else {
    const lacking = decided.approvers.reduce((most, { missing }) => Math.max(most, missing), 0)
    const more = decided.status === 'pending' ? `: ${lacking} more must agree` : ''
    cli.out.line([styled(STYLES[decided.status], decided.status), more])
  }
  return EXIT.ok
}

export async function cancelApproval(id: string, flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const cancelled = await call<ApprovalView>(access, 'POST', `${pathOf(id)}/cancel`)
  if (flags.json === true) cli.out.json(cancelled)
  else cli.out.line(styled(STYLES[cancelled.status], cancelled.status))
  return EXIT.ok
}

/** A line for everything that happens, until it is interrupted. */
export async function watchApprovals(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access: Access = await accessOf(flags, cli)
  for await (const event of follow(access, '/v1/approvals/events', cli.stop)) {
    // Safe: what the control API sends, see contract.ts.
    const one = event as ApprovalView
    if (flags.json === true) cli.out.raw(`${JSON.stringify(one)}\n`)
    else
      cli.out.line([
        one.id,
        '  ',
        styled(STYLES[one.status], one.status),
        `  ${whoOf(one)}  ${one.rule}`,
      ])
  }
  if (cli.stop.aborted) return EXIT.ok
  throw new CliError('unavailable', 'the gateway ended the stream')
}

const pathOf = (id: string): string => `/v1/approvals/${encodeURIComponent(id)}`

function whoOf({ requester }: ApprovalView): string {
  const { subject, graph, node } = requester
  const place = [graph, node].filter((part) => part !== null).join('/')
  return place === '' ? subject : `${subject} (${place})`
}

function print(one: ApprovalView, cli: Cli): void {
  const { out } = cli
  const field = (name: string, value: string | null): void => {
    if (value !== null && value !== '') out.line([styled('dim', `${name.padEnd(11)}`), value])
  }
  out.line([styled('bold', one.id), '  ', styled(STYLES[one.status], one.status)])
  field('requester', `${whoOf(one)}, ${one.requester.issuer}`)
  field('run', one.requester.run)
  if (one.grant === null) field('role', one.requester.role)
  else
    field('wants', `the role ${one.requester.role} for ${formatDuration(one.grant.seconds * 1000)}`)
  if (one.grant?.breakGlass === true) field('', 'taken already, by breaking glass: to be reviewed')
  if (one.what === 'result') field('wants', 'the rest of a result')
  field('on', [...new Set([one.connection, one.database])].filter((part) => part !== '').join('/'))
  field('rule', one.rule)
  field('reason', one.reason)
  field('asked', formatMoment(Date.parse(one.requestedAt)))
  field('decide by', one.status === 'pending' ? formatMoment(Date.parse(one.decideBy)) : null)
  field('use by', one.usableUntil === null ? null : formatMoment(Date.parse(one.usableUntil)))
  for (const { groups, subjects, count, missing, ticket } of one.approvers) {
    const who = [...groups.map((group) => `group ${group}`), ...subjects].join(', ')
    field(
      'needs',
      `${count} of ${who}, ${missing} missing${ticket === null ? '' : `, ticket ${ticket}`}`,
    )
  }
  for (const { by, decision, reason, ticket, at } of one.decisions) {
    const words = [reason, ticket].filter((word) => word !== null && word !== '').join(', ')
    field(decision, `${by}, ${formatMoment(Date.parse(at))}${words === '' ? '' : `: ${words}`}`)
  }
  field('ended', one.ended)
  const { shown } = one
  if (shown === null) return
  const { estimate } = shown
  if (estimate?.kind === 'estimate') {
    const cost = estimate.cost === null ? '' : `, cost ${estimate.cost}`
    field('estimate', `${counted(estimate.rows, 'row')}${cost}`)
    for (const line of estimate.plan) out.line(`             ${line}`)
  } else if (estimate !== null) field('estimate', `none: ${estimate.why}`)
  printPreview(shown.preview, field, cli)
  if (shown.sql === '') return
  out.line()
  out.block(shown.layout ?? shown.sql, '  ')
  for (const [i, value] of shown.parameters.entries()) out.line(`  $${i + 1} = ${value ?? 'NULL'}`)
  out.line()
}

type Preview = NonNullable<ApprovalView['shown']>['preview']

/** A line for each changed row as it was, and as it would be. */
function printPreview(
  preview: Preview,
  field: (name: string, value: string) => void,
  { out }: Cli,
): void {
  if (preview === null) return
  if (preview.kind === 'none') return field('preview', `none: ${preview.why}`)
  const { affected, columns, rows } = preview
  const more = affected > rows.length && rows.length > 0 ? `, ${rows.length} of them:` : ''
  field('preview', `${counted(affected, 'row')} would change${more}`)
  if (rows.length === 0) return
  const titles = [{ title: '' }, ...columns.map((title) => ({ title, max: 40 }))]
  out.table(
    titles,
    rows.flatMap(({ before, after }) =>
      [
        { sign: '-', cells: before },
        { sign: '+', cells: after },
      ].flatMap(({ sign, cells }) =>
        cells === null ? [] : [[sign, ...cells.map((cell) => cell ?? 'NULL')]],
      ),
    ),
  )
}
