/**
 * What a text must satisfy before the parser may see it: a linear pre-scan that refuses what would make
 * the parser overflow its stack, run for minutes or stop early.
 *
 * It estimates the depth of the tree from above. Brackets and CASE open a level, and a query in brackets
 * counts for several. Inside a level, every
 * operator may deepen a chain (`1+1+1`), and so may every JOIN and every set operation; a comma, AND, OR
 * and the parts of a CASE start a new chain, because the grammar keeps those flat.
 */
import {
  endOfComment,
  endOfDollar,
  endOfLine,
  endOfNumber,
  endOfQuotedIdentifier,
  endOfString,
  endOfWord,
  isDigit,
  isIdentifierStart,
  isSpace,
} from './lexical.ts'
import {
  COMMENT_DEPTH_MAX,
  STATEMENT_BYTES_MAX,
  STATEMENT_TOKENS_MAX,
  STATEMENTS_MAX,
  TREE_DEPTH_MAX,
} from './limits.ts'

export interface Refusal {
  readonly code: 'too-large' | 'too-complex' | 'encoding'
  readonly sqlstate: string
  readonly message: string
}

/** `flat`: after it an expression begins anew beside the one before; `chaining`: it deepens a chain. */
type WordRole = 'flat' | 'chaining' | 'set-operation' | 'join' | 'case' | 'end' | 'select'

const WORDS: ReadonlyMap<string, WordRole> = new Map<string, WordRole>([
  ...role('flat', 'and or when then else where from values on'),
  ...role(
    'chaining',
    'not is isnull notnull collate at in like ilike similar between overlaps operator',
  ),
  ...role('set-operation', 'union except intersect'),
  ['join', 'join'],
  ['case', 'case'],
  ['end', 'end'],
  ['select', 'select'],
])

function role(role: WordRole, words: string): (readonly [string, WordRole])[] {
  return words.split(' ').map((word) => [word, role])
}

/** By their last letter, the lengths of the words (a bit each): most names need not be looked up. */
const LENGTHS = new Uint16Array(128)
for (const word of WORDS.keys()) {
  const last = word.charCodeAt(word.length - 1)
  LENGTHS[last] = (LENGTHS[last] ?? 0) | (1 << word.length)
}

/** Levels of the tree that a query inside another counts for. */
const SUBQUERY_DEPTH = 5

interface Level {
  readonly opener: 'bracket' | 'case' | 'text'
  /** What a query directly inside adds; 0 until there is one. */
  query: number
  chain: number
  joins: number
  sets: number
}

const tooComplex = (what: string): Refusal => ({
  code: 'too-complex',
  sqlstate: '54001',
  message: what,
})

/** Returns why the text must not be parsed, or null. */
export function refusalFor(sql: string): Refusal | null {
  // A UTF-16 unit is at most three bytes of UTF-8, so most texts need no counting.
  if (sql.length * 3 > STATEMENT_BYTES_MAX && Buffer.byteLength(sql) > STATEMENT_BYTES_MAX) {
    return {
      code: 'too-large',
      sqlstate: '54000',
      message: `statement text is larger than ${STATEMENT_BYTES_MAX} bytes`,
    }
  }
  if (!sql.isWellFormed() || sql.includes('\0')) {
    return {
      code: 'encoding',
      sqlstate: '22021',
      message: 'statement text is not valid UTF-8 without NUL',
    }
  }
  return new DepthScan(sql).run()
}

class DepthScan {
  readonly #sql: string
  #levels: Level[] = [newLevel('text')]
  /** Sum of all counters in `#levels` plus the number of open levels. */
  #depth = 0
  #tokens = 0
  #statements = 0

  constructor(sql: string) {
    this.#sql = sql
  }

  run(): Refusal | null {
    const sql = this.#sql
    let at = 0
    while (at < sql.length) {
      const code = sql.charCodeAt(at)
      if (isSpace(code)) {
        at++
        continue
      }
      const next = this.#token(at, code)
      // Unterminated: the parser says so, at the position the server would name.
      if (next === -1) return null
      if (next === -2) return tooComplex(`comments nest deeper than ${COMMENT_DEPTH_MAX}`)
      at = next
      if (++this.#tokens > STATEMENT_TOKENS_MAX) {
        return tooComplex(`statement text has more than ${STATEMENT_TOKENS_MAX} tokens`)
      }
      if (this.#depth > TREE_DEPTH_MAX) {
        return tooComplex(`statement nests deeper than ${TREE_DEPTH_MAX} levels`)
      }
      if (this.#statements >= STATEMENTS_MAX) {
        return tooComplex(`text has more than ${STATEMENTS_MAX} statements`)
      }
    }
    return null
  }

  /** Offset after the token at `at`; -1 when it does not end, -2 when comments nest too deep. */
  #token(at: number, code: number): number {
    const sql = this.#sql
    if (isIdentifierStart(code)) {
      const end = endOfWord(sql, at)
      const length = end - at
      if (sql.charCodeAt(end) === 39 && length === 1 && (code | 32) === 101) {
        return endOfString(sql, end, { backslash: true })
      }
      const last = sql.charCodeAt(end - 1) | 32
      if (length <= 10 && (LENGTHS[last] ?? 0) & (1 << length)) {
        this.#word(sql.slice(at, end).toLowerCase())
      }
      return end
    }
    if (isDigit(code)) return endOfNumber(sql, at)
    switch (code) {
      case 39:
        return endOfString(sql, at, { backslash: false })
      case 34:
        return endOfQuotedIdentifier(sql, at)
      case 36:
        return endOfDollar(sql, at)
      case 45:
        if (sql.charCodeAt(at + 1) === 45) return endOfLine(sql, at)
        break
      case 47:
        if (sql.charCodeAt(at + 1) === 42) return endOfComment(sql, at, COMMENT_DEPTH_MAX)
        break
    }
    this.#symbol(code)
    return at + 1
  }

  #symbol(code: number): void {
    switch (code) {
      case 40: // (
      case 91: // [
        this.#open('bracket')
        return
      case 41: // )
      case 93: // ]
        while (this.#top().opener === 'case') this.#close()
        this.#close()
        return
      case 44: // ,
        this.#flatten({ joins: true })
        return
      case 59: // ;
        this.#statements++
        this.#flatten({ joins: true })
        this.#depth -= this.#top().sets
        this.#top().sets = 0
        return
      case 46: // .
        return
      default:
        this.#top().chain++
        this.#depth++
    }
  }

  #word(word: string): void {
    switch (WORDS.get(word)) {
      case 'select':
        this.#query()
        this.#flatten({ joins: false })
        return
      case 'flat':
        this.#flatten({ joins: false })
        return
      case 'chaining':
        this.#top().chain++
        this.#depth++
        return
      case 'set-operation':
        this.#flatten({ joins: true })
        this.#top().sets++
        this.#depth++
        return
      case 'join':
        this.#flatten({ joins: false })
        this.#top().joins++
        this.#depth++
        return
      case 'case':
        this.#open('case')
        return
      case 'end':
        if (this.#top().opener === 'case') this.#close()
    }
  }

  /** The parser and the walk need several frames for each query inside a query. */
  #query(): void {
    const level = this.#top()
    if (level.query > 0 || level.opener === 'text') return
    level.query = SUBQUERY_DEPTH
    this.#depth += SUBQUERY_DEPTH
  }

  #top(): Level {
    // The first level is never closed.
    return this.#levels[this.#levels.length - 1]!
  }

  #open(opener: Level['opener']): void {
    this.#levels.push(newLevel(opener))
    this.#depth++
  }

  #close(): void {
    if (this.#levels.length === 1) return
    const level = this.#levels.pop()!
    this.#depth -= level.chain + level.joins + level.sets + level.query + 1
  }

  #flatten(options: { joins: boolean }): void {
    const level = this.#top()
    this.#depth -= level.chain
    level.chain = 0
    if (!options.joins) return
    this.#depth -= level.joins
    level.joins = 0
  }
}

function newLevel(opener: Level['opener']): Level {
  return { opener, query: 0, chain: 0, joins: 0, sets: 0 }
}
