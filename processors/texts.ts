/**
 * Text cells as numbers that stay valid beyond their batch.
 *
 * A batch lists its own distinct strings; state that outlives it needs ids of its own. Each
 * distinct text of a batch is looked up once, and what nobody keeps is forgotten with the batch:
 * names of dead pods do not pile up.
 */
import { TextPool } from '../core/index.ts'

export class TextIds {
  /**
   * Id + 1 by text index of the present batch, 0 not looked up yet. Valid until the next `begin`.
   */
  ids = new Uint32Array(256)
  readonly #pool = new TextPool()
  #text: readonly string[] = []
  #taken: number[] = []

  constructor() {
    // The empty text is id 0 and stays.
    this.#pool.take('')
  }

  begin(text: readonly string[]): void {
    this.#text = text
    if (this.ids.length < text.length) this.ids = new Uint32Array(2 * text.length)
    else this.ids.fill(0, 0, text.length)
  }

  /** Looks up a cell that `ids` does not know yet; returns id + 1. */
  resolve(index: number): number {
    const id = this.#pool.take(this.#text[index])
    this.#taken.push(id)
    this.ids[index] = id + 1
    return id + 1
  }

  /** Lets go of every text of the batch that was not kept. */
  end(): void {
    for (const id of this.#taken) this.#pool.give(id)
    this.#taken = []
    this.#text = []
  }

  /** One more user of a text that is alive. */
  keep(id: number): void {
    this.#pool.take(this.#pool.get(id))
  }

  drop(id: number): void {
    this.#pool.give(id)
  }

  get(id: number): string {
    return this.#pool.get(id)
  }
}
