/**
 * A headless Chromium for tests of pages, over the DevTools protocol (chromedevtools.github.io/devtools-protocol):
 * Debian's `chromium` where it is installed; tests that need it are skipped visibly elsewhere.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS_MAX = 60_000
const WAIT_MS_MAX = 45_000
const POLL_MS = 50

export const hasChromium = spawnSync('chromium', ['--version']).status === 0

export interface Page extends AsyncDisposable {
  goto(url: string): Promise<void>
  /** What the expression is in the page, by value. */
  evaluate<T>(expression: string): Promise<T>
  /** Waits until the expression is truthy; navigations meanwhile are no failure. */
  until(expression: string): Promise<void>
  /** Messages that the page's console got from the browser itself: violations of its policy, failed requests. */
  readonly complaints: readonly string[]
}

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

export async function openPage(): Promise<Page> {
  const directory = await mkdtemp(join(tmpdir(), 'sp-chromium-'))
  const child = spawn(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      `--user-data-dir=${directory}`,
      '--remote-debugging-port=0',
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const close = async (): Promise<void> => {
    await ended(child)
    await rm(directory, { recursive: true, force: true, maxRetries: 10 })
  }
  try {
    const socket = await connected(await addressOf(child))
    const calls = new Map<number, (answer: Answer) => void>()
    const complaints: string[] = []
    let last = 0
    const call = (method: string, params: object, sessionId?: string): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const id = ++last
        const late = setTimeout(() => reject(new Error(`no answer to ${method}`)), WAIT_MS_MAX)
        calls.set(id, (answer) => {
          clearTimeout(late)
          if (answer.error === undefined) resolve(answer)
          else reject(new Error(answer.error.message))
        })
        socket.send(JSON.stringify({ id, method, params, sessionId }))
      })
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer
      if (answer.id !== undefined) calls.get(answer.id)?.(answer)
      if (answer.method === 'Log.entryAdded') {
        const entry = answer.params?.['entry'] as { readonly text?: string } | undefined
        complaints.push(String(entry?.text))
      }
    })
    const { result: target } = await call('Target.createTarget', { url: 'about:blank' })
    const { result: attached } = await call('Target.attachToTarget', {
      targetId: target?.['targetId'],
      flatten: true,
    })
    const session = String(attached?.['sessionId'])
    await call('Page.enable', {}, session)
    await call('Log.enable', {}, session)
    const evaluate = async <T>(expression: string): Promise<T> => {
      const { result } = await call(
        'Runtime.evaluate',
        { expression, returnByValue: true, awaitPromise: true },
        session,
      )
      if (result?.['exceptionDetails'] !== undefined) {
        throw new Error(JSON.stringify(result['exceptionDetails']))
      }
      // Safe: the caller knows what its expression is.
      return (result?.['result'] as { value: unknown } | undefined)?.value as T
    }
    return {
      complaints,
      async goto(url) {
        await call('Page.navigate', { url }, session)
      },
      evaluate,
      async until(expression) {
        const deadline = Date.now() + WAIT_MS_MAX
        for (;;) {
          if (await evaluate<boolean>(`Boolean(${expression})`).catch(() => false)) return
          if (Date.now() > deadline) {
            const body = await evaluate<string>('document.body?.innerText').catch(() => '')
            throw new Error(`never so: ${expression}\n${body}\n${complaints.join('\n')}`)
          }
          await sleep(POLL_MS)
        }
      },
      async [Symbol.asyncDispose]() {
        socket.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('chromium does not start')), START_MS_MAX)
    let text = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1]
      if (found === undefined) return
      clearTimeout(late)
      resolve(found)
    })
    child.once('exit', () => reject(new Error(`chromium ended: ${text.slice(-2000)}`)))
  })
}

function connected(address: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address)
    socket.addEventListener('open', () => resolve(socket))
    socket.addEventListener('error', () => reject(new Error('no DevTools')))
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await exited
}
