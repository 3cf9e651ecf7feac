/** Commands that are decided and have no text of their own: what they say, and what their OK does. */
import { ByteReader } from '../bytes.ts'
import { COM, SET_OPTION } from '../commands.ts'
import { assertNever, ProtocolError } from '../errors.ts'
import type { Effect } from './expected.ts'
import type { SessionCommand } from './gatekeeper.ts'

/** `buf[start, end)`: the body of `command`, behind its byte. Throws ProtocolError where it is cut short. */
export function decodeSessionCommand(
  command: number,
  buf: Buffer,
  start: number,
  end: number,
): SessionCommand {
  const reader = new ByteReader(buf, start, end)
  switch (command) {
    case COM.INIT_DB:
      return { kind: 'init-db', database: reader.rest().toString('utf8') }
    case COM.FIELD_LIST:
      return {
        kind: 'field-list',
        table: reader.nulBytes().toString('utf8'),
        wildcard: reader.nulOrRest().toString('utf8'),
      }
    case COM.PROCESS_KILL:
      return { kind: 'process-kill', connectionId: reader.uint32() }
    case COM.STATISTICS:
      return { kind: 'statistics' }
    case COM.RESET_CONNECTION:
      return { kind: 'reset-connection' }
    case COM.SET_OPTION:
      return { kind: 'set-option', multiStatements: setOption(reader.uint16()) }
    default:
      throw new ProtocolError('illegal-call', 'local', `command ${command}`)
  }
}

function setOption(option: number): boolean {
  if (option === SET_OPTION.MULTI_STATEMENTS_ON) return true
  if (option === SET_OPTION.MULTI_STATEMENTS_OFF) return false
  throw new ProtocolError('bad-value', 'remote', `option ${option} of COM_SET_OPTION`)
}

/** What the command does to the session once it is answered with OK. */
export function effectOf(command: SessionCommand): Effect {
  switch (command.kind) {
    case 'set-option':
      return command.multiStatements ? 'multi-statements-on' : 'multi-statements-off'
    case 'reset-connection':
      return 'reset-connection'
    case 'init-db':
    case 'field-list':
    case 'process-kill':
    case 'statistics':
      return 'none'
    default:
      return assertNever(command)
  }
}
