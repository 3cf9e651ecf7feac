import process from 'node:process'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { EXIT } from './errors.ts'
import { Output } from './output.ts'
import { buildProgram } from './program.ts'
import { run } from './testing.ts'

/** Every command there is, each with the words that name it. */
function commandsOf(command: Command, words: readonly string[] = []): [string, Command][] {
  const shown = command.createHelp().visibleCommands(command)
  const below = shown
    .filter((one) => command.commands.includes(one))
    .flatMap((one) => commandsOf(one, [...words, one.name()]))
  return words.length === 0 ? below : [[words.join(' '), command], ...below]
}
const CLI = {
  out: new Output({ stdout: process.stdout, stderr: process.stderr, env: {} }),
  env: {},
  stdin: process.stdin,
  now: Date.now,
  stop: new AbortController().signal,
}
const COMMANDS = commandsOf(buildProgram(CLI, () => undefined))

test.each(COMMANDS)(
  '%s: its help names every flag and says why, with an example',
  async (words, command) => {
    const { exit, stdout, stderr } = await run([...words.split(' '), '--help'])
    expect({ exit, stderr }).toEqual({ exit: EXIT.ok, stderr: '' })
    expect(stdout).toContain(`Usage: sallyport ${words}`)
    expect(stdout).toContain(`$ sallyport ${words}`)
    for (const { flags, description } of command.options) {
      expect(stdout).toContain(flags)
      expect(description).not.toBe('')
    }
    const parent = await run([...words.split(' ').slice(0, -1), '--help'])
    expect(parent.stdout.replaceAll(/\s+/g, ' ')).toContain(command.summary())
    expect(command.summary()).not.toBe('')
  },
)

test.each(COMMANDS)('%s: a flag it does not have is refused with the way out', async (words) => {
  const { exit, stdout, stderr } = await run([...words.split(' '), '--verbos'])
  expect({ exit, stdout }).toEqual({ exit: EXIT.usage, stdout: '' })
  // What it cannot do without is asked for first.
  expect(stderr).toMatch(/unknown option '--verbos'|required option '/)
  expect(stderr).toContain('(--help shows what it takes)')
})

test('a mistyped flag or command is told the one that was meant', async () => {
  expect((await run(['approvals', 'list', '--jsn'])).stderr).toContain('Did you mean --json?')
  expect((await run(['approvals', 'lst'])).stderr).toMatch(/Did you mean (one of )?(list|ls)/)
})

test('the version is the package’s', async () => {
  expect(await run(['--version'])).toMatchObject({ exit: EXIT.ok, stdout: '0.1.0\n' })
})

test.each([
  { args: [], because: 'Usage:' },
  { args: ['serv'], because: 'Did you mean serve?' },
  { args: ['serve'], because: "required option '-c, --config <file>'" },
  { args: ['doctor', '--config', 'x', '--confg', 'y'], because: 'unknown option' },
  { args: ['token', 'mint'], because: 'required option' },
  { args: ['token'], because: 'give --config FILE to mint a token, or --url' },
  { args: ['token', '--config', 'a', '--url', 'b'], because: 'not both' },
  {
    args: ['token', '--url', 'http://[::1]', '--subject', 'x'],
    because: '--subject is for minting',
  },
  { args: ['token', 'revoke'], because: 'give --config FILE' },
  { args: ['token', 'revoke', '-c', 'x', '--id', 'a', '--subject', 'b'], because: 'not both' },
  { args: ['policy', 'check'], because: 'name policy files' },
  { args: ['policy', 'explain', 'SELECT 1'], because: 'say which policy' },
  { args: ['policy', 'test', 'x.yaml'], because: 'is not called NAME.cases.yaml' },
  { args: ['audit', 'tail'], because: 'say where the trail is' },
  { args: ['audit', 'tail', '-d', 'x', '-n', '0'], because: '--lines takes a whole number' },
  { args: ['audit', 'search', '-d', 'x', '--verdict', 'maybe'], because: 'allow, deny or approve' },
  { args: ['audit', 'search', '-d', '/nowhere'], because: 'there is no directory' },
  { args: ['audit', 'verify', 'x'], because: 'required option' },
])('refuses $args with the exit code of usage', async ({ args, because }) => {
  const { exit, stdout, stderr } = await run(args)
  expect(stderr).toContain(because)
  expect({ exit, stdout }).toEqual({ exit: EXIT.usage, stdout: '' })
})

test('an error is one line, and --debug adds where', async () => {
  const plain = await run(['serve', '--config', '/nowhere.yaml'])
  const debug = await run(['--debug', 'serve', '--config', '/nowhere.yaml'])
  expect(plain.exit).toBe(EXIT.usage)
  expect(plain.stderr).not.toContain('    at ')
  expect(debug.stderr).toContain('    at ')
})
