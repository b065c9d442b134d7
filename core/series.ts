/**
 * Series: what an aggregation keeps, as ids in the rows and a dictionary beside them.
 *
 * A `series` batch carries ids and values only. Names, labels and newest values live here, in core,
 * outside the queues: a branch that is new, or lost a batch, still sees every series whole.
 * Cumulative values need no backlog, so what a queue drops is a row, never a number.
 */
import type { Batch, Columns } from './batch.ts'
import { grown, Pool, TextPool } from './pools.ts'

/** Columns of a `series` batch. A histogram is one row per slot. */
export const SERIES_COLUMNS = {
  series: 'u32',
  /** 0 the value (histogram: the sum), 1 the count, 2.. the buckets' own counts (not cumulated). */
  slot: 'u16',
  /** Cumulative since `start_us` for counters and histograms, the reading for gauges. */
  value: 'number',
  start_us: 'number',
  time_us: 'number',
} as const satisfies Columns
export const SERIES_TABLE = 'series'
export type SeriesBatch = Batch<typeof SERIES_COLUMNS>

export interface MetricDefinition {
  /**
   * OpenTelemetry style, dotted, without unit: `fovea.flow.bytes`. Exporters derive their own
   * spelling.
   */
  readonly name: string
  readonly description: string
  /** UCUM: `By`, `{packet}`, `s`. */
  readonly unit: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Attribute names, in the order of `labels`. */
  readonly labels: readonly string[]
  /** Histogram: upper bounds, ascending, without +Inf. */
  readonly bounds?: readonly number[]
}

export function slotsOf(metric: MetricDefinition): number {
  return metric.type === 'histogram' ? (metric.bounds?.length ?? 0) + 3 : 1
}

/** Given to a stage in the worker. Core carries the words beside the batches, in order. */
export interface SeriesWriter {
  /** Number for `BatchWriter.dictionary`. */
  readonly dictionary: number
  /** All metrics of this stage, once, before the first series. */
  metrics(list: readonly MetricDefinition[]): void
  /** A new series. `id` was never used or has been released; ids should stay dense. */
  born(id: number, metric: number, labels: readonly string[]): void
  /** The series ended. Its id must not be used again until `released` names it. */
  gone(id: number): void
  /** Ids that every branch let go since the last call. */
  released(): readonly number[]
}

/** What happened to a dictionary since the last message, as plain data for `postMessage`. */
export interface SeriesNews {
  readonly dictionary: number
  readonly metrics?: readonly MetricDefinition[]
  readonly bornIds: readonly number[]
  readonly bornMetrics: readonly number[]
  /** Labels of all born series, one after the other. */
  readonly bornLabels: readonly string[]
  readonly gone: readonly number[]
}

/**
 * The series of one dictionary that reached one branch. Valid for the life of the process; read it
 * when needed.
 */
export interface SeriesView {
  readonly dictionary: number
  /** Raised when the dictionary starts over (worker restarted): everything kept by id is void. */
  readonly epoch: number
  readonly metrics: readonly MetricDefinition[]
  /** Every id is below this. */
  readonly idsEnd: number
  /** Alive, has a value, and reached this branch. */
  has(id: number): boolean
  metricOf(id: number): number
  /**
   * Raised each time the id is given to another series: a label text cached by id is valid for one
   * generation.
   */
  generationOf(id: number): number
  label(id: number, index: number): string
  /** Newest value. For a histogram see SERIES_COLUMNS.slot. */
  value(id: number, slot: number): number
  startUs(id: number): number
  timeUs(id: number): number
}

const FIRST_CAPACITY = 256

/** One dictionary's state. Owned by core's main thread; written by the runtime only. */
export class SeriesStore {
  readonly dictionary: number
  epoch = 0
  metrics: readonly MetricDefinition[] = []
  idsEnd = 0
  #metric = new Uint16Array(FIRST_CAPACITY)
  #generation = new Uint32Array(FIRST_CAPACITY)
  /** 0 unknown, 1 born, 2 has a value. */
  #state = new Uint8Array(FIRST_CAPACITY)
  #start = new Float64Array(FIRST_CAPACITY)
  #time = new Float64Array(FIRST_CAPACITY)
  #labelAt = new Uint32Array(FIRST_CAPACITY)
  #valueAt = new Uint32Array(FIRST_CAPACITY)
  #labels = new Pool(n => new Uint32Array(n))
  #values = new Pool(n => new Float64Array(n))
  readonly #text = new TextPool()

  constructor(dictionary: number) {
    this.dictionary = dictionary
  }

  /** Everything is forgotten; ids start over. */
  restart(): void {
    this.epoch++
    this.idsEnd = 0
    this.#state.fill(0)
    this.#labels = new Pool(n => new Uint32Array(n))
    this.#values = new Pool(n => new Float64Array(n))
    this.#text.clear()
  }

  apply(news: SeriesNews): void {
    if (news.metrics) this.metrics = news.metrics
    let at = 0
    for (let i = 0; i < news.bornIds.length; i++) {
      const metric = news.bornMetrics[i]
      const width = this.metrics[metric].labels.length
      this.#born(news.bornIds[i], metric, news.bornLabels, at, width)
      at += width
    }
    for (const id of news.gone) this.#gone(id)
  }

  #born(id: number, metric: number, labels: readonly string[], at: number, width: number): void {
    if (id >= this.#state.length) this.#grow(id + 1)
    if (this.#state[id] !== 0) this.#gone(id)
    if (id >= this.idsEnd) this.idsEnd = id + 1
    this.#metric[id] = metric
    this.#generation[id]++
    this.#state[id] = 1
    this.#labelAt[id] = this.#labels.take(width)
    for (let i = 0; i < width; i++) {
      this.#labels.store[this.#labelAt[id] + i] = this.#text.take(labels[at + i])
    }
    const slots = slotsOf(this.metrics[metric])
    this.#valueAt[id] = this.#values.take(slots)
    this.#values.store.fill(0, this.#valueAt[id], this.#valueAt[id] + slots)
  }

  #gone(id: number): void {
    if (id >= this.idsEnd || this.#state[id] === 0) return
    const metric = this.metrics[this.#metric[id]]
    const width = metric.labels.length
    for (let i = 0; i < width; i++) this.#text.give(this.#labels.store[this.#labelAt[id] + i])
    this.#labels.give(this.#labelAt[id], width)
    this.#values.give(this.#valueAt[id], slotsOf(metric))
    this.#state[id] = 0
  }

  /** Takes the newest values of a `series` batch. Rows of series that are gone are ignored. */
  update(batch: SeriesBatch): void {
    const { series, slot, value, start_us, time_us } = batch.data
    for (let row = 0; row < batch.length; row++) {
      const id = series[row]
      if (id >= this.idsEnd || this.#state[id] === 0) continue
      this.#values.store[this.#valueAt[id] + slot[row]] = value[row]
      this.#start[id] = start_us[row]
      this.#time[id] = time_us[row]
      this.#state[id] = 2
    }
  }

  hasValue(id: number): boolean {
    return this.#state[id] === 2
  }
  metricOf(id: number): number {
    return this.#metric[id]
  }
  generationOf(id: number): number {
    return this.#generation[id]
  }
  label(id: number, index: number): string {
    return this.#text.get(this.#labels.store[this.#labelAt[id] + index])
  }
  value(id: number, slot: number): number {
    return this.#values.store[this.#valueAt[id] + slot]
  }
  startUs(id: number): number {
    return this.#start[id]
  }
  timeUs(id: number): number {
    return this.#time[id]
  }

  #grow(least: number): void {
    const size = Math.max(least, this.#state.length * 2)
    this.#metric = grown(this.#metric, new Uint16Array(size))
    this.#generation = grown(this.#generation, new Uint32Array(size))
    this.#state = grown(this.#state, new Uint8Array(size))
    this.#start = grown(this.#start, new Float64Array(size))
    this.#time = grown(this.#time, new Float64Array(size))
    this.#labelAt = grown(this.#labelAt, new Uint32Array(size))
    this.#valueAt = grown(this.#valueAt, new Uint32Array(size))
  }
}

/**
 * The part of a store that went down one pipeline: a series that a filter held back is not in it.
 */
export class BranchSeries implements SeriesView {
  readonly #store: SeriesStore
  /** Generation of each id when it last came by; 0 never. */
  #seen = new Uint32Array(FIRST_CAPACITY)
  #epoch = 0

  constructor(store: SeriesStore) {
    this.#store = store
  }

  /**
   * Called for every `series` batch of the pipeline, after the store took it and before any queue
   * may drop it.
   */
  mark(batch: SeriesBatch): void {
    const store = this.#store
    if (this.#epoch !== store.epoch) {
      this.#epoch = store.epoch
      this.#seen.fill(0)
    }
    if (this.#seen.length < store.idsEnd) {
      this.#seen = grown(this.#seen, new Uint32Array(Math.max(store.idsEnd, 2 * this.#seen.length)))
    }
    const { series } = batch.data
    for (let row = 0; row < batch.length; row++) {
      const id = series[row]
      if (id < store.idsEnd) this.#seen[id] = store.generationOf(id)
    }
  }

  /** Nothing comes down this way any more: it is empty from now on. */
  retire(): void {
    this.#seen.fill(0)
  }

  get dictionary(): number {
    return this.#store.dictionary
  }
  get epoch(): number {
    return this.#store.epoch
  }
  get metrics(): readonly MetricDefinition[] {
    return this.#store.metrics
  }
  get idsEnd(): number {
    return this.#epoch === this.#store.epoch ? Math.min(this.#store.idsEnd, this.#seen.length) : 0
  }
  has(id: number): boolean {
    return (
      id < this.idsEnd &&
      this.#store.hasValue(id) &&
      this.#seen[id] === this.#store.generationOf(id)
    )
  }
  metricOf(id: number): number {
    return this.#store.metricOf(id)
  }
  generationOf(id: number): number {
    return this.#store.generationOf(id)
  }
  label(id: number, index: number): string {
    return this.#store.label(id, index)
  }
  value(id: number, slot: number): number {
    return this.#store.value(id, slot)
  }
  startUs(id: number): number {
    return this.#store.startUs(id)
  }
  timeUs(id: number): number {
    return this.#store.timeUs(id)
  }
}
