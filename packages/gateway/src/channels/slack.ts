/**
 * Approvals in a Slack channel: a message when one is asked for, buttons for whoever may decide, and what
 * became of it. A click counts only with Slack's signature, and for the person the configuration says that
 * Slack user is; everything else about deciding is as everywhere.
 *
 * Spec: api.slack.com/authentication/verifying-requests-from-slack, /interactivity/handling, chat.postMessage.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Approvals } from '../approvals/approvals.ts'
import { ApprovalError } from '../approvals/errors.ts'
import type { Shown } from '../approvals/journal.ts'
import { type Approval, type ApprovalEvent, isOver } from '../approvals/state.ts'
import type { ApprovalLink } from '../session/hold-reports.ts'
import { type Deliveries, Undeliverable } from './delivery.ts'
import { sayRequest, sayShown, visible } from './words.ts'

/** Older clicks are replays, seconds. */
const CLICK_AGE_SECONDS_MAX = 300
/** A block of Slack's takes 3,000 characters; a longer statement is read at the link, and decided there. */
const STATEMENT_CHARS_MAX = 2_800
/** Messages whose outcome is yet to be told. */
const MESSAGES_MAX = 1_000

export interface SlackPerson {
  /** Slack's user id, `U…`. */
  readonly user: string
  readonly subject: string
  readonly issuer: string
  readonly groups: readonly string[]
}

export interface SlackOptions {
  /** `https://slack.com/api`, or a stand-in. */
  readonly api: string
  readonly channel: string
  readonly people: readonly SlackPerson[]
  readonly token: () => Promise<string>
  readonly signingSecret: () => Promise<string>
  readonly approvals: Approvals
  readonly link: () => ApprovalLink
  readonly deliveries: Deliveries
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export class Slack {
  readonly #options: SlackOptions
  /** Approval → its message. */
  readonly #messages = new Map<string, { readonly channel: string; readonly ts: string }>()

  constructor(options: SlackOptions) {
    this.#options = options
  }

  tell(approval: Approval, event: ApprovalEvent, shown: Shown | null): void {
    if (event.type === 'approval-requested') this.#post(approval, shown)
    else if (isOver(approval.status) || approval.status.kind === 'approved') this.#update(approval)
  }

  /** A request to the interactivity URL. False: it does not come from Slack. What came of it is told to the clicker. */
  async clicked(
    body: string,
    headers: { readonly timestamp: string | undefined; readonly signature: string | undefined },
  ): Promise<boolean> {
    if (!(await this.#isSigned(body, headers))) return false
    const click = clickIn(body)
    if (click !== null) this.#answer(click, await this.#decide(click))
    return true
  }

  async #decide(click: Click): Promise<string> {
    const person = this.#options.people.find(({ user }) => user === click.user)
    if (person === undefined) return 'Your Slack account is not known to the gateway.'
    try {
      const { status } = await this.#options.approvals.decide(click.approval, {
        by: person.subject,
        issuer: person.issuer,
        groups: person.groups,
        kind: 'human',
        decision: click.decision,
        reason: 'decided in Slack',
      })
      return `${click.approval}: ${status.kind}`
    } catch (error) {
      if (error instanceof ApprovalError) return `Not counted: ${error.message}.`
      throw error
    }
  }

  #post(approval: Approval, shown: Shown | null): void {
    const { channel, deliveries } = this.#options
    const blocks = this.#blocks(approval, shown)
    const text = `approval ${approval.id} is needed by the rule "${approval.request.rule}"`
    deliveries.send(async (signal) => {
      const answer = await this.#call('chat.postMessage', { channel, text, blocks }, signal)
      const [oldest] = this.#messages.keys()
      if (this.#messages.size >= MESSAGES_MAX && oldest !== undefined) this.#messages.delete(oldest)
      const place = { channel: String(answer['channel']), ts: String(answer['ts']) }
      this.#messages.set(approval.id, place)
    })
  }

  #update(approval: Approval): void {
    const message = this.#messages.get(approval.id)
    if (message === undefined) return
    if (isOver(approval.status)) this.#messages.delete(approval.id)
    const { deliveries } = this.#options
    const by = approval.decisions.map(({ event }) => `${event.decision} by ${event.by}`).join(', ')
    const text = `${summary(approval)}\n*${approval.status.kind}*${by === '' ? '' : `: ${plain(by)}`}`
    const blocks = [section(text)]
    deliveries.send((signal) =>
      this.#call('chat.update', { ...message, text, blocks }, signal).then(() => undefined),
    )
  }

  /** Who cannot see all that would run is given no button for it. */
  #blocks(approval: Approval, shown: Shown | null): object[] {
    const template = this.#options.link()
    const link = template?.replaceAll('{id}', encodeURIComponent(approval.id)) ?? null
    const sql = shown?.layout ?? shown?.sql ?? ''
    const parameters = (shown?.parameters ?? []).map((value, i) => `$${i + 1} = ${value ?? 'NULL'}`)
    const statement = plain(visible([sql, ...parameters].join('\n')))
    const isWhole = statement.length <= STATEMENT_CHARS_MAX && !statement.includes('```')
    const where = link === null ? `\`sallyport approvals show ${approval.id}\`` : `<${link}>`
    const known = sayShown(shown).map(plain)
    const head = section([summary(approval), ...known, `To read and decide: ${where}`].join('\n'))
    const needsTicket = approval.request.approvers.some(({ ticket }) => ticket !== null)
    if (!isWhole || needsTicket) return [head]
    const button = (decision: 'approve' | 'deny', style: 'primary' | 'danger'): object => ({
      type: 'button',
      action_id: decision,
      value: approval.id,
      style,
      text: { type: 'plain_text', text: decision === 'approve' ? 'Approve' : 'Deny' },
    })
    const actions = {
      type: 'actions',
      elements: [button('approve', 'primary'), button('deny', 'danger')],
    }
    return [head, ...(sql === '' ? [] : [section(`\`\`\`${statement}\`\`\``)]), actions]
  }

  /** Only the clicker sees it. */
  #answer({ answerUrl }: Click, text: string): void {
    const { api, deliveries } = this.#options
    const url = URL.parse(answerUrl)
    const isSlack = url?.origin === 'https://hooks.slack.com' || url?.origin === new URL(api).origin
    if (url === null || !isSlack) return
    deliveries.send(async (signal) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, text }),
        redirect: 'error',
        signal,
      })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`Slack answered with status ${response.status}`)
    })
  }

  async #call(method: string, body: object, signal: AbortSignal): Promise<Record<string, unknown>> {
    const { api, token } = this.#options
    const response = await fetch(`${api}/${method}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await token()}`,
        'content-type': 'application/json; charset=utf-8',
      },
      body: JSON.stringify(body),
      redirect: 'error',
      signal,
    })
    if (!response.ok) throw new Error(`Slack answered with status ${response.status}`)
    const answer = (await response.json()) as Record<string, unknown>
    if (answer['ok'] === true) return answer
    const why = `Slack refused ${method}: ${String(answer['error'])}`
    throw answer['error'] === 'ratelimited' ? new Error(why) : new Undeliverable(why)
  }

  async #isSigned(
    body: string,
    { timestamp, signature }: { timestamp: string | undefined; signature: string | undefined },
  ): Promise<boolean> {
    if (timestamp === undefined || signature === undefined || !/^\d{1,12}$/.test(timestamp))
      return false
    const age = Math.abs(this.#options.now() / 1000 - Number(timestamp))
    if (age > CLICK_AGE_SECONDS_MAX) return false
    const expected = createHmac('sha256', await this.#options.signingSecret())
      .update(`v0:${timestamp}:${body}`)
      .digest('hex')
    const [is, should] = [Buffer.from(signature), Buffer.from(`v0=${expected}`)]
    return is.length === should.length && timingSafeEqual(is, should)
  }
}

interface Click {
  readonly user: string
  readonly approval: string
  readonly decision: 'approve' | 'deny'
  /** Where the clicker is answered. */
  readonly answerUrl: string
}

/** Of a `block_actions` payload. */
function clickIn(body: string): Click | null {
  try {
    const payload = JSON.parse(new URLSearchParams(body).get('payload') ?? '') as {
      user?: { id?: unknown }
      actions?: { action_id?: unknown; value?: unknown }[]
      response_url?: unknown
    }
    const user = payload.user?.id
    const { action_id: decision, value: approval } = payload.actions?.[0] ?? {}
    if (typeof user !== 'string' || typeof approval !== 'string') return null
    if (decision !== 'approve' && decision !== 'deny') return null
    return { user, approval, decision, answerUrl: String(payload.response_url ?? '') }
  } catch {
    return null
  }
}

/** Without code of the requester's making above that which would run. */
const summary = (approval: Approval): string => plain(sayRequest(approval)).replaceAll('`', "'")

const section = (text: string): object => ({ type: 'section', text: { type: 'mrkdwn', text } })

/** Slack's three control characters: no mention, no link of the requester's making. */
function plain(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
