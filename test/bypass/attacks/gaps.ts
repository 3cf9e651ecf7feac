/**
 * Attacks of the corpus that still tell something, by their steps. The test of each is expected to fail: one
 * that is closed says so, and its line goes.
 */
export const GAPS: readonly { readonly why: string; readonly steps: readonly string[] }[] = [
  { why: 'order of rows', steps: ['SELECT count(DISTINCT salary), array_agg(id) FROM people'] },
  {
    why: 'order of rows',
    steps: ["SELECT count(DISTINCT ssn), string_agg(id::text, ',') FROM people"],
  },
  { why: 'order of rows', steps: ['SELECT count(DISTINCT ssn), any_value(city) FROM people'] },
  {
    why: 'order of rows',
    steps: ['SELECT city, count(DISTINCT ssn), json_agg(id) FROM people GROUP BY city'],
  },
]
