/**
 * What a gateway that starts finds of approvals: their events, read back from its audit log. Whoever was
 * waiting on a connection is gone with it, so those approvals are cancelled.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  type AuditReader,
  type AuditRecord,
  openAuditReader,
  type Page,
  type SearchQuery,
} from '@sallyport/audit'
import type { Logger } from '../telemetry/index.ts'
import { LIFETIME_MS_MAX } from './limits.ts'
import { approvalEvents } from './local-journal.ts'
import type { Stamped } from './state.ts'

/** Records read at once. */
const PAGE_ROWS = 1_000
/** Of each type; an approval has one request, one end and a few decisions. */
const EVENTS_MAX = 100_000

const TYPES = ['approval-requested', 'approval-decided', 'approval-closed', 'grant-ended'] as const

/** Oldest first. What cannot be read is left out: an approval that is not known lets nothing run. */
export async function readApprovals(
  directory: string,
  now: number,
  log: Logger,
): Promise<readonly Stamped[]> {
  if (!existsSync(directory)) return []
  try {
    const reader = await openAuditReader({ directory, update: true })
    try {
      const since = now - LIFETIME_MS_MAX
      const found = await Promise.all(TYPES.map((type) => allOf(reader, { type, since })))
      return approvalEvents(found.flat().sort((a, b) => a.seq - b.seq))
    } finally {
      reader.close()
    }
  } catch (error) {
    log.error({ err: error }, 'approvals given before this start cannot be read: ask again')
    return []
  }
}

async function allOf(reader: AuditReader, query: SearchQuery): Promise<AuditRecord[]> {
  const all: AuditRecord[] = []
  let before: number | null = null
  do {
    const page: Page<AuditRecord> = await reader.search({
      ...query,
      limit: PAGE_ROWS,
      ...(before !== null && { before }),
    })
    all.push(...page.items)
    before = page.next
  } while (before !== null && all.length < EVENTS_MAX)
  return all
}

/** Short enough to say, long enough not to be guessed: 80 bits. */
export function newApprovalId(): string {
  return `ap_${randomBytes(10).toString('base64url')}`
}
