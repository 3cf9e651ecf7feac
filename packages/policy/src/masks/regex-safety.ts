/**
 * Which regular expressions a mask may use. JavaScript's engine backtracks, so a pattern over rows of a database
 * must not be able to take exponential time: no backreferences, no lookaround, no unbounded repetition of a group
 * that repeats or branches inside, at most two unbounded repetitions in all (input length is capped by how many
 * there are: REGEX_INPUT_BYTES_MAX).
 */

import { REGEX_CHARS_MAX, REGEX_INPUT_BYTES_MAX, REGEX_WAYS_MAX } from '../limits.ts'

interface Group {
  /** Ways the content may match, worst case, counting bounded repetition and alternatives. */
  ways: number
  unbounded: boolean
}

/** Null when the pattern may be used, otherwise why not. */
export function checkPattern(pattern: string): string | null {
  if (pattern.length > REGEX_CHARS_MAX) return `longer than ${REGEX_CHARS_MAX} characters`
  try {
    new RegExp(pattern, 'gu')
  } catch (error) {
    return `not a regular expression: ${(error as Error).message.split(': ').at(-1)}`
  }
  return new Walk(pattern).check()
}

/** How many `*`, `+`, `{n,}` a checked pattern holds. */
export function unboundedCount(pattern: string): number {
  const walk = new Walk(pattern)
  walk.check()
  return walk.unbounded
}

/** One pass over a pattern already known to compile with the `u` flag. */
class Walk {
  unbounded = 0
  readonly #pattern: string
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  check(): string | null {
    const result = this.#alternatives()
    if (typeof result === 'string') return result
    if (this.unbounded >= REGEX_INPUT_BYTES_MAX.length)
      return `at most ${REGEX_INPUT_BYTES_MAX.length - 1} unbounded repetitions (*, +, {n,}); use {n,m}`
    return result.ways > REGEX_WAYS_MAX
      ? 'too many ways to match; bound the repetitions more tightly'
      : null
  }

  #alternatives(): Group | string {
    const sum: Group = { ways: 0, unbounded: false }
    for (;;) {
      const branch = this.#sequence()
      if (typeof branch === 'string') return branch
      sum.ways += branch.ways
      sum.unbounded ||= branch.unbounded
      if (this.#pattern[this.#at] !== '|') return sum
      this.#at++
    }
  }

  #sequence(): Group | string {
    const all: Group = { ways: 1, unbounded: false }
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at] ?? '')) {
      const atom = this.#atom()
      if (typeof atom === 'string') return atom
      const fault = this.#quantify(atom)
      if (fault !== null) return fault
      all.ways = Math.min(all.ways * atom.ways, Number.MAX_SAFE_INTEGER)
      all.unbounded ||= atom.unbounded
    }
    return all
  }

  #atom(): Group | string {
    const one: Group = { ways: 1, unbounded: false }
    const char = this.#pattern[this.#at++]
    if (char === '\\') {
      const next = this.#pattern[this.#at++] ?? ''
      if (/[1-9k]/.test(next)) return 'backreferences are not supported'
      if (next === 'p' || next === 'P' || (next === 'u' && this.#pattern[this.#at] === '{'))
        this.#at = this.#pattern.indexOf('}', this.#at) + 1
      return one
    }
    if (char === '[') {
      while (this.#pattern[this.#at] !== ']') this.#at += this.#pattern[this.#at] === '\\' ? 2 : 1
      this.#at++
      return one
    }
    if (char !== '(') return one
    if (this.#pattern[this.#at] === '?') {
      const opening = /^\?(:|<[\p{L}_$][\p{L}\p{N}_$]*>)/u.exec(this.#pattern.slice(this.#at))
      if (opening === null) return 'lookaround and inline flags are not supported'
      this.#at += opening[0].length
    }
    const inner = this.#alternatives()
    this.#at++
    return inner
  }

  /** Reads a quantifier after `atom` and widens it in place. */
  #quantify(atom: Group): string | null {
    const found = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/.exec(this.#pattern.slice(this.#at))
    if (found === null) return null
    this.#at += found[0].length
    const min = found[1] === '+' ? 1 : found[1] === undefined ? Number(found[2]) : 0
    const max =
      found[1] === '?'
        ? 1
        : found[1] !== undefined
          ? Infinity
          : found[3] === undefined
            ? min
            : found[4] === ''
              ? Infinity
              : Number(found[4])
    if (max === Infinity) {
      if (atom.ways > 1 || atom.unbounded)
        return 'repetition without bound around a group that repeats or branches'
      this.unbounded++
      atom.unbounded = true
      return null
    }
    if (atom.unbounded && max > 1) return 'repetition around a group that repeats without bound'
    atom.ways = Math.min(atom.ways ** Math.max(max, 1) * (max - min + 1), Number.MAX_SAFE_INTEGER)
    return null
  }
}
