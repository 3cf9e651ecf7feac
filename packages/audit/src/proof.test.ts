import { describe, expect, test } from 'vitest'
import { openAuditLog } from './open.ts'
import { checkInclusion, inclusionProof } from './proof.ts'
import { listSegments } from './segments.ts'
import { clockAt, publicKeyIn, temporaryDirectory } from './testing.ts'
import { statement } from './testing-events.ts'

async function sampleLog(): Promise<{ directory: string; publicKeys: string[]; last: number }> {
  const directory = temporaryDirectory()
  const log = await openAuditLog({
    directory,
    now: clockAt().now,
    segmentBytes: 3_000,
    index: false,
  })
  let last = 0
  for (let i = 1; i <= 25; i++) {
    last = log.append(statement({ ordinal: i }))
    log.flush()
  }
  await log.close()
  return { directory, publicKeys: [publicKeyIn(directory)], last: last + 1 }
}

describe('an inclusion proof', () => {
  test('shows every record of a log to be in it, footers apart', async () => {
    const { directory, publicKeys, last } = await sampleLog()
    expect(listSegments(directory).length).toBeGreaterThan(2)
    let footers = 0
    for (let seq = 1; seq <= last; seq++) {
      try {
        const proof = inclusionProof(directory, seq)
        // Plain data: it survives being sent.
        const sent = JSON.parse(JSON.stringify(proof)) as typeof proof
        expect(checkInclusion(sent, { publicKeys })).toMatchObject({ ok: true, record: { seq } })
      } catch (error) {
        expect(error).toMatchObject({ code: 'not-found' })
        footers++
      }
    }
    expect(footers).toBe(listSegments(directory).length - 1)
  })

  test('does not hold for anything but what was signed', async () => {
    const { directory, publicKeys } = await sampleLog()
    const proof = inclusionProof(directory, 5)
    const other = inclusionProof(directory, 6)
    const { head } = proof
    const forgeries = [
      [{ ...proof, record: proof.record.replace('customers', 'suppliers') }, 'path'],
      [{ ...proof, record: other.record }, 'record'],
      [{ ...proof, seq: 6 }, 'record'],
      [{ ...proof, record: other.record, seq: 6 }, 'record'],
      [{ ...proof, record: other.record, seq: 6, index: proof.index + 1 }, 'path'],
      [{ ...proof, path: other.path }, 'path'],
      [{ ...proof, path: [] }, 'path'],
      [{ ...proof, record: 'nothing' }, 'record'],
      [{ ...proof, head: { ...head, at: head.at + 1 } }, 'bad-signature'],
      [{ ...proof, head: { ...head, keyId: '0'.repeat(16) } }, 'unknown-key'],
    ] as const
    for (const [forged, why] of forgeries) {
      expect(checkInclusion(forged, { publicKeys })).toEqual({ ok: false, why })
    }
  })

  test('is refused for what no signed head covers yet', async () => {
    const directory = temporaryDirectory()
    const log = await openAuditLog({ directory, now: clockAt().now, index: false })
    const seq = log.append(statement())
    log.flush()
    expect(() => inclusionProof(directory, seq)).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
    await log.signHead()
    expect(inclusionProof(directory, seq).seq).toBe(seq)
    await log.close()
  })

  test('is refused for records that do not exist', async () => {
    const { directory, last } = await sampleLog()
    for (const seq of [0, -1, last + 1, Number.NaN]) {
      expect(() => inclusionProof(directory, seq)).toThrow(
        expect.objectContaining({ code: 'not-found' }),
      )
    }
  })
})
