/**
 * The commands a client sends (a byte and a body), both ways, except those with parameters, which are
 * `parameters.ts`. A command not listed is nothing this package decodes; the relay refuses it in-band.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */

/** The first byte of a command (enum_server_command), as far as it is let through. */
export const COM = {
  QUIT: 0x01,
  INIT_DB: 0x02,
  QUERY: 0x03,
  FIELD_LIST: 0x04,
  STATISTICS: 0x09,
  PROCESS_KILL: 0x0c,
  PING: 0x0e,
  CHANGE_USER: 0x11,
  STMT_PREPARE: 0x16,
  STMT_EXECUTE: 0x17,
  STMT_SEND_LONG_DATA: 0x18,
  STMT_CLOSE: 0x19,
  STMT_RESET: 0x1a,
  SET_OPTION: 0x1b,
  STMT_FETCH: 0x1c,
  RESET_CONNECTION: 0x1f,
  /** MariaDB's. */
  STMT_BULK_EXECUTE: 0xfa,
} as const

/** Arguments of COM_SET_OPTION. */
export const SET_OPTION = { MULTI_STATEMENTS_ON: 0, MULTI_STATEMENTS_OFF: 1 } as const

/** The byte as people write it, for messages. */
export function commandName(command: number): string {
  for (const [name, code] of Object.entries(COM)) if (code === command) return `COM_${name}`
  return `0x${command.toString(16).padStart(2, '0')}`
}
