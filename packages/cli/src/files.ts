/** Files that a flag names: the configuration, tokens, plain text. */
import { readFile } from 'node:fs/promises'
import type { GatewayConfig } from '@sallyport/gateway'
import type { Cli } from './context.ts'
import { CliError } from './errors.ts'

/** Largest text read from a file or stdin, bytes. */
export const INPUT_BYTES_MAX = 64 * 1024 * 1024
const TOKEN_INPUT_BYTES_MAX = 64 * 1024
const TOKEN_VARIABLE = 'SALLYPORT_TOKEN'

/** The configuration; every problem is told with its line. Throws CliError `config`. */
export async function readConfig(path: string, cli: Cli): Promise<GatewayConfig> {
  const { ConfigError, loadConfig } = await import('@sallyport/gateway')
  try {
    return loadConfig(path)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { line, column, key, message } of error.problems) {
      const place = line === null ? path : `${path}:${line}:${column ?? 1}`
      cli.out.note(`${place}: ${key === '' ? '' : `\`${key}\` `}${message}`)
    }
    throw new CliError('config', `\`${path}\` cannot be used`)
  }
}

export async function readText(path: string): Promise<string> {
  const bytes = await readFile(path)
  if (bytes.byteLength > INPUT_BYTES_MAX) {
    throw new CliError('usage', `\`${path}\` is over ${INPUT_BYTES_MAX} bytes`)
  }
  return bytes.toString('utf8')
}

/**
 * A token from --token-file (`-` is stdin), else SALLYPORT_TOKEN, else stdin when it is not a terminal.
 * Never from the command line: every account of a machine can read its arguments.
 */
export async function readToken(file: string | undefined, cli: Cli): Promise<string> {
  const token = await givenToken(file, cli)
  if (token === '') throw new CliError('usage', 'the token that was given is empty')
  return token
}

async function givenToken(file: string | undefined, cli: Cli): Promise<string> {
  if (file !== undefined && file !== '-') return (await readText(file)).trim()
  const variable = cli.env[TOKEN_VARIABLE]
  if (file === undefined && variable !== undefined) return variable.trim()
  if (file === undefined && cli.stdin.isTTY === true) {
    throw new CliError(
      'usage',
      `give the token with --token-file FILE, on stdin, or in the variable ${TOKEN_VARIABLE}`,
    )
  }
  let text = ''
  for await (const chunk of cli.stdin) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    if (text.length > TOKEN_INPUT_BYTES_MAX) throw new CliError('usage', 'stdin is no token')
  }
  return text.trim()
}
