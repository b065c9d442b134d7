/**
 * A real series store and host for exporter tests: what core would hand over, without core's
 * runtime.
 */
import { createNoopMeter } from '@opentelemetry/api'
import { BatchWriter } from '../../core/batch.ts'
import type { ConfigOf, ConfigSpec, Property } from '../../core/config_spec.ts'
import type { Host } from '../../core/contract.ts'
import {
  BranchSeries,
  type MetricDefinition,
  SERIES_COLUMNS,
  SERIES_TABLE,
  type SeriesBatch,
  SeriesStore,
  slotsOf,
} from '../../core/series.ts'

/** Values of one series: one number, or sum, count and each bucket's own count. */
export interface Point {
  readonly id: number
  readonly values: readonly number[]
  readonly startUs?: number
  readonly timeUs?: number
}

export class SeriesFixture {
  readonly store: SeriesStore
  readonly view: BranchSeries

  constructor(metrics: readonly MetricDefinition[], dictionary = 1) {
    this.store = new SeriesStore(dictionary)
    this.store.apply({
      dictionary,
      metrics,
      bornIds: [],
      bornMetrics: [],
      bornLabels: [],
      gone: [],
    })
    this.view = new BranchSeries(this.store)
  }

  born(id: number, metric: number, labels: readonly string[]): void {
    const { dictionary } = this.store
    const news = { bornIds: [id], bornMetrics: [metric], bornLabels: labels, gone: [] }
    this.store.apply({ dictionary, ...news })
  }

  gone(id: number): void {
    const { dictionary } = this.store
    this.store.apply({ dictionary, bornIds: [], bornMetrics: [], bornLabels: [], gone: [id] })
  }

  /** One batch with these values, as the store and the branch have seen it. */
  batch(points: readonly Point[]): SeriesBatch {
    let rows = 0
    for (const { values } of points) rows += values.length
    const writer = new BatchWriter(SERIES_TABLE, SERIES_COLUMNS, rows)
    writer.dictionary = this.store.dictionary
    for (const { id, values, startUs = 1e15, timeUs = 1.1e15 } of points) {
      const slots = slotsOf(this.store.metrics[this.store.metricOf(id)])
      if (slots !== values.length) throw new Error(`series ${id} has ${slots} slots`)
      for (const [slot, value] of values.entries()) {
        const row = writer.length++
        writer.data.series[row] = id
        writer.data.slot[row] = slot
        writer.data.value[row] = value
        writer.data.start_us[row] = startUs
        writer.data.time_us[row] = timeUs
      }
    }
    const batch = writer.done()
    this.store.update(batch)
    this.view.mark(batch)
    return batch
  }
}

export interface TestHost extends Host {
  readonly counts: Map<string, number>
  readonly lines: string[]
}

export function testHost(id = 'exporter'): TestHost {
  const counts = new Map<string, number>()
  const lines: string[] = []
  const log = (message: string, fields?: object) =>
    void lines.push(fields ? `${message} ${JSON.stringify(fields)}` : message)
  return {
    id,
    counts,
    lines,
    log: { debug: log, info: log, warn: log, error: log },
    count: (name, n) => void counts.set(name, (counts.get(name) ?? 0) + n),
    meter: createNoopMeter(),
    signal: new AbortController().signal,
    asset: name => name,
    lost: () => {},
    agent: {
      version: '1.2.3',
      instanceId: 'instance-1',
      hostName: 'node-1',
      startUs: 1e15,
      ledger: () => [],
    },
    receiver: () => Promise.reject(new Error('an exporter asks for no receiver')),
  }
}

/**
 * A configuration as core would freeze it: defaults, then `given` (durations in ms, sizes in
 * bytes).
 */
export function configOf<S extends ConfigSpec>(spec: S, given: object = {}): ConfigOf<S> {
  return { ...defaults(spec), ...given } as ConfigOf<S>
}

function defaults(spec: ConfigSpec): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).map(([name, option]) => [name, initial(option)]))
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 }
const BYTES: Record<string, number> = { B: 1, KiB: 1024, MiB: 1 << 20 }

function initial(option: Property): unknown {
  if (option.type === 'group') return option.optional ? undefined : defaults(option.properties)
  if (option.default === undefined) return undefined
  const units = { duration: MILLISECONDS, size: BYTES }[option.type as 'duration' | 'size']
  if (!units) return option.default
  const [, number, unit] = /^(\d+)(\w+)$/.exec(String(option.default)) ?? []
  return Number(number) * units[unit]
}
