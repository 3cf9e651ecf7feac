/** A database that statements are run on again, reduced to what a comparison needs. */

export interface ScratchResult {
  /** Cells as the server writes them. */
  readonly rows: readonly (readonly (string | null)[])[]
}

export type ScratchAnswer =
  | { readonly kind: 'done'; readonly results: readonly ScratchResult[] }
  /** `sqlstate`: empty where what failed was not the statement. */
  | { readonly kind: 'failed'; readonly sqlstate: string; readonly message: string }

export interface Scratch {
  run(sql: string, parameters: readonly (string | null)[]): Promise<ScratchAnswer>
  close(): Promise<void>
}

/** How long a scratch database may take to take a connection, ms. */
export const CONNECT_MS_MAX = 10_000
