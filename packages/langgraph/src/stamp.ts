/**
 * Says in a comment which graph, node and thread a statement comes from, and why it is sent, in the form of
 * sqlcommenter. The gateway records it as asserted: it may narrow rights and never widens them. What is to be
 * verified goes into the token (tokens.ts).
 *
 * The comment is part of the statement an approval is bound to, so it holds nothing that differs when a
 * thread is resumed: the thread's id, not that of one run.
 */

/** The part of a node's or tool's config that is read. */
export interface GraphConfig {
  readonly configurable?: Readonly<Record<string, unknown>> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export interface Stamp {
  readonly graph?: string
  readonly node?: string
  readonly thread?: string
  /** For approvers, where policy asks for a reason. */
  readonly reason?: string
}

/** What LangGraph's config says of the node at hand. */
export function stampOf(config: GraphConfig | undefined, graph?: string): Stamp {
  const node = config?.metadata?.['langgraph_node']
  const thread = config?.configurable?.['thread_id']
  return {
    ...(graph !== undefined && { graph }),
    ...(typeof node === 'string' && { node }),
    ...(typeof thread === 'string' && { thread }),
  }
}

export function stamped(sql: string, { graph, node, thread, reason }: Stamp): string {
  const tags = Object.entries({
    langgraph_graph: graph,
    langgraph_node: node,
    langgraph_thread: thread,
    reason,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}='${encoded(value)}'`]))
  if (tags.length === 0) return sql
  const text = sql.replace(/[\s;]+$/, '')
  // Behind a line comment the stamp would be part of it.
  const gap = /--[^\n]*$/.test(text) ? '\n' : ' '
  return `${text}${gap}/*${tags.sort().join(',')}*/`
}

/** Percent-encoded whole: neither a quote nor the end of the comment can be in it. */
function encoded(value: string): string {
  return encodeURIComponent(value).replaceAll("'", '%27').replaceAll('*', '%2A')
}
