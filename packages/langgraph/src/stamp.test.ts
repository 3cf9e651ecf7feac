import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stamped, stampOf } from './stamp.ts'

test('names are sorted, values encoded, and the end of the statement is kept where it was', () => {
  expect(stamped('SELECT 1;\n', { node: 'look up', graph: 'g' })).toBe(
    "SELECT 1 /*langgraph_graph='g',langgraph_node='look%20up'*/",
  )
  expect(stamped('SELECT 1 -- one', { node: 'n' })).toBe("SELECT 1 -- one\n/*langgraph_node='n'*/")
  expect(stamped('SELECT 1', {})).toBe('SELECT 1')
})

test('no value can end the comment or its quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (reason) => {
      const comment = stamped('SELECT 1', { reason }).slice('SELECT 1 '.length)
      expect(comment.startsWith("/*reason='")).toBe(true)
      expect(comment.indexOf('*/')).toBe(comment.length - 2)
      expect(comment.slice("/*reason='".length, -3)).not.toContain("'")
    }),
  )
})

test('says what LangGraph says of the node, and nothing that changes when a thread is resumed', () => {
  const config = {
    configurable: { thread_id: 't1', run_id: 'r1' },
    metadata: { langgraph_node: 'tools', langgraph_step: 3 },
  }
  expect(stampOf(config, 'support')).toEqual({ graph: 'support', node: 'tools', thread: 't1' })
  expect(stampOf(undefined)).toEqual({})
})
