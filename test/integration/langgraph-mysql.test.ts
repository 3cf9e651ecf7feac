/** A LangGraph agent on MySQL and MariaDB: tokens per connection, a statement that interrupts its graph, once resumed. */
import { AIMessage } from '@langchain/core/messages'
import {
  Annotation,
  Command,
  END,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from '@langchain/langgraph'
import { ToolNode } from '@langchain/langgraph/prebuilt'
import {
  type ApprovalInterrupt,
  createSqlTool,
  mysqlPassword,
  mysqlRunner,
  runWithApproval,
  SallyportError,
  TokenSource,
} from '@sallyport/langgraph'
import mysql, { type Pool } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Control, controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const policyOf = (database: string): string => `version: 1
rules:
  - { name: reading, who: { graph: [support] }, allow: { effects: [read], relations: ['${database}.*'] } }
  - name: changes need a human
    who: { graph: [support] }
    approve: { effects: [write], relations: [${database}.orders] }
    approvers: { groups: [leads] }
    reason: required
`

onMysqlServers('on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let lea: Control
  let pool: Pool
  let exchanged = 0

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      "CREATE TABLE orders (id INT PRIMARY KEY, status VARCHAR(20)); INSERT INTO orders VALUES (7, 'open'), (8, 'open')",
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [policyOf(db.database)],
      identity: { 'session-tokens': { 'context-from': { subjects: ['orchestrator'] } } },
      config: { admin: { port: 0 } },
    })
    lea = await controlOf(gateway, { subject: 'lea', kind: 'human', groups: ['leads'] })
    const own = await gateway.token({ subject: 'orchestrator', kind: 'machine' })
    const tokens = new TokenSource({
      url: lea.base,
      subjectToken: () => {
        exchanged++
        return own
      },
    })
    pool = mysql.createPool({
      host: 'localhost',
      port: gateway.port,
      user: 'agent',
      database: gateway.connection,
      ssl: { ca: gateway.ca },
      authPlugins: mysqlPassword(tokens.password({ graph: 'support', node: 'tools' })),
      connectAttributes: { 'sallyport.approvals': 'return' },
      connectionLimit: 2,
    })
  })
  afterAll(async () => {
    await pool?.end()
    await gateway?.close()
    await db?.drop()
  })

  const statusOf = async (id: number): Promise<unknown> =>
    (await db.sql('SELECT status FROM orders WHERE id = ?', [id]))[0]?.['status']
  const decide = (id: string, body: object) => lea.post(`/v1/approvals/${id}/decision`, body)

  test('connections share one exchanged token, and the graph it is for is verified', async () => {
    const run = mysqlRunner(pool)
    const rows = await Promise.all([run('SELECT 1 AS one', []), run('SELECT 1 AS one', [])])
    expect(rows.map(({ rows: [row] }) => row)).toEqual([{ one: 1 }, { one: 1 }])
    expect(exchanged).toBe(1)
  })

  test('without TLS to another machine, no token is sent', async () => {
    const plugin = mysqlPassword(async () => 'spt_never')
    const answer = plugin.caching_sha2_password({ connection: { config: { host: '192.0.2.1' } } })
    await answer(Buffer.alloc(20))
    await expect(answer(Buffer.from([4]))).rejects.toThrow(/inside TLS only/)
  })

  test('a tool’s statement interrupts the graph, and runs once when it is resumed', async () => {
    const call = new AIMessage({
      content: '',
      tool_calls: [
        {
          id: 'c1',
          name: 'sql',
          type: 'tool_call',
          args: {
            sql: "UPDATE orders SET status = 'cancelled' WHERE id = ?",
            parameters: [7],
            reason: 'ticket 12',
          },
        },
      ],
    })
    const graph = new StateGraph(MessagesAnnotation)
      .addNode('tools', new ToolNode([createSqlTool({ run: mysqlRunner(pool), graph: 'support' })]))
      .addEdge(START, 'tools')
      .addEdge('tools', END)
      .compile({ checkpointer: new MemorySaver() })
    const config = { configurable: { thread_id: `tool-${flavour}` } }
    await graph.invoke({ messages: [call] }, config)
    const asked = (await graph.getState(config)).tasks[0]?.interrupts[0]?.value as
      | ApprovalInterrupt
      | undefined
    expect(asked).toMatchObject({ approval: { rule: 'changes need a human' }, parameters: [7] })
    expect(await statusOf(7)).toBe('open')
    await decide(asked?.approval.id ?? '', { decision: 'approve' })
    const done = await graph.invoke(new Command({ resume: true }), config)
    expect(done.messages.at(-1)?.text).toBe('{"changed":1}')
    expect(await statusOf(7)).toBe('cancelled')
    const { body } = await lea.get(`/v1/approvals/${asked?.approval.id}`)
    expect(body).toMatchObject({
      status: 'used',
      reason: 'ticket 12',
      requester: { subject: 'orchestrator', graph: 'support', node: 'tools' },
    })
  })

  test('a node of one’s own gets the denial as an error it can act on', async () => {
    const State = Annotation.Root({ said: Annotation<string> })
    const graph = new StateGraph(State)
      .addNode('cancel', async () => {
        const sql = "UPDATE orders SET status = 'cancelled' WHERE id = ? /*reason='ticket 13'*/"
        try {
          return { said: String((await runWithApproval(mysqlRunner(pool), sql, [8])).count) }
        } catch (error) {
          if (!(error instanceof SallyportError)) throw error
          return { said: `${error.kind}: ${error.message}` }
        }
      })
      .addEdge(START, 'cancel')
      .addEdge('cancel', END)
      .compile({ checkpointer: new MemorySaver() })
    const config = { configurable: { thread_id: `node-${flavour}` } }
    await graph.invoke({ said: '' }, config)
    const asked = (await graph.getState(config)).tasks[0]?.interrupts[0]?.value as
      | ApprovalInterrupt
      | undefined
    await decide(asked?.approval.id ?? '', { decision: 'deny', reason: 'call them first' })
    const done = await graph.invoke(new Command({ resume: true }), config)
    expect(done.said).toMatch(/^approval-denied: .*denied by lea.*call them first/s)
    expect(await statusOf(8)).toBe('open')
  })
})
