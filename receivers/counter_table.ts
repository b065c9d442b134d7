/**
 * What was last read of each entry of a kernel map, so that the next read becomes a delta.
 *
 * Open addressing over typed arrays: the key's raw bytes, as 32-bit words, and a few words of the
 * value per entry, no object and no string. Entry numbers are dense and stay valid until `delete`.
 */

const INITIAL_ENTRIES = 256

export class CounterTable {
  readonly keyWords: number
  readonly valueWords: number
  /**
   * `valueWords` per entry; zero in a new entry. Replaced when the table grows: fetch it anew after
   * `findOrAdd`.
   */
  values: Uint32Array
  #keys: Uint32Array
  #hashes: Uint32Array
  /** Entry + 1 by slot, 0 free; twice as many slots as entries fit. */
  #slots: Int32Array
  #free: Int32Array
  #freeLength = 0
  #entries = 0
  #length = 0
  readonly #seed: number

  /** `seed` makes the places of keys unpredictable for who chooses the keys. */
  constructor(keyWords: number, valueWords: number, seed = (Math.random() * 2 ** 32) >>> 0) {
    this.keyWords = keyWords
    this.valueWords = valueWords
    this.values = new Uint32Array(INITIAL_ENTRIES * valueWords)
    this.#keys = new Uint32Array(INITIAL_ENTRIES * keyWords)
    this.#hashes = new Uint32Array(INITIAL_ENTRIES)
    this.#slots = new Int32Array(INITIAL_ENTRIES * 2)
    this.#free = new Int32Array(INITIAL_ENTRIES)
    this.#seed = seed
  }

  /** Entries in use. */
  get length(): number {
    return this.#length
  }

  /** The entry of the key at `words[at]`, made with zero values when it is new. */
  findOrAdd(words: Uint32Array, at: number): number {
    const { keyWords } = this
    const hash = this.#hash(words, at)
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      const entry = held - 1
      if (this.#hashes[entry] === hash) {
        const start = entry * keyWords
        let word = 0
        while (word < keyWords && this.#keys[start + word] === words[at + word]) word++
        if (word === keyWords) return entry
      }
      slot = (slot + 1) & mask
    }
    return this.#add(words, at, hash)
  }

  /** Gives the entry's number back; its values become zero. */
  delete(entry: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#hashes[entry]! & mask
    while (this.#slots[slot] !== entry + 1) slot = (slot + 1) & mask
    this.#closeGap(slot, mask)
    this.values.fill(0, entry * this.valueWords, (entry + 1) * this.valueWords)
    this.#free[this.#freeLength++] = entry
    this.#length--
  }

  #add(words: Uint32Array, at: number, hash: number): number {
    if (this.#freeLength === 0 && this.#entries === this.#hashes.length) this.#grow()
    const entry = this.#freeLength > 0 ? this.#free[--this.#freeLength]! : this.#entries++
    const start = entry * this.keyWords
    for (let word = 0; word < this.keyWords; word++) this.#keys[start + word] = words[at + word]!
    this.#hashes[entry] = hash
    this.#place(entry)
    this.#length++
    return entry
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#hashes[entry]! & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = entry + 1
  }

  /**
   * Linear probing without tombstones: later entries of the run move up to where they may stand.
   */
  #closeGap(gap: number, mask: number): void {
    const slots = this.#slots
    for (let slot = (gap + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hashes[slots[slot]! - 1]! & mask
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      slots[gap] = slots[slot]!
      gap = slot
    }
    slots[gap] = 0
  }

  #grow(): void {
    const room = this.#hashes.length * 2
    this.values = widened(this.values, room * this.valueWords)
    this.#keys = widened(this.#keys, room * this.keyWords)
    this.#hashes = widened(this.#hashes, room)
    this.#free = new Int32Array(room)
    this.#slots = new Int32Array(room * 2)
    for (let entry = 0; entry < this.#entries; entry++) this.#place(entry)
  }

  #hash(words: Uint32Array, at: number): number {
    let hash = this.#seed
    for (let word = 0; word < this.keyWords; word++) {
      hash = Math.imul(hash ^ words[at + word]!, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash, 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }
}

function widened(from: Uint32Array, length: number): Uint32Array {
  const to = new Uint32Array(length)
  to.set(from)
  return to
}
