/** An export to a URL: batches as application/x-ndjson. A 2xx is the receiver's word that it has them. */
import type { Message, Sink } from './sink.ts'

/** One answer, ms. */
const ANSWER_MS_MAX = 15_000

export interface WebhookOptions {
  readonly url: string
  /** Value of the `Authorization` header; null: none. */
  readonly authorization: string | null
}

export class WebhookSink implements Sink {
  readonly name: string
  readonly #options: WebhookOptions

  constructor(options: WebhookOptions) {
    this.name = new URL(options.url).host
    this.#options = options
  }

  async send(messages: readonly Message[]): Promise<void> {
    const { url, authorization } = this.#options
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(authorization !== null && { authorization }),
      },
      body: messages.map(({ line }) => `${line}\n`).join(''),
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    })
    await answer.body?.cancel()
    if (!answer.ok)
      throw Object.assign(new Error(`status ${answer.status}`), { code: `HTTP${answer.status}` })
  }

  close(): void {}
}
