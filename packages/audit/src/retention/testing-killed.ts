/**
 * A process that prunes the log in DIRECTORY and kills itself with SIGKILL at the Nth change it makes to a
 * file: `node testing-killed.ts DIRECTORY NOW KEEP_DAYS KEEP_FROM N`. A write is half done then.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'

const [directory = '', ...numbers] = process.argv.slice(2)
const [at = 0, keepDays = 0, keepFrom = 0, deadly = 0] = numbers.map(Number)

let changes = 0

function isLast(): boolean {
  changes++
  return changes === deadly
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // Not reached: the signal is taken on the way back from the call.
  throw new Error('still alive')
}

type Call = (...args: unknown[]) => unknown

function watch(holder: object, name: string, half?: (call: Call, args: unknown[]) => void): void {
  const calls = holder as Record<string, Call>
  const call = calls[name]
  if (call === undefined) throw new Error(`node:fs has no ${name}`)
  calls[name] = (...args) => {
    if (isLast()) {
      half?.(call, args)
      die()
    }
    return call.apply(holder, args)
  }
}

watch(fs, 'writeSync', (call, [fd, bytes, from, length, position]) => {
  if (typeof length === 'number') call(fd, bytes, from, length >> 1, position)
})
watch(fs.promises, 'writeFile', (_, [path, text]) => {
  fs.appendFileSync(String(path), String(text).slice(0, String(text).length >> 1))
})
for (const name of ['appendFileSync', 'fdatasyncSync', 'ftruncateSync', 'renameSync']) {
  watch(fs, name)
}
for (const name of ['rename', 'rm']) watch(fs.promises, name)
syncBuiltinESMExports()

const { openAuditLog } = await import('../open.ts')
const { pruneLog } = await import('./prune.ts')
const log = await openAuditLog({ directory, now: () => at, keepDays, index: false })
const recordings = join(dirname(directory), 'recordings')
await pruneLog({ log, recordings, now: at, by: 'retention', keepFrom, inThread: false })
await log.close()
