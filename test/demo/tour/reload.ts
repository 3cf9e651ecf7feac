/** Promise: an edited policy is in force at once, also for live sessions; a bad one changes nothing. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatError } from '../table.ts'
import type { Tour } from './context.ts'
import { auditEvents } from './log.ts'
import type { Person } from './person.ts'

const POLL_MS = 50
const RELOAD_MS_MAX = 5_000

export async function reloadChapter(tour: Tour): Promise<void> {
  const { narrator, demo } = tour
  narrator.chapter('5. Policy changes while sessions live')
  const file = join(demo.folder, 'policies', 'analyst-read-only.yaml')
  const before = await readFile(file, 'utf8')
  const analyst = await tour.connect('analyst')
  const ask = emailOf(tour, analyst)
  const masked = await ask()
  narrator.command('$', `sed -i 's/with: email/with: redact/' ${file}`)
  const edited = before.replace('with: email', 'with: redact')
  const seen = await replaced({ tour, file, text: edited, event: 'policy-loaded' }, ask)
  narrator.output(`before: ${masked}\nafter:  ${seen}`)
  narrator.promise(
    'the edit is in force, in the session that was open',
    seen === '[redacted]',
    seen,
  )
  narrator.command('$', `echo 'rules: [' >> ${file}`)
  const broken = `${edited}\nrules: [\n`
  const still = await replaced({ tour, file, text: broken, event: 'policy-rejected' }, ask)
  const log = await readFile(join(demo.folder, 'gateway.log'), 'utf8')
  const told = log.split('\n').find((line) => line.includes('policy rejected'))
  narrator.output(String(parsed(told)['errors'] ?? 'nothing is said of it'))
  narrator.promise('a bad file leaves the policy before in force', still === '[redacted]', still)
  narrator.promise(
    '… and the log says what is wrong, and where',
    /analyst-read-only\.yaml:\d+:\d+/.test(told ?? ''),
    told,
  )
  const back = await replaced({ tour, file, text: before, event: 'policy-loaded' }, ask)
  narrator.promise('putting it right is in force again', back === masked, back)
  await analyst.close()
}

/** Asks for the canary's address by a statement that stays prepared across the edits. */
function emailOf({ canaries, narrator }: Tour, analyst: Person): () => Promise<string> {
  const sql = 'SELECT email FROM customers WHERE id = $1'
  return async () => {
    const options = { parameters: [canaries.customer], name: 'kept', quiet: true }
    let answer = await analyst.ask(sql, { ...options, verdict: 'allow' })
    // What was prepared under other masks is refused once, to be bound again.
    if (answer.error?.code === '0A000') {
      narrator.output(formatError(answer.error))
      answer = await analyst.ask(sql, options)
    }
    return answer.error?.message ?? answer.rows[0]?.[0] ?? ''
  }
}

interface Replacement {
  readonly tour: Tour
  readonly file: string
  readonly text: string
  /** What the gateway records about it. */
  readonly event: 'policy-loaded' | 'policy-rejected'
}

async function replaced(
  { tour, file, text, event }: Replacement,
  ask: () => Promise<string>,
): Promise<string> {
  const count = async (): Promise<number> =>
    (await auditEvents(tour.demo)).filter((one) => one.type === event).length
  const before = await count()
  await writeFile(file, text)
  const deadline = Date.now() + RELOAD_MS_MAX
  while ((await count()) === before && Date.now() < deadline) await sleep(POLL_MS)
  return ask()
}

function parsed(line: string | undefined): Record<string, unknown> {
  // A line of the gateway's own log.
  return line === undefined ? {} : (JSON.parse(line) as Record<string, unknown>)
}
