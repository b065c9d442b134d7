/**
 * Builds one function over a batch's typed arrays from snippets of JavaScript: how an expression, a
 * key or a sum becomes a loop without a call per row. V8 compiles each kernel for exactly the
 * column types it reads.
 *
 * It takes a third of the time of closures composed by node (test/bench/processors.ts). Only
 * checked column names, numbers and names made here reach the source; user text goes in as
 * constants.
 */
import type { Batch, Columns } from '../core/index.ts'

/** Text tests are answered once per distinct text of a batch. */
export type TextTest = (text: string) => boolean

export class Kernel {
  readonly columns: Columns
  readonly #constants: unknown[] = []
  /** Code that runs once per batch, by the name it defines. */
  readonly #before = new Map<string, string>()
  /** Names by what they stand for, so that two uses of a column or literal share one. */
  readonly #names = new Map<string, string>()

  constructor(columns: Columns) {
    this.columns = columns
  }

  /** Name of a value that code may refer to. */
  constant(value: unknown): string {
    const known = this.#constants.indexOf(value)
    return `k[${known < 0 ? this.#constants.push(value) - 1 : known}]`
  }

  /** Name of a column's array. */
  column(name: string): string {
    return this.before(`column ${name}`, `batch.data[${JSON.stringify(name)}]`)
  }

  /** Name of an address column seen as 32-bit words in this machine's byte order, four a row. */
  words(name: string): string {
    const bytes = this.column(name)
    return this.before(
      `words ${name}`,
      `new Uint32Array(${bytes}.buffer, ${bytes}.byteOffset, ${bytes}.length >> 2)`,
    )
  }

  /**
   * Name of a literal's index in the batch's text; a negative number of its own where the batch
   * lacks it.
   */
  textIndex(text: string): string {
    const literal = this.constant(text)
    const absent = -1 - this.#constants.indexOf(text)
    return this.before(
      `text ${text}`,
      `batch.text.includes(${literal}) ? batch.text.indexOf(${literal}) : ${absent}`,
    )
  }

  /** Code that is true where the text cell at `index` passes `test`. `key` tells equal tests. */
  textTest(key: string, test: TextTest, index: string): string {
    const memo = this.before(`test ${key}`, 'new Uint8Array(batch.text.length)')
    const ask = this.constant((seen: Uint8Array, text: readonly string[], at: number) => {
      seen[at] = test(text[at]) ? 2 : 1
      return seen[at]
    })
    return `(${memo}[${index}] || ${ask}(${memo}, batch.text, ${index})) === 2`
  }

  /** Code for a text cell's id; the kernel has a parameter `texts`, a `TextIds` of this batch. */
  textId(cell: string): string {
    const ids = this.before('text ids', 'texts.ids')
    return `((${ids}[${cell}] || texts.resolve(${cell})) - 1)`
  }

  /** Name of a value computed once per batch. */
  before(key: string, code: string): string {
    const known = this.#names.get(key)
    if (known) return known
    const name = `v${this.#names.size}`
    this.#names.set(key, name)
    this.#before.set(name, code)
    return name
  }

  /**
   * The finished function. Its parameters are `batch` and `parameters`; `body` may use every name
   * made here.
   */
  build<F extends (batch: Batch, ...rest: never[]) => unknown>(
    parameters: readonly string[],
    body: string,
  ): F {
    const before = [...this.#before].map(([name, code]) => `const ${name} = ${code}`)
    const source = `'use strict'
      return function kernel(${['batch', ...parameters].join(', ')}) {
        ${before.join('\n')}
        ${body}
      }`
    return new Function('k', source)(this.#constants) as F
  }
}
