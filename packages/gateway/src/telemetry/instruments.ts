/**
 * Counters and histograms that cost an addition on the hot path. They become prom-client values only
 * when somebody scrapes.
 */
import type { Metric, Registry } from 'prom-client'

/** Label sets of one counter; more are counted under `other`. */
export const LABEL_SETS_MAX = 1_000

interface Value {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** Registers something that prom-client asks for its values when it is scraped. */
export function registerScraped(
  registry: Registry,
  description: { readonly name: string; readonly help: string; readonly type: MetricKind },
  values: () => Iterable<Value>,
): void {
  const scraped = {
    ...description,
    aggregator: 'sum',
    get: () => ({ ...description, aggregator: 'sum', values: [...values()] }),
    reset: () => undefined,
  }
  // prom-client types metrics as its own classes but uses `name` and `get()` only.
  registry.registerMetric(scraped as unknown as Metric)
}

export type MetricKind = 'counter' | 'gauge' | 'histogram'

interface Cell {
  readonly labels: Readonly<Record<string, string>>
  value: number
}

/** A number per label set. `add` with the labels of the last one looks nothing up, with others of before once. */
export class Tally<const L extends readonly string[]> {
  readonly #labels: L
  readonly #cells = new Map<string, Cell>()
  #last: { readonly values: readonly string[]; readonly cell: Cell } | null = null

  constructor(
    registry: Registry,
    description: { name: string; help: string; labels: L; kind?: 'counter' | 'gauge' },
  ) {
    const { name, help, labels, kind = 'counter' } = description
    this.#labels = labels
    if (labels.length === 0) this.add([] as never, 0) // an unlabelled counter starts at 0
    registerScraped(registry, { name, help, type: kind }, () => this.#cells.values())
  }

  add(values: { readonly [K in keyof L]: string }, amount = 1): void {
    const last = this.#last
    if (last !== null && isSame(last.values, values)) {
      last.cell.value += amount
      return
    }
    const key = values.length < 2 ? (values[0] ?? '') : values.join('\0')
    const cell = this.#cells.get(key) ?? this.#open(key, values)
    cell.value += amount
    this.#last = { values, cell }
  }

  #open(key: string, values: readonly string[]): Cell {
    const full = this.#cells.size >= LABEL_SETS_MAX
    const known = full ? this.#cells.get('\0other') : undefined
    if (known !== undefined) return known
    const labels = Object.fromEntries(
      this.#labels.map((label, index) => [label, full ? 'other' : (values[index] ?? '')]),
    )
    const cell = { labels, value: 0 }
    this.#cells.set(full ? '\0other' : key, cell)
    return cell
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** A histogram without labels over fixed bucket bounds. */
export class Buckets {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  /** `bounds` ascending, in the unit of the name. */
  constructor(
    registry: Registry,
    description: { name: string; help: string; bounds: readonly number[] },
  ) {
    const { name, help, bounds } = description
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
    registerScraped(registry, { name, help, type: 'histogram' }, () => this.#values(name))
  }

  observe(value: number): void {
    let index = 0
    // A dozen bounds: a loop is faster than a search.
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? 0)) index += 1
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#sum += value
  }

  *#values(name: string): Iterable<Value> {
    let count = 0
    for (const [index, seen] of this.#counts.entries()) {
      count += seen
      const le = this.#bounds[index] ?? '+Inf'
      yield { metricName: `${name}_bucket`, labels: { le }, value: count }
    }
    yield { metricName: `${name}_sum`, labels: {}, value: this.#sum }
    yield { metricName: `${name}_count`, labels: {}, value: count }
  }
}
