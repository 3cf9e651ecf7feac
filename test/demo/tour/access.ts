/**
 * Promise: a role is had for a time, once people have agreed, and is over when it is taken back. Sue of support signs in
 * with `sallyport login`, is told which role would let her, asks for it, and Ada, who leads support, grants it.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { walk } from '../../support/sign-in.ts'
import { CLI } from '../gateway-process.ts'
import { CONNECTION, SUPPORTER, WRITER } from '../people.ts'
import { formatError } from '../table.ts'
import { tokenFile } from '../tokens.ts'
import { type CommandResult, run, type Tour } from './context.ts'
import { type AnswerError, answerError, Person } from './person.ts'

const CORRECTION = "UPDATE orders SET note = 'called back' WHERE id = 2"
/** "At once", milliseconds. */
const AT_ONCE_MS = 3_000
const LOGIN_MS_MAX = 30_000

export async function accessChapter(tour: Tour): Promise<void> {
  const { narrator, demo } = tour
  narrator.chapter('9. A role for a time')
  const home = await mkdtemp(join(tmpdir(), 'sp-tour-'))
  try {
    const token = await signIn(tour, home)
    if (token === null) return
    const asSue = (...args: readonly string[]): Promise<CommandResult> => {
      narrator.command('$', `sallyport ${args.join(' ')}`)
      return run(process.execPath, [CLI, ...args], { XDG_CONFIG_HOME: home })
    }
    await refused(tour, token)
    const request = ['request', '--role', WRITER.name, '--connection', CONNECTION, '--json']
    const asked = await asSue(...request, '--for', '15m', '--reason', 'ticket 12')
    const { id } = JSON.parse(asked.stdout || '{}') as { readonly id?: string }
    narrator.promise(
      'she asks for it by the command that the refusal names',
      id !== undefined,
      asked,
    )
    if (id === undefined) return
    const own = await asSue('approvals', 'approve', id)
    narrator.promise('she cannot grant it to herself', own.exit === 1, own)
    const ada = ['--url', `http://127.0.0.1:${demo.ports.admin}`]
    const file = tokenFile(join(demo.folder, 'tokens'), 'analyst')
    const granted = await asSue('approvals', 'approve', id, ...ada, '--token-file', file)
    narrator.promise('Ada, who leads support, can', granted.exit === 0, granted)
    await held(tour, token, () => asSue('grants', 'revoke', id))
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/** By the device flow, its pages walked as a browser would. Null: it failed. */
async function signIn({ narrator, demo, tokens }: Tour, home: string): Promise<string | null> {
  const url = `http://127.0.0.1:${demo.ports.admin}`
  narrator.command('$', `sallyport login --url ${url}`)
  const child = spawn(process.execPath, [CLI, 'login', '--url', url], {
    env: { ...process.env, XDG_CONFIG_HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LOGIN_MS_MAX,
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let said = ''
  const address = new Promise<string | null>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const found = /open (\S+)\n/.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => resolve(null))
  })
  const page = await address
  if (page !== null) await walk(page, SUPPORTER.sub)
  const exit = await ended
  narrator.output(said)
  narrator.promise('a person signs in at the identity provider, with a code', exit === 0, said)
  if (exit !== 0) return null
  const file = join(home, 'sallyport', 'login.json')
  const { token } = JSON.parse(await readFile(file, 'utf8')) as { readonly token: string }
  tokens.add(token)
  return token
}

async function refused(tour: Tour, token: string): Promise<void> {
  const { narrator } = tour
  const sue = await connect(tour, SUPPORTER.sub, token)
  if (!(sue instanceof Person)) return narrator.promise('she is let in', false, sue)
  const { error } = await sue.ask(CORRECTION)
  narrator.promise(
    'a refused statement says which role would allow it, and how to ask for that',
    error?.code === '42501' && error.hint?.includes(`--role ${WRITER.name} --connection`) === true,
    error,
  )
  await sue.close()
  const early = await connect(tour, WRITER.name, token)
  narrator.promise(
    'until somebody has agreed she may not take it',
    !(early instanceof Person) && early.code === '28P01',
    early,
  )
}

async function held(
  tour: Tour,
  token: string,
  revoke: () => Promise<CommandResult>,
): Promise<void> {
  const { narrator } = tour
  const writer = await connect(tour, WRITER.name, token)
  if (!(writer instanceof Person)) return narrator.promise('then she has the role', false, writer)
  const { tag, error } = await writer.ask(CORRECTION)
  narrator.promise('then the same statement runs', tag === 'UPDATE 1', error)
  const more = await writer.ask('SELECT email FROM customers WHERE id = 1')
  narrator.promise(
    'she may do what the role may, and no more: customers are not among it',
    more.error?.code === '42501',
    more,
  )
  const revoked = await revoke()
  const ending = await Promise.race([writer.ended(), sleep(AT_ONCE_MS, null)])
  if (ending !== null) narrator.output(formatError({ ...ending, severity: 'FATAL' }))
  narrator.promise(
    'taken back, it ends her session at once, which says why',
    revoked.exit === 0 && ending?.code === '57P01' && /grant .* over/.test(ending.message),
    { revoked, ending },
  )
  const again = await connect(tour, WRITER.name, token)
  narrator.promise('and she may not take the role again', !(again instanceof Person), again)
}

/** Somebody connected, or why they were not let in. */
async function connect(tour: Tour, user: string, token: string): Promise<Person | AnswerError> {
  const { narrator, sent } = tour
  const config = await tour.overTls(user, token)
  const person = new Person({ role: user, config, narrator, sent })
  try {
    await person.connect()
    return person
  } catch (error) {
    await person.close()
    return answerError(error)
  }
}
