/** A tool by which a model runs SQL through the gateway. */
import { DynamicStructuredTool } from '@langchain/core/tools'
import type { JsonSchema7Type } from '@langchain/core/utils/json_schema'
import { runWithApproval } from './approval.ts'
import type { SqlResult, SqlRunner } from './run.ts'
import { stamped, stampOf } from './stamp.ts'

/** Rows and characters of a result that a model reads; it is told when there is more. */
const ROWS_MAX = 100
const CHARS_MAX = 20_000

export interface SqlToolOptions {
  readonly run: SqlRunner
  /** Default `sql`. */
  readonly name?: string
  readonly description?: string
  /** Named in the stamp of each statement. */
  readonly graph?: string
  readonly rowsMax?: number
}

interface SqlInput {
  readonly sql: string
  readonly parameters?: readonly (string | number | boolean | null)[]
  readonly reason?: string
}

const SCHEMA = {
  type: 'object' as const,
  properties: {
    sql: { type: 'string', description: 'one SQL statement' },
    parameters: {
      type: 'array',
      items: { type: ['string', 'number', 'boolean', 'null'] },
      description: 'values for the placeholders',
    },
    reason: {
      type: 'string',
      description: 'why, in one sentence: read by the person who may have to approve it',
    },
  },
  required: ['sql'],
  additionalProperties: false,
} satisfies JsonSchema7Type

const DESCRIPTION =
  'Runs one SQL statement and returns its rows as JSON. Some columns come masked. A refusal says what to do instead; do not repeat a refused statement unchanged.'

/**
 * What the gateway refuses is thrown as SallyportError, which ToolNode turns into a message the model reads;
 * what needs a person interrupts the graph.
 */
export function createSqlTool(options: SqlToolOptions): DynamicStructuredTool {
  const { run, graph, rowsMax = ROWS_MAX, name = 'sql', description = DESCRIPTION } = options
  return new DynamicStructuredTool({
    name,
    description,
    schema: SCHEMA,
    func: async (input, _runManager, config) => {
      // Safe: validated against SCHEMA before it comes here.
      const { sql, parameters = [], reason } = input as SqlInput
      const stamp = { ...stampOf(config, graph), ...(reason !== undefined && { reason }) }
      const result = await runWithApproval(run, stamped(sql, stamp), parameters)
      return textOf(result, rowsMax)
    },
  })
}

function textOf({ columns, rows, count }: SqlResult, rowsMax: number): string {
  if (columns.length === 0) return JSON.stringify({ changed: count })
  const shown = rows.slice(0, rowsMax)
  let text = JSON.stringify({ columns, rows: shown }, replacer)
  const isCut = text.length > CHARS_MAX
  if (isCut) text = text.slice(0, CHARS_MAX)
  if (!isCut && rows.length === shown.length) return text
  return `${text}\n(${rows.length} rows in all; ask for fewer rows or columns to see the rest)`
}

/** JSON has no big integers and no bytes. */
function replacer(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
