/**
 * The running aggregation: rows into values of series, series into rows.
 *
 * A batch goes through each group in three loops: list rows with their keys, find each key's entry,
 * add the values. Every interval the series that changed are put out, cumulative since they were
 * born, and those that nothing touched for `idle_expiry` end. The ledger: rows that counted are
 * folded, the others filtered.
 */
import type { Batch, MetricDefinition, ProcessorHost, Stage } from '../../core/index.ts'
import { BatchWriter, SERIES_COLUMNS, SERIES_TABLE } from '../../core/index.ts'
import { TextIds } from '../texts.ts'
import type { Group } from './group.ts'
import type { GroupKernels } from './groups.ts'
import type { AggregateConfig, Metric } from './metrics.ts'
import { Overflow } from './overflow.ts'

/** What one table's rows go through. */
export interface Route {
  readonly group: Group
  readonly kernels: GroupKernels
}

export class AggregateStage implements Stage {
  readonly #groups: readonly Group[]
  readonly #routes: ReadonlyMap<string, readonly Route[]>
  readonly #config: AggregateConfig
  readonly #host: ProcessorHost
  readonly #texts = new TextIds()
  readonly #overflow: Overflow
  readonly #freeIds: number[] = []
  #nextId = 0
  #nowUs = 0
  #nextMs = 0
  // Scratch of one batch, by row.
  #rows = new Uint32Array(0)
  #words = new Uint32Array(0)
  #hashes = new Uint32Array(0)
  #places = new Uint32Array(0)
  #used = new Uint8Array(0)

  constructor(
    metrics: readonly Metric[],
    groups: readonly Group[],
    routes: ReadonlyMap<string, readonly Route[]>,
    config: AggregateConfig,
    host: ProcessorHost,
  ) {
    this.#groups = groups
    this.#routes = routes
    this.#config = config
    this.#host = host
    this.#overflow = new Overflow(metrics, groups, host)
    host.series.metrics(metrics.flatMap(definitions))
  }

  process(batch: Batch): Batch | null {
    const routes = this.#routes.get(batch.table)
    if (!routes) return batch
    this.#makeRoom(batch.length)
    // Before the first tick the rows' own time is the only clock there is.
    if (this.#nowUs === 0 && batch.length > 0 && batch.columns.time_us === 'number') {
      this.#nowUs = (batch.data.time_us as Float64Array)[0]
    }
    this.#texts.begin(batch.text)
    let folded = 0
    for (const route of routes) folded += this.#fold(batch, route, routes.length > 1)
    this.#texts.end()
    this.#host.count('folded', folded)
    if (folded < batch.length) this.#host.count('filtered', batch.length - folded)
    this.#used.fill(0, 0, batch.length)
    return null
  }

  /** Returns how many rows counted here that had not counted before. */
  #fold(batch: Batch, { group, kernels }: Route, shared: boolean): number {
    const rows = this.#rows
    const count = kernels.select(batch, rows, this.#words, this.#hashes, this.#texts)
    const before = group.overflows
    this.#findPlaces(group, count)
    if (group.overflows > before) this.#host.count('overflow', group.overflows - before)
    const bad = kernels.accumulate(batch, rows, count, this.#places, group.values)
    if (bad > 0) this.#host.count('invalid_values', bad)
    if (!shared) return count
    const used = this.#used
    let fresh = 0
    for (let i = 0; i < count; i++) {
      fresh += 1 - used[rows[i]]
      used[rows[i]] = 1
    }
    return fresh
  }

  #findPlaces(group: Group, count: number): void {
    const { table } = group
    const { stride } = group.plan
    const { width } = table
    const words = this.#words
    const hashes = this.#hashes
    const places = this.#places
    for (let i = 0; i < count; i++) {
      let entry = table.find(words, i * width, hashes[i])
      if (entry === 0) entry = this.#admit(group, i)
      group.dirty[entry] = 1
      places[i] = entry * stride
    }
  }

  /** A label set that was not seen before: its entry, or 0 when there is no room for its series. */
  #admit(group: Group, i: number): number {
    const { members } = group.plan
    const present = this.#groups.reduce((sum, { series }) => sum + series, 0)
    if (present + members.length > this.#config.series_max || group.full) {
      this.#overflow.add(group, this.#nowUs)
      return 0
    }
    const at = i * group.table.width
    const entry = group.add(this.#words, at, this.#hashes[i], this.#nowUs, this.#texts)
    const labels = group.labels(entry, this.#texts)
    members.forEach(({ metric, part }, index) => {
      const id = this.#takeId()
      group.ids[entry * members.length + index] = id
      const all = part.label === null ? labels : [...labels, part.label]
      this.#host.series.born(id, 2 * metric, all)
    })
    return entry
  }

  #takeId(): number {
    return this.#freeIds.pop() ?? this.#nextId++
  }

  tick(nowMs: number, final: boolean): Batch | null {
    this.#nowUs = nowMs * 1000
    if (!final && nowMs < this.#nextMs) return null
    const { interval } = this.#config
    // From now, not from the last: after a pause there is one emission, not a row of them.
    this.#nextMs = this.#nextMs + interval > nowMs ? this.#nextMs + interval : nowMs + interval
    this.#freeIds.push(...this.#host.series.released())
    this.#expire(nowMs)
    const batch = this.#emit()
    for (const { dirty, table } of this.#groups) dirty.fill(0, 0, table.end)
    this.#host.count('created', batch.length)
    return batch
  }

  #expire(nowMs: number): void {
    const { idle_expiry } = this.#config
    for (const group of this.#groups) {
      const { seen, dirty, table, ids } = group
      const width = group.plan.members.length
      for (let entry = 1; entry < table.end; entry++) {
        if (dirty[entry] === 1) {
          seen[entry] = nowMs
        } else if (idle_expiry > 0 && seen[entry] > 0 && nowMs - seen[entry] > idle_expiry) {
          for (let i = 0; i < width; i++) this.#host.series.gone(ids[entry * width + i])
          group.remove(entry, this.#texts)
        }
      }
    }
  }

  #emit(): Batch {
    let length = this.#overflow.count()
    this.#eachChanged(slots => {
      length += slots
    })
    const rows = new BatchWriter(SERIES_TABLE, SERIES_COLUMNS, length)
    rows.dictionary = this.#host.series.dictionary
    const nowUs = this.#nowUs
    this.#eachChanged((_, group, entry, index) => {
      group.write(entry, index, group.plan.members[index], rows, nowUs)
    })
    this.#overflow.write(rows, nowUs, () => this.#takeId())
    return rows.done()
  }

  #eachChanged(visit: (slots: number, group: Group, entry: number, index: number) => void): void {
    for (const group of this.#groups) {
      const { members } = group.plan
      for (let entry = 1; entry < group.table.end; entry++) {
        if (group.dirty[entry] === 0) continue
        for (let index = 0; index < members.length; index++) {
          const member = members[index]
          if (group.changed(entry, index, member)) visit(member.slots, group, entry, index)
        }
      }
    }
  }

  #makeRoom(rows: number): void {
    if (this.#rows.length >= rows) return
    const width = Math.max(...this.#groups.map(group => group.table.width))
    this.#rows = new Uint32Array(rows)
    this.#words = new Uint32Array(rows * width)
    this.#hashes = new Uint32Array(rows)
    this.#places = new Uint32Array(rows)
    this.#used = new Uint8Array(rows)
  }
}

/** A metric and its overflow: same name, one label. Metric `m` has the indexes 2m and 2m + 1. */
function definitions({ definition }: Metric): MetricDefinition[] {
  return [definition, { ...definition, labels: ['otel.metric.overflow'] }]
}
