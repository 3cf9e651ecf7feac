/** What the relay refuses by itself, worded as the server words it. */
import { commandName } from '../commands.ts'
import { assertNever, ER } from '../errors.ts'
import { errorPayload } from '../responses.ts'
import type { Flavour } from '../server-version.ts'
import type { RelayRefusal } from './gatekeeper.ts'

/** The payload of the ERR packet for it; drivers compare texts, and the servers' differ in a full stop. */
export function refusalPayload(reason: RelayRefusal, flavour: Flavour): Buffer {
  switch (reason.kind) {
    case 'unknown-command':
      return errorPayload(ER.UNKNOWN_COM_ERROR, 'Unknown command')
    case 'unknown-statement': {
      const call = `mysqld_${commandName(reason.command).slice(4).toLowerCase()}`
      const what = `Unknown prepared statement handler (${reason.statementId}) given to ${call}`
      return errorPayload(ER.UNKNOWN_STMT_HANDLER, what)
    }
    case 'no-cursor': {
      const what = `The statement (${reason.statementId}) has no open cursor.`
      return errorPayload(ER.STMT_HAS_NO_OPEN_CURSOR, what)
    }
    case 'too-many-statements':
      return errorPayload(ER.MAX_PREPARED_STMT_COUNT_REACHED, 'Too many prepared statements')
    case 'statement-too-long':
      return errorPayload(
        ER.NET_PACKET_TOO_LARGE,
        `The statement has ${reason.bytes} bytes, which is over the limit`,
      )
    case 'command-too-long':
      return errorPayload(
        ER.NET_PACKET_TOO_LARGE,
        "Got a packet bigger than 'max_allowed_packet' bytes",
      )
    case 'malformed':
      return errorPayload(
        ER.MALFORMED_PACKET,
        `Malformed communication packet${flavour === 'mysql' ? '.' : ''}`,
      )
    case 'local-infile':
      return errorPayload(ER.CLIENT_LOCAL_FILES_DISABLED, 'Loading local data is disabled')
    case 'undescribed-rows':
      return errorPayload(
        ER.NOT_SUPPORTED_YET,
        'Rows that are masked or recorded cannot be sent without metadata',
      )
    default:
      return assertNever(reason)
  }
}
