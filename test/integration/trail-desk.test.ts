/** What the command does to, and reads of, the log of a gateway that runs: through that gateway, and on record. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import {
  AuditError,
  type AuditLog,
  openAuditLog,
  Recordings,
  recordingKeyPath,
  verifyLog,
} from '@sallyport/audit'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../packages/cli/src/testing.ts'
import { createLogger } from '../../packages/gateway/src/telemetry/index.ts'
import { Desk } from '../../packages/gateway/src/trail/desk.ts'
import { Keeper } from '../../packages/gateway/src/trail/keeper.ts'
import { SteadyClock } from '../../packages/gateway/src/trail/steady-clock.ts'
import { startTestGateway } from '../support/gateway.ts'
import { usePostgres } from '../support/use-postgres.ts'

const SESSION = '0f5d3c9a-0000-4000-8000-000000000000'
const WHO = ['--by', 'counsel', '--reason', 'case 7']
const DAY_MS = 86_400_000

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-desk-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A log with one recorded session, and its gateway's desk. */
async function openDesk(): Promise<{ directory: string; log: AuditLog; key: string }> {
  const directory = folder()
  const log = await openAuditLog({ directory, now: Date.now })
  const recordings = new Recordings({
    directory: join(directory, 'recordings'),
    now: Date.now,
    key: Buffer.alloc(32, 1),
    record: (events) => {
      for (const event of events) log.append(event)
      log.flush()
    },
    onFailure: () => {},
  })
  const open = { protocol: 'postgres', connection: 'c', database: 'c', subject: 's' } as const
  recordings.open({ session: SESSION, ...open }).end('done')
  await recordings.close()
  // A log this young may not have an index yet, and sessions are looked up there.
  await log.indexed()
  const keeper = new Keeper({
    audit: log,
    rotateKeyDays: null,
    recordings: join(directory, 'recordings'),
    cursors: [],
    log: createLogger({ level: 'error' }),
    clock: new SteadyClock({ now: Date.now, monotonic: () => performance.now() }),
  })
  const desk = await Desk.open({
    audit: log,
    keeper,
    recordings: join(directory, 'recordings'),
    rewrap: () => Promise.reject(new AuditError('key-missing', 'no key')),
  })
  onTestFinished(async () => {
    await desk?.close()
    await log.close()
  })
  return { directory, log, key: publicKeyOf(directory) }
}

function publicKeyOf(directory: string): string {
  const name = readdirSync(directory).find((file) => file.startsWith('public-key-')) ?? ''
  return join(directory, name)
}

function eventsOf(directory: string, type: string): Record<string, unknown>[] {
  return readdirSync(directory)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .sort()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line).event as Record<string, unknown>)
    .filter((event) => event['type'] === type)
}

test('whoever reads with the command is on record before anything is shown', async () => {
  const { directory, key } = await openDesk()
  const reads: readonly (readonly string[])[] = [
    ['search', '--type', 'log-started', '-d', directory],
    ['show', '1', '-d', directory],
    ['sessions', '-d', directory],
    ['tail', '-d', directory],
    ['export', '-d', directory],
    ['verify', directory, '--public-key', key, '--live'],
    ['prove', '1', '-d', directory],
  ]
  for (const args of reads) {
    expect(await run(['audit', ...args])).toMatchObject({ exit: 0 })
    const last = eventsOf(directory, 'trail-read').at(-1)
    expect(last).toMatchObject({ actor: userInfo().username, action: args[0] })
  }
  const [search] = eventsOf(directory, 'trail-read')
  expect(JSON.parse(String(search?.['query']))).toMatchObject({ type: 'log-started' })
  await run(['replay', SESSION, '-d', directory])
  expect(eventsOf(directory, 'trail-read')).toHaveLength(reads.length + 1)
})

test('what cannot be recorded is not read', async () => {
  const { directory, log } = await openDesk()
  await log.close()
  const { exit, stdout } = await run(['audit', 'search', '-d', directory])
  expect(exit).not.toBe(0)
  expect(stdout).toBe('')
})

test('a hold is placed and a key destroyed while the gateway runs', async () => {
  const { directory } = await openDesk()
  const audit = (...args: string[]) => run(['audit', ...args, '-d', directory, ...WHO])
  const recordings = join(directory, 'recordings')
  expect(await audit('hold', SESSION)).toMatchObject({ exit: 0 })
  const refused = await audit('erase', SESSION, '--key-only')
  expect(refused).toMatchObject({ exit: 1 })
  expect(refused.stderr).toContain('under a legal hold')
  expect(existsSync(recordingKeyPath(recordings, SESSION))).toBe(true)
  await audit('hold', SESSION, '--lift')
  expect(await audit('erase', SESSION, '--key-only')).toMatchObject({ exit: 0 })
  expect(existsSync(recordingKeyPath(recordings, SESSION))).toBe(false)
  expect(eventsOf(directory, 'legal-hold').map((event) => event['state'])).toEqual([
    'placed',
    'lifted',
  ])
  expect(eventsOf(directory, 'recording-erased')).toHaveLength(1)
  // Its records are still shown, and that there was more.
  const replayed = await run(['replay', SESSION, '-d', directory])
  expect(replayed).toMatchObject({ exit: 0 })
  expect(replayed.stderr).toMatch(/its recording was destroyed on \S+ \S+ by \S+: /)
})

test('the signing key is changed while the gateway runs, and the first one still proves all', async () => {
  const { directory, key } = await openDesk()
  const first = readFileSync(key, 'utf8')
  expect(await run(['audit', 'rotate-key', '-d', directory])).toMatchObject({ exit: 0 })
  expect(eventsOf(directory, 'key-rotated')).toHaveLength(1)
  const report = await verifyLog(directory, { publicKeys: [first], live: true })
  expect(report.findings).toEqual([])
  expect(report.provenTo).toBe(report.lastSeq)
})

test('a key that is old enough is changed by itself', async () => {
  const directory = folder()
  const file = join(directory, 'signing-key.pem')
  await (await openAuditLog({ directory, now: Date.now, index: false })).close()
  const before = readFileSync(file, 'utf8')
  const at = (Date.now() - 8 * DAY_MS) / 1_000
  utimesSync(file, at, at)
  const log = await openAuditLog({ directory, now: Date.now, index: false })
  const quiet = createLogger({ level: 'error' })
  const clock = new SteadyClock({ now: Date.now, monotonic: () => performance.now() })
  const rest = { recordings: join(directory, 'recordings'), cursors: [], clock }
  for (const [days, isDue] of [
    [9, false],
    [7, true],
    [7, false],
  ] as const) {
    const text = readFileSync(file, 'utf8')
    const keeper = new Keeper({ audit: log, rotateKeyDays: days, ...rest, log: quiet })
    await keeper.look()
    await keeper.close()
    expect(readFileSync(file, 'utf8') !== text).toBe(isDue)
  }
  expect(readFileSync(file, 'utf8')).not.toBe(before)
  await log.close()
})

test('what a clock that jumps makes old is not removed by anybody', async () => {
  const log = await openAuditLog({ directory: folder(), now: Date.now, index: false, keepDays: 30 })
  let now = Date.now()
  const keeper = new Keeper({
    audit: log,
    rotateKeyDays: null,
    recordings: join(log.directory, 'recordings'),
    cursors: [],
    log: createLogger({ level: 'error' }),
    clock: new SteadyClock({ now: () => now, monotonic: () => 0 }),
  })
  now += 400 * DAY_MS
  await expect(keeper.prune({ by: 'operator', dryRun: false })).rejects.toThrow('has jumped')
  expect(await keeper.prune({ by: 'operator', dryRun: true })).toMatchObject({ removed: [] })
  await keeper.close()
  await log.close()
})

test('the desk is for the gateway’s own account', async () => {
  const { directory } = await openDesk()
  expect(statSync(join(directory, 'desk.sock')).mode & 0o777).toBe(0o600)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
})

test('nothing it cannot read as a request does anything', async () => {
  const { directory } = await openDesk()
  const size = () => statSync(join(directory, '00000001.jsonl')).size
  const before = size()
  const answer = (bytes: Uint8Array | string): Promise<string> =>
    new Promise((resolve) => {
      let said = ''
      const socket = connect(join(directory, 'desk.sock'), () => socket.write(bytes))
      socket.on('data', (chunk) => {
        said += chunk
      })
      socket.on('error', () => resolve(said))
      socket.on('close', () => resolve(said))
    })
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.json(), fc.string(), fc.constant('{"do":"erase"}'), fc.constant('{"do":7}')),
      async (text) => {
        const said = await answer(`${text.replaceAll('\n', ' ')}\n`)
        expect(JSON.parse(said)).toMatchObject({ ok: false, code: 'bad-request' })
      },
    ),
    { numRuns: 100 },
  )
  expect(await answer('x'.repeat(70_000))).toBe('')
  expect(size()).toBe(before)
})

test('a gateway has its desk, and takes it along when it goes', async () => {
  const database = await usePostgres()
  onTestFinished(() => database.drop())
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
  })
  const at = ['-c', gateway.configFile]
  const read = await run(['audit', 'tail', ...at])
  expect(read).toMatchObject({ exit: 0, stderr: '' })
  expect(eventsOf(gateway.auditDirectory, 'trail-read')).toHaveLength(1)
  expect(await run(['audit', 'rotate-key', ...at])).toMatchObject({ exit: 0 })
  const { auditDirectory, configFile } = gateway
  const socket = join(auditDirectory, 'desk.sock')
  expect(existsSync(socket)).toBe(true)
  await gateway.running?.close()
  expect(existsSync(socket)).toBe(false)
  const later = await run(['audit', 'tail', '-c', configFile])
  expect(later.stderr).toContain('not in it')
  expect(eventsOf(auditDirectory, 'trail-read')).toHaveLength(1)
  await gateway.close()
})
