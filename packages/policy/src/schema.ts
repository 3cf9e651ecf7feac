/**
 * The JSON Schema of a policy file: what ajv validates with, and what `policies/schema.json` publishes for editors
 * (written by scripts/write-schema.ts, kept equal by a test). Word lists come from the types they describe.
 */

import { PREVIEW_ROWS, PREVIEW_ROWS_MAX } from './limits.ts'
import { DETECTORS } from './masks/spec.ts'

/** As EFFECTS of @sallyport/sql; a test holds the two together. */
export const EFFECT_WORDS = [
  '*',
  'read',
  'write',
  'ddl',
  'admin',
  'session',
  'transaction',
  'procedural',
  'copy',
  'lock',
  'notify',
  'unknown',
] as const

const ref = (name: string) => ({ $ref: `#/$defs/${name}` })
const text = (description: string) => ({
  type: 'string',
  minLength: 1,
  maxLength: 1000,
  description,
})
const texts = (description: string) => ({
  type: 'array',
  minItems: 1,
  maxItems: 500,
  items: { type: 'string', minLength: 1, maxLength: 300 },
  description,
})
const duration = (description: string) => ({
  type: 'string',
  pattern: '^[0-9]+(s|m|h|d)$',
  maxLength: 12,
  description,
})
const closed = (properties: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...more,
})

const who = {
  description: 'everyone, one group of conditions that must all hold, or a list of alternatives',
  anyOf: [
    { const: 'everyone' },
    ref('whoClause'),
    { type: 'array', minItems: 1, maxItems: 100, items: ref('whoClause') },
  ],
}

const whoClause = closed(
  {
    groups: texts('verified groups; wildcards * and ?'),
    roles: texts('the role the session was opened with'),
    subjects: texts('verified subjects'),
    kind: { enum: ['human', 'machine'] },
    graph: texts('LangGraph graphs the token was issued for'),
    node: texts('graph nodes the token was issued for'),
    except: ref('who'),
  },
  { minProperties: 1 },
)

const above = { type: 'number', minimum: 0 }

const match = closed(
  {
    effects: {
      type: 'array',
      minItems: 1,
      items: { enum: EFFECT_WORDS },
      description: '`*` is every effect but unknown',
    },
    relations: texts('schema.table with wildcards, or @catalog, @catalog-data, @temporary'),
    'through-views': {
      type: 'boolean',
      description: 'allow, approve: a view these relations name also covers what lies behind it',
    },
    commands: texts('command words such as select, update, create table; wildcards'),
    functions: texts('schema.function, or function for the server’s own; wildcards'),
    columns: texts('schema.table.column with wildcards'),
    settings: texts('session settings, e.g. role, app.*'),
    when: { type: 'string', minLength: 1, description: 'a condition in CEL' },
    'estimated-rows': {
      ...above,
      description:
        'approve, deny: the planner expects more rows than this to be returned or changed',
    },
    'estimated-cost': {
      ...above,
      description: 'approve, deny: the planner expects it to cost more than this, in its own unit',
    },
  },
  { minProperties: 1 },
)

const approvers = closed(
  {
    groups: texts('groups whose members may decide'),
    subjects: texts('people who may decide'),
    count: { type: 'integer', minimum: 1, maximum: 10, description: 'distinct people needed (1)' },
    within: duration('time to decide (15m)'),
    'use-within': duration('time to use the approval once given (10m)'),
    ticket: {
      type: 'string',
      minLength: 1,
      maxLength: 200,
      description: 'the ticket an approver must name: a regular expression for all of it',
    },
  },
  { anyOf: [{ required: ['groups'] }, { required: ['subjects'] }] },
)

const rule = closed(
  {
    name: { type: 'string', minLength: 1, maxLength: 120 },
    description: text('for the reader'),
    who: ref('who'),
    allow: ref('match'),
    approve: ref('match'),
    deny: ref('match'),
    approvers: ref('approvers'),
    reason: {
      enum: ['required', 'optional'],
      description: 'must the requester say why (optional)',
    },
    mode: {
      enum: ['hold', 'return'],
      description: 'hold: the statement waits on the wire; return: it is refused, retry it (hold)',
    },
    preview: {
      ...closed({
        rows: {
          type: 'integer',
          minimum: 0,
          maximum: PREVIEW_ROWS_MAX,
          description: `changed rows shown, before and after (${PREVIEW_ROWS}); 0: only how many`,
        },
        'in-transactions': {
          type: 'boolean',
          description:
            'MySQL, MariaDB: also inside of a transaction, which then keeps the locks of what was tried while people decide (false)',
        },
      }),
      description:
        'approve: the statement is run and rolled back, so that approvers see what it would change',
    },
    hint: text('what a refused client should do instead; sent to the client'),
  },
  {
    required: ['name', 'who'],
    oneOf: [{ required: ['allow'] }, { required: ['approve'] }, { required: ['deny'] }],
  },
)

const keyed = closed({
  domain: {
    type: 'string',
    minLength: 1,
    maxLength: 100,
    description: 'columns of one domain agree',
  },
  salt: {
    enum: ['none', 'column'],
    description: 'column: equal values of different columns differ',
  },
})

const maskKind = {
  description: 'how the cell is masked',
  anyOf: [
    { enum: ['null', 'redact', 'email', 'hash', 'tokenize', 'detect'] },
    closed(
      {
        partial: closed(
          {
            'keep-first': { type: 'integer', minimum: 0, maximum: 64 },
            'keep-last': { type: 'integer', minimum: 0, maximum: 64 },
            char: { type: 'string', minLength: 1, maxLength: 2 },
            'same-length': {
              type: 'boolean',
              description: 'hide how long the value is when false (true)',
            },
          },
          { minProperties: 1 },
        ),
        hash: keyed,
        tokenize: keyed,
        'truncate-date': { enum: ['year', 'month', 'day', 'hour'] },
        bucket: { type: 'integer', minimum: 1, maximum: 1_000_000_000_000, description: 'width' },
        json: closed(
          {
            paths: texts('$.a.b, $.list[*].x, $.*, $..anywhere'),
            mask: ref('maskKind'),
          },
          { required: ['paths'] },
        ),
        regex: closed(
          {
            pattern: { type: 'string', minLength: 1, maxLength: 512 },
            replacement: { type: 'string', maxLength: 200 },
            'ignore-case': { type: 'boolean' },
            otherwise: {
              enum: ['redact', 'keep'],
              description: 'when the pattern is not found (redact)',
            },
          },
          { required: ['pattern', 'replacement'] },
        ),
        detect: { type: 'array', minItems: 1, items: { enum: DETECTORS } },
      },
      { minProperties: 1, maxProperties: 1 },
    ),
  ],
}

const mask = closed(
  {
    name: { type: 'string', minLength: 1, maxLength: 120 },
    description: text('for the reader'),
    columns: texts('schema.table.column of base columns, with wildcards'),
    with: ref('maskKind'),
    who: ref('who'),
    except: ref('who'),
    derived: { enum: ['redact', 'deny'], description: 'expressions over the column (redact)' },
    predicates: {
      enum: ['equality', 'deny', 'open'],
      description: 'use in WHERE, JOIN, ORDER BY, GROUP BY, HAVING (equality)',
    },
    probes: closed(
      { max: { type: 'integer', minimum: 1 }, within: duration('window (1h)') },
      { required: ['max'] },
    ),
    groups: closed({ min: { type: 'integer', minimum: 2 } }, { required: ['min'] }),
  },
  { required: ['columns', 'with'] },
)

const size = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB)$', maxLength: 16 },
  ],
}

const budget = (description: string) => ({
  ...closed(
    {
      statements: { type: 'integer', minimum: 0 },
      rows: { type: 'integer', minimum: 0 },
      bytes: size,
    },
    { minProperties: 1 },
  ),
  description,
})

const limit = closed(
  {
    name: {
      type: 'string',
      minLength: 1,
      maxLength: 120,
      description: 'what refusals and approvals call it',
    },
    description: text('for the reader'),
    who: ref('who'),
    rows: { type: 'integer', minimum: 0, description: 'of one result' },
    bytes: { ...size, description: 'of one result' },
    'estimated-rows': {
      ...above,
      description: 'rows the planner expects to be returned or changed, before it runs',
    },
    'estimated-cost': { ...above, description: 'what the planner expects it to cost' },
    'statements-per-minute': { type: 'integer', minimum: 1 },
    'per-token': budget('of each token, over all its sessions'),
    'per-run': budget('of each run of a graph that a token was issued for, over all its tokens'),
    'on-exceed': {
      enum: ['approve', 'deny', 'truncate'],
      description:
        'approve: people are asked before more comes; truncate: rows and bytes only (deny)',
    },
    approvers: ref('approvers'),
  },
  {
    required: ['who'],
    anyOf: [
      'rows',
      'bytes',
      'estimated-rows',
      'estimated-cost',
      'statements-per-minute',
      'per-token',
      'per-run',
    ].map((key) => ({ required: [key] })),
  },
)

const record = closed(
  {
    description: text('for the reader'),
    who: ref('who'),
    rows: {
      anyOf: [{ enum: ['none', 'all'] }, { type: 'integer', minimum: 0 }],
      description: 'rows of each result that are kept, as the client saw them (1000)',
    },
    bytes: { ...size, description: 'of rows of each result (1MiB)' },
    parameters: {
      type: 'boolean',
      description:
        'bound values go into the record; those that may be of masked columns do not (true)',
    },
  },
  { required: ['who'] },
)

const grant = closed(
  {
    description: text('for the reader'),
    role: {
      type: 'string',
      minLength: 1,
      maxLength: 120,
      description: 'the role that is asked for',
    },
    who: ref('who'),
    approvers: ref('approvers'),
    max: duration('the longest it is granted for (8h)'),
    reason: {
      enum: ['required', 'optional'],
      description: 'must the requester say why (required)',
    },
    'on-refusal': {
      enum: ['hint', 'request'],
      description:
        'when a statement is refused that the role would allow: say how to ask for it (hint), or ask (request)',
    },
    'break-glass': ref('who'),
  },
  { required: ['role', 'who', 'approvers'] },
)

export const POLICY_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://sallyport.dev/schema/policy-1.json',
  title: 'Sallyport policy',
  ...closed(
    {
      version: { const: 1 },
      description: text('for the reader'),
      connections: texts('connections this file speaks about; wildcards; all when absent'),
      rules: { type: 'array', items: ref('rule') },
      masks: { type: 'array', items: ref('mask') },
      limits: { type: 'array', items: ref('limit') },
      grants: { type: 'array', items: ref('grant') },
      record: { type: 'array', items: ref('record') },
      'trusted-functions': texts('functions that may run in statements of principals under a mask'),
    },
    { required: ['version'] },
  ),
  $defs: { who, whoClause, match, approvers, rule, maskKind, mask, limit, record, grant },
} as const
