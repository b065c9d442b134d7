/**
 * Memory that is used again: runs of cells in one growing typed array, and strings with a count of
 * users. The series store lives on them, so that a hundred thousand series cost no object each.
 */

const FIRST_CELLS = 1024

interface GrowingArray extends ArrayLike<number> {
  set(from: ArrayLike<number>): void
  fill(value: number, from: number, to: number): unknown
  [at: number]: number
}

export function grown<A extends { set(from: A): void }>(from: A, to: A): A {
  to.set(from)
  return to
}

/** Runs of equal-width cells in one growing typed array, reused by width. */
export class Pool<A extends GrowingArray> {
  store: A
  readonly #make: (length: number) => A
  readonly #free = new Map<number, number[]>()
  #end = 0

  constructor(make: (length: number) => A) {
    this.#make = make
    this.store = make(FIRST_CELLS)
  }

  take(width: number): number {
    const reused = this.#free.get(width)?.pop()
    if (reused !== undefined) return reused
    const at = this.#end
    this.#end += width
    if (this.#end > this.store.length) {
      const bigger = this.#make(Math.max(this.#end, this.store.length * 2))
      bigger.set(this.store)
      this.store = bigger
    }
    return at
  }

  give(at: number, width: number): void {
    const list = this.#free.get(width)
    if (list) list.push(at)
    else this.#free.set(width, [at])
  }
}

/** Distinct strings with a count of users, so that the text of dead pods does not pile up. */
export class TextPool {
  readonly #ids = new Map<string, number>()
  #texts: string[] = []
  #users: number[] = []
  #free: number[] = []

  take(text: string): number {
    let id = this.#ids.get(text)
    if (id === undefined) {
      id = this.#free.pop() ?? this.#texts.length
      this.#texts[id] = text
      this.#users[id] = 0
      this.#ids.set(text, id)
    }
    this.#users[id]++
    return id
  }

  give(id: number): void {
    if (--this.#users[id] > 0) return
    this.#ids.delete(this.#texts[id])
    this.#texts[id] = ''
    this.#free.push(id)
  }

  get(id: number): string {
    return this.#texts[id]
  }

  clear(): void {
    this.#ids.clear()
    this.#texts = []
    this.#users = []
    this.#free = []
  }
}
