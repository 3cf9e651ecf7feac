/**
 * Where a secret comes from, as written in a configuration:
 *
 *     env:CRM_PASSWORD                        an environment variable
 *     file:/run/secrets/crm                   a file's content
 *     exec:vault kv get -field=password crm   what a command prints; no shell, quotes group words
 *     plain:hunter2                           the value itself (accepted, warned about)
 *
 * Anything else is refused: a password written where a reference belongs must not work by accident.
 */
import { isAbsolute } from 'node:path'
import { SecretError } from './errors.ts'
import { REDACTED, Secret } from './secret.ts'

export type SecretReference =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'exec'; readonly command: string; readonly args: readonly string[] }
  | { readonly kind: 'plain'; readonly value: Secret }

/** Throws SecretError `reference-invalid`; the message never repeats the text. */
export function parseSecretReference(text: string): SecretReference {
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  switch (colon === -1 ? '' : text.slice(0, colon)) {
    case 'env':
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) throw invalid('`env:` takes a variable name')
      return { kind: 'env', name: rest }
    case 'file':
      if (!isAbsolute(rest)) throw invalid('`file:` takes an absolute path')
      return { kind: 'file', path: rest }
    case 'exec': {
      const [command, ...args] = splitWords(rest)
      if (command === undefined) throw invalid('`exec:` takes a command')
      return { kind: 'exec', command, args }
    }
    case 'plain':
      return { kind: 'plain', value: new Secret(rest) }
    default:
      throw invalid(
        'a secret is written as `env:NAME`, `file:/path` or `exec:command`; ' +
          'to write the value itself put `plain:` in front of it',
      )
  }
}

/** For logs and errors: arguments of a command may hold tokens, so only its name is shown. */
export function describeSecretReference(reference: SecretReference): string {
  switch (reference.kind) {
    case 'env':
      return `env:${reference.name}`
    case 'file':
      return `file:${reference.path}`
    case 'exec':
      return `exec:${reference.command}`
    case 'plain':
      return `plain:${REDACTED}`
    default:
      return reference satisfies never
  }
}

/** Words as a shell would see them, with '…' and "…" but no expansion, escape or operator. */
function splitWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (const char of text) {
    if (quote !== undefined) {
      if (char === quote) quote = undefined
      else word = (word ?? '') + char
    } else if (char === "'" || char === '"') {
      quote = char
      word ??= ''
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== undefined) throw invalid('`exec:` has a quote that does not end')
  if (word !== undefined) words.push(word)
  return words
}

function invalid(message: string): SecretError {
  return new SecretError('reference-invalid', message)
}
