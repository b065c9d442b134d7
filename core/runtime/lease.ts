/**
 * A batch that several exporters' queues hold: when the last of them is done with it, its buffer is
 * used again.
 */
import type { Batch } from '../batch.ts'
import { giveBuffer } from '../spare.ts'

export class Lease {
  readonly #buffer: ArrayBuffer
  /** The one who hands the batch out counts until it has done so. */
  #users = 1

  constructor(batch: Batch) {
    this.#buffer = batch.buffer
  }

  hold(): void {
    this.#users++
  }

  drop(): void {
    if (--this.#users === 0) giveBuffer(this.#buffer)
  }
}
