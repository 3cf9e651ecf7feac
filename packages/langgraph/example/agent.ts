/**
 * A support agent as a LangGraph: a model that calls a SQL tool, with a checkpointer in PostgreSQL. The model
 * is scripted, so that the example needs no provider; put a chat model with `bindTools` in its place.
 */
import { AIMessage } from '@langchain/core/messages'
import {
  type BaseCheckpointSaver,
  END,
  MessagesAnnotation,
  START,
  StateGraph,
} from '@langchain/langgraph'
import { ToolNode } from '@langchain/langgraph/prebuilt'
import { createSqlTool, type SqlRunner } from '@sallyport/langgraph'

export const GRAPH = 'support'

type State = typeof MessagesAnnotation.State

/** What the model says, one answer after the other. */
const SCRIPT: readonly ((state: State) => AIMessage)[] = [
  () =>
    call('look', {
      sql: 'SELECT id, status, email FROM shop.orders WHERE id = $1',
      parameters: [7],
    }),
  () =>
    call('cancel', {
      sql: "UPDATE shop.orders SET status = 'cancelled' WHERE id = $1",
      parameters: [7],
      reason: 'the customer asked for it in ticket 12',
    }),
  ({ messages }) => new AIMessage(`Done: ${String(messages.at(-1)?.content)}`),
]

function call(id: string, args: Record<string, unknown>): AIMessage {
  return new AIMessage({ content: '', tool_calls: [{ id, name: 'sql', args, type: 'tool_call' }] })
}

function model(state: State): { messages: AIMessage[] } {
  const said = state.messages.filter((message) => message.getType() === 'ai').length
  const answer = SCRIPT[said] ?? SCRIPT.at(-1)
  return answer === undefined ? { messages: [] } : { messages: [answer(state)] }
}

function next({ messages }: State): 'tools' | typeof END {
  const last = messages.at(-1)
  return last instanceof AIMessage && (last.tool_calls ?? []).length > 0 ? 'tools' : END
}

export function supportAgent(run: SqlRunner, checkpointer: BaseCheckpointSaver) {
  return new StateGraph(MessagesAnnotation)
    .addNode('model', model)
    .addNode('tools', new ToolNode([createSqlTool({ run, graph: GRAPH })]))
    .addEdge(START, 'model')
    .addConditionalEdges('model', next, ['tools', END])
    .addEdge('tools', 'model')
    .compile({ checkpointer })
}
