import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SecretError } from './errors.ts'
import { runCommand } from './exec.ts'
import { EXEC_TTL_MS, INVALIDATE_INTERVAL_MS, SECRET_BYTES_MAX } from './limits.ts'
import { describeSecretReference, parseSecretReference } from './reference.ts'
import { Secret } from './secret.ts'
import type { SecretWarning } from './sources.ts'
import { createSecrets, type Secrets } from './store.ts'

let folder: string
let clock: number
let env: Record<string, string>
let warnings: SecretWarning[]
let secrets: Secrets

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'))
  clock = 0
  env = {}
  warnings = []
  secrets = createSecrets({ now: () => clock, env, warn: (warning) => warnings.push(warning) })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const value = async (reference: string): Promise<string> => (await secrets.get(reference)).reveal()
const write = async (name: string, text: string | Uint8Array, mode = 0o600): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text, { mode })
  return path
}

describe('Secret', () => {
  test('prints as a placeholder however it is printed', () => {
    const secret = new Secret('hunter2')
    const printed = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
      inspect(secret, { customInspect: false, showHidden: true }),
      Object.values(secret).join(),
      `${new Error('x', { cause: secret }).cause}`,
      JSON.stringify(structuredClone({ ...secret })),
    ].join('\n')
    expect(printed).not.toContain('hunter2')
    expect(secret.reveal()).toBe('hunter2')
  })

  test('compares by value', () => {
    expect(new Secret('a').equals(new Secret('a'))).toBe(true)
    expect(new Secret('a').equals(new Secret('b'))).toBe(false)
    expect(new Secret('a').equals(new Secret('ab'))).toBe(false)
  })
})

describe('references', () => {
  test.each([
    ['hunter2'],
    ['Env:NAME'],
    ['env:'],
    ['env:A-B'],
    ['file:relative/path'],
    ['file:'],
    ['exec:'],
    ['exec:   '],
    ['exec:cat "unfinished'],
    ['vault:x'],
    [''],
  ])('refuses `%s` without repeating it', (text) => {
    const refusal = thrownBy(() => parseSecretReference(text))
    expect(refusal).toMatchObject({ code: 'reference-invalid' })
    if (text.length > 6) expect(String(refusal)).not.toContain(text)
  })

  test('splits a command into words without a shell', () => {
    expect(parseSecretReference(`exec:/bin/x -a "b c" 'd "e"' $HOME f""g ''`)).toEqual({
      kind: 'exec',
      command: '/bin/x',
      args: ['-a', 'b c', 'd "e"', '$HOME', 'fg', ''],
    })
  })

  test('any text gives a reference or a SecretError, and a description without the value', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 8 }), (text, secret) => {
        try {
          parseSecretReference(text)
        } catch (error) {
          expect(error).toBeInstanceOf(SecretError)
        }
        const plain = parseSecretReference(`plain:${secret}`)
        expect(describeSecretReference(plain)).toBe('plain:[secret]')
      }),
    )
  })
})

describe('env and plain', () => {
  test('reads the variable as it is now', async () => {
    env['CRM'] = 'one'
    expect(await value('env:CRM')).toBe('one')
    env['CRM'] = 'two'
    expect(await value('env:CRM')).toBe('two')
    delete env['CRM']
    await expect(value('env:CRM')).rejects.toMatchObject({ code: 'variable-missing' })
  })

  test('takes a literal only behind plain: and warns once', async () => {
    await expect(value('hunter2')).rejects.toMatchObject({ code: 'reference-invalid' })
    expect(await value('plain:hunter2')).toBe('hunter2')
    expect(await value('plain:hunter2')).toBe('hunter2')
    expect(warnings).toEqual([{ code: 'secret-in-configuration', reference: 'plain:[secret]' }])
  })

  test.each([['plain:'], ['plain:a\0b']])('refuses an empty value and NUL', async (reference) => {
    await expect(value(reference)).rejects.toMatchObject({ code: 'secret-unusable' })
  })
})

describe('file', () => {
  test.each([
    ['pw\n', 'pw'],
    ['pw\r\n', 'pw'],
    ['pw\n\n', 'pw\n'],
    [' p w ', ' p w '],
  ])('strips one line end and nothing else', async (content, expected) => {
    expect(await value(`file:${await write('s', content)}`)).toBe(expected)
  })

  test('is read again when it changes in place or is replaced', async () => {
    const path = await write('s', 'one')
    expect(await value(`file:${path}`)).toBe('one')
    await writeFile(path, 'two')
    expect(await value(`file:${path}`)).toBe('two')
    await rename(await write('next', 'six'), path)
    expect(await value(`file:${path}`)).toBe('six')
    await rm(path)
    await expect(value(`file:${path}`)).rejects.toMatchObject({ code: 'file-unreadable' })
  })

  test('is read once while it does not change', async () => {
    const path = await write('s', 'one')
    const [first, second] = await Promise.all([
      secrets.get(`file:${path}`),
      secrets.get(`file:${path}`),
    ])
    expect(first).toBe(second)
    expect(await secrets.get(`file:${path}`)).toBe(first)
    expect(secrets.invalidate(`file:${path}`)).toBe(true)
    expect(await secrets.get(`file:${path}`)).not.toBe(first)
  })

  test('warns once when everybody may read it', async () => {
    const path = await write('s', 'pw')
    await value(`file:${path}`)
    expect(warnings).toEqual([])
    await chmod(path, 0o644)
    await value(`file:${path}`)
    secrets.invalidate(`file:${path}`)
    await value(`file:${path}`)
    expect(warnings).toEqual([{ code: 'secret-file-world-readable', reference: `file:${path}` }])
  })

  test('refuses a folder, a FIFO, a missing file, too many bytes and bytes that are not UTF-8', async () => {
    execFileSync('mkfifo', [join(folder, 'fifo')])
    const cases: [string, string][] = [
      [folder, 'file-unreadable'],
      [join(folder, 'fifo'), 'file-unreadable'],
      [join(folder, 'missing'), 'file-unreadable'],
      [await write('big', 'x'.repeat(SECRET_BYTES_MAX + 1)), 'secret-too-large'],
      [await write('latin', Uint8Array.of(0x70, 0xfc)), 'secret-unusable'],
      [await write('empty', '\n'), 'secret-unusable'],
    ]
    for (const [path, code] of cases) {
      await expect(value(`file:${path}`), path).rejects.toMatchObject({ code })
    }
    expect(await value(`file:${await write('cap', 'x'.repeat(SECRET_BYTES_MAX))}`)).toHaveLength(
      SECRET_BYTES_MAX,
    )
  })
})

describe('exec', () => {
  const counting = async (): Promise<string> => {
    const script = `echo run >> ${folder}/runs; cat ${folder}/value`
    return `exec:/bin/sh ${await write('script', script)}`
  }
  const runs = async (): Promise<number> =>
    (await readFile(join(folder, 'runs'), 'utf8')).split('\n').length - 1

  test('runs once per EXEC_TTL_MS, also for readers at the same time', async () => {
    await write('value', 'one\n')
    const reference = await counting()
    expect(await Promise.all([value(reference), value(reference)])).toEqual(['one', 'one'])
    await write('value', 'two\n')
    clock = EXEC_TTL_MS - 1
    expect(await value(reference)).toBe('one')
    expect(await runs()).toBe(1)
    clock = EXEC_TTL_MS
    expect(await value(reference)).toBe('two')
    expect(await runs()).toBe(2)
  })

  test('runs again after a refused login, but not in a storm', async () => {
    await write('value', 'one')
    const reference = await counting()
    await value(reference)
    await write('value', 'two')
    expect(secrets.invalidate(reference)).toBe(true)
    expect(await value(reference)).toBe('two')
    clock += INVALIDATE_INTERVAL_MS - 1
    expect(secrets.invalidate(reference)).toBe(false)
    await value(reference)
    expect(await runs()).toBe(2)
    clock += 1
    expect(secrets.invalidate(reference)).toBe(true)
  })

  test('never answers a failed run with the old value', async () => {
    await write('value', 'one')
    const reference = await counting()
    await value(reference)
    await rm(join(folder, 'value'))
    clock = EXEC_TTL_MS
    await expect(value(reference)).rejects.toMatchObject({ code: 'command-failed' })
  })

  test('uses no shell', async () => {
    expect(await value('exec:printf %s $HOME;id')).toBe('$HOME;id')
  })

  test.each([
    ['exec:/bin/sh -c "echo token-in-stderr >&2; exit 3"', 'command-failed'],
    ['exec:/no/such/command --token=s3cr3t', 'command-failed'],
    ['exec:/bin/sh -c "kill -TERM $$"', 'command-failed'],
    ['exec:yes', 'secret-too-large'],
    ['exec:true', 'secret-unusable'],
  ])('refuses `%s` and repeats neither its output nor its arguments', async (reference, code) => {
    const error = await secrets.get(reference).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code })
    expect(inspect(error)).not.toMatch(/token-in-stderr|s3cr3t/)
  })

  test('kills a late command and what it started', async () => {
    const pidFile = join(folder, 'pid')
    const late = runCommand(
      { command: '/bin/sh', args: ['-c', `sleep 60 & echo $! > ${pidFile}; wait`] },
      { signal: new AbortController().signal, timeoutMs: 300 },
    )
    await expect(late).rejects.toMatchObject({ code: 'command-timeout' })
    const pid = Number(await readFile(pidFile, 'utf8'))
    await expect.poll(() => isRunning(pid)).toBe(false)
  })

  test('a reader that leaves does not wait, and does not take the others along', async () => {
    const reference = `exec:/bin/sh -c "sleep 0.3; echo one"`
    const leaving = new AbortController()
    const left = secrets.get(reference, leaving.signal)
    const stayed = value(reference)
    await sleep(50)
    leaving.abort()
    await expect(left).rejects.toMatchObject({ code: 'aborted' })
    expect(await stayed).toBe('one')
  })
})

function isRunning(pid: number): boolean {
  try {
    // A zombie that nobody has collected yet is dead for our purpose.
    return !/^State:\s+[ZX]/m.test(
      execFileSync('cat', [`/proc/${pid}/status`], { stdio: 'pipe' }).toString(),
    )
  } catch {
    return false
  }
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
