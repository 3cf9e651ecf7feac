/** The audit trail over HTTP, for auditors. Reading it is on record before anything is answered. */
import {
  type AuditLog,
  type AuditReader,
  openAuditReader,
  openSharedReader,
  SEARCH_FIELDS,
  type SearchQuery,
  type SharedIndex,
} from '@sallyport/audit'
import type { FastifyInstance } from 'fastify'
import { ApiError } from './caller.ts'
import { RECORDS } from './schemas.ts'

/** Records of one answer. */
const RECORDS_MAX = 200

const TEXT = { type: 'string', maxLength: 300 } as const
const WHOLE = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

export interface TrailRoutesDeps {
  readonly audit: AuditLog
  readonly auditDirectory: string
  readonly searched: SharedIndex | null
}

type TrailQuery = SearchQuery & { readonly shared?: boolean }

export function addTrailRoutes(app: FastifyInstance, deps: TrailRoutesDeps): void {
  app.get<{ Querystring: TrailQuery }>(
    '/audit/records',
    {
      schema: {
        summary: 'Records of the trail, newest first, and what retention has removed of such times',
        response: { 200: RECORDS },
        querystring: {
          type: 'object',
          properties: {
            ...Object.fromEntries([...SEARCH_FIELDS, 'text'].map((name) => [name, TEXT])),
            verdict: { enum: ['allow', 'deny', 'approve'] },
            since: WHOLE,
            until: WHOLE,
            before: WHOLE,
            shared: { type: 'boolean', description: 'of all gateways that share the store' },
            limit: { type: 'integer', minimum: 1, maximum: RECORDS_MAX, default: 100 },
          },
          additionalProperties: false,
        },
      },
    },
    async ({ caller, query }) => {
      if (!caller.isAuditor) throw new ApiError(403, 'not_an_auditor', 'for auditors')
      deps.audit.append({
        type: 'trail-read',
        v: 1,
        actor: caller.principal.subject,
        action: 'search',
        query: JSON.stringify(query),
      })
      deps.audit.flush()
      const { shared, ...asked } = query
      const reader = await readerOf(deps, shared === true)
      try {
        const { items, next } = await reader.search(asked)
        return { records: items, next, removed: await reader.removed(asked) }
      } finally {
        await reader.close()
      }
    },
  )
}

function readerOf(
  { auditDirectory, searched }: TrailRoutesDeps,
  shared: boolean,
): Promise<AuditReader> {
  if (!shared) return openAuditReader({ directory: auditDirectory })
  if (searched === null) throw new ApiError(409, 'not_shared', 'this gateway shares no records')
  return openSharedReader(searched.database)
}
