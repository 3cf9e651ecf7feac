import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LOG_WAITING_BYTES_MAX, LogOutput, unblocked } from './log-output.ts'
import { createLogger } from './logger.ts'

/** Every write to it fails for want of space. */
const FULL = '/dev/full'

describe.skipIf(!existsSync(FULL))('a log that cannot be written', () => {
  test('neither holds up nor ends the process', () => {
    // Left open: it is tried again for as long as the process lives.
    const log = createLogger({ level: 'info', destination: new LogOutput(openSync(FULL, 'w')) })
    log.fatal({ err: new Error('the disk is full') }, 'audit log cannot be written')
    log.info('goes on')
  })
})

describe.skipIf(process.platform === 'win32')('a log whose reader is slow', () => {
  /** Both ends of a pipe that takes what it has room for. */
  function pipe(flags = constants.O_NONBLOCK): number {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-'))
    const file = join(directory, 'pipe')
    execFileSync('mkfifo', [file])
    const fd = openSync(file, constants.O_RDWR | flags)
    onTestFinished(() => {
      closeSync(fd)
      rmSync(directory, { recursive: true })
    })
    return fd
  }

  function read(fd: number): string {
    const bytes = Buffer.alloc(LOG_WAITING_BYTES_MAX)
    try {
      return bytes.toString('utf8', 0, readSync(fd, bytes))
    } catch {
      return ''
    }
  }

  test('reaches it whole and in order, up to a bound, and says how much does not', async () => {
    const fd = pipe()
    const output = new LogOutput(fd)
    const lines = Array.from({ length: 2_000 }, (_, n) => `${n} ${'x'.repeat(1_000)}\n`)
    for (const line of lines) output.write(line)
    let got = ''
    await expect
      .poll(
        () => {
          got += read(fd)
          return got
        },
        { timeout: 60_000 },
      )
      .toContain('are lost')
    const shown = got.split('\n').slice(0, -1)
    const last = JSON.parse(shown.pop() ?? '')
    expect(shown).toEqual(lines.slice(0, shown.length).map((line) => line.trimEnd()))
    expect(last).toMatchObject({ level: 'warn', lost: lines.length - shown.length })
    expect(last.lost).toBeGreaterThan(500)
    output.write('again\n')
    expect(read(fd)).toBe('again\n')
  })

  test.skipIf(!existsSync('/proc/self/fdinfo'))('is not waited for where its pipe is', () => {
    const fd = pipe(0)
    const own = unblocked(fd)
    onTestFinished(() => closeSync(own))
    const isNonBlocking = (one: number): boolean => {
      const info = readFileSync(`/proc/self/fdinfo/${one}`, 'utf8')
      return (Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? '', 8) & constants.O_NONBLOCK) > 0
    }
    expect([isNonBlocking(fd), isNonBlocking(own)]).toEqual([false, true])
    const output = new LogOutput(own)
    for (let n = 0; n < 200; n++) output.write(`${'x'.repeat(1_000)}\n`)
    expect(read(fd)).toMatch(/^x{1000}\n/)
  })
})
