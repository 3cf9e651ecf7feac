import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuditLog, Recordings, recordingKeyPath, recordingPath } from '@sallyport/audit'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../testing.ts'

const SESSION = '0f5d3c9a-0000-4000-8000-000000000000'
const WHO = ['--by', 'counsel', '--reason', 'case 7']

async function sample(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-keep-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const log = await openAuditLog({ directory, now: Date.now, index: false })
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
  await log.close()
  return directory
}

test('a hold keeps a recording from being erased until it is lifted', async () => {
  const directory = await sample()
  const recordings = join(directory, 'recordings')
  const audit = (...args: string[]) => run(['audit', ...args, '-d', directory, ...WHO])
  expect(await audit('hold', '0f5d3c9a')).toMatchObject({ exit: 0 })
  const refused = await audit('erase', SESSION)
  expect(refused.exit).toBe(1)
  expect(refused.stderr).toContain('under a legal hold')
  expect(await audit('hold', SESSION, '--lift')).toMatchObject({ exit: 0 })
  expect(await audit('erase', SESSION, '--key-only')).toMatchObject({ exit: 0 })
  expect(existsSync(recordingKeyPath(recordings, SESSION))).toBe(false)
  expect(existsSync(recordingPath(recordings, SESSION))).toBe(true)
  expect(await audit('erase', SESSION)).toMatchObject({ exit: 0 })
  expect(existsSync(recordingPath(recordings, SESSION))).toBe(false)
  const said = await run(['audit', 'search', '-d', directory, '--session', SESSION])
  expect(said.stdout).toContain('recording-erased')
})

test('a session that is not there is not held', async () => {
  const directory = await sample()
  const { exit } = await run(['audit', 'hold', 'ffffffff', '-d', directory, ...WHO])
  expect(exit).toBe(2)
})

const DAY_MS = 86_400_000

/** A log that is 40 days old at its beginning, and a configuration that keeps 30. */
async function agedSample(): Promise<{ directory: string; config: string; key: string }> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-prune-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const directory = join(root, 'audit')
  const config = join(root, 'sallyport.yaml')
  writeFileSync(
    config,
    `version: 1
listeners: [{ protocol: postgres, port: 0, tls: off }]
identity: { issuers: [] }
connections: { crm: { protocol: postgres, host: localhost, database: crm, user: u } }
policies: [policy.yaml]
audit: { directory: audit, keep-days: 30 }
`,
  )
  let now = Date.now() - 40 * DAY_MS
  const log = await openAuditLog({ directory, now: () => now, index: false, keepDays: 30 })
  const note = (version: string): void => {
    log.append({ type: 'config-loaded', v: 1, version })
    log.flush()
  }
  note('old')
  now = Date.now() - 35 * DAY_MS
  note('old')
  now = Date.now() - 33 * DAY_MS
  note('old')
  now = Date.now()
  note('new')
  await log.close()
  const key = readdirSync(directory).find((name) => name.startsWith('public-key-')) ?? ''
  return { directory, config, key: join(directory, key) }
}

test('prune says what would go, removes it, and everything that reads the log says that it is gone', async () => {
  const { directory, config, key } = await agedSample()
  const dry = await run(['audit', 'prune', '-c', config, '--dry-run'])
  expect(dry).toMatchObject({ exit: 0 })
  expect(dry.stdout).toContain('would go')
  expect(existsSync(join(directory, '00000001.jsonl'))).toBe(true)
  const done = await run(['audit', 'prune', '-c', config])
  expect(done.stdout).toContain('removed')
  expect(existsSync(join(directory, '00000001.jsonl'))).toBe(false)
  const verified = await run(['audit', 'verify', directory, '--public-key', key])
  expect(verified).toMatchObject({ exit: 0 })
  expect(verified.stdout).toMatch(/records in 2 segments up to .* are past their time and gone/)
  const found = await run(['audit', 'search', '-c', config, '--type', 'segment-removed'])
  expect(found.stdout).toContain('kept for 30 days')
  const note = /records of .* to .*, between 1 and 6, were removed by \S+ \(keep-days: 30\)/
  expect(found.stderr).toMatch(note)
  const since = await run(['audit', 'search', '-c', config, '--since', '1d'])
  expect(since.stderr).not.toContain('removed')
  const gone = await run(['audit', 'show', '1', '-c', config])
  expect(gone.stderr).toContain('record 1 is past its time and was removed')
  expect(gone.stderr).toMatch(note)
})

test('a hold on a stretch of time keeps its records', async () => {
  const { directory, config } = await agedSample()
  const held = ['audit', 'hold', '-c', config, '--since', '41d', '--until', '39d', ...WHO]
  expect(await run(held)).toMatchObject({ exit: 0 })
  const pruned = await run(['audit', 'prune', '-c', config])
  expect(pruned.stdout).toContain('stays: legal hold')
  expect(existsSync(join(directory, '00000001.jsonl'))).toBe(true)
  expect(existsSync(join(directory, '00000002.jsonl'))).toBe(false)
})

test.each([[[]], [['0f5d3c9a', '--subject', 'ada']], [['--since', '3d']]])(
  'a hold names one thing: %j',
  async (target) => {
    const directory = await sample()
    const { exit } = await run(['audit', 'hold', ...target, '-d', directory, ...WHO])
    expect(exit).toBe(2)
  },
)
