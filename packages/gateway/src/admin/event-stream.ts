/**
 * Server-sent events to one caller: until it leaves, its token is no good any more, or it does not keep up.
 * Spec: html.spec.whatwg.org/multipage/server-sent-events.html.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from './caller.ts'

/** Open streams; each is a connection and a subscription. */
const STREAMS_MAX = 100
/** Of one caller: whoever has a token could otherwise keep approvers from following. */
const STREAMS_OF_ONE_MAX = 10
/** A comment on an otherwise silent stream, ms: shorter than proxies' and our own idle timeouts. */
const HEARTBEAT_MS = 4_000

export interface EventStream {
  /** A reader that does not keep up loses its stream. */
  send(event: string, data: object): void
  end(): void
}

export class EventStreams {
  /** Is this caller still who it was? Asked with every heartbeat. */
  readonly #isGood: (request: FastifyRequest) => Promise<boolean>
  /** Callers of streams that are open. */
  readonly #open: string[] = []

  constructor(isGood: (request: FastifyRequest) => Promise<boolean>) {
    this.#isGood = isGood
  }

  /** `begin` subscribes, and answers with how to unsubscribe. @throws ApiError 429, 503 */
  open(
    request: FastifyRequest,
    reply: FastifyReply,
    begin: (stream: EventStream) => () => void,
  ): void {
    const { issuer, subject } = request.caller.principal
    const caller = JSON.stringify([issuer, subject])
    const own = this.#open.filter((one) => one === caller).length
    if (own >= STREAMS_OF_ONE_MAX) {
      throw new ApiError(429, 'too_many_followers', `at most ${STREAMS_OF_ONE_MAX} streams of one`)
    }
    if (this.#open.length >= STREAMS_MAX) {
      throw new ApiError(503, 'too_many_followers', 'too many follow events')
    }
    this.#open.push(caller)
    reply.hijack()
    const out = reply.raw
    out.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    out.write(': following\n\n')
    const end = (): void => void out.end()
    const send = (event: string, data: object): void => {
      if (out.writableEnded) return
      if (out.writableNeedDrain) end()
      else out.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    const unsubscribe = begin({ send, end })
    const heartbeat = setInterval(() => {
      void this.#isGood(request)
        .catch(() => false)
        .then((isGood) => {
          if (!isGood || out.writableNeedDrain) end()
          else if (!out.writableEnded) out.write(': still here\n\n')
        })
    }, HEARTBEAT_MS)
    request.raw.once('close', () => {
      this.#open.splice(this.#open.indexOf(caller), 1)
      clearInterval(heartbeat)
      unsubscribe()
      end()
    })
  }
}
