/** The OAuth endpoints for the document at `/openapi.json`; what they do is in @sallyport/identity, by the RFCs. */
import { object } from './schemas.ts'

const TEXT = { type: 'string' } as const
const WHOLE = { type: 'integer' } as const
const TEXTS = { type: 'array', items: TEXT } as const
const TEXT_OR_NULL = { anyOf: [TEXT, { type: 'null' }] } as const
const PUBLIC = { security: [] } as const
const FORM = { consumes: ['application/x-www-form-urlencoded'] } as const

/** RFC 6749 §5.2. */
const ERROR = object({ error: TEXT, error_description: TEXT })

const ONE_TOKEN = {
  type: 'object',
  properties: { token: TEXT, token_type_hint: TEXT },
  required: ['token'],
} as const

export const EXCHANGE = {
  summary: 'A session token for a token, of the same rights or less (RFC 8693)',
  ...PUBLIC,
  ...FORM,
  body: {
    type: 'object',
    properties: {
      grant_type: { const: 'urn:ietf:params:oauth:grant-type:token-exchange' },
      subject_token: TEXT,
      subject_token_type: {
        enum: ['access_token', 'jwt'].map((type) => `urn:ietf:params:oauth:token-type:${type}`),
      },
      requested_token_type: { const: 'urn:ietf:params:oauth:token-type:access_token' },
      audience: TEXT,
      scope: { ...TEXT, description: 'what it is narrowed to, as `connection:crm node:research`' },
      lifetime: { ...TEXT, pattern: '^[1-9][0-9]{0,8}$', description: 'seconds' },
    },
    required: ['grant_type', 'subject_token', 'subject_token_type'],
  },
  response: {
    200: {
      type: 'object',
      properties: {
        access_token: TEXT,
        issued_token_type: TEXT,
        token_type: { const: 'Bearer' },
        expires_in: WHOLE,
        scope: TEXT,
      },
      required: ['access_token', 'issued_token_type', 'token_type', 'expires_in'],
      additionalProperties: false,
    },
    default: ERROR,
  },
}

export const INTROSPECT = {
  summary: 'Is a token good, and whose (RFC 7662)',
  ...FORM,
  body: ONE_TOKEN,
  response: {
    200: {
      type: 'object',
      properties: {
        active: { type: 'boolean' },
        sub: TEXT,
        iss: TEXT,
        exp: WHOLE,
        iat: WHOLE,
        jti: TEXT,
        token_type: { const: 'Bearer' },
        scope: TEXT,
        sallyport: object({
          kind: { enum: ['human', 'machine'] },
          token_kind: TEXT,
          groups: TEXTS,
          roles: TEXTS,
          graph: TEXT_OR_NULL,
          node: TEXT_OR_NULL,
          run: TEXT_OR_NULL,
          parent: TEXT_OR_NULL,
        }),
      },
      required: ['active'],
      additionalProperties: false,
    },
    default: ERROR,
  },
}

export const REVOKE = {
  summary: 'Ends a token, and all that were exchanged from it (RFC 7009)',
  ...PUBLIC,
  ...FORM,
  body: ONE_TOKEN,
  response: { 200: { type: 'object', additionalProperties: false }, default: ERROR },
}
