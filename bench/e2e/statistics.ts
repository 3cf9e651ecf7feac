/** Medians, and medians of ratios of values that were measured side by side. */

/** NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** Index is the round; rounds in which either is missing do not count. Null: none had both. */
export function medianRatio(
  values: readonly (number | undefined)[],
  bases: readonly (number | undefined)[],
): number | null {
  const ratios = values.flatMap((value, round) => {
    const base = bases[round]
    return value === undefined || base === undefined || base === 0 ? [] : value / base
  })
  return ratios.length === 0 ? null : median(ratios)
}
