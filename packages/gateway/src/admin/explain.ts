/**
 * What a statement would be decided to, over HTTP: one's own, or for operators anybody's with the rules behind it.
 * Nothing is executed, and nothing of the session's state is known: it is read as in a session that has just begun.
 */
import { IdentityError } from '@sallyport/identity'
import { type Explanation, explain, type Subject } from '@sallyport/policy'
import { type Catalog, createFreshAnalyze, type PostgresReader } from '@sallyport/sql'
import type { FastifyInstance } from 'fastify'
import { CatalogError } from '../catalog/errors.ts'
import { type SessionDeps, subjectOn } from '../session/admission.ts'
import { ApiError, type Caller } from './caller.ts'
import { EXPLANATION } from './schemas.ts'

export type SubjectDeps = Pick<
  SessionDeps,
  'grants' | 'verifier' | 'policy' | 'views' | 'connections' | 'limits' | 'now'
> & { readonly reader: PostgresReader }

const NAME = { type: 'string', minLength: 1, maxLength: 300 } as const
const CONTEXT = { anyOf: [NAME, { type: 'null' }], default: null } as const

interface As {
  readonly subject: string
  readonly kind: 'human' | 'machine'
  readonly groups: readonly string[]
  readonly role: string | null
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
}

interface ExplainBody {
  readonly sql: string
  readonly connection: string
  readonly role?: string
  readonly as?: As
}

export function addExplainRoute(app: FastifyInstance, deps: SubjectDeps): void {
  const analyzing = createFreshAnalyze({ reader: deps.reader })
  app.post<{ Body: ExplainBody }>(
    '/policy/explain',
    {
      schema: {
        summary: 'What would be decided about a statement; nothing runs',
        response: { 200: EXPLANATION },
        body: {
          type: 'object',
          properties: {
            sql: { type: 'string', minLength: 1 },
            connection: { ...NAME, description: '`connection` or `connection/database`' },
            role: { ...NAME, description: 'the role to take, as the user name does' },
            as: {
              type: 'object',
              description: 'somebody else: for operators',
              properties: {
                subject: { ...NAME, default: 'someone' },
                kind: { enum: ['human', 'machine'], default: 'human' },
                groups: { type: 'array', items: NAME, maxItems: 1_000, default: [] },
                role: CONTEXT,
                graph: CONTEXT,
                node: CONTEXT,
                run: CONTEXT,
              },
              additionalProperties: false,
            },
          },
          required: ['sql', 'connection'],
          additionalProperties: false,
        },
      },
    },
    async ({ caller, body }) => {
      const { sql, connection: place } = body
      if (Buffer.byteLength(sql) > deps.limits().statementBytes) {
        throw new ApiError(413, 'too-large', 'the statement is longer than the gateway reads')
      }
      const slash = place.indexOf('/')
      const name = slash < 0 ? place : place.slice(0, slash)
      const subject = await subjectFor(caller, name, body, deps)
      const connection = deps.connections().get(name)
      const database = connection?.database(slash < 0 ? null : place.slice(slash + 1)) ?? null
      const bare = deps.views.of(deps.policy(), subject, name, null).view
      if (
        connection === undefined ||
        database === null ||
        !(bare.mayConnect || caller.isOperator)
      ) {
        throw new ApiError(404, 'unknown_connection', 'there is no such connection for you')
      }
      const catalog = await schemaOf(() => connection.catalog(database).ensure())
      const { view } = deps.views.of(deps.policy(), subject, name, catalog)
      const analyze = await analyzing
      const current = connection.config.protocol === 'mysql' ? database : undefined
      const explained = explain(view, analyze(sql, catalog, current), { now: deps.now() })
      return caller.isOperator ? { subject, ...explained } : shortOf(explained)
    },
  )
}

/** @throws ApiError 403 */
async function subjectFor(
  caller: Caller,
  connection: string,
  { as, role = '' }: ExplainBody,
  deps: SubjectDeps,
): Promise<Subject> {
  if (as !== undefined) {
    if (!caller.isOperator) throw new ApiError(403, 'not_an_operator', 'for operators')
    const { groups } = as
    return { ...as, allGroups: groups, allRoles: as.role === null ? [] : [as.role], claims: {} }
  }
  try {
    return (await subjectOn(connection, caller.principal, role, deps)).subject
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error
    throw new ApiError(403, error.code, error.message)
  }
}

/** @throws ApiError 503 */
async function schemaOf(read: () => Promise<Catalog>): Promise<Catalog> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error
    throw new ApiError(503, 'schema_unavailable', 'the schema cannot be read right now')
  }
}

/** What one would learn by sending it: not who else may do what, and no columns of what is refused. */
function shortOf({ verdict, policyVersion, masked, statements }: Explanation): object {
  const said =
    verdict.kind === 'allow'
      ? { kind: verdict.kind }
      : {
          kind: verdict.kind,
          message: verdict.message,
          detail: verdict.detail,
          hint: verdict.hint,
          ...(verdict.kind === 'deny' && { code: verdict.code, sqlstate: verdict.sqlstate }),
        }
  const columns = statements.flatMap((one) =>
    one.columns.map(({ name, outcome, mask }) => ({ name, outcome, mask })),
  )
  return { verdict: said, policyVersion, masked, columns: verdict.kind === 'deny' ? [] : columns }
}
