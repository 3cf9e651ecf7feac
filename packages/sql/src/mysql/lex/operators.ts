/** Operators and punctuation. MySQL's lexer takes comparison signs greedily, and what it takes must be one. */

const COMPARISONS = new Set(['<', '<=', '<>', '<=>', '<<', '>', '>=', '>>', '=', '!=', '!'])
const LONGEST_FIRST = ['<=>', '<=', '<>', '<<', '>=', '>>', '!=', '<', '>', '=', '!']
const SINGLE = '()+,;*/%^~{}'

/** Offset after the operator at `at`; -1 where there is none. */
export function endOfOperator(sql: string, at: number, flavour: 'mysql' | 'mariadb'): number {
  const char = sql[at] as string
  const next = sql[at + 1]
  switch (char) {
    case '<':
    case '>':
    case '=':
    case '!':
      return flavour === 'mysql' ? greedyComparison(sql, at) : longestComparison(sql, at)
    case '&':
    case '|':
      return next === char ? at + 2 : at + 1
    case ':':
      return next === '=' ? at + 2 : at + 1
    case '-':
      if (next !== '>' || flavour === 'mariadb') return at + 1
      return sql[at + 2] === '>' ? at + 3 : at + 2
    case '.':
      return next === '.' && flavour === 'mariadb' ? at + 2 : at + 1
    default:
      return SINGLE.includes(char) ? at + 1 : -1
  }
}

function greedyComparison(sql: string, at: number): number {
  let end = at + 1
  if (isComparison(sql[end])) {
    end++
    // Only `<` begins three characters, and the third may not be another `<`.
    if (sql[at] === '<' && isComparison(sql[end]) && sql[end] !== '<') end++
  }
  return COMPARISONS.has(sql.slice(at, end)) ? end : -1
}

function longestComparison(sql: string, at: number): number {
  const operator = LONGEST_FIRST.find((candidate) => sql.startsWith(candidate, at))
  return operator === undefined ? -1 : at + operator.length
}

function isComparison(char: string | undefined): boolean {
  return char === '<' || char === '>' || char === '=' || char === '!'
}
