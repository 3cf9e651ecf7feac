/**
 * Runs one attack in a session and gives back every byte that came over the wire for it. A session is used
 * for many attacks: after each it is brought back to what it was, so that attacks cost a millisecond.
 */
import type { FrontendMessage } from '@sallyport/protocol-postgres'
import { extended, type Frame, type WireClient } from '../support/wire.ts'

/** A text sent in the way of the run, or messages sent as they are (answered by `syncs` ReadyForQuery). */
export type Step = string | { readonly send: readonly FrontendMessage[]; readonly syncs?: number }

export interface Attack {
  readonly steps: readonly Step[]
  /** Why it might work, where the text does not say. */
  readonly why?: string
  /** Takes back, as the superuser, what it may have left behind. */
  readonly undo?: string
}

export type Way = 'simple' | 'extended text' | 'extended binary' | 'pipeline'
export const WAYS: readonly Way[] = ['simple', 'extended text', 'extended binary', 'pipeline']

/** Texts that change data or definitions on their own are undone by a transaction around them. */
const CHANGES =
  /\b(INSERT|UPDATE|DELETE|MERGE|CREATE|ALTER|DROP|TRUNCATE|INTO|nextval|setval|COMMENT|GRANT|REFRESH|CLUSTER|REINDEX|LOCK|lo_\w+)\b/i
/** What would be seen by the next attack of the session. */
const STAYS = /\b(SET|RESET|set_config|PREPARE|DECLARE|LISTEN|pg_\w*lock\w*|TEMP|TEMPORARY)\b/i
const ENDS = /\b(COMMIT|ROLLBACK|BEGIN(?! ATOMIC)|VACUUM|DISCARD|DATABASE|CONCURRENTLY)\b/i

export async function runAttack(wire: WireClient, attack: Attack, way: Way): Promise<Buffer> {
  const { steps } = attack
  const [only] = steps
  const isWrapped =
    steps.length === 1 && typeof only === 'string' && CHANGES.test(only) && !ENDS.test(only)
  if (isWrapped) await wire.query('BEGIN')
  const frames =
    way === 'pipeline' ? await pipelined(wire, steps) : await oneByOne(wire, steps, way)
  const status = statusOf(frames)
  if (isWrapped || status !== 'I') await wire.query('ROLLBACK')
  if (steps.length > 1 || (typeof only === 'string' && STAYS.test(only)))
    await wire.query('DISCARD ALL')
  return Buffer.concat(frames.map(({ bytes }) => bytes))
}

function statusOf(frames: readonly Frame[]): string {
  const last = frames.at(-1)?.message
  return last?.kind === 'ReadyForQuery' ? last.status : '?'
}

async function oneByOne(wire: WireClient, steps: readonly Step[], way: Way): Promise<Frame[]> {
  const frames: Frame[] = []
  for (const step of steps) {
    if (typeof step !== 'string') wire.send(...step.send)
    else if (way === 'simple') wire.send({ kind: 'Query', text: step })
    else wire.send(...extended(step, [], way === 'extended binary' ? 1 : 0))
    const syncs = typeof step === 'string' ? 1 : (step.syncs ?? 1)
    frames.push(...(await answers(wire, { syncs, way })))
    if (wire.ended) break
  }
  return frames
}

/** Everything at once: each text under a name of its own, executed before the next is decided. */
async function pipelined(wire: WireClient, steps: readonly Step[]): Promise<Frame[]> {
  let syncs = 0
  const messages: FrontendMessage[] = []
  for (const step of steps) {
    if (typeof step === 'string') messages.push(...extended(step, [], 0))
    else messages.push(...step.send)
    syncs += typeof step === 'string' ? 1 : (step.syncs ?? 1)
  }
  wire.send(...messages)
  return answers(wire, { syncs, way: 'pipeline' })
}

/** Replies up to the last ReadyForQuery; a COPY the server waits for is failed. */
async function answers(
  wire: WireClient,
  { syncs, way }: { readonly syncs: number; readonly way: Way },
): Promise<Frame[]> {
  const frames: Frame[] = []
  for (let left = syncs; left > 0; ) {
    const some = await wire.until(({ type }) => type === 'Z' || type === 'G')
    frames.push(...some)
    const last = some.at(-1)
    if (last?.type === 'G') {
      wire.send({ kind: 'CopyFail', message: 'no data' })
      // The server has swallowed the Sync that came while it was waiting for data.
      if (way !== 'simple') wire.send({ kind: 'Sync' })
    } else left--
    if (last === undefined || wire.ended) break
  }
  return frames
}
