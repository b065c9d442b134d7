/**
 * Delta temporality: what was added since the values that the server last acknowledged.
 *
 * A failed request changes nothing here, so its growth goes into the next one. A request whose
 * answer was lost may be counted twice by the server: that is the nature of deltas, and why
 * cumulative is the default.
 */
import { type SeriesView, slotsOf } from '../../core/index.ts'

export class DeltaBook {
  readonly #view: SeriesView
  /**
   * Cumulative values: acknowledged, and in the request under way. Cells of a series lie
   * together.
   */
  #known = new Float64Array(1024)
  #sent = new Float64Array(1024)
  #end = 0
  readonly #free = new Map<number, number[]>()
  /** By id: first cell and number of cells. */
  #cellsAt = new Float64Array(256)
  #slots = new Float64Array(256)
  #knownStart = new Float64Array(256)
  #knownTime = new Float64Array(256)
  #sentTime = new Float64Array(256)

  constructor(view: SeriesView) {
    this.#view = view
  }

  /** A series begins, or the id was given to another one. */
  born(id: number): void {
    if (id >= this.#knownStart.length) this.#growIds(id + 1)
    const slots = slotsOf(this.#view.metrics[this.#view.metricOf(id)])
    const old = this.#slots[id]
    if (old !== slots) {
      if (old > 0) this.#freeCells(old).push(this.#cellsAt[id])
      this.#cellsAt[id] = this.#freeCells(slots).pop() ?? this.#take(slots)
      this.#slots[id] = slots
    }
    this.#forget(id)
  }

  /**
   * Fixes what the request says of a series. False when nothing was added: there is nothing to
   * say.
   */
  prepare(id: number, gauge: boolean): boolean {
    const view = this.#view
    const at = this.#cellsAt[id]
    const slots = this.#slots[id]
    if (gauge) return true
    const total = slots > 1 ? 1 : 0
    // A counter that began anew, or fell, has no common past with what the server knows.
    if (
      view.startUs(id) !== this.#knownStart[id] ||
      view.value(id, total) < this.#known[at + total]
    )
      this.#forget(id)
    for (let slot = 0; slot < slots; slot++) this.#sent[at + slot] = view.value(id, slot)
    this.#sentTime[id] = view.timeUs(id)
    return this.#sent[at + total] !== this.#known[at + total]
  }

  /** Beginning of the time that `value` covers. */
  startUs(id: number): number {
    return this.#knownTime[id] || this.#view.startUs(id)
  }

  value(id: number, slot: number): number {
    const at = this.#cellsAt[id]
    const slots = this.#slots[id]
    const gauge = slots === 1 && this.#view.metrics[this.#view.metricOf(id)].type === 'gauge'
    return gauge ? this.#view.value(id, slot) : this.#sent[at + slot] - this.#known[at + slot]
  }

  acknowledge(id: number): void {
    const at = this.#cellsAt[id]
    const slots = this.#slots[id]
    for (let slot = 0; slot < slots; slot++) this.#known[at + slot] = this.#sent[at + slot]
    this.#knownTime[id] = this.#sentTime[id]
  }

  #forget(id: number): void {
    const at = this.#cellsAt[id]
    const slots = this.#slots[id]
    this.#known.fill(0, at, at + slots)
    this.#knownStart[id] = this.#view.startUs(id)
    this.#knownTime[id] = 0
  }

  #freeCells(slots: number): number[] {
    const list = this.#free.get(slots) ?? []
    this.#free.set(slots, list)
    return list
  }

  #take(slots: number): number {
    const at = this.#end
    this.#end += slots
    if (this.#end > this.#known.length) {
      const size = Math.max(this.#end, 2 * this.#known.length)
      this.#known = longer(this.#known, size)
      this.#sent = longer(this.#sent, size)
    }
    return at
  }

  #growIds(least: number): void {
    const size = Math.max(least, 2 * this.#knownStart.length)
    this.#cellsAt = longer(this.#cellsAt, size)
    this.#slots = longer(this.#slots, size)
    this.#knownStart = longer(this.#knownStart, size)
    this.#knownTime = longer(this.#knownTime, size)
    this.#sentTime = longer(this.#sentTime, size)
  }
}

function longer(from: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(size)
  to.set(from)
  return to
}
