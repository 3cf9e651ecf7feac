/**
 * Approvals told to a URL, signed as Standard Webhooks say (standardwebhooks.com): the receiver checks the
 * signature over id, time and body, refuses old times, and forgets an id it has seen. What would run is not
 * in it: it may hold values that the receiver has no business with. What the database expects of it is, and
 * `text` says it in words that fit an e-mail or a chat.
 */
import { createHmac, randomUUID } from 'node:crypto'
import type { Shown } from '../approvals/journal.ts'
import type { Approval, ApprovalEvent } from '../approvals/state.ts'
import type { ApprovalLink } from '../session/hold-reports.ts'
import { type Deliveries, Undeliverable } from './delivery.ts'
import { sayRequest, sayShown } from './words.ts'

export interface WebhookOptions {
  readonly url: string
  readonly secret: () => Promise<string>
  readonly link: () => ApprovalLink
  readonly deliveries: Deliveries
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export class Webhook {
  readonly #options: WebhookOptions

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  tell(approval: Approval, event: ApprovalEvent, shown: Shown | null): void {
    const id = `msg_${randomUUID()}`
    const body = JSON.stringify(messageOf(approval, event, shown, this.#options))
    this.#options.deliveries.send((signal) => this.#post(id, body, signal))
  }

  /** Signed at each attempt: the time is that of the attempt, the id that of the message. */
  async #post(id: string, body: string, signal: AbortSignal): Promise<void> {
    const { url, secret, now } = this.#options
    const time = Math.floor(now() / 1000)
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(time),
        'webhook-signature': `v1,${signatureOf(await secret(), `${id}.${time}.${body}`)}`,
      },
      redirect: 'error',
      signal,
    })
    await response.body?.cancel()
    if (response.ok) return
    const why = `the webhook answered with status ${response.status}`
    // 410: it does not want to be told any more.
    throw response.status === 410 ? new Undeliverable(why) : new Error(why)
  }
}

/** Base64 of HMAC-SHA-256; `whsec_` and base64 is the usual form of a secret, anything else is taken as it is. */
function signatureOf(secret: string, content: string): string {
  const key = secret.startsWith('whsec_')
    ? Buffer.from(secret.slice('whsec_'.length), 'base64')
    : Buffer.from(secret, 'utf8')
  return createHmac('sha256', key).update(content).digest('base64')
}

function messageOf(
  approval: Approval,
  event: ApprovalEvent,
  shown: Shown | null,
  { link, now }: WebhookOptions,
): object {
  const { id, request, status } = approval
  const asked = [sayRequest(approval), ...sayShown(shown)]
  const address = link()?.replaceAll('{id}', encodeURIComponent(id)) ?? null
  const { subject, issuer, graph = null, node = null, run = null } = request
  if (address !== null) asked.push(`To read and decide: ${address}`)
  return {
    type: `approval.${event.type === 'approval-requested' ? 'requested' : status.kind}`,
    timestamp: new Date(now()).toISOString(),
    data: {
      approval: id,
      what: request.what,
      status: status.kind,
      requester: { subject, issuer, graph, node, run },
      connection: request.connection,
      role: request.role === '' ? null : request.role,
      rule: request.rule,
      reason: request.reason ?? null,
      decideBy: new Date(request.decideBy).toISOString(),
      ...(event.type === 'approval-decided' && { by: event.by, decision: event.decision }),
      estimate: estimateOf(shown),
      preview: previewOf(shown),
      link: address,
      text: event.type === 'approval-requested' ? asked.join('\n') : `${id}: ${status.kind}`,
    },
  }
}

/** Without the plan, which names tables and indexes. */
function estimateOf(shown: Shown | null): object | null {
  const estimate = shown?.estimate ?? null
  if (estimate === null || estimate.kind === 'none') return estimate
  return { kind: estimate.kind, rows: estimate.rows, cost: estimate.cost }
}

/** How many rows, and none of them. */
function previewOf(shown: Shown | null): object | null {
  const preview = shown?.preview ?? null
  if (preview === null || preview.kind === 'none') return preview
  return { kind: preview.kind, affected: preview.affected }
}
