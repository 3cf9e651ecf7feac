/** The JSON Schema of a cases file (`*.cases.yaml`), and its shape after validation. */

import { MASK_KINDS } from './masks/spec.ts'

const strings = { type: 'array', items: { type: 'string' }, maxItems: 500 }
const string = { type: 'string', minLength: 1, maxLength: 20_000 }

const subject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    subject: string,
    kind: { enum: ['human', 'machine'] },
    groups: strings,
    role: string,
    graph: string,
    node: string,
    run: string,
    claims: { type: 'object' },
  },
}

export const CASES_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://sallyport.dev/schema/policy-cases-1.json',
  title: 'Sallyport policy cases',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'cases'],
  properties: {
    version: { const: 1 },
    connection: { ...string, description: 'of cases that name none' },
    subjects: { type: 'object', additionalProperties: subject },
    cases: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'who', 'sql', 'expect'],
        properties: {
          name: string,
          who: { anyOf: [string, subject], description: 'a name under `subjects`, or the subject' },
          connection: string,
          sql: string,
          at: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' },
          estimate: {
            type: 'object',
            additionalProperties: false,
            required: ['rows'],
            properties: {
              rows: { type: 'number', minimum: 0 },
              cost: { type: 'number', minimum: 0 },
            },
            description: 'what the planner expects; without it what hangs on that is left out',
          },
          expect: { enum: ['allow', 'deny', 'approve'] },
          rule: { ...string, description: 'a rule that must be among those named by the verdict' },
          code: { ...string, description: 'the code of a refusal' },
          masks: {
            type: 'object',
            additionalProperties: { enum: ['none', ...MASK_KINDS] },
            description: 'result column → kind of mask, or none',
          },
        },
      },
    },
  },
} as const

export interface CaseSubject {
  readonly subject?: string
  readonly kind?: 'human' | 'machine'
  readonly groups?: readonly string[]
  readonly role?: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly claims?: Readonly<Record<string, unknown>>
}
export interface CaseFile {
  readonly name: string
  readonly who: string | CaseSubject
  readonly connection?: string
  readonly sql: string
  readonly at?: string
  readonly estimate?: { readonly rows: number; readonly cost?: number }
  readonly expect: 'allow' | 'deny' | 'approve'
  readonly rule?: string
  readonly code?: string
  readonly masks?: Readonly<Record<string, string>>
}
export interface CasesFile {
  readonly version: 1
  readonly connection?: string
  readonly subjects?: Readonly<Record<string, CaseSubject>>
  readonly cases: readonly CaseFile[]
}
