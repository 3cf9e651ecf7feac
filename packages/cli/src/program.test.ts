import { expect, test } from 'vitest'
import { EXIT } from './errors.ts'
import { run } from './testing.ts'

const COMMANDS = [
  ['serve'],
  ['doctor'],
  ['token'],
  ['token', 'mint'],
  ['token', 'exchange'],
  ['token', 'inspect'],
  ['token', 'revoke'],
  ['token', 'list'],
  ['policy', 'check'],
  ['policy', 'explain'],
  ['policy', 'test'],
  ['policy', 'schema'],
  ['policy', 'catalog'],
  ['audit', 'tail'],
  ['audit', 'show'],
  ['audit', 'search'],
  ['audit', 'sessions'],
  ['audit', 'verify'],
  ['login'],
  ['logout'],
  ['approvals'],
  ['approvals', 'list'],
  ['approvals', 'show'],
  ['approvals', 'approve'],
  ['approvals', 'deny'],
  ['approvals', 'cancel'],
  ['approvals', 'watch'],
  ['request'],
  ['grants'],
  ['grants', 'ls'],
  ['grants', 'revoke'],
  ['sessions'],
  ['sessions', 'ls'],
  ['sessions', 'watch'],
  ['sessions', 'kill'],
  ['psql'],
  ['mysql'],
]

test.each(COMMANDS)('%s %s has a help with an example', async (...command) => {
  const words = command.filter((word) => word !== undefined)
  const { exit, stdout } = await run([...words, '--help'])
  expect(exit).toBe(EXIT.ok)
  expect(stdout).toContain(`Usage: sallyport ${words.join(' ')}`)
  expect(stdout).toContain(`$ sallyport ${words.join(' ')}`)
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
