/** Asks a server what a statement would return, without running it: Parse, Describe, Sync. */
import type pg from 'pg'

export interface Field {
  readonly name: string
  readonly tableID: number
  readonly columnID: number
}

interface Wire {
  parse(message: { name: string; text: string }, more: boolean): void
  describe(message: { type: 'S'; name: string }, more: boolean): void
  sync(): void
}

/** Fields of the result, [] when there are none; null when the server refuses the statement. */
export function describeStatement(client: pg.Client, text: string): Promise<Field[] | null> {
  return new Promise((resolve) => {
    let fields: Field[] = []
    const submittable = {
      submit(connection: Wire) {
        connection.parse({ name: '', text }, true)
        connection.describe({ type: 'S', name: '' }, true)
        connection.sync()
      },
      handleRowDescription(message: { fields: Field[] }) {
        fields = message.fields
      },
      // pg drops the query at an error, before the server is ready for the next.
      handleError() {
        resolve(null)
      },
      handleReadyForQuery() {
        resolve(fields)
      },
      handleNoData() {},
    }
    // pg accepts any object with `submit`; its types only know its own queries.
    client.query(submittable as unknown as pg.Query)
  })
}
