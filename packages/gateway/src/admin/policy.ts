/** Policy over HTTP: what is in force, whether a text would load, reading the files again. For operators. */
import { compilePolicy, formatPolicyError, type Policy } from '@sallyport/policy'
import type { FastifyInstance } from 'fastify'
import { ApiError, type Caller } from './caller.ts'
import { POLICY, VALIDATION } from './schemas.ts'

const FILES_MAX = 64

export interface PolicyRoutesDeps {
  readonly policy: () => Policy
  /** Reads configuration and policies again. */
  readonly reload: () => Promise<void>
}

interface ValidateBody {
  readonly files: readonly { readonly path: string; readonly text: string }[]
}

export function addPolicyRoutes(app: FastifyInstance, { policy, reload }: PolicyRoutesDeps): void {
  app.get(
    '/policy',
    { schema: { summary: 'The policy in force', response: { 200: POLICY } } },
    async ({ caller }) => {
      assertOperator(caller)
      return summaryOf(policy())
    },
  )
  app.post<{ Body: ValidateBody }>(
    '/policy/validate',
    {
      schema: {
        summary: 'Would these files load? Changes nothing',
        response: { 200: VALIDATION },
        body: {
          type: 'object',
          properties: {
            files: {
              type: 'array',
              minItems: 1,
              maxItems: FILES_MAX,
              items: {
                type: 'object',
                properties: { path: { type: 'string', maxLength: 300 }, text: { type: 'string' } },
                required: ['path', 'text'],
                additionalProperties: false,
              },
            },
          },
          required: ['files'],
          additionalProperties: false,
        },
      },
    },
    async ({ caller, body }) => {
      assertOperator(caller)
      const compiled = compilePolicy(body.files)
      return compiled.kind === 'errors'
        ? { valid: false, errors: compiled.errors.map(formatPolicyError) }
        : { valid: true, errors: [], warnings: compiled.policy.warnings }
    },
  )
  app.post(
    '/policy/reload',
    {
      schema: {
        summary: 'Read configuration and policies again; what is bad stays as it was',
        response: { 200: POLICY },
      },
    },
    async ({ caller }) => {
      assertOperator(caller)
      await reload()
      return summaryOf(policy())
    },
  )
}

function assertOperator(caller: Caller): void {
  if (!caller.isOperator) throw new ApiError(403, 'not_an_operator', 'for operators')
}

function summaryOf({ version, rules, masks, limits, grants, warnings }: Policy): object {
  const counts = { rules: rules.length, masks: masks.length, limits: limits.length }
  return { version, ...counts, grants: grants.length, warnings }
}
