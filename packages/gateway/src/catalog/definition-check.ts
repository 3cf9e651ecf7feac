/**
 * Are views and functions still defined as a snapshot says? Asked right before a statement under masks uses one, on a
 * connection of its own: a refresh may be reading an older moment on the other. Whoever asks while an answer is
 * under way shares the next one, so many sessions cost no more than one after the other.
 */
import type { CatalogFunction, CatalogRelation, Defined } from '@sallyport/sql'
import type { CatalogReader } from './source.ts'

type Definitions = ReadonlyMap<Defined, string | null | undefined>

interface Batch {
  readonly views: Set<Defined>
  readonly result: Promise<Definitions>
}

export class DefinitionCheck {
  readonly #connect: () => Promise<CatalogReader>
  #reader: Promise<CatalogReader> | undefined
  #running: Promise<unknown> | undefined
  #next: Batch | undefined

  constructor(connect: () => Promise<CatalogReader>) {
    this.#connect = connect
  }

  /** As of some moment after the call. Throws what the reader throws. */
  async unchanged(views: readonly Defined[]): Promise<boolean> {
    this.#next ??= this.#begin()
    const { views: asked, result } = this.#next
    for (const view of views) asked.add(view)
    const now = await result
    return views.every((view) => now.get(view) === definitionOf(view))
  }

  async close(): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    await (await reader?.catch(() => undefined))?.end().catch(() => undefined)
  }

  #begin(): Batch {
    const views = new Set<Defined>()
    return { views, result: this.#after(this.#running, views) }
  }

  async #after(
    running: Promise<unknown> | undefined,
    views: ReadonlySet<Defined>,
  ): Promise<Definitions> {
    // Also without one under way: the caller adds its views first.
    await running?.catch(() => undefined)
    this.#next = undefined
    const reading = this.#read([...views])
    this.#running = reading
    return reading
  }

  async #read(views: readonly Defined[]): Promise<Definitions> {
    const definitions = await (await this.#connected()).definitions(views)
    return new Map(views.map((view, index) => [view, definitions[index]]))
  }

  #connected(): Promise<CatalogReader> {
    if (this.#reader !== undefined) return this.#reader
    const connecting = this.#connect().then((reader) => {
      reader.onEnd(() => this.#forget(connecting))
      return reader
    })
    connecting.catch(() => this.#forget(connecting))
    this.#reader = connecting
    return connecting
  }

  #forget(reader: Promise<CatalogReader>): void {
    if (this.#reader === reader) this.#reader = undefined
  }
}

export const isFunction = (defined: Defined): defined is CatalogFunction => 'language' in defined

/** Neither a view nor a function. */
export const isTable = (defined: Defined): defined is CatalogRelation =>
  !isFunction(defined) && !/view/.test(defined.kind)

/** A relation that should not be there. */
export const isAbsent = (defined: Defined): boolean =>
  !isFunction(defined) && defined.unlessThere === true

/** As readers give it: of a table the names of its columns. */
function definitionOf(defined: Defined): string | undefined {
  if (isAbsent(defined)) return undefined
  return isTable(defined)
    ? JSON.stringify(defined.columns.map(({ name }) => name))
    : defined.definition
}
