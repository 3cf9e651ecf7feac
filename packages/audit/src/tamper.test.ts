/**
 * A store with all that one can have (removed segments, a signing key changed twice, recordings complete, going on and
 * without their keys, heads kept elsewhere), and every edit of it that somebody without the private key can make. Bytes
 * a few of each file; all of them with SALLYPORT_TAMPER=all, which takes 7 minutes.
 */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { Recordings } from './recording/recordings.ts'
import { eraseRecording } from './recording/retention.ts'
import { aged, prune, session } from './retention/testing-aged.ts'
import { verifyLog } from './verify.ts'

const ALL = process.env['SALLYPORT_TAMPER'] === 'all'
/** Of each file, unless all. */
const BYTES = 4
const NEWLINE = 10
/** So that most segments hold several records, and the store is small. */
const SEGMENT_BYTES = 1_700
/** What proves nothing and is not proven (the index, locks, keys), and what the verifier brings. */
const BESIDE = /index\.db|lock\.db|\.pem$|\.key$|\.journal$|\.spare$|^anchored\.jsonl$/
interface Store {
  readonly root: string
  /** Of evidence, relative to the root. */
  readonly files: readonly string[]
  isAsItWas(): Promise<boolean>
}

async function store(): Promise<Store> {
  const of = await aged((log) => log.rotateKey().then(() => undefined), SEGMENT_BYTES)
  const { root, directory, log, key, clock, anchored } = of
  const recordings = new Recordings({
    directory: of.recordings,
    now: clock.now,
    key: Buffer.alloc(32, 1),
    record: (events) => {
      for (const event of events) log.append(event)
      log.flush()
    },
    onFailure: () => {},
  })
  for (const id of ['s3', 's4', 's5']) {
    session(log, id, 'dan', `SELECT '${id}'`)
    const open = { session: id, protocol: 'postgres', connection: 'c', database: 'c' } as const
    const recording = recordings.open({ ...open, subject: 'dan' })
    recording.output(Buffer.from(`rows of ${id}`), 0, 10)
    if (id !== 's5') recording.end('done')
  }
  await recordings.archived()
  const erasure = { directory: of.recordings, log, by: 'dpo', reason: 'request 12' }
  await eraseRecording({ ...erasure, session: 's4', what: 'key' })
  await prune(of)
  await log.rotateKey()
  await recordings.close()
  await log.close()
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !BESIDE.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
  const isAsItWas = async () => {
    const heads = [anchored]
    const options = { publicKeys: [key], heads, recordings: of.recordings }
    return (await verifyLog(directory, options)).ok
  }
  return { root, files, isAsItWas }
}

test('every edit of a store is found', { timeout: ALL ? 3_600_000 : 300_000 }, async () => {
  const { root, files, isAsItWas } = await store()
  expect(files.map((file) => file.replace(/^.*\./, ''))).toEqual(
    expect.arrayContaining(['jsonl', 'tombstone', 'rec']),
  )
  expect(await isAsItWas()).toBe(true)
  const missed: string[] = []
  let edits = 0
  for (const file of files) {
    const path = join(root, file)
    const original = readFileSync(path)
    for (const [edit, bytes] of editsOf(original)) {
      if (bytes.equals(original)) continue
      writeFileSync(path, bytes)
      edits++
      if (await isAsItWas()) missed.push(`${file}: ${edit}`)
    }
    rmSync(path)
    if (await isAsItWas()) missed.push(`${file}: removed`)
    writeFileSync(path, original)
  }
  for (const [one, other] of neighbours(files)) {
    if (one.replace(/^.*\./, '') !== other.replace(/^.*\./, '')) continue
    exchange(join(root, one), join(root, other))
    if (await isAsItWas()) missed.push(`${one} and ${other} exchanged`)
    exchange(join(root, one), join(root, other))
  }
  expect(await isAsItWas()).toBe(true)
  expect(missed).toEqual([])
  if (ALL) console.info(`${edits} edits of ${files.length} files, each found`)
})

function* editsOf(original: Buffer): Generator<[edit: string, bytes: Buffer]> {
  const step = ALL ? 1 : Math.max(1, Math.floor(original.length / BYTES))
  for (let at = 0; at < original.length; at += step) {
    const was = original[at] ?? 0
    for (const byte of [was ^ (1 << (at % 8)), was ^ 0x80, NEWLINE].slice(0, ALL ? 3 : 1)) {
      const changed = Buffer.from(original)
      changed[at] = byte
      yield [`byte ${at} to ${byte}`, changed]
    }
    yield [`cut at ${at}`, original.subarray(0, at)]
  }
  yield ['added to', Buffer.concat([original, Buffer.from('{}\n')])]
  const lines = original.toString('latin1').split(/(?<=\n)/)
  const joined = (some: readonly string[]) => Buffer.from(some.join(''), 'latin1')
  for (const [at, line] of lines.entries()) {
    yield [`line ${at} removed`, joined(lines.toSpliced(at, 1))]
    yield [`line ${at} twice`, joined(lines.toSpliced(at, 0, line))]
    for (let other = 0; other < at; other++) {
      const swapped = lines.with(at, lines[other] ?? '').with(other, line)
      yield [`lines ${other} and ${at} swapped`, joined(swapped)]
    }
  }
}

const neighbours = (files: readonly string[]) =>
  files.slice(1).map((file, i) => [files[i] ?? '', file] as const)

function exchange(one: string, other: string): void {
  cpSync(one, `${one}.aside`)
  renameSync(other, one)
  renameSync(`${one}.aside`, other)
}
