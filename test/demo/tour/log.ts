/** The audit log's events, read from its files as any auditor could. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AuditEvent, isKnownEvent, type StoredEvent } from '@sallyport/audit'
import type { RunningDemo } from '../demo.ts'

/** Whole lines only: the gateway may be writing. */
export async function auditEvents({ folder }: RunningDemo): Promise<AuditEvent[]> {
  const directory = join(folder, 'audit')
  const files = (await readdir(directory)).filter((name) => /^\d{8}\.jsonl$/.test(name)).sort()
  const events: AuditEvent[] = []
  for (const file of files) {
    const text = await readFile(join(directory, file), 'utf8')
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
      // A log's own line: verification is a chapter of its own.
      const { event } = JSON.parse(line) as { event: StoredEvent }
      if (isKnownEvent(event)) events.push(event)
    }
  }
  return events
}
