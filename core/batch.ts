/**
 * The batch: a small table of typed columns over one ArrayBuffer, and the only thing that moves.
 *
 * One buffer means one transfer to a worker thread and no copy. Rows are never objects: a stage
 * walks `batch.data.<column>[row]`. Text cells are indexes into the batch's own list of distinct
 * strings.
 */

import { copyBuffer, takeBuffer } from './spare.ts'

export type Kind = 'u8' | 'u16' | 'u32' | 'number' | 'address' | 'text' | 'bytes'
export type Columns = Readonly<Record<string, Kind>>
/** Columns by table name: what flows along one edge of a pipeline. */
export type Tables = Readonly<Record<string, Columns>>

/**
 * A column of variable-length cells: cell `row` is `blob.subarray(end[row - 1] ?? 0, end[row])`.
 */
export interface BytesColumn {
  readonly end: Uint32Array
  readonly blob: Uint8Array
}

/**
 * What a column of each kind is in memory; `address` has 16 bytes a row (IPv4 mapped to
 * ::ffff:0:0/96).
 */
export interface Store {
  u8: Uint8Array
  u16: Uint16Array
  u32: Uint32Array
  number: Float64Array
  address: Uint8Array
  text: Uint32Array
  bytes: BytesColumn
}

export interface Batch<C extends Columns = Columns> {
  /** Who emitted it: `flows`, `drops`, `series`. */
  readonly table: string
  readonly columns: C
  /** Rows. Column arrays may be longer than this. */
  readonly length: number
  readonly data: { readonly [K in keyof C]: Store[C[K]] }
  /** Distinct strings of this batch; `text[0]` is always the empty string. */
  readonly text: readonly string[]
  /** Rows that the source could not deliver since the last batch. */
  readonly lost: number
  /** Text cells that did not fit and became `<overflow>`. */
  readonly textOverflow: number
  /** The one buffer under all columns. */
  readonly buffer: ArrayBuffer
  /** Rows that the buffer has room for. */
  readonly capacity: number
  /** Room of each `bytes` column's blob. */
  readonly blobCapacity: number
  /**
   * `series` batches: number of the dictionary that their ids belong to (`core/series.ts`); else 0.
   */
  readonly dictionary: number
}

const WIDTH: Record<Kind, number> = {
  number: 8,
  address: 16,
  u32: 4,
  text: 4,
  bytes: 4,
  u16: 2,
  u8: 1,
}
/** Widest first, so that every view is aligned without padding between columns. */
const ORDER: readonly Kind[] = ['number', 'address', 'u32', 'text', 'bytes', 'u16', 'u8']

/** Bytes of one row, blobs not counted. */
export function rowBytes(columns: Columns): number {
  let bytes = 0
  for (const kind of Object.values(columns)) bytes += WIDTH[kind]
  return bytes
}

/** How many text bytes a batch holds before further new strings become `<overflow>`. */
export const TEXT_BYTES_MAX = 1 << 20
export const TEXT_OVERFLOW = '<overflow>'

/**
 * A batch under construction. Fill `data`, set `length`, then hand `done()` on and forget this
 * object.
 *
 * Row capacity is rounded up: all views are aligned, and buffers come in few sizes.
 */
export class BatchWriter<C extends Columns = Columns> {
  readonly table: string
  readonly columns: C
  readonly capacity: number
  readonly data: { [K in keyof C]: Store[C[K]] }
  readonly text: string[] = ['']
  length = 0
  lost = 0
  dictionary = 0
  /** Text cells that did not fit and became `<overflow>`. */
  textOverflow = 0
  readonly #buffer: ArrayBuffer
  readonly #blobCapacity: number
  readonly #ids = new Map<string, number>([['', 0]])
  #textBytes = 0

  constructor(table: string, columns: C, rows: number, blobCapacity = 0) {
    this.table = table
    this.columns = columns
    this.capacity = capacityFor(rows)
    this.#blobCapacity = (blobCapacity + 7) & ~7
    this.#buffer = takeBuffer(bufferBytes(columns, this.capacity, this.#blobCapacity))
    this.data = views(columns, this.#buffer, this.capacity, this.#blobCapacity)
  }

  get full(): boolean {
    return this.length >= this.capacity
  }

  /**
   * Index of a string in this batch's text; new strings beyond TEXT_BYTES_MAX become `<overflow>`.
   */
  textId(value: string): number {
    const known = this.#ids.get(value)
    if (known !== undefined) return known
    if (this.#textBytes + value.length > TEXT_BYTES_MAX && value !== TEXT_OVERFLOW) {
      this.textOverflow++
      return this.textId(TEXT_OVERFLOW)
    }
    this.#textBytes += value.length
    this.text.push(value)
    this.#ids.set(value, this.text.length - 1)
    return this.text.length - 1
  }

  done(): Batch<C> {
    return {
      table: this.table,
      columns: this.columns,
      length: this.length,
      data: this.data,
      text: this.text,
      lost: this.lost,
      textOverflow: this.textOverflow,
      buffer: this.#buffer,
      capacity: this.capacity,
      blobCapacity: this.#blobCapacity,
      dictionary: this.dictionary,
    }
  }
}

/** Aligned for all views; large ones in few sizes, so that spare buffers fit. */
function capacityFor(rows: number): number {
  return rows <= 256 ? Math.max(8, (rows + 7) & ~7) : (rows + 255) & ~255
}

function bufferBytes(columns: Columns, capacity: number, blobCapacity: number): number {
  let bytes = rowBytes(columns) * capacity
  for (const kind of Object.values(columns)) if (kind === 'bytes') bytes += blobCapacity
  return bytes
}

/** Views of `buffer`, laid out as BatchWriter does; also used on the far side of a transfer. */
export function views<C extends Columns>(
  columns: C,
  buffer: ArrayBuffer,
  capacity: number,
  blobCapacity: number,
): { [K in keyof C]: Store[C[K]] } {
  const data: Record<string, Store[Kind]> = {}
  let at = 0
  for (const kind of ORDER) {
    for (const name in columns) {
      if (columns[name] !== kind) continue
      data[name] = view(kind, buffer, at, capacity, blobCapacity)
      at += WIDTH[kind] * capacity + (kind === 'bytes' ? blobCapacity : 0)
    }
  }
  return data as { [K in keyof C]: Store[C[K]] }
}

function view(
  kind: Kind,
  buffer: ArrayBuffer,
  at: number,
  capacity: number,
  blobCapacity: number,
): Store[Kind] {
  switch (kind) {
    case 'u8':
      return new Uint8Array(buffer, at, capacity)
    case 'u16':
      return new Uint16Array(buffer, at, capacity)
    case 'u32':
    case 'text':
      return new Uint32Array(buffer, at, capacity)
    case 'number':
      return new Float64Array(buffer, at, capacity)
    case 'address':
      return new Uint8Array(buffer, at, capacity * 16)
    case 'bytes':
      return {
        end: new Uint32Array(buffer, at, capacity),
        blob: new Uint8Array(buffer, at + capacity * 4, blobCapacity),
      }
  }
}

/**
 * What crosses to another thread: the buffer is transferred (or copied), the views are made anew.
 */
export type BatchMessage = Omit<Batch, 'data'>

/**
 * A batch as a message. With `copy`, the buffer is copied because another consumer keeps the
 * original.
 */
export function packBatch(batch: Batch, copy = false): BatchMessage {
  const { data: _, ...rest } = batch
  return copy ? { ...rest, buffer: copyBuffer(batch.buffer) } : rest
}

export function unpackBatch(message: BatchMessage): Batch {
  const { columns, buffer, capacity, blobCapacity } = message
  return { ...message, data: views(columns, buffer, capacity, blobCapacity) }
}

/** Bytes that a batch occupies, text included (two bytes a character, the worst case). */
export function batchBytes(batch: Batch): number {
  let bytes = batch.buffer.byteLength
  for (const text of batch.text) bytes += 16 + 2 * text.length
  return bytes
}
