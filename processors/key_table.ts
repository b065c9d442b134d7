/**
 * Open addressing over typed arrays: keys of a fixed number of 32-bit words to dense entry numbers.
 *
 * Entry 0 is never given out: it stands for "none". Owners keep their own arrays by entry number
 * and are told when there is room for more. About 12 + 4 x width bytes an entry at the usual load.
 */
import { grown } from '../core/index.ts'

const FIRST_CAPACITY = 64

export class KeyTable {
  readonly width: number
  /** Entries are below this; owners' arrays must be as long. Doubles when full. */
  capacity = FIRST_CAPACITY
  /** Entries that a key leads to. */
  size = 0
  /** Every entry ever used is below this. */
  end = 1
  keys: Uint32Array
  hashes = new Uint32Array(FIRST_CAPACITY)
  /** Entry by place, 0 empty. At most half full. */
  index = new Uint32Array(2 * FIRST_CAPACITY)
  #free: number[] = []

  constructor(width: number) {
    this.width = width
    this.keys = new Uint32Array(width * FIRST_CAPACITY)
  }

  /** Entry of the key at `words[at...]`, or 0. */
  find(words: Uint32Array, at: number, hash: number): number {
    const { index, keys, hashes, width } = this
    const mask = index.length - 1
    let place = hash & mask
    for (;;) {
      const entry = index[place]
      if (entry === 0) return 0
      if (hashes[entry] === hash) {
        const key = entry * width
        let word = 0
        while (word < width && keys[key + word] === words[at + word]) word++
        if (word === width) return entry
      }
      place = (place + 1) & mask
    }
  }

  /** A new entry for a key that `find` did not find. `capacity` may have grown afterwards. */
  add(words: Uint32Array, at: number, hash: number): number {
    const entry = this.reserve()
    const { width } = this
    for (let word = 0; word < width; word++) this.keys[entry * width + word] = words[at + word]
    this.hashes[entry] = hash
    this.#place(entry)
    this.size++
    return entry
  }

  /** The entry's number may be given to another key at once. */
  remove(entry: number): void {
    this.unlink(entry)
    this.release(entry)
  }

  /** A number that no key leads to. `capacity` may have grown afterwards. */
  reserve(): number {
    const entry = this.#free.pop() ?? this.end++
    if (entry >= this.capacity) this.#grow()
    return entry
  }

  /** Takes back a number that no key leads to. */
  release(entry: number): void {
    this.#free.push(entry)
  }

  /** The key leads nowhere any more; the number stays taken until `release`. */
  unlink(entry: number): void {
    const { index, hashes } = this
    const mask = index.length - 1
    let hole = hashes[entry] & mask
    while (index[hole] !== entry) hole = (hole + 1) & mask
    // Later entries of the run move up, so that no run is ever broken and no tombstone is left.
    let next = hole
    for (;;) {
      next = (next + 1) & mask
      if (index[next] === 0) break
      const home = hashes[index[next]] & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        index[hole] = index[next]
        hole = next
      }
    }
    index[hole] = 0
    this.size--
  }

  #place(entry: number): void {
    const mask = this.index.length - 1
    let place = this.hashes[entry] & mask
    while (this.index[place] !== 0) place = (place + 1) & mask
    this.index[place] = entry
  }

  #grow(): void {
    this.capacity *= 2
    this.keys = grown(this.keys, new Uint32Array(this.width * this.capacity))
    this.hashes = grown(this.hashes, new Uint32Array(this.capacity))
    const old = this.index
    this.index = new Uint32Array(2 * this.capacity)
    for (const entry of old) if (entry !== 0) this.#place(entry)
  }
}

/**
 * Code that mixes the words named by `names` into `hash`; with `HASH_END` a full avalanche
 * (murmur3's finaliser).
 */
export function hashCode(names: readonly string[]): string {
  const steps = names.map(
    name => `hash = Math.imul(hash ^ ${name}, 0x9e3779b1); hash ^= hash >>> 15`,
  )
  return `let hash = 0x2545f491; ${steps.join('; ')}
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b); hash = (hash ^ (hash >>> 13)) >>> 0`
}
