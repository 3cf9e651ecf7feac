/**
 * What can be asked of the server about the statement before: SHOW WARNINGS and GET DIAGNOSTICS, ROW_COUNT(). Under
 * masks the answer may tell of values that the statement itself did not.
 */
import type { Decided } from '../decisions.ts'

export class Afterthoughts {
  /** The server may still have warnings of what read masked columns. */
  #warned = false
  /** ROW_COUNT() is how many masked values were others than what they were set to. */
  #changed = false

  wouldTell({ diagnostics, touchesMasked, asksCount, changesMasked }: Decided): boolean {
    return (
      (diagnostics && (this.#warned || touchesMasked)) ||
      (asksCount && (this.#changed || changesMasked))
    )
  }

  /** Something decided so is about to run. */
  runs({ changesMasked, touchesMasked, relations }: Decided): void {
    this.#changed = changesMasked
    // MariaDB keeps warnings over statements that read no table.
    if (touchesMasked) this.#warned = true
    else if (relations.length > 0) this.#warned = false
  }
}
