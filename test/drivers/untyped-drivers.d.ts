/** The parts of drivers that ship no types which the tests use. */
declare module 'pg-cursor' {
  import type { Connection, Submittable } from 'pg'

  // biome-ignore lint/style/noDefaultExport: it is how the package exports it
  export default class Cursor<Row = Record<string, unknown>> implements Submittable {
    constructor(text: string, values?: readonly unknown[], config?: { rowMode?: 'array' })
    submit(connection: Connection): void
    read(rows: number): Promise<Row[]>
    close(): Promise<void>
  }
}

declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream'
  import type { Connection, Submittable } from 'pg'

  export function from(text: string): Writable & Submittable & { readonly rowCount: number }
  export function to(text: string): Readable & Submittable & { readonly rowCount: number }
  export type { Connection }
}
