/** Server message types the relay lists; anything else is out of sync. */

export const PARSE_COMPLETE = 0x31 // '1'
export const BIND_COMPLETE = 0x32 // '2'
export const CLOSE_COMPLETE = 0x33 // '3'
export const NOTIFICATION = 0x41 // 'A'
export const COMMAND_COMPLETE = 0x43 // 'C'
export const DATA_ROW = 0x44 // 'D'
export const ERROR = 0x45 // 'E'
export const COPY_IN = 0x47 // 'G'
export const COPY_OUT = 0x48 // 'H'
export const EMPTY_QUERY = 0x49 // 'I'
export const NOTICE = 0x4e // 'N'
export const PARAMETER_STATUS = 0x53 // 'S'
export const ROW_DESCRIPTION = 0x54 // 'T'
export const FUNCTION_RESULT = 0x56 // 'V'
export const READY = 0x5a // 'Z'
export const COPY_DONE = 0x63 // 'c'
export const COPY_DATA = 0x64 // 'd'
export const NO_DATA = 0x6e // 'n'
export const PORTAL_SUSPENDED = 0x73 // 's'
export const PARAMETER_DESCRIPTION = 0x74 // 't'

/** SQLSTATE of an ErrorResponse or NoticeResponse frame [start, end); `XX000` when it has none. */
export function sqlstateOf(buf: Buffer, start: number, end: number): string {
  let at = start + 5
  while (at < end && buf[at] !== 0) {
    const field = buf[at]
    const nul = buf.indexOf(0, at + 1)
    if (nul < 0 || nul >= end) break
    if (field === 0x43) return buf.toString('latin1', at + 1, nul)
    at = nul + 1
  }
  return 'XX000'
}
