/** Which results of a recorded session may show values that are masked for somebody: their rows are not kept. */
import type { Decided } from './decisions.ts'

export class Hiding {
  /** Protected values lie where policy does not see them: any result may show them from then on. */
  #carried = false

  /** Something decided so is about to run. */
  runs({ carries }: Decided): void {
    if (carries) this.#carried = true
  }

  hides(decided: Decided | null): boolean {
    return this.#carried || decided?.reveals === true
  }
}
