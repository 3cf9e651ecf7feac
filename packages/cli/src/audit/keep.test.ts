import { existsSync, mkdtempSync, rmSync } from 'node:fs'
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
