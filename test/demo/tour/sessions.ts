/** Promises: a revoked token ends its sessions at once; cancel reaches the statement it names and no other. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { serialize } from 'pg-protocol'
import type { Tour } from './context.ts'
import { auditEvents } from './log.ts'
import type { Person } from './person.ts'

/** "At once", milliseconds. */
const AT_ONCE_MS = 3_000
/** Long enough that nothing ends by itself while the tour looks, seconds. */
const SLEEP_SECONDS = 25
const POLL_MS = 50

export async function sessionChapter(tour: Tour): Promise<void> {
  tour.narrator.chapter('4. Live sessions: revoke and cancel')
  await revokeIdle(tour)
  await revokeRunning(tour)
  await cancel(tour)
}

async function revokeIdle(tour: Tour): Promise<void> {
  const { narrator } = tour
  const [lost, kept] = [await tour.token('analyst'), await tour.token('analyst')]
  const [victim, bystander] = [
    await tour.connect('analyst', { token: lost }),
    await tour.connect('analyst', { token: kept }),
  ]
  await victim.ask('SELECT 1', { quiet: true })
  narrator.command('$', `curl http://127.0.0.1:${tour.demo.ports.admin}/oauth/revoke -d token=…`)
  const started = Date.now()
  await revoke(tour, lost)
  const ending = await Promise.race([victim.ended(), sleep(AT_ONCE_MS, null)])
  const took = Date.now() - started
  narrator.output(ending === null ? 'still connected' : `FATAL:  ${ending.code}: ${ending.message}`)
  narrator.promise(
    `the session of a revoked token is over after ${took} ms, and says why`,
    ending?.code === '57P01' && /revoked/.test(ending.message),
    ending,
  )
  const other = await bystander.ask('SELECT 1', { quiet: true })
  narrator.promise('the same person’s other token goes on', other.error === null, other)
  const again = await tour.connect('analyst', { token: lost }).then(
    async (person) => {
      await person.close()
      return 'let in'
    },
    (error: Error) => error.message,
  )
  narrator.promise('the revoked token opens nothing any more', /revoked/.test(again), again)
  await bystander.close()
}

async function revokeRunning(tour: Tour): Promise<void> {
  const { narrator } = tour
  const token = await tour.token('dba')
  const dba = await tour.connect('dba', { token })
  const sql = `SELECT pg_sleep(${SLEEP_SECONDS}) /* revoked */`
  const running = dba.ask(sql, { verdict: 'allow' })
  await until(tour, 'revoked', true)
  await revoke(tour, token)
  const answer = await Promise.race([running, sleep(AT_ONCE_MS, null)])
  narrator.promise(
    'a revoked token also ends a session that is busy',
    answer?.error?.code === '57P01',
    answer,
  )
  narrator.promise(
    'its statement no longer runs in the database',
    await until(tour, 'revoked', false),
  )
}

async function revoke({ demo, narrator }: Tour, token: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${demo.ports.admin}/oauth/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams({ token }),
    signal: AbortSignal.timeout(5_000),
  })
  if (!response.ok) narrator.promise('the token can be revoked', false, await response.text())
}

async function cancel(tour: Tour): Promise<void> {
  const { narrator, demo } = tour
  const dba = await tour.connect('dba')
  const sql = `SELECT pg_sleep(${SLEEP_SECONDS}) /* cancelled */`
  const running = dba.ask(sql, { verdict: 'allow' })
  await until(tour, 'cancelled', true)
  const { processID, secretKey } = dba.cancelKey
  await sendCancel(tour, processID, secretKey ^ 1)
  await sleep(200)
  const stillThere = await isRunning(tour, 'cancelled')
  narrator.promise('a cancel with a wrong key does nothing', stillThere)
  narrator.command('$', `CancelRequest(${processID}, …)`)
  const started = Date.now()
  await sendCancel(tour, processID, secretKey)
  const answer = await Promise.race([running, sleep(AT_ONCE_MS, null)])
  narrator.promise(
    `a cancel with the right key ends the statement after ${Date.now() - started} ms (57014)`,
    answer?.error?.code === '57014',
    answer,
  )
  await goesOn(dba, tour)
  const [upstream] = await demo.server.sql<{ n: number }>(
    demo.database,
    'SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid = $1',
    [processID],
  )
  narrator.promise(
    'the session’s process id is the server’s own, its cancel key is not told',
    upstream?.n === 1,
    upstream,
  )
  const recorded = (await auditEvents(demo)).filter((event) => event.type === 'cancel')
  narrator.promise('the cancel is recorded', recorded.length === 1, recorded)
  await dba.close()
}

async function goesOn(person: Person, { narrator }: Tour): Promise<void> {
  const next = await person.ask('SELECT 1', { quiet: true })
  narrator.promise('… and the connection goes on', next.error === null, next)
}

async function sendCancel({ demo }: Tour, processId: number, secret: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: demo.plainPort ?? 0 })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(serialize.cancel(processId, secret))
  await once(socket, 'close')
}

async function isRunning({ demo }: Tour, mark: string): Promise<boolean> {
  const [found] = await demo.server.sql<{ n: number }>(
    demo.database,
    `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%/* ' || $1 || ' */'`,
    [mark],
  )
  return (found?.n ?? 0) > 0
}

/** Waits until the marked statement runs, or does not; false when that did not come in time. */
async function until(tour: Tour, mark: string, running: boolean): Promise<boolean> {
  const deadline = Date.now() + 2 * AT_ONCE_MS
  while (Date.now() < deadline) {
    if ((await isRunning(tour, mark)) === running) return true
    await sleep(POLL_MS)
  }
  return false
}
