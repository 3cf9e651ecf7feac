/** Promises: an agent's session is recorded as it saw it, and plays again; nothing in it was behind the masks. */

import { setTimeout as sleep } from 'node:timers/promises'
import { withoutLiterals } from '@sallyport/sql'
import { ROLES } from '../people.ts'
import { type CommandResult, sallyport, type Tour } from './context.ts'

const SHOWN = 'SELECT id, name, email, phone FROM customers WHERE id < 4'
const SEARCHED = 'SELECT ssn FROM customers WHERE ssn LIKE $$0%$$'
const CHANGED = "UPDATE orders SET status = 'lost' WHERE id = 1"
/** `recorded`: without what a masked column is searched for, and whatever is in a text that nobody decided. */
const QUESTIONS = [
  { sql: SHOWN, verdict: 'allow', recorded: SHOWN },
  { sql: SEARCHED, verdict: 'deny', recorded: withoutLiterals(SEARCHED) },
  { sql: CHANGED, verdict: 'deny', recorded: withoutLiterals(CHANGED) },
] as const
/** Recordings are made of journals behind the sessions; one that takes longer is a broken promise. */
const RECORDED_MS_MAX = 30_000

export async function recordingChapter(tour: Tour): Promise<void> {
  const { narrator, canaries } = tour
  narrator.chapter('8. A recording')
  const agent = await tour.connect('agent')
  const answers = []
  for (const { sql, verdict } of QUESTIONS) answers.push(await agent.ask(sql, { verdict }))
  await agent.close()
  const session = await newestSession(tour)
  narrator.command('$', `sallyport replay ${session.slice(0, 8)} --config …`)
  const refusals = answers.flatMap(({ error }) => (error === null ? [] : [error.message]))
  const replayed = await replay(tour, session, refusals)
  narrator.output(replayed.stdout || replayed.stderr)
  const cells = answers.flatMap(({ rows }) => rows.flat()).filter((cell) => cell !== null)
  const unseen = cells.filter((cell) => !replayed.stdout.includes(cell))
  narrator.promise(
    'the session plays again: every statement, and every value that its client saw',
    cells.length > 5 &&
      unseen.length === 0 &&
      QUESTIONS.every(({ recorded }) => isIn(recorded, replayed)),
    { unseen, replayed },
  )
  narrator.promise(
    'with the refusals, in the words the agent got',
    refusals.length > 0 && isComplete(replayed, refusals),
    { refusals, replayed },
  )
  const leaks = canaries.leaksIn(Buffer.from(replayed.stdout))
  narrator.promise('and no byte of a protected value', leaks.length === 0, leaks)
  const cast = await sallyport(...replaying(tour, session), '--asciicast')
  narrator.promise(
    'it is an asciicast, too',
    cast.exit === 0 && cast.stdout.startsWith('{"version":2'),
    cast.stdout.slice(0, 200),
  )
}

/** Long lines are wrapped. */
function isIn(text: string, { stdout }: CommandResult): boolean {
  const unwrapped = (one: string): string => one.replace(/\s+/g, '')
  return unwrapped(stdout).includes(unwrapped(text))
}

/** The answer to the last question is in it. */
function isComplete(replayed: CommandResult, refusals: readonly string[]): boolean {
  return refusals.every((message) => isIn(`ERROR: ${message}`, replayed))
}

async function newestSession({ demo, narrator }: Tour): Promise<string> {
  const { sub } = ROLES.agent.user
  const flags = ['--subject', sub, '--limit', '1', '--json', '--config', demo.configFile]
  narrator.command('$', `sallyport audit sessions --subject ${sub} --limit 1 --json --config …`)
  const { stdout } = await sallyport('audit', 'sessions', ...flags)
  return (JSON.parse(stdout) as { session: string }).session
}

const replaying = ({ demo }: Tour, session: string): string[] => [
  'replay',
  session,
  '--config',
  demo.configFile,
]

/** Once the recording is complete. */
async function replay(
  tour: Tour,
  session: string,
  refusals: readonly string[],
): Promise<CommandResult> {
  const deadline = Date.now() + RECORDED_MS_MAX
  for (;;) {
    const replayed = await sallyport(...replaying(tour, session))
    if (isComplete(replayed, refusals) || Date.now() > deadline) return replayed
    await sleep(500)
  }
}
