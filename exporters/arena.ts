/**
 * Bytes by series id: label text and attributes that an exporter encodes once, when a series is
 * born.
 *
 * They lie one after the other in chunks, so that a hundred thousand series are a few hundred
 * buffers and not a hundred thousand. What dies leaves a hole; when holes outweigh the rest,
 * everything moves together.
 */

const CHUNK_BYTES = 256 << 10
const FIRST_IDS = 256

export class Arena {
  #chunks: Buffer[] = []
  /** Bytes used of the last ordinary chunk, and its index. */
  #end = CHUNK_BYTES
  #last = -1
  #chunkOf = new Uint32Array(FIRST_IDS)
  #offsetOf = new Uint32Array(FIRST_IDS)
  #lengthOf = new Uint32Array(FIRST_IDS)
  #live = 0
  #dead = 0

  /** Keeps a copy of `source[0, length)` under `id`, in place of what was there. */
  put(id: number, source: Uint8Array, length: number): void {
    if (id >= this.#lengthOf.length) this.#grow(id + 1)
    this.drop(id)
    if (length === 0) return
    if (this.#dead > this.#live + CHUNK_BYTES) this.#compact()
    this.#place(id, length)
    this.#chunks[this.#chunkOf[id]].set(source.subarray(0, length), this.#offsetOf[id])
    this.#live += length
  }

  drop(id: number): void {
    if (id >= this.#lengthOf.length) return
    this.#live -= this.#lengthOf[id]
    this.#dead += this.#lengthOf[id]
    this.#lengthOf[id] = 0
  }

  /** Bytes kept under `id`, 0 if none. */
  length(id: number): number {
    return this.#lengthOf[id]
  }

  /**
   * Copies the bytes of `id`, from its `skip`th on, to `target[at]`; there must be room. Returns
   * the end.
   */
  copy(id: number, target: Uint8Array, at: number, skip = 0): number {
    const from = this.#offsetOf[id]
    const length = this.#lengthOf[id]
    if (length === skip) return at
    this.#chunks[this.#chunkOf[id]].copy(target, at, from + skip, from + length)
    return at + length - skip
  }

  /** Bytes held, holes included. */
  get bytes(): number {
    let sum = 0
    for (const chunk of this.#chunks) sum += chunk.length
    return sum
  }

  #place(id: number, length: number): void {
    if (length > CHUNK_BYTES / 4) {
      this.#chunkOf[id] = this.#chunks.push(Buffer.allocUnsafeSlow(length)) - 1
      this.#offsetOf[id] = 0
    } else {
      if (this.#end + length > CHUNK_BYTES) {
        this.#last = this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES)) - 1
        this.#end = 0
      }
      this.#chunkOf[id] = this.#last
      this.#offsetOf[id] = this.#end
      this.#end += length
    }
    this.#lengthOf[id] = length
  }

  #compact(): void {
    const old = this.#chunks
    this.#chunks = []
    this.#end = CHUNK_BYTES
    this.#dead = 0
    for (let id = 0; id < this.#lengthOf.length; id++) {
      const length = this.#lengthOf[id]
      if (length === 0) continue
      const from = old[this.#chunkOf[id]]
      const offset = this.#offsetOf[id]
      this.#place(id, length)
      from.copy(this.#chunks[this.#chunkOf[id]], this.#offsetOf[id], offset, offset + length)
    }
  }

  #grow(least: number): void {
    const size = Math.max(least, 2 * this.#lengthOf.length)
    this.#chunkOf = grown(this.#chunkOf, size)
    this.#offsetOf = grown(this.#offsetOf, size)
    this.#lengthOf = grown(this.#lengthOf, size)
  }
}

export function grown(from: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(size)
  to.set(from)
  return to
}
