/**
 * Runs a command for the secret it prints. No shell; the command's own process group is killed when
 * it is late, prints too much or its reader leaves. What it writes to stderr is discarded: tools echo
 * tokens there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { SecretError } from './errors.ts'
import { EXEC_MS_MAX, SECRET_BYTES_MAX } from './limits.ts'

/** Raw output of the command. Throws SecretError: command-failed, command-timeout, secret-too-large, aborted. */
export function runCommand(
  { command, args }: { readonly command: string; readonly args: readonly string[] },
  { signal, timeoutMs = EXEC_MS_MAX }: { signal: AbortSignal; timeoutMs?: number },
): Promise<Buffer> {
  if (signal.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own, so that what the command started ends with it.
      detached: true,
    })
    const chunks: Buffer[] = []
    let bytes = 0
    const settle = (error: SecretError | undefined): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      if (error === undefined) {
        resolve(Buffer.concat(chunks))
        return
      }
      child.stdout.destroy()
      killGroup(child)
      reject(error)
    }
    const onAbort = (): void => settle(aborted())
    const timer = setTimeout(
      () => settle(new SecretError('command-timeout', `\`${command}\` took over ${timeoutMs} ms`)),
      timeoutMs,
    )
    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > SECRET_BYTES_MAX) {
        settle(new SecretError('secret-too-large', `\`${command}\` printed too much`))
      } else chunks.push(chunk)
    })
    child.once('error', (cause: NodeJS.ErrnoException) =>
      settle(new SecretError('command-failed', `cannot run \`${command}\`: ${cause.code}`)),
    )
    child.once('close', (code, by) =>
      settle(
        code === 0
          ? undefined
          : new SecretError('command-failed', `\`${command}\` ended with ${code ?? by}`),
      ),
    )
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It ended in between.
  }
}

function aborted(): SecretError {
  return new SecretError('aborted', 'reading the secret was aborted')
}
