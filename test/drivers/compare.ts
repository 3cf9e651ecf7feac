/** Runs one program against the server and through the gateway; what it returns must be the same. */
import { expect, test } from 'vitest'
import type { Target, Targets } from './targets.ts'

/** Returns plain data: whatever the driver told it, without host, port and process ids. */
export type Program = (target: Target) => Promise<unknown>

/**
 * One test: `program` directly, then through the gateway, each on fresh tables. `check` says what the
 * direct result must look like, so that a program that does nothing cannot pass.
 */
export function same(
  targets: () => Targets,
  name: string,
  program: Program,
  check: (result: unknown) => void,
): void {
  test(name, async () => {
    const { direct, gateway, reset } = targets()
    await reset()
    const expected = await program(direct)
    check(expected)
    await reset()
    expect(await program(gateway)).toEqual(expected)
  })
}

/** What a rejected promise was rejected with; fails when it was not. */
export async function failure<E>(promise: Promise<unknown>): Promise<E> {
  try {
    await promise
  } catch (error) {
    // Safe as far as a test is: its assertions look at the fields.
    return error as E
  }
  throw new Error('expected an error and there was none')
}

/** The fields of a server's error that a program may look at. */
export function errorFields(error: unknown): Record<string, unknown> {
  const fields = error as Record<string, unknown>
  const names = ['severity', 'code', 'message', 'detail', 'hint', 'position', 'where', 'schema']
  const more = ['schema_name', 'table', 'table_name', 'column', 'column_name', 'constraint']
  return Object.fromEntries(
    [...names, ...more, 'constraint_name', 'routine']
      .map((name) => [name, fields[name]] as const)
      .filter(([, value]) => value !== undefined),
  )
}
