/** What remains of a log when its process is killed at any moment, and when the disk refuses a write. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openAuditReader } from './index/reader.ts'
import { openAuditLog } from './open.ts'
import { decodeRecord } from './record.ts'
import { listSegments, segmentPath } from './segments.ts'
import { publicKeyIn, temporaryDirectory } from './testing.ts'
import { outcome, statement } from './testing-events.ts'
import { type VerifyReport, verifyLog } from './verify.ts'

const WRITER = join(import.meta.dirname, 'testing-writer.ts')
const KILLS = 8

/** Starts the writer; `flushed` follows the newest record it says is on disk. */
function startWriter(command: readonly string[]): { child: ChildProcess; said: string[] } {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said: string[] = []
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => said.push(line))
  return { child, said }
}

async function until(said: readonly string[], start: string): Promise<string> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    const line = said.find((candidate) => candidate.startsWith(start))
    if (line !== undefined) return line
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`the writer never said \`${start}\``)
}

function flushedSeq(said: readonly string[]): number {
  const line = said.findLast((candidate) => candidate.startsWith('flushed '))
  return Number(line?.split(' ')[1] ?? 0)
}

function verify(directory: string): Promise<VerifyReport> {
  return verifyLog(directory, { publicKeys: [publicKeyIn(directory)] })
}

function typesIn(directory: string): (string | undefined)[] {
  return listSegments(directory)
    .flatMap((segment) => readFileSync(segmentPath(directory, segment), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => decodeRecord(Buffer.from(line))?.event.type)
}

describe('a writer killed with SIGKILL', () => {
  test(`loses nothing it flushed and stays verifiable, ${KILLS} times over one log`, async () => {
    const directory = temporaryDirectory()
    let before = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, said } = startWriter([process.execPath, WRITER, directory])
      await until(said, 'flushed')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
      child.kill('SIGKILL')
      await once(child, 'close')
      const flushed = flushedSeq(said)
      expect(flushed).toBeGreaterThan(before)
      const log = await openAuditLog({ directory, now: Date.now, index: false })
      await log.close()
      const report = await verify(directory)
      expect(report.findings).toEqual([])
      expect(report.lastSeq).toBeGreaterThan(flushed)
      before = report.lastSeq
    }
  }, 120_000)

  test('at every byte of its last write leaves a log that goes on', async () => {
    const directory = temporaryDirectory()
    const first = await openAuditLog({ directory, now: Date.now, index: false })
    first.append(statement())
    await first.close()
    const file = segmentPath(directory, 1)
    const signed = statSync(file).size
    const second = await openAuditLog({ directory, now: Date.now, index: false })
    await second.close()
    // The second run's records, cut anywhere: no head may speak of them.
    const written = statSync(file).size
    const heads = join(directory, 'heads.jsonl')
    const headLines = readFileSync(heads, 'utf8').split('\n')
    const headBytes = Buffer.byteLength(headLines.slice(0, 2).join('\n')) + 1
    const whole = readFileSync(file)
    for (let size = signed; size < written; size += 13) {
      truncateSync(heads, headBytes)
      writeFileSync(file, whole.subarray(0, size))
      const log = await openAuditLog({ directory, now: Date.now, index: false })
      await log.close()
      expect((await verify(directory)).findings).toEqual([])
    }
  })
})

describe.skipIf(!existsSync('/usr/bin/prlimit'))('a file system that takes no more', () => {
  test('fails the log closed in the middle of a record, and recover goes on', async () => {
    const directory = temporaryDirectory()
    // RLIMIT_FSIZE cuts the write at exactly this byte, within a record, then gives EFBIG.
    const limited = ['/usr/bin/prlimit', '--fsize=20001:unlimited', process.execPath]
    const { child, said } = startWriter([...limited, WRITER, directory])
    expect(await until(said, 'refused')).toBe('refused unavailable failed')
    // What was written of the refused records is taken back.
    expect(statSync(segmentPath(directory, 1)).size).toBeLessThan(20_001)
    expect(await verify(directory)).toMatchObject({ ok: true, lastSeq: flushedSeq(said) })
    execFileSync('/usr/bin/prlimit', ['--pid', String(child.pid), '--fsize=unlimited:unlimited'])
    child.stdin?.end('\n')
    expect(await until(said, 'recovered')).toBe('recovered open')
    expect(await once(child, 'close')).toEqual([0, null])
    expect(await verify(directory)).toMatchObject({ ok: true })
    expect(typesIn(directory)).toContain('log-failed')
    expect(typesIn(directory)).not.toContain('log-recovered')
  })
})

/** A small file system of its own; null where this process may not mount one. */
function mountSmallDisk(): string | null {
  const directory = temporaryDirectory()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', directory], {
      stdio: 'ignore',
    })
  } catch {
    return null
  }
  onTestFinished(() => void execFileSync('umount', ['-l', directory]))
  return directory
}

describe('a full disk', () => {
  test('refuses appends and flushes until there is room, and records the gap', async ({ skip }) => {
    const disk = mountSmallDisk()
    if (disk === null) return skip('needs the right to mount a tmpfs')
    const directory = join(disk, 'log')
    const failures: string[] = []
    const log = await openAuditLog({
      directory,
      now: Date.now,
      index: false,
      segmentBytes: 40_000,
      onFailure: (error) => failures.push(error.message),
    })
    const write = () => {
      for (;;) {
        log.append(outcome({ statement: log.append(statement()) }))
        log.flush()
      }
    }
    expect(write).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(log.state).toBe('failed')
    expect(failures).toEqual(['audit log cannot be written: ENOSPC'])
    expect(() => log.append(statement())).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(() => log.flush()).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(() => log.recover()).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(log.state).toBe('failed')

    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    log.recover()
    expect(log.state).toBe('open')
    log.append(statement())
    log.flush()
    await log.close()
    expect(await verify(directory)).toMatchObject({ ok: true })
    const reader = await openAuditReader({ directory, update: true })
    const [gap] = (await reader.search({ type: 'log-failed' })).items
    expect(gap?.event).toMatchObject({ code: 'ENOSPC', refused: 1 })
    await reader.close()
  })

  test('leaves a log that opens again when the process gave up', async ({ skip }) => {
    const disk = mountSmallDisk()
    if (disk === null) return skip('needs the right to mount a tmpfs')
    const directory = join(disk, 'log')
    const log = await openAuditLog({ directory, now: Date.now, index: false, headMs: 3_600_000 })
    const write = () => {
      for (;;) {
        log.append(statement())
        log.flush()
      }
    }
    expect(write).toThrow(expect.objectContaining({ code: 'unavailable' }))
    await expect(log.close()).rejects.toMatchObject({ code: 'unavailable' })
    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    const again = await openAuditLog({ directory, now: Date.now, index: false })
    await again.close()
    expect(await verify(directory)).toMatchObject({ ok: true })
  })
})
