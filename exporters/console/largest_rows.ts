/**
 * The rows with the largest values of a batch, in one pass and without allocation: a binary heap of
 * fixed size whose root is the smallest value that still belongs.
 */

/** Used again for every batch: `clear`, `offer` each row, read `rows`. */
export class LargestRows {
  readonly #values: Float64Array
  readonly #rows: Uint32Array
  #length = 0

  constructor(size: number) {
    this.#values = new Float64Array(size)
    this.#rows = new Uint32Array(size)
  }

  clear(): void {
    this.#length = 0
  }

  /** @returns what a later value must exceed to belong; -1 while there is room. */
  offer(row: number, value: number): number {
    if (this.#length < this.#values.length) this.#rise(this.#length++, row, value)
    else if (value > this.#values[0]) this.#sink(row, value)
    return this.#length < this.#values.length ? -1 : this.#values[0]
  }

  /** The rows that belong, in no order; a view, valid until the next `clear` or `offer`. */
  rows(): Uint32Array {
    return this.#rows.subarray(0, this.#length)
  }

  #rise(start: number, row: number, value: number): void {
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#values[parent] <= value) break
      this.#put(at, this.#rows[parent], this.#values[parent])
      at = parent
    }
    this.#put(at, row, value)
  }

  /** Replaces the smallest. */
  #sink(row: number, value: number): void {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#length) break
      if (child + 1 < this.#length && this.#values[child + 1] < this.#values[child]) child++
      if (this.#values[child] >= value) break
      this.#put(at, this.#rows[child], this.#values[child])
      at = child
    }
    this.#put(at, row, value)
  }

  #put(at: number, row: number, value: number): void {
    this.#rows[at] = row
    this.#values[at] = value
  }
}
