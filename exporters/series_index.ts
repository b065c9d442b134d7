/**
 * The living series of one dictionary in the order in which exporters write them: metric by
 * metric.
 *
 * A view says only whether an id lives and which generation it is. This index notices births and
 * deaths by comparing generations, has the exporter encode each newcomer once, and keeps ids
 * sorted by metric. Orders are made anew and never changed, so a reader that pauses half-way may
 * go on with the one that it holds.
 */
import type { SeriesView } from '../core/index.ts'
import { Arena, grown } from './arena.ts'

/** Ids by metric: those of metric `m` are `ids[starts[m] .. starts[m + 1])`. */
export interface SeriesOrder {
  readonly ids: Uint32Array
  readonly starts: Uint32Array
  /** Metrics that `starts` counts by. */
  readonly metrics: SeriesView['metrics']
}

/**
 * Encodes what never changes about a series (its labels) and returns it as the first `length`
 * bytes.
 */
export type SeriesEncoder = (id: number, metric: number) => { bytes: Uint8Array; length: number }

const NOTHING: SeriesOrder = {
  ids: new Uint32Array(0),
  starts: new Uint32Array(1),
  metrics: [],
}

export class SeriesIndex {
  readonly view: SeriesView
  readonly arena = new Arena()
  order: SeriesOrder = NOTHING
  readonly #encode: SeriesEncoder
  readonly #onBirth: ((id: number) => void) | undefined
  /** Generation of the series whose bytes are in the arena; 0 none. */
  #generation = new Uint32Array(256)
  #end = 0

  constructor(view: SeriesView, encode: SeriesEncoder, onBirth?: (id: number) => void) {
    this.view = view
    this.#encode = encode
    this.#onBirth = onBirth
  }

  get size(): number {
    return this.order.ids.length
  }

  /** Brings bytes and order up to date. About 3 ns a series when nothing was born or died. */
  refresh(): void {
    const { view } = this
    const end = view.idsEnd
    const restarted = this.order.metrics !== view.metrics
    if (end > this.#generation.length) {
      this.#generation = grown(this.#generation, Math.max(end, 2 * this.#generation.length))
    }
    let changed = restarted
    for (let id = 0; id < end; id++) {
      const generation = view.has(id) ? view.generationOf(id) : 0
      if (generation === this.#generation[id] && !restarted) continue
      changed = true
      this.#generation[id] = generation
      if (generation === 0) this.arena.drop(id)
      else this.#born(id)
    }
    for (let id = end; id < this.#end; id++) {
      if (this.#generation[id] === 0) continue
      changed = true
      this.#generation[id] = 0
      this.arena.drop(id)
    }
    this.#end = end
    if (changed) this.#sort()
  }

  /**
   * False once `id` is no longer a series of `metric` with its bytes here, even if the id lives
   * on as another.
   */
  isCurrent(order: SeriesOrder, id: number, metric: number): boolean {
    const { view } = this
    return (
      view.has(id) &&
      view.generationOf(id) === this.#generation[id] &&
      view.metricOf(id) === metric &&
      view.metrics === order.metrics
    )
  }

  #born(id: number): void {
    const { bytes, length } = this.#encode(id, this.view.metricOf(id))
    this.arena.put(id, bytes, length)
    this.#onBirth?.(id)
  }

  /** Counting sort: by metric, then by id. */
  #sort(): void {
    const { view } = this
    const starts = new Uint32Array(view.metrics.length + 1)
    let living = 0
    for (let id = 0; id < this.#end; id++) {
      if (this.#generation[id] === 0) continue
      starts[view.metricOf(id) + 1]++
      living++
    }
    for (let metric = 0; metric < view.metrics.length; metric++)
      starts[metric + 1] += starts[metric]
    const next = starts.slice()
    const ids = new Uint32Array(living)
    for (let id = 0; id < this.#end; id++) {
      if (this.#generation[id] !== 0) ids[next[view.metricOf(id)]++] = id
    }
    this.order = { ids, starts, metrics: view.metrics }
  }
}
