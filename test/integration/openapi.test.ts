/** The OpenAPI document is one, by a validator of others', and real answers of every route are what it says. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
grants:
  - { role: writer, who: { groups: [dba] }, approvers: { groups: [leads] } }
`
interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Record<string, { readonly schema: object }> }>
  >
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE public.t (n int)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    identity: { roles: { writer: { groups: ['writers'] } } },
    config: { admin: { port: 0, operators: { groups: ['dba'] }, auditors: { groups: ['dba'] } } },
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

test('the document is valid, and every route answers as it says', async () => {
  const ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  const eve = await controlOf(gateway, { subject: 'eve', kind: 'human' })
  const text = await (await fetch(`${ann.base}/openapi.json`)).text()
  const document = JSON.parse(text) as Document
  expect(await new Validator().validate(JSON.parse(text))).toMatchObject({ valid: true })

  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const tried = new Set<string>()
  const answers = async (
    method: 'get' | 'post' | 'delete',
    route: string,
    { id = '', body, by = ann }: { id?: string; body?: unknown; by?: typeof ann } = {},
  ) => {
    const answer = await by[method](route.replace('{id}', id), body)
    const said = document.paths[route]?.[method]?.responses
    const described = said?.[answer.status] ?? said?.['default']
    const schema = described?.content?.['application/json']?.schema
    tried.add(`${method} ${route}`)
    if (schema === undefined) {
      expect([route, answer.status, answer.body]).toEqual([route, 204, null])
      return answer
    }
    const isSo = ajv.validate(schema, answer.body)
    expect({ route, errors: isSo ? null : ajv.errors, body: answer.body }).toMatchObject({
      route,
      errors: null,
    })
    return answer
  }

  await using wire = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token({ subject: 'agent', kind: 'machine', graph: 'g', node: 'n' }),
    database: gateway.connection,
  })
  wire.send({ kind: 'Query', text: 'INSERT INTO t VALUES (1)' })
  const { id } = await pendingApproval(ann)
  await answers('get', '/v1/approvals')
  const looked = await answers('get', '/v1/approvals/{id}', { id })
  expect(looked.body.shown.sql).toBe('INSERT INTO t VALUES (1)')
  await answers('get', '/v1/approvals/{id}', { id, by: eve })
  await answers('post', '/v1/approvals/{id}/cancel', { id })
  const decision = { decision: 'approve', reason: 'so be it' }
  await answers('post', '/v1/approvals/{id}/decision', { id, body: { decision: 7 } })
  const decided = await answers('post', '/v1/approvals/{id}/decision', { id, body: decision })
  expect(decided.status).toBe(200)
  await wire.replies()
  const listed = await answers('get', '/v1/sessions')
  expect(listed.body.sessions).toHaveLength(1)
  await answers('delete', '/v1/sessions/{id}', { id: listed.body.sessions[0].id })

  const wanted = { role: 'writer', connection: gateway.connection, seconds: 60, reason: 'why not' }
  const grant = await answers('post', '/v1/grants', { body: wanted })
  expect(grant.status).toBe(201)
  await answers('get', '/v1/grants')
  await answers('delete', '/v1/grants/{id}', { id: grant.body.id })
  await answers('get', '/v1/grants', { by: eve })
  await answers('get', '/v1/listeners')
  await answers('get', '/v1/policy')
  await answers('get', '/v1/policy', { by: eve })
  await answers('post', '/v1/policy/reload')
  const explained = { sql: 'SELECT n FROM t', connection: gateway.connection }
  await answers('post', '/v1/policy/explain', { body: explained })
  await answers('post', '/v1/policy/validate', { body: { files: [{ path: 'p', text: '' }] } })
  await answers('get', '/v1/audit/records')
  await answers('get', '/healthz')
  await answers('get', '/readyz')

  /** As forms. */
  const asked = async (route: string, form: Record<string, string>, by = '') => {
    const answer = await fetch(`${ann.base}${route}`, {
      method: 'POST',
      body: new URLSearchParams(form),
      ...(by !== '' && { headers: { authorization: `Bearer ${by}` } }),
    })
    const { status } = answer
    const body = await answer.json()
    return answers('post', route, {
      by: { ...ann, post: async () => ({ status, body }) },
    })
  }
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: ann.token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: `connection:${gateway.connection}`,
  }
  const issued = await asked('/oauth/token', exchange)
  expect(issued.body).toMatchObject({ token_type: 'Bearer' })
  await asked('/oauth/token', { ...exchange, subject_token: 'nothing' })
  const token = issued.body.access_token
  expect(await asked('/oauth/introspect', { token })).toMatchObject({ status: 401 })
  expect((await asked('/oauth/introspect', { token }, ann.token)).body.active).toBe(true)
  expect(await asked('/oauth/revoke', { token })).toMatchObject({ status: 200, body: {} })
  expect((await asked('/oauth/introspect', { token }, ann.token)).body).toEqual({ active: false })
  await asked('/oauth/revoke', {})

  const all = Object.entries(document.paths).flatMap(([route, operations]) =>
    Object.keys(operations).map((method) => `${method} ${route}`),
  )
  // Streams are read in control.test.ts and login.test.ts; metrics are no JSON.
  const elsewhere = /\/events$|^get \/metrics$/
  expect(all.filter((one) => !tried.has(one) && !elsewhere.test(one))).toEqual([])
})
