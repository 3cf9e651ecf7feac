/** `npm run example:langgraph`: the example agent against a database and a gateway started for it. */
import { HumanMessage } from '@langchain/core/messages'
import { Command } from '@langchain/langgraph'
import type { ApprovalInterrupt } from '@sallyport/langgraph'
import { supportAgent } from '../../packages/langgraph/example/agent.ts'
import { postgresSql, startPostgres } from '../support/servers.ts'
import { startWorld } from './world.ts'

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const address = await startPostgres()
const sql = (text: string) => postgresSql(address, { database: 'postgres', text })
try {
  await using world = await startWorld({ address, database: 'postgres', sql })
  const agent = supportAgent(world.run, world.checkpointer)
  const config = { configurable: { thread_id: 'ticket-12' } }
  say('> Please cancel order 7.')
  const asked = await agent.invoke(
    { messages: [new HumanMessage('Please cancel order 7.')] },
    config,
  )
  for (const message of asked.messages.slice(1)) {
    if (message.text !== '') say(`  ${message.getType()}: ${message.text}`)
  }
  const state = await agent.getState(config)
  const interrupt = state.tasks[0]?.interrupts[0]?.value as ApprovalInterrupt | undefined
  if (interrupt === undefined) throw new Error('nobody was asked')
  say(`! interrupted: approval ${interrupt.approval.id}, rule "${interrupt.approval.rule}"`)
  say(`  ${interrupt.sql}`)
  say('  the thread sleeps in its checkpointer; Lea approves:')
  const decided = await fetch(`${world.control}/v1/approvals/${interrupt.approval.id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.leadToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'approve' }),
  })
  say(`  ${((await decided.json()) as { status: string }).status}`)
  const done = await agent.invoke(new Command({ resume: true }), config)
  say(`< ${done.messages.at(-1)?.text}`)
} finally {
  await address.stop()
}
