/** The running gateway over a log, asked by whoever may enter the log's directory. */
import { userInfo } from 'node:os'
import { AuditError, type AuditErrorCode, askDesk, type DeskRequest } from '@sallyport/audit'
import type { Cli } from '../context.ts'
import type { ReadingFlags } from './flags.ts'

/** What it says it did; null: no gateway runs over this log. @throws AuditError: it refuses */
export async function askGateway(directory: string, request: DeskRequest): Promise<string | null> {
  const answer = await askDesk(directory, request)
  if (answer === null) return null
  if (answer.ok) return answer.said
  // Safe: the gateway answers with codes of this class; another is told like any unknown one.
  throw new AuditError(answer.code as AuditErrorCode, answer.message)
}

/**
 * Reading the trail stands in the trail. Of files that no gateway writes it cannot: of a gateway's own that is said.
 * @throws AuditError when the gateway cannot record it: then nothing is read
 */
export async function noteReading(
  directory: string,
  what: { readonly action: string; readonly query: object },
  flags: Pick<ReadingFlags, 'config'>,
  cli: Cli,
): Promise<void> {
  const query = JSON.stringify(what.query).slice(0, QUERY_CHARS_MAX)
  const actor = userInfo().username
  const noted = await askGateway(directory, { do: 'note-read', actor, action: what.action, query })
  if (noted === null && flags.config !== undefined) {
    cli.out.note('no gateway runs over this trail: this reading is not in it')
  }
}

const QUERY_CHARS_MAX = 4_000
