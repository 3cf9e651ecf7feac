/**
 * A process that writes a log until it is killed or the disk refuses, for failure.test.ts.
 *
 *   node testing-writer.ts <directory>
 *
 * Says `flushed <seq>` after each flush, `refused <code>` when one fails; a line on standard input then
 * makes it recover, write one more statement and stop.
 */

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { AuditError } from './errors.ts'
import type { AuditLog } from './log.ts'
import { openAuditLog } from './open.ts'
import { outcome, statement } from './testing-events.ts'

const STDOUT = 1

function say(line: string): void {
  writeSync(STDOUT, `${line}\n`)
}

/** Writes statements until flush throws. Returns the error. */
async function writeUntilRefused(log: AuditLog): Promise<AuditError> {
  for (let i = 1; ; i++) {
    try {
      let seq = 0
      for (let k = 0; k <= i % 5; k++) {
        seq = log.append(outcome({ statement: log.append(statement({ ordinal: i })) }))
      }
      log.flush()
      say(`flushed ${seq}`)
    } catch (error) {
      if (error instanceof AuditError) return error
      throw error
    }
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

async function main(directory: string): Promise<void> {
  const log = await openAuditLog({
    directory,
    now: Date.now,
    segmentBytes: 30_000,
    headRecords: 200,
    index: false,
  })
  const error = await writeUntilRefused(log)
  say(`refused ${error.code} ${log.state}`)
  for await (const _line of createInterface({ input: process.stdin })) break
  log.recover()
  log.append(statement())
  log.flush()
  say(`recovered ${log.state}`)
  await log.close()
}

await main(process.argv[2] ?? '')
