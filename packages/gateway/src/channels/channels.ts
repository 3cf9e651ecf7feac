/** Everybody who is told of approvals: webhooks, Slack. What a channel does never holds an approval up. */
import type { Approvals } from '../approvals/approvals.ts'
import type { Approval, ApprovalEvent } from '../approvals/state.ts'
import type { ApprovalsConfig } from '../config/model.ts'
import type { Secrets } from '../secrets/store.ts'
import { Deliveries } from './delivery.ts'
import { Slack } from './slack.ts'
import { Webhook } from './webhook.ts'

export interface ChannelsOptions {
  readonly config: ApprovalsConfig
  readonly secrets: Secrets
  readonly approvals: Approvals
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

export class Channels {
  readonly slack: Slack | null
  readonly #webhooks: readonly Webhook[]
  readonly #deliveries: Deliveries
  readonly #options: ChannelsOptions

  constructor(options: ChannelsOptions) {
    const { config, secrets, approvals, now, onError } = options
    this.#options = options
    this.#deliveries = new Deliveries({ onGivenUp: onError })
    const shared = { deliveries: this.#deliveries, link: () => config.link, now }
    const read = (reference: string) => async () => (await secrets.get(reference)).reveal()
    this.#webhooks = config.webhooks.map(
      ({ url, secret }) => new Webhook({ ...shared, url, secret: read(secret) }),
    )
    const { slack } = config
    this.slack =
      slack === null
        ? null
        : new Slack({
            ...shared,
            ...slack,
            approvals,
            token: read(slack.token),
            signingSecret: read(slack.signingSecret),
          })
  }

  /** Of an event that this gateway has recorded; others tell of theirs. */
  tell(approval: Approval, event: ApprovalEvent): void {
    const told = [...this.#webhooks, ...(this.slack === null ? [] : [this.slack])]
    if (told.length === 0) return
    const { approvals, onError } = this.#options
    void approvals
      .shown(approval.id)
      .catch((error: unknown) => {
        onError(error)
        return null
      })
      .then((shown) => {
        for (const channel of told) channel.tell(approval, event, shown)
      })
  }

  close(): void {
    this.#deliveries.close()
  }
}
