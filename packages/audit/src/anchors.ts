/**
 * Places outside where signed heads also go: whoever can rewrite the log's files cannot rewrite these, and
 * `verifyLog({ heads })` holds the log against them. `anchorToFile` is in heads.ts.
 */

import { AuditError } from './errors.ts'
import { type Anchor, encodeHead } from './heads.ts'

/** POSTs each head as JSON. Whoever receives it is to keep it where the log's host cannot change it. */
export function anchorToWebhook(url: URL): Anchor {
  return async (head, signal) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: encodeHead(head),
      redirect: 'error',
      signal,
    })
    await answer.body?.cancel()
    if (!answer.ok) throw new AuditError('unavailable', `the anchor answered ${answer.status}`)
  }
}

/** A store of objects, as S3: what is put under a name is not put there again. */
export interface ObjectStore {
  put(name: string, content: Uint8Array, signal: AbortSignal): Promise<void>
}

/** Each head as an object of its own, `heads/<segment>-<seq>.json`, names in the order of the log. */
export function anchorToStore(store: ObjectStore): Anchor {
  return (head, signal) => {
    const [segment, seq] = [head.segment, head.seq].map((one) => String(one).padStart(12, '0'))
    return store.put(`heads/${segment}-${seq}.json`, Buffer.from(encodeHead(head)), signal)
  }
}

/** All of them; it has failed when any has. */
export function anchorToAll(anchors: readonly Anchor[]): Anchor {
  return async (head, signal) => {
    await Promise.all(anchors.map((anchor) => anchor(head, signal)))
  }
}
