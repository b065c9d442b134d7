/**
 * Open records, one array per column, indexed by the entry numbers of a `KeyTable`.
 *
 * The loops over columns are generated once per table, so that each sees one array type. Text cells
 * are ids of `TextIds`, kept while a record holds them.
 */
import type { Batch, BatchWriter, Columns, Kind, Store } from '../../core/index.ts'
import { rowBytes, views } from '../../core/index.ts'
import { Kernel } from '../kernel.ts'
import type { TextIds } from '../texts.ts'
import { foldOf, maximumOf } from './columns.ts'

type Arrays = Readonly<Record<string, Store[Exclude<Kind, 'bytes'>]>>

/** Folds every row of a batch into its record; returns how many sums stopped at their maximum. */
type FoldRows = (
  batch: Batch,
  store: Arrays,
  entries: Uint32Array,
  opened: Uint32Array,
  openedCount: number,
  texts: TextIds,
) => number

export class RecordStore {
  readonly columns: Columns
  #arrays: Arrays
  readonly #fold: FoldRows
  readonly #texts: TextIds
  readonly #textNames: readonly string[]
  /** Index in the batch under construction by text id, 0 not there yet. */
  #written = new Uint32Array(256)
  #writtenIds: number[] = []

  constructor(columns: Columns, capacity: number, texts: TextIds) {
    this.columns = columns
    this.#texts = texts
    this.#arrays = makeArrays(columns, capacity)
    this.#fold = foldKernel(columns)
    this.#textNames = Object.keys(columns).filter(name => columns[name] === 'text')
  }

  grow(capacity: number): void {
    const old = this.#arrays
    this.#arrays = makeArrays(this.columns, capacity)
    for (const name in old) this.#arrays[name].set(old[name])
  }

  /** @param opened numbers of the rows that opened a record. */
  fold(batch: Batch, entries: Uint32Array, opened: Uint32Array, openedCount: number): number {
    return this.#fold(batch, this.#arrays, entries, opened, openedCount, this.#texts)
  }

  /** Appends a record to a batch; `writer` has the same columns and more. */
  write(entry: number, writer: BatchWriter): void {
    const row = writer.length++
    for (const name in this.columns) {
      const from = this.#arrays[name]
      const to = writer.data[name] as typeof from
      const kind = this.columns[name]
      if (kind === 'text') to[row] = this.#textIn(from[entry], writer)
      else if (kind !== 'address') to[row] = from[entry]
      else for (let i = 0; i < 16; i++) to[16 * row + i] = from[16 * entry + i]
    }
  }

  #textIn(id: number, writer: BatchWriter): number {
    if (id === 0) return 0
    if (id >= this.#written.length) {
      const longer = new Uint32Array(2 * id)
      longer.set(this.#written)
      this.#written = longer
    }
    if (this.#written[id] === 0) {
      this.#written[id] = writer.textId(this.#texts.get(id))
      this.#writtenIds.push(id)
    }
    return this.#written[id]
  }

  /** Call after the last `write` into one batch. */
  endBatch(): void {
    for (const id of this.#writtenIds) this.#written[id] = 0
    this.#writtenIds = []
  }

  /** Makes an entry ready for another record. */
  clear(entry: number): void {
    for (const name of this.#textNames) {
      const id = this.#arrays[name][entry]
      if (id !== 0) this.#texts.drop(id)
    }
    for (const name in this.columns) {
      const width = this.columns[name] === 'address' ? 16 : 1
      this.#arrays[name].fill(0, width * entry, width * (entry + 1))
    }
  }
}

function makeArrays(columns: Columns, capacity: number): Arrays {
  const out: Record<string, Arrays[string]> = {}
  for (const [name, kind] of Object.entries(columns)) {
    const bytes = new ArrayBuffer(capacity * rowBytes({ cell: kind }))
    out[name] = views({ cell: kind }, bytes, capacity, 0).cell as Arrays[string]
  }
  return out
}

function foldKernel(columns: Columns): FoldRows {
  const kernel = new Kernel(columns)
  const loops = Object.entries(columns).map(([name, kind]) => {
    const step = stepOf(kernel, name, kind)
    const store = `const store_${name} = store[${JSON.stringify(name)}]`
    const rows =
      foldOf(name) === 'first'
        ? 'for (let i = 0; i < openedCount; i++) { const row = opened[i], e = entries[row];'
        : 'for (let row = 0; row < batch.length; row++) { const e = entries[row];'
    return `${store}\n${rows} ${step} }`
  })
  return kernel.build(
    ['store', 'entries', 'opened', 'openedCount', 'texts'],
    `let saturated = 0\n${loops.join('\n')}\nreturn saturated`,
  )
}

/** What one row does to its record `e`. */
function stepOf(kernel: Kernel, name: string, kind: Kind): string {
  const fold = foldOf(name)
  const column = kernel.column(name)
  const store = `store_${name}`
  if (kind === 'address') return addressStep(column, store, fold === 'known')
  if (kind === 'text') return textStep(kernel, column, store)
  const cell = `${column}[row]`
  switch (fold) {
    case 'sum':
      if (kind === 'number') return `${store}[e] += ${cell}`
      return `const x = ${store}[e] + ${cell}
        if (x > ${maximumOf(kind)}) { saturated++; ${store}[e] = ${maximumOf(kind)} }
        else ${store}[e] = x`
    case 'min':
      return `const x = ${cell}, s = ${store}[e]
        if (x !== 0 && (s === 0 || x < s)) ${store}[e] = x`
    case 'max':
      return `const x = ${cell}; if (x > ${store}[e]) ${store}[e] = x`
    case 'or':
      return `${store}[e] |= ${cell}`
    case 'known':
      return `const x = ${cell}; if (x !== 0) ${store}[e] = x`
    default:
      return `${store}[e] = ${cell}`
  }
}

function addressStep(column: string, store: string, onlyKnown: boolean): string {
  const copy = `for (let b = 0; b < 16; b++) ${store}[16 * e + b] = ${column}[16 * row + b]`
  if (!onlyKnown) return copy
  return `let any = 0
    for (let b = 0; b < 16; b++) any |= ${column}[16 * row + b]
    if (any) ${copy}`
}

function textStep(kernel: Kernel, column: string, store: string): string {
  return `const cell = ${column}[row]
    if (cell !== 0) {
      const id = ${kernel.textId('cell')}, old = ${store}[e]
      if (id !== old) { texts.keep(id); if (old !== 0) texts.drop(old); ${store}[e] = id }
    }`
}
