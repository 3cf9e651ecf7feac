/**
 * The Python text of packages/langgraph/README.md, as it stands there, with a real psycopg: in a real `StateGraph` with
 * a checkpointer where LangGraph for Python is installed (SALLYPORT_TEST_PYTHON names a Python that has it); and
 * without it, with an `interrupt` that says what it was given and ends the process, as LangGraph's own ends the node.
 * Resuming is then running it again, as LangGraph does.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const PYTHONS = [process.env['SALLYPORT_TEST_PYTHON'], '/usr/bin/python3', 'python3']
const pythonWith = (modules: string): string | undefined =>
  PYTHONS.find(
    (one) => one !== undefined && spawnSync(one, ['-c', `import ${modules}`]).status === 0,
  )
const python = pythonWith('psycopg')
const graphPython = pythonWith('psycopg, langgraph.graph')

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
`
const LANGGRAPH = `import json
class GraphInterrupt(BaseException):
    pass
def interrupt(value):
    print(json.dumps(value))
    raise GraphInterrupt()
`

/** Each line of stdin is what the graph's one thread is invoked with; each line of stdout what came of it. */
const GRAPH = `import json, os, sys, psycopg, snippet
from typing import TypedDict
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

snippet.get_token = lambda: os.environ["TOKEN"]

class State(TypedDict, total=False):
    sql: str
    answer: object

builder = StateGraph(State)
builder.add_node("work", lambda state: {"answer": snippet.run_sql(state["sql"])})
builder.add_edge(START, "work")
builder.add_edge("work", END)
graph = builder.compile(checkpointer=InMemorySaver())
config = {"configurable": {"thread_id": "1"}}
for line in sys.stdin:
    sql = json.loads(line)
    try:
        state = graph.invoke(Command(resume=True) if sql is None else {"sql": sql}, config)
        interrupts = [one.value for one in graph.get_state(config).interrupts]
        said = {"interrupts": interrupts} if interrupts else {"answer": state["answer"]}
    except psycopg.Error as error:
        said = {"raised": error.sqlstate, "message": str(error)}
    print(json.dumps(said), flush=True)
`

describe.skipIf(python === undefined)('psycopg', () => {
  let database: TestDatabase
  let gateway: TestGateway
  let ann: Control
  const folder = mkdtempSync(join(tmpdir(), 'sp-python-'))

  beforeAll(async () => {
    database = await usePostgres()
    await database.sql('CREATE TABLE public.t (n int)')
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [POLICY],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
    mkdirSync(join(folder, 'instead', 'langgraph'), { recursive: true })
    writeFileSync(join(folder, 'instead', 'langgraph', 'types.py'), LANGGRAPH)
    writeFileSync(join(folder, 'graph.py'), GRAPH)
    const readme = join(import.meta.dirname, '../../packages/langgraph/README.md')
    const text = /```python\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? ''
    const here = text
      .replace(
        'host=gateway.internal port=6432 dbname=crm',
        `host=localhost port=${gateway.port} dbname=${gateway.connection}`,
      )
      .replace('sslrootcert=ca.crt', `sslrootcert=${gateway.caFile}`)
    expect(here).not.toBe(text)
    writeFileSync(join(folder, 'snippet.py'), here)
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await gateway?.close()
    await database?.drop()
  })

  /** One run of the node: what it returned, was interrupted by, or raised. */
  async function node(sql: string, params: readonly unknown[] = []) {
    const program = [
      'import json, os, sys, snippet, psycopg',
      'from langgraph.types import GraphInterrupt',
      'snippet.get_token = lambda: os.environ["TOKEN"]',
      'try:',
      '    print(json.dumps({"returned": snippet.run_sql(*json.loads(sys.argv[1]))}))',
      'except GraphInterrupt: pass',
      'except psycopg.Error as error: print(json.dumps({"raised": error.sqlstate, "message": str(error)}))',
    ].join('\n')
    const env = {
      ...process.env,
      PYTHONPATH: `${folder}:${join(folder, 'instead')}`,
      TOKEN: await gateway.token({ subject: 'agent', kind: 'machine' }),
    }
    const child = spawn(python ?? '', ['-c', program, JSON.stringify([sql, params])], { env })
    let out = ''
    let wrong = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      wrong += chunk
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect({ code, wrong }).toEqual({ code: 0, wrong: '' })
    return JSON.parse(out)
  }
  const decide = (id: string, body: object) => ann.post(`/v1/approvals/${id}/decision`, body)

  test('reads; a write interrupts, and runs once when its thread is resumed', async () => {
    expect(await node('SELECT 41 + 1')).toEqual({ returned: [[42]] })
    const asked = await node('INSERT INTO t VALUES (%s)', [1])
    expect(asked).toMatchObject({
      sql: 'INSERT INTO t VALUES (%s)',
      approval: { status: 'pending', rule: 'writes' },
    })
    // Too early: it is interrupted again, for the same approval.
    const again = await node('INSERT INTO t VALUES (%s)', [1])
    expect(again.approval.approval).toBe(asked.approval.approval)
    await decide(asked.approval.approval, { decision: 'approve' })
    expect(await node('INSERT INTO t VALUES (%s)', [1])).toEqual({ returned: 1 })
    expect(await database.sql('SELECT n FROM t')).toEqual([{ n: 1 }])
  })

  test('a denial is an error of its own', async () => {
    const asked = await node('DELETE FROM t')
    await decide(asked.approval.approval, { decision: 'deny', reason: 'keep them' })
    const denied = await node('DELETE FROM t')
    expect(denied).toMatchObject({ raised: 'SP002', message: expect.stringContaining('keep them') })
  })

  test.skipIf(graphPython === undefined)(
    'LangGraph: a real graph is interrupted, and resumed with the identical statement',
    async () => {
      await database.sql('TRUNCATE t')
      const child = spawn(graphPython ?? '', [join(folder, 'graph.py')], {
        env: {
          ...process.env,
          PYTHONPATH: folder,
          TOKEN: await gateway.token({ subject: 'graph', kind: 'machine' }),
        },
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      /** `null` resumes the thread. */
      const invoke = async (sql: string | null) => {
        child.stdin.write(`${JSON.stringify(sql)}\n`)
        return JSON.parse((await lines.next()).value ?? 'null')
      }
      expect(await invoke('SELECT 41 + 1')).toEqual({ answer: [[42]] })
      const insert = 'INSERT INTO t VALUES (1)'
      const { interrupts } = await invoke(insert)
      expect(interrupts).toMatchObject([{ sql: insert, approval: { status: 'pending' } }])
      const id = interrupts[0].approval.approval
      // Whoever resumes the thread has not approved the statement by it.
      expect(await invoke(null)).toMatchObject({ interrupts: [{ approval: { approval: id } }] })
      await decide(id, { decision: 'approve' })
      expect(await invoke(null)).toEqual({ answer: 1 })
      expect(await database.sql('SELECT n FROM t')).toEqual([{ n: 1 }])

      const asked = await invoke('DELETE FROM t')
      await decide(asked.interrupts[0].approval.approval, { decision: 'deny', reason: 'keep them' })
      expect(await invoke(null)).toMatchObject({
        raised: 'SP002',
        message: expect.stringContaining('keep them'),
      })
      child.stdin.end()
      await once(child, 'close')
    },
  )
})
