/**
 * What the admin address answers where no route has words of its own: always `{ error, message }`, whoever found out:
 * a route, Fastify, or Node's parser of HTTP, which knows of no request yet. Nothing of the request is repeated.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface HttpError {
  /** Stable. */
  readonly error: string
  readonly message: string
}

const BAD_REQUEST = { error: 'bad_request', message: 'the request cannot be read' }
const ERRORS: Readonly<Record<number, HttpError>> = {
  400: BAD_REQUEST,
  404: { error: 'not_found', message: 'there is nothing at this address' },
  408: { error: 'too_slow', message: 'the request did not arrive in time' },
  413: { error: 'too-large', message: 'the body is too large' },
  414: { error: 'uri_too_long', message: 'the address is too long' },
  415: { error: 'unsupported_media_type', message: 'the body is of a type that is not read here' },
  417: { error: 'expectation_failed', message: 'nothing but 100-continue can be expected' },
  429: { error: 'too_many_requests', message: 'slow down' },
  431: { error: 'headers_too_large', message: 'the headers are too large' },
  503: { error: 'closing', message: 'the gateway shuts down' },
}
const INTERNAL = { error: 'internal', message: 'the reason is in the gateway’s log' }

export function httpErrorOf(status: number): HttpError {
  return ERRORS[status] ?? (status >= 500 ? INTERNAL : BAD_REQUEST)
}

const headersOf = (body: string): Record<string, string | number> => ({
  'content-type': 'application/json; charset=utf-8',
  'content-length': Buffer.byteLength(body),
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  connection: 'close',
})

/** For the server's `checkExpectation`. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const body = JSON.stringify(httpErrorOf(417))
  response.writeHead(417, headersOf(body)).end(body)
}

/** Codes of Node's parser; anything else is no HTTP. */
const PARSER: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
}

/** For the server's `clientError`. */
export function refuseUnread(error: NodeJS.ErrnoException, socket: Socket): void {
  // Nobody listens any more, or an answer is half written.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const [status, phrase] = PARSER[error.code ?? ''] ?? [400, 'Bad Request']
  const body = JSON.stringify(httpErrorOf(status))
  const headers = Object.entries(headersOf(body)).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\n${headers.join('')}\r\n${body}`)
}
