/**
 * A statement that needs a person becomes an interrupt of the graph: whoever runs the graph sees what is to
 * be approved, the thread sleeps in its checkpointer, and when it is resumed the identical statement is sent
 * again, which the gateway lets run once if it was approved.
 */
import { interrupt } from '@langchain/langgraph'
import { type ApprovalNeeded, SallyportError } from './errors.ts'
import type { SqlResult, SqlRunner } from './run.ts'

/** The value of the interrupt. Deciding happens at the gateway; the value the graph is resumed with is not read. */
export interface ApprovalInterrupt {
  readonly approval: ApprovalNeeded
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** Resumptions that find nothing decided yet, per statement. */
const RESUMPTIONS_MAX = 100

/**
 * Runs the statement; interrupts the graph while it waits for a person. Call it from a node or a tool, with
 * the same text and parameters when the node runs again. @throws SallyportError `approval-denied`, …
 */
export async function runWithApproval(
  run: SqlRunner,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<SqlResult> {
  for (let resumed = 0; ; resumed++) {
    try {
      return await run(sql, parameters)
    } catch (error) {
      if (!(error instanceof SallyportError) || error.approval === null) throw error
      if (resumed >= RESUMPTIONS_MAX) throw error
      const asked: ApprovalInterrupt = { approval: error.approval, sql, parameters }
      // The first time this throws, and the node ends here; after a resumption it returns.
      interrupt(asked)
    }
  }
}
