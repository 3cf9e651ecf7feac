/**
 * Attacks of the corpus that still tell something, by their steps. The test of each is expected to fail: one
 * that is closed says so, and its line goes.
 */
export const GAPS: readonly { readonly why: string; readonly steps: readonly string[] }[] = []
