/**
 * Picks rows out of a batch into a new one: what `filter` and every other stage that drops rows
 * needs. Column by column with typed arrays; the list of texts is shared, because it is immutable.
 */
import type { Batch, BytesColumn, Kind, Store } from '../core/index.ts'
import { rowBytes, views } from '../core/index.ts'

/** A batch of the rows `rows[0..count)`, ascending. Keeps table, text, dictionary and `lost`. */
export function selectRows(batch: Batch, rows: Uint32Array, count: number): Batch {
  const capacity = Math.max(8, (count + 7) & ~7)
  let blobBytes = 0
  const blobs = Object.entries(batch.columns).filter(([, kind]) => kind === 'bytes')
  for (const [name] of blobs) {
    blobBytes = Math.max(blobBytes, blobLength(batch.data[name] as BytesColumn, rows, count))
  }
  const blobCapacity = (blobBytes + 7) & ~7
  const buffer = new ArrayBuffer(rowBytes(batch.columns) * capacity + blobs.length * blobCapacity)
  const data = views(batch.columns, buffer, capacity, blobCapacity)
  for (const [name, kind] of Object.entries(batch.columns)) {
    copyColumn(kind, batch.data[name], data[name], rows, count)
  }
  return { ...batch, data, buffer, capacity, blobCapacity, length: count }
}

function blobLength({ end }: BytesColumn, rows: Uint32Array, count: number): number {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += end[rows[i]] - (rows[i] > 0 ? end[rows[i] - 1] : 0)
  return bytes
}

function copyColumn(
  kind: Kind,
  from: Store[Kind],
  to: Store[Kind],
  rows: Uint32Array,
  count: number,
): void {
  switch (kind) {
    case 'number':
      copyNumbers(from as Float64Array, to as Float64Array, rows, count)
      break
    case 'u32':
    case 'text':
      copyWords(from as Uint32Array, to as Uint32Array, rows, count)
      break
    case 'u16':
      copyHalves(from as Uint16Array, to as Uint16Array, rows, count)
      break
    case 'u8':
      copyBytes(from as Uint8Array, to as Uint8Array, rows, count)
      break
    case 'address':
      copyAddresses(from as Uint8Array, to as Uint8Array, rows, count)
      break
    case 'bytes':
      copyBlobs(from as BytesColumn, to as BytesColumn, rows, count)
  }
}

// One loop per element type: a shared one would see four array types and run at half the speed.

function copyNumbers(from: Float64Array, to: Float64Array, rows: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) to[i] = from[rows[i]]
}

function copyWords(from: Uint32Array, to: Uint32Array, rows: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) to[i] = from[rows[i]]
}

function copyHalves(from: Uint16Array, to: Uint16Array, rows: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) to[i] = from[rows[i]]
}

function copyBytes(from: Uint8Array, to: Uint8Array, rows: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) to[i] = from[rows[i]]
}

function copyAddresses(from: Uint8Array, to: Uint8Array, rows: Uint32Array, count: number): void {
  const source = addressWords(from)
  const target = addressWords(to)
  for (let i = 0; i < count; i++) {
    const at = 4 * rows[i]
    target[4 * i] = source[at]
    target[4 * i + 1] = source[at + 1]
    target[4 * i + 2] = source[at + 2]
    target[4 * i + 3] = source[at + 3]
  }
}

/** An address column as 32-bit words in this machine's byte order, four a row. */
export function addressWords(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
}

function copyBlobs(from: BytesColumn, to: BytesColumn, rows: Uint32Array, count: number): void {
  let at = 0
  for (let i = 0; i < count; i++) {
    const start = rows[i] > 0 ? from.end[rows[i] - 1] : 0
    const cell = from.blob.subarray(start, from.end[rows[i]])
    to.blob.set(cell, at)
    at += cell.length
    to.end[i] = at
  }
}
