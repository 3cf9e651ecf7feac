/**
 * The `options` start-up parameter, split and read as the server does: pg_split_opts, then the
 * command-line switches of process_postgres_switches through getopt. What is not a setting is named as
 * the switch it is, for the caller to refuse.
 *
 * https://www.postgresql.org/docs/18/app-postgres.html
 */

import { ProtocolError } from './errors.ts'
import { STARTUP_OPTIONS_MAX } from './limits.ts'

/** One thing the `options` parameter asks for. */
export type StartupOption =
  /** `-c name=value` or `--name=value`; `-` in the name is `_` already. */
  | { readonly kind: 'setting'; readonly name: string; readonly value: string }
  /** Any other switch of the server's command line, e.g. `-e`, `-S 4096`, `-f s`. */
  | { readonly kind: 'switch'; readonly flag: string; readonly value: string | null }

// Source: getopt string of process_postgres_switches, tcop/postgres.c. A colon: takes a value.
const SWITCHES = 'B:bC:c:D:d:EeFf:h:ijk:lN:nOPp:r:S:sTt:v:W:-:'

// C-locale isspace.
const SPACE = /[ \t\n\v\f\r]/

/** Words of `text`: split at white space; a backslash takes the next character as it is. */
export function splitOptions(text: string): string[] {
  const words: string[] = []
  let word: string | null = null
  let escaped = false
  for (const char of text) {
    if (!escaped && SPACE.test(char)) {
      if (word !== null) words.push(word)
      word = null
      continue
    }
    // A lone backslash at the end of the text begins a word and adds nothing to it.
    word ??= ''
    if (!escaped && char === '\\') escaped = true
    else {
      escaped = false
      word += char
    }
  }
  if (word !== null) words.push(word)
  return words
}

/**
 * What the `options` parameter asks for, in order. Throws 'bad-options' (42601) where the server would
 * not start: an unknown switch, a missing value, a word that is no switch; and over the word cap.
 */
export function parseStartupOptions(text: string): StartupOption[] {
  const words = splitOptions(text)
  if (words.length > STARTUP_OPTIONS_MAX) {
    throw new ProtocolError(
      'too-large',
      'remote',
      `${words.length} words of options, the cap is ${STARTUP_OPTIONS_MAX}`,
    )
  }
  const options: StartupOption[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    // getopt stops at `--`, and what is left over is an error there.
    if (word === '--' && i === words.length - 1) break
    if (!word.startsWith('-') || word === '-' || word === '--') throw badOptions('a stray word')
    const taken = readWord(word, words[i + 1], options)
    if (taken) i++
  }
  return options
}

/** Reads one word of clustered switches; true where the next word was the last one's value. */
function readWord(word: string, next: string | undefined, options: StartupOption[]): boolean {
  for (let at = 1; at < word.length; at++) {
    const flag = word[at]!
    const listed = flag === ':' ? -1 : SWITCHES.indexOf(flag)
    if (listed < 0) throw badOptions('an unknown switch')
    if (SWITCHES[listed + 1] !== ':') {
      options.push({ kind: 'switch', flag, value: null })
      continue
    }
    const attached = at + 1 < word.length
    const value = attached ? word.slice(at + 1) : next
    if (value === undefined) throw badOptions('a switch without its value')
    options.push(optionOf(flag, value))
    return !attached
  }
  return false
}

function optionOf(flag: string, value: string): StartupOption {
  if (flag !== 'c' && flag !== '-') return { kind: 'switch', flag, value }
  const equals = value.indexOf('=')
  if (equals < 0) throw badOptions('a setting without its value')
  const name = value.slice(0, equals).replaceAll('-', '_')
  return { kind: 'setting', name, value: value.slice(equals + 1) }
}

function badOptions(what: string): ProtocolError {
  return new ProtocolError('bad-options', 'remote', `${what} in the start-up options`)
}
