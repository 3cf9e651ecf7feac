/** The command's side of contract.ts. */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { DESK_CHARS_MAX, type DeskAnswer, type DeskRequest, deskPath } from './contract.ts'

const ANSWER_MS_MAX = 15_000

/** What the gateway over this log answers; null: none is running there. */
export function askDesk(auditDirectory: string, request: DeskRequest): Promise<DeskAnswer | null> {
  const path = deskPath(auditDirectory)
  if (path === null || !existsSync(path)) return Promise.resolve(null)
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`))
    const failed = (message: string): void => {
      socket.destroy()
      resolve({ ok: false, code: 'unavailable', message })
    }
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS_MAX, () => failed('the gateway does not answer'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Left behind by one that was killed.
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(null)
      else failed(`the gateway cannot be asked: ${error.code ?? 'failed'}`)
    })
    socket.on('data', (chunk: string) => {
      answer += chunk
      if (answer.length > DESK_CHARS_MAX) failed('the gateway’s answer is too long')
    })
    socket.on('end', () => {
      if (answer === '') failed('the gateway went away')
      // Safe: desk.ts answers with exactly this.
      else resolve(JSON.parse(answer) as DeskAnswer)
    })
  })
}
