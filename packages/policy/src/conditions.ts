/**
 * `when:` conditions: CEL, parsed and type-checked when the policy loads, evaluated on the facts of one statement.
 * Evaluation never throws: it answers true, false or the reason it could not tell, and the caller decides what
 * that means (deny and approve refuse; allow does not match).
 */

import { type ASTNode, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js'
import type { StatementFacts } from '@sallyport/sql'
import { CONDITION_CHARS_MAX, CONDITION_DEPTH_MAX, CONDITION_NODES_MAX } from './limits.ts'
import type { Subject } from './model.ts'

export interface Condition {
  readonly source: string
  /** Reads the clock, so a verdict it took part in must not be remembered. */
  readonly usesTime: boolean
  /** Reads what literals of the statement decide (`statement.limit`). */
  readonly usesLiterals: boolean
  readonly evaluate: (context: ConditionContext) => boolean | ConditionFailure
}
export interface ConditionFailure {
  readonly failure: string
}
export type ConditionContext = Readonly<Record<string, unknown>>

export interface ConditionFault {
  readonly message: string
  /** 0-based offset into the condition's text. */
  readonly offset: number
}

export const CONDITION_VARIABLES = {
  statement: {
    engine: 'string',
    command: 'string',
    commands: 'list<string>',
    effects: 'list<string>',
    relations: 'list<string>',
    tables: 'list<string>',
    reads: 'list<string>',
    writes: 'list<string>',
    functions: 'list<string>',
    columns: 'list<string>',
    has_where: 'bool',
    limit: 'dyn',
    parameters: 'int',
    returns_rows: 'bool',
  },
  principal: {
    subject: 'string',
    kind: 'string',
    groups: 'list<string>',
    role: 'string',
    graph: 'string',
    node: 'string',
    run: 'string',
    claims: 'map<string, dyn>',
  },
  now: {
    timestamp: 'google.protobuf.Timestamp',
    hour: 'int',
    minute: 'int',
    day: 'string',
    weekday: 'int',
    date: 'string',
  },
  connection: 'string',
} as const

const environment = new Environment({
  limits: { maxDepth: CONDITION_DEPTH_MAX, maxAstNodes: CONDITION_NODES_MAX },
})
  .registerVariable({ name: 'statement', schema: CONDITION_VARIABLES.statement })
  .registerVariable({ name: 'principal', schema: CONDITION_VARIABLES.principal })
  .registerVariable({ name: 'now', schema: CONDITION_VARIABLES.now })
  .registerVariable('connection', CONDITION_VARIABLES.connection)

/** Mentions of variables (and one field) anywhere in a syntax tree, over-approximated by its text. */
function mentions(source: string, word: RegExp): boolean {
  return word.test(source)
}

export function compileCondition(source: string): Condition | ConditionFault {
  if (source.length > CONDITION_CHARS_MAX)
    return { message: `the condition is longer than ${CONDITION_CHARS_MAX} characters`, offset: 0 }
  let program: ReturnType<Environment['parse']>
  try {
    program = environment.parse(source)
  } catch (error) {
    return faultOf(error)
  }
  const checked = program.check()
  if (!checked.valid) return faultOf(checked.error)
  if (checked.type !== 'bool')
    return {
      message: `the condition must be true or false, this one is \`${checked.type}\``,
      offset: 0,
    }
  const run = program as (context: Record<string, unknown>) => unknown
  return {
    source,
    usesTime: mentions(source, /\bnow\b/),
    usesLiterals: mentions(source, /\blimit\b|\[/),
    evaluate: (context) => {
      try {
        const value = run(context as Record<string, unknown>)
        return typeof value === 'boolean' ? value : { failure: 'it is neither true nor false' }
      } catch (error) {
        return { failure: error instanceof EvaluationError ? error.summary : 'internal error' }
      }
    },
  }
}

function faultOf(error: unknown): ConditionFault {
  const known = error as {
    summary?: string
    message?: string
    range?: { start: number }
    node?: ASTNode
  }
  const offset = known.range?.start ?? known.node?.range?.start ?? 0
  const summary = known.summary ?? known.message?.split('\n')[0] ?? 'cannot be read'
  return { message: error instanceof ParseError ? `syntax: ${summary}` : summary, offset }
}

const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const

/** `now` in UTC. Other zones: `now.timestamp.getHours("Europe/Berlin")`. */
function clock(now: number): ConditionContext {
  const date = new Date(now)
  const day = date.getUTCDay()
  return {
    timestamp: date,
    hour: BigInt(date.getUTCHours()),
    minute: BigInt(date.getUTCMinutes()),
    day: DAYS[day],
    weekday: BigInt(day === 0 ? 7 : day),
    date: date.toISOString().slice(0, 10),
  }
}

const named = (use: { schema: string | null; name: string }): string =>
  use.schema === null ? use.name : `${use.schema}.${use.name}`

/** The variables of a condition. A missing role, graph, node or run is the empty string. */
export function conditionContext(
  facts: StatementFacts,
  subject: Subject,
  place: { readonly connection: string; readonly now: number },
): ConditionContext {
  const { relations } = facts
  return {
    statement: {
      engine: facts.engine,
      command: facts.command,
      commands: facts.commands,
      effects: facts.effects,
      relations: relations.map(named),
      tables: relations.filter((use) => use.kind !== 'view' && use.kind !== 'sequence').map(named),
      reads: relations.filter((use) => use.access === 'read').map(named),
      writes: relations.filter((use) => use.access === 'write').map(named),
      functions: facts.functions.map(named),
      columns: facts.columns.map((c) => `${c.schema}.${c.relation}.${c.column}`),
      // True where nothing could lack one, so `!statement.has_where` is about updates and deletes only.
      has_where: facts.hasWhere ?? true,
      limit: facts.limit === null ? null : BigInt(facts.limit),
      parameters: BigInt(facts.parameters),
      returns_rows: facts.outputs !== null,
    },
    principal: {
      subject: subject.subject,
      kind: subject.kind,
      groups: subject.groups,
      role: subject.role ?? '',
      graph: subject.graph ?? '',
      node: subject.node ?? '',
      run: subject.run ?? '',
      claims: subject.claims,
    },
    now: clock(place.now),
    connection: place.connection,
  }
}
