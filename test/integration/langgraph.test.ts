/** The LangGraph example, through a real gateway: what its README shows, and what happens when things go wrong. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { HumanMessage } from '@langchain/core/messages'
import { Command } from '@langchain/langgraph'
import { type ApprovalInterrupt, SallyportError } from '@sallyport/langgraph'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { supportAgent } from '../../packages/langgraph/example/agent.ts'
import { startWorld, type World } from '../langgraph/world.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

let database: TestDatabase
let world: World

beforeAll(async () => {
  database = await usePostgres()
  const sql = (text: string) => database.sql(text)
  world = await startWorld({ address: database, database: database.database, sql })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await database.drop()
})

const ASK = { messages: [new HumanMessage('Please cancel order 7.')] }
const thread = (id: string) => ({ configurable: { thread_id: id } })

async function askedFor(agent: ReturnType<typeof supportAgent>, id: string) {
  const state = await agent.getState(thread(id))
  return state.tasks[0]?.interrupts.at(-1)?.value as ApprovalInterrupt | undefined
}

async function decide(approval: string, body: object): Promise<void> {
  const answer = await fetch(`${world.control}/v1/approvals/${approval}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.leadToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(200)
}

const orderStatus = async (): Promise<unknown> =>
  (await database.sql('SELECT status FROM shop.orders WHERE id = 7'))[0]?.['status']

test('interrupts, sleeps in its checkpointer, and goes on with the identical statement', async () => {
  const agent = supportAgent(world.run, world.checkpointer)
  const asked = await agent.invoke(ASK, thread('a'))
  expect(asked.messages.at(2)?.text).toContain('c***@***.example')
  const interrupt = await askedFor(agent, 'a')
  expect(interrupt).toMatchObject({
    approval: { rule: 'order changes need a human', link: null },
    parameters: [7],
  })
  // Resumed before anybody has decided: it asks again, for the same approval.
  await agent.invoke(new Command({ resume: true }), thread('a'))
  expect((await askedFor(agent, 'a'))?.approval.id).toBe(interrupt?.approval.id)
  expect(await orderStatus()).toBe('open')
  await decide(interrupt?.approval.id ?? '', { decision: 'approve' })
  // Another process would build the graph anew: nothing but the checkpointer remembers.
  const later = supportAgent(world.run, world.checkpointer)
  const done = await later.invoke(new Command({ resume: true }), thread('a'))
  expect(done.messages.at(-1)?.text).toBe('Done: {"changed":1}')
  expect(await orderStatus()).toBe('cancelled')
})

test('a denial comes to the model as an error with the comment', async () => {
  const agent = supportAgent(world.run, world.checkpointer)
  await agent.invoke(ASK, thread('b'))
  const interrupt = await askedFor(agent, 'b')
  await decide(interrupt?.approval.id ?? '', {
    decision: 'deny',
    reason: 'call the customer first',
  })
  const done = await agent.invoke(new Command({ resume: true }), thread('b'))
  expect(done.messages.at(-1)?.text).toMatch(/denied by lea\ncall the customer first/)
})

test('what policy refuses is an error of a kind', async () => {
  const refused = world.run('DELETE FROM shop.customers', [])
  await expect(refused).rejects.toBeInstanceOf(SallyportError)
  const kinds = await Promise.all(
    [
      'SELECT upper(email) || 1 FROM shop.orders ORDER BY email',
      'SELEC 1',
      'DROP TABLE shop.orders',
    ].map((sql) => world.run(sql, []).catch((error: SallyportError) => error.kind)),
  )
  expect(kinds).toEqual(['denied', 'syntax', 'denied'])
})

test('the command of the README runs the example from beginning to end', async () => {
  const root = join(import.meta.dirname, '../..')
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [program, ...args] = (scripts['example:langgraph'] as string).split(' ')
  expect(program).toBe('node')
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  expect(stdout).toMatch(/interrupted: approval ap_[\s\S]*approved\n< Done: {"changed":1}\n$/)
}, 240_000)
