/** How the data of a COPY FROM STDIN is kept in a recording: what goes into protected columns is masked. */

import { ByteWriter, limits } from '@sallyport/protocol-postgres'
import type { CellMask } from '@sallyport/protocol-wire'
import type { CopyFacts, StatementFacts } from '@sallyport/sql'
import type { SentPlan } from '../sent.ts'
import type { Admitted } from './admitted.ts'
import { rewriterOf } from './masking.ts'

const REDACTED = Buffer.from('[redacted]')

const redact: CellMask = (_src, _start, _end, out) => {
  out.ensure(REDACTED.length)
  out.at += REDACTED.copy(out.buf, out.at)
  return REDACTED.length
}

/** `format`, `columns`: as the server asks for them. */
export function sentPlanFor(
  { decided, before, ground: { view } }: Admitted,
  result: number,
  format: 'text' | 'binary',
  columns: number,
): SentPlan {
  const binary = format === 'binary'
  if (!view.protects) return { mask: null, binary }
  const facts = decided.analysis.kind === 'statements' ? decided.analysis.statements[result] : null
  const copy = facts?.copy ?? null
  if (facts == null || copy === null || before.length > 0) return null
  if (copy.direction !== 'from-client' || (copy.format === 'binary') !== binary) return null
  const clear = clearFields(facts, (column) => view.allMasksOn(column).length === 0)
  // Also where it is not known which column a field goes into.
  const masks = Array.from({ length: columns }, (_, i) => (clear.has(i) ? null : redact))
  return { mask: masks.every((mask) => mask === null) ? null : maskOf(copy, masks), binary }
}

function clearFields(
  { constantWrites }: StatementFacts,
  isClear: (column: StatementFacts['columns'][number]) => boolean,
): ReadonlySet<number> {
  const clear = new Set<number>()
  for (const { column, value } of constantWrites) {
    if (value.kind === 'sent' && isClear(column)) clear.add(value.field)
  }
  return clear
}

function maskOf(
  copy: CopyFacts,
  masks: readonly (CellMask | null)[],
): NonNullable<SentPlan>['mask'] {
  const rewriter = rewriterOf(copy, masks)
  const out = new ByteWriter({ initialBytes: 4096, bytesMax: limits.COPY_ROW_BYTES_MAX * 2 })
  return (buf, start, end, put) => {
    out.at = 0
    rewriter.write(buf, start, end, out)
    if (out.at > 0) put(out.buf, 0, out.at)
  }
}
