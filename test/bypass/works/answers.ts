/** What a client is answered, and whether an agent under masks is answered alike. */
import { cells, errorsOf, extended, type Frame, type WireClient } from '../../support/wire.ts'

export type Way = 'simple' | 'extended'

export interface Answer {
  readonly rows: (string | null)[][]
  readonly copied: string[]
  readonly errors: string[]
  readonly tags: string[]
}

/** Messages of a session, one after the other, as drivers send them. */
export async function answers(
  wire: WireClient,
  texts: readonly string[],
  way: Way,
): Promise<Answer> {
  const frames: Frame[] = []
  for (const text of texts) {
    if (way === 'simple') wire.send({ kind: 'Query', text })
    else wire.send(...extended(text))
    frames.push(...(await wire.replies()))
  }
  const last = frames.at(-1)?.message
  if (last?.kind === 'ReadyForQuery' && last.status !== 'I') await wire.query('ROLLBACK')
  return {
    rows: cells(frames),
    copied: frames.filter(({ type }) => type === 'd').map(({ bytes }) => bytes.toString('latin1')),
    errors: errorsOf(frames).map(({ sqlstate, message }) => `${sqlstate} ${message}`),
    tags: frames.flatMap(({ message }) =>
      message.kind === 'CommandComplete' ? [message.tag] : [],
    ),
  }
}

/** Several statements cannot be one of the extended protocol. */
export const fits = (texts: readonly string[], way: Way): boolean =>
  way === 'simple' || texts.every((text) => !/;\s*\S/.test(text))

/** As many rows, and no error; cells may be masked. */
export const isLike = (got: Answer, expected: Answer): boolean =>
  expected.errors.length === 0 &&
  got.errors.length === 0 &&
  got.tags.join() === expected.tags.join() &&
  got.rows.length === expected.rows.length
