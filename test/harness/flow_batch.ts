/**
 * Batches of flow rows for tests, written as plain values. Addresses are given as text, so that
 * what an exporter prints can be compared with what was put in.
 */
import { isIPv4 } from 'node:net'
import type { Batch, BytesColumn, Columns } from '../../core/index.ts'
import { BatchWriter } from '../../core/index.ts'

export type Cell = number | string | Uint8Array
export type Row = Readonly<Record<string, Cell>>

/** One batch with exactly `columns`; cells that a row does not name stay zero. */
export function batchOf<C extends Columns>(
  table: string,
  columns: C,
  rows: readonly Row[],
  lost = 0,
): Batch<C> {
  let blob = 0
  for (const row of rows) {
    for (const cell of Object.values(row)) if (cell instanceof Uint8Array) blob += cell.length
  }
  const writer = new BatchWriter(table, columns, rows.length, blob)
  const filled: Record<string, number> = {}
  for (const row of rows) {
    for (const name of Object.keys(columns)) putCell(writer, columns, name, row[name], filled)
    writer.length++
  }
  writer.lost = lost
  return writer.done()
}

function putCell(
  writer: BatchWriter,
  columns: Columns,
  name: string,
  cell: Cell | undefined,
  filled: Record<string, number>,
): void {
  const row = writer.length
  const column = writer.data[name]
  if (columns[name] === 'bytes') {
    const { end, blob } = column as BytesColumn
    if (cell instanceof Uint8Array) {
      blob.set(cell, filled[name] ?? 0)
      filled[name] = (filled[name] ?? 0) + cell.length
    }
    end[row] = filled[name] ?? 0
    return
  }
  if (cell === undefined) return
  const store = column as Uint8Array | Uint16Array | Uint32Array | Float64Array
  if (columns[name] === 'address') (store as Uint8Array).set(addressBytes(String(cell)), 16 * row)
  else if (columns[name] === 'text') store[row] = writer.textId(String(cell))
  else store[row] = Number(cell)
}

/** The 16 bytes of an address in text form; IPv4 becomes ::ffff:0:0/96. */
export function addressBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  if (isIPv4(text)) {
    bytes.set([0xff, 0xff, ...text.split('.').map(Number)], 10)
    return bytes
  }
  const [head, tail] = text.split('::')
  const groups = (part: string | undefined) => (part ? part.split(':') : [])
  const left = groups(head)
  const right = groups(tail)
  const all = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right]
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 8; i++) view.setUint16(2 * i, Number.parseInt(all[i], 16))
  return bytes
}
