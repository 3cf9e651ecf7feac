/** Promises: clients never learn the database's credentials; no log learns a token. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { DEMO_ROLES } from '../data/load.ts'
import type { Tour } from './context.ts'

export async function secrecyChapter(tour: Tour): Promise<void> {
  const { narrator, canaries, tap, dbaTap, demo } = tour
  narrator.chapter('6. What nobody gets to see')
  const dba = await tour.connect('dba')
  await dba.ask('SHOW ALL', { quiet: true })
  await dba.ask('SELECT * FROM pg_settings', { quiet: true })
  await dba.ask('SELECT current_user')
  await dba.close()
  const received = [...tap.received(), ...dbaTap.received()]
  const exposed = Object.values(DEMO_ROLES).filter((password) =>
    received.some((bytes) => bytes.includes(password)),
  )
  narrator.promise(
    'no password of a database account in anything a client received, the DBA’s settings included',
    received.length > 10 && exposed.length === 0,
    exposed,
  )
  const leaks = tap.received().flatMap((bytes) => canaries.leaksIn(bytes))
  narrator.promise(
    'still no byte of a protected value in anything that clients under masks received',
    leaks.length === 0,
    leaks,
  )
  await inNoFile(tour)
  const log = await demo.server.log()
  narrator.promise('no token reached the database’s log', !holdsToken(log, tour.tokens))
}

/** Everything the gateway wrote: log, audit trail and its index, state. */
async function inNoFile({ narrator, demo, tokens }: Tour): Promise<void> {
  const written = ['audit', 'state', 'gateway.log', 'sallyport.yaml', 'policies']
  const entries = await readdir(demo.folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => written.includes(relative(demo.folder, file).split('/')[0] ?? ''))
  const [withToken, withPassword]: [string[], string[]] = [[], []]
  for (const file of files) {
    // A journal of recordings may have been taken apart since it was listed.
    const text = await readFile(file, 'latin1').catch(unlessGone)
    if (holdsToken(text, tokens)) withToken.push(file)
    if (Object.values(DEMO_ROLES).some((password) => text.includes(password)))
      withPassword.push(file)
  }
  narrator.promise(
    `none of the tour’s ${tokens.size} tokens in any of the ${files.length} files the gateway wrote`,
    tokens.size > 10 && files.length > 6 && withToken.length === 0,
    withToken,
  )
  narrator.promise('and no password of a database account', withPassword.length === 0, withPassword)
}

function unlessGone(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}

/** The signature (or random part) is what makes a token one: 20 characters of it are no coincidence. */
function holdsToken(text: string, tokens: ReadonlySet<string>): boolean {
  return [...tokens].some((token) => text.includes(token.slice(-20)))
}
