/** Refusals in words a person or a model can act on: they name rules and objects, never values. */

import type { ConditionFailure } from './conditions.ts'
import type { Need } from './coverage.ts'
import { assertNever } from './errors.ts'
import type { Rule } from './model.ts'
import { type Deny, deny } from './verdict.ts'
import type { PrincipalView } from './view.ts'

const said = (rule: Rule, words: string): string => rule.hint ?? words

export function deniedBy(rule: Rule): Deny {
  return deny(
    'deny-rule',
    {
      message: `denied by the rule "${rule.name}"`,
      detail: `the rule "${rule.name}" denies ${sayMatch(rule)}`,
      hint: said(rule, 'Do it another way; sending it again will not help.'),
    },
    { rule: rule.name },
  )
}

/** Part of the statement is not known, so a deny rule might mean it. */
export function mayBeDeniedBy(rule: Rule, unknowns: readonly string[]): Deny {
  return deny(
    'unknown-statement',
    {
      message: `this statement is not understood well enough to say that the rule "${rule.name}" does not deny it`,
      detail: unknowns.join('; '),
      hint: 'Write it in a simpler form.',
    },
    { rule: rule.name },
  )
}

function sayMatch(rule: Rule): string {
  const { effects, relations, commands, functions, columns, settings, when, estimate } = rule.match
  const list = (word: string, all: readonly string[] | undefined) =>
    all === undefined ? [] : [`${word} ${all.slice(0, 6).join(', ')}${all.length > 6 ? ', …' : ''}`]
  return [
    ...list('the effects', effects === null ? undefined : [...effects]),
    ...list(
      'on',
      relations?.map((pattern) => pattern.source),
    ),
    ...list(
      'the commands',
      commands?.map((glob) => glob.text),
    ),
    ...list(
      'the functions',
      functions?.map((pattern) => pattern.source),
    ),
    ...list(
      'the columns',
      columns?.map((pattern) => pattern.source),
    ),
    ...list(
      'the settings',
      settings?.map((glob) => glob.text),
    ),
    ...(when === null ? [] : ['under a condition']),
    ...(estimate === null ? [] : ['above an estimate']),
  ].join(' ')
}

export function conditionError(rule: Rule, failure: ConditionFailure): Deny {
  return deny(
    'condition-error',
    {
      message: `the condition of the rule "${rule.name}" could not be evaluated, so the statement is refused`,
      detail: failure.failure,
      hint: 'Tell whoever keeps the policy; `sallyport policy test` shows the condition.',
    },
    { rule: rule.name },
  )
}

/** A need in words: `write on public.orders`. */
export function sayNeed(need: Need): string {
  const name = (use: { schema: string | null; name: string }) =>
    use.schema === null ? use.name : `${use.schema}.${use.name}`
  switch (need.kind) {
    case 'relation': {
      const through = need.use.through === undefined ? '' : ` (through ${need.use.through})`
      return `${need.effect} on ${name(need.use)}${through}`
    }
    case 'effect':
      return `the effect ${need.effect}`
    case 'function':
      return `the function ${name(need.use)}`
    case 'setting':
      return need.name === null ? 'a setting that is computed' : `the setting ${need.name}`
    default:
      return assertNever(need)
  }
}

/** Nobody grants these needs of a statement. */
export function notAllowed(missing: readonly Need[], unknowns: readonly string[]): Deny {
  const lacking = [...new Set(missing.map(sayNeed))]
  const shown = lacking.slice(0, 6).join('; ')
  const hints: Readonly<Record<Need['kind'], string>> = {
    relation: 'Use only what you have been given, or ask for access to it.',
    effect: 'Use only what you have been given, or ask for access to it.',
    function: 'The function may read data by itself: an allow rule must list it under functions.',
    setting:
      'The setting changes what statements may do: an allow rule must list it under settings.',
  }
  const hint = hints[missing[0]?.kind ?? 'effect']
  if (
    missing.some(
      (need) => need.kind !== 'function' && need.kind !== 'setting' && need.effect === 'unknown',
    )
  )
    return deny('unknown-statement', {
      message: 'this statement is not understood, so no rule can allow it',
      detail: unknowns.join('; ') || shown,
      hint: 'Write it in a simpler form.',
    })
  return deny('not-allowed', {
    message: `no rule allows ${lacking[0] ?? 'it'}`,
    detail: `not allowed: ${shown}${lacking.length > 6 ? '; …' : ''}`,
    hint,
  })
}

export function noAccess(view: PrincipalView): Deny {
  return deny('no-access', {
    message: `no rule lets you use the connection ${view.connection}`,
    detail: `subject ${view.subject.subject}, role ${view.subject.role ?? 'none'}`,
    hint: 'Check the role and the groups of your token, or ask for access.',
  })
}
