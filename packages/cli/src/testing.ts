/** A command line without a terminal, for tests: runs in this process, keeps what was printed. */
import type { ExitCode } from './errors.ts'
import { Output } from './output.ts'
import { runCli } from './program.ts'

export interface Ran {
  readonly exit: ExitCode
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds since 1970; default the real clock. */
  readonly now?: number
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const env = options.env ?? {}
  const exit = await runCli(args, {
    out: new Output({ stdout: stream('stdout'), stderr: stream('stderr'), env }),
    env,
    stdin: stdinOf(options.stdin),
    now: () => options.now ?? Date.now(),
    stop: new AbortController().signal,
  })
  return { exit, ...written }
}

function stdinOf(text: string | undefined) {
  const chunks = (async function* () {
    if (text !== undefined) yield text
  })()
  return Object.assign(chunks, { isTTY: text === undefined })
}
