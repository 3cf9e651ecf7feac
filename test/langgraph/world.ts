/** A database, a gateway and two people's tokens for the LangGraph example. */
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres'
import { pgRunner, type SqlRunner, TokenSource } from '@sallyport/langgraph'
import pg from 'pg'
import { GRAPH } from '../../packages/langgraph/example/agent.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { PostgresAddress } from '../support/servers.ts'

const POLICY = `version: 1
rules:
  - name: the agent reads orders
    who: { kind: machine, graph: [${GRAPH}] }
    allow: { effects: [read], relations: [shop.orders] }
  - name: order changes need a human
    who: { kind: machine, graph: [${GRAPH}] }
    approve: { effects: [write], relations: [shop.orders] }
    approvers: { groups: [support-leads] }
    reason: required
  - name: the checkpointer keeps its own tables
    who: { kind: machine, node: [checkpointer] }
    allow: { effects: [read, write, ddl], relations: ['graph.*'] }
  - name: the checkpointer asks for its schema
    who: { kind: machine, node: [checkpointer] }
    allow: { effects: [ddl], commands: [create schema] }
masks:
  - columns: [shop.orders.email]
    with: email
`
const SCHEMA = `
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id int PRIMARY KEY, status text NOT NULL, email text NOT NULL);
INSERT INTO shop.orders SELECT i, 'open', 'customer' || i || '@shop.example' FROM generate_series(1, 20) i;
CREATE SCHEMA graph;
`

export interface World extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly checkpointer: PostgresSaver
  readonly run: SqlRunner
  /** The control API's address. */
  readonly control: string
  /** Of a person who may approve. */
  readonly leadToken: string
}

export async function startWorld(database: {
  readonly address: PostgresAddress
  readonly database: string
  sql(text: string): Promise<unknown>
}): Promise<World> {
  await database.sql(SCHEMA)
  const gateway = await startTestGateway({
    upstream: database.address,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    identity: { 'session-tokens': { 'context-from': { subjects: ['orchestrator'] } } },
    config: { admin: { port: 0 } },
  })
  const admin = gateway.running?.admin
  if (!admin) throw new Error('no admin address')
  const control = `http://${admin.host}:${admin.port}`
  // The application's own token: from its identity provider, outside of tests.
  const own = await gateway.token({ subject: 'orchestrator', kind: 'machine' })
  const tokens = new TokenSource({ url: control, subjectToken: () => own })
  const poolFor = (node: string): pg.Pool => {
    const pool = new pg.Pool({
      host: 'localhost',
      port: gateway.port,
      ssl: { ca: gateway.ca },
      user: 'agent',
      database: gateway.connection,
      password: tokens.password({ graph: GRAPH, node }),
      // Statements that need a person are refused and sent again, rather than waiting on the connection.
      options: '-c sallyport.approvals=return',
      max: 2,
    })
    // An idle connection whose token has expired is ended; the pool opens another.
    pool.on('error', () => undefined)
    return pool
  }
  const tools = poolFor('tools')
  const saving = poolFor('checkpointer')
  const checkpointer = new PostgresSaver(saving, undefined, { schema: 'graph' })
  const end = async (): Promise<void> => {
    await Promise.all([tools.end(), saving.end()])
    await gateway.close()
  }
  try {
    await checkpointer.setup()
  } catch (error) {
    await end()
    throw error
  }
  return {
    gateway,
    checkpointer,
    control,
    run: pgRunner(tools),
    leadToken: await gateway.token({ subject: 'lea', kind: 'human', groups: ['support-leads'] }),
    [Symbol.asyncDispose]: end,
  }
}
