/** `sallyport sessions …`: live sessions of a running gateway. */

import type { Cli } from '../context.ts'
import { relativeTo } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { counted } from '../numbers.ts'
import { styled } from '../output.ts'
import { accessOf, type ControlFlags, call, follow } from './client.ts'
import type { SessionsView, SessionView, WatchedView } from './contract.ts'

/** How often `watch` asks, ms. */
const WATCH_MS = 1_000

export async function listSessions(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const { sessions, unanswered } = await call<SessionsView>(access, 'GET', '/v1/sessions')
  if (unanswered > 0) cli.out.note(`${unanswered} of the gateways did not answer`)
  if (flags.json === true) cli.out.json(sessions)
  else if (sessions.length === 0) cli.out.note('no sessions')
  else print(sessions, cli)
  return EXIT.ok
}

/** A line for every statement of a session and for how it ended, until the session ends or it is interrupted. */
export async function watchSession(id: string, flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const path = `/v1/sessions/${encodeURIComponent(id)}/events`
  for await (const event of follow(access, path, cli.stop)) {
    // Safe: what the control API sends, see contract.ts.
    const one = event as WatchedView | { readonly session: string }
    if (flags.json === true) cli.out.raw(`${JSON.stringify(one)}\n`)
    if ('session' in one) {
      if (flags.json !== true) cli.out.note('the session has ended')
      return EXIT.ok
    }
    if (flags.json !== true) printWatched(one, cli)
  }
  if (cli.stop.aborted) return EXIT.ok
  throw new CliError('unavailable', 'the gateway ended the stream')
}

function printWatched(one: WatchedView, cli: Cli): void {
  const time = one.at.slice(11, 23)
  if (one.event === 'outcome') {
    const took = `${(one.micros / 1000).toFixed(1)} ms`
    const how = one.sqlstate === null ? one.status : `${one.status} ${one.sqlstate}`
    cli.out.line([
      styled('dim', `${time}  ${one.statement}  `),
      `${how}, ${counted(one.rows, 'row')}, ${took}`,
    ])
    return
  }
  const why = one.verdict === 'deny' ? `  [${one.reason ?? 'no rule'}]` : ''
  const masked = one.masks.length === 0 ? '' : `  masked: ${one.masks.join(', ')}`
  cli.out.line([
    styled('dim', `${time}  ${one.statement}  `),
    styled(VERDICT_STYLES[one.verdict], one.verdict),
    `  ${one.sql}${why}${masked}`,
  ])
}

const VERDICT_STYLES = { allow: 'green', deny: 'red', approve: 'yellow' } as const

/** Says who comes, goes, and what they do, until it is interrupted. */
export async function watchSessions(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  let before = new Map<string, string>()
  while (!cli.stop.aborted) {
    const { sessions } = await call<SessionsView>(access, 'GET', '/v1/sessions')
    const now = new Map(sessions.map((one) => [one.id, one.state]))
    for (const one of sessions) {
      if (before.get(one.id) === one.state) continue
      if (flags.json === true) cli.out.raw(`${JSON.stringify(one)}\n`)
      else cli.out.line(`${one.id}  ${one.state}  ${one.subject}  ${one.connection}`)
    }
    for (const id of before.keys()) {
      if (now.has(id)) continue
      if (flags.json === true) cli.out.raw(`${JSON.stringify({ id, state: 'ended' })}\n`)
      else cli.out.line(`${id}  ended`)
    }
    before = now
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS))
  }
  return EXIT.ok
}

export async function killSession(id: string, flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  await call(access, 'DELETE', `/v1/sessions/${encodeURIComponent(id)}`)
  cli.out.note('ended')
  return EXIT.ok
}

function print(sessions: readonly SessionView[], cli: Cli): void {
  const several = sessions.some(({ gateway }) => gateway !== null)
  const titles = ['id', 'who', 'kind', 'graph/node', 'connection', 'role', 'state', 'since']
  cli.out.table(
    [...(several ? ['gateway'] : []), ...titles].map((title) => ({ title })),
    sessions.map((one) => [
      ...(several ? [one.gateway ?? ''] : []),
      one.id,
      one.subject,
      one.kind,
      [one.graph, one.node].filter((part) => part !== null).join('/'),
      one.connection,
      one.role ?? '',
      one.state,
      relativeTo(cli.now(), Date.parse(one.startedAt)),
    ]),
  )
}
