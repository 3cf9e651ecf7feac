/** `sallyport sessions …`: live sessions of a running gateway. */
import type { Cli } from '../context.ts'
import { relativeTo } from '../duration.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { accessOf, type ControlFlags, call } from './client.ts'
import type { SessionView } from './contract.ts'

/** How often `watch` asks, ms. */
const WATCH_MS = 1_000

export async function listSessions(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const { sessions } = await call<{ sessions: SessionView[] }>(access, 'GET', '/v1/sessions')
  if (flags.json === true) cli.out.json(sessions)
  else if (sessions.length === 0) cli.out.note('no sessions')
  else print(sessions, cli)
  return EXIT.ok
}

/** Says who comes, goes, and what they do, until it is interrupted. */
export async function watchSessions(flags: ControlFlags, cli: Cli): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  let before = new Map<string, string>()
  while (!cli.stop.aborted) {
    const { sessions } = await call<{ sessions: SessionView[] }>(access, 'GET', '/v1/sessions')
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
  cli.out.table(
    ['id', 'who', 'kind', 'graph/node', 'connection', 'role', 'state', 'since'].map((title) => ({
      title,
    })),
    sessions.map((one) => [
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
