/**
 * A batch with more columns: how a processor adds names to rows. The rows are copied once, column
 * by column; text cells keep their numbers.
 */
import { type Batch, BatchWriter, type BytesColumn, type Columns } from './batch.ts'

/**
 * A writer that holds the rows of `batch`, and room for the columns of `added`, all zero and empty
 * yet. Fill those and hand `done()` on. `added` names none of the batch's own columns.
 */
export function widen(batch: Batch, added: Columns): BatchWriter {
  const { columns, length, blobCapacity } = batch
  const writer = new BatchWriter(batch.table, { ...columns, ...added }, length, blobCapacity)
  for (const text of batch.text) writer.textId(text)
  for (const [name, kind] of Object.entries(columns)) {
    const from = batch.data[name]
    const to = writer.data[name]
    if (kind === 'bytes') {
      const { end, blob } = from as BytesColumn
      ;(to as BytesColumn).end.set(end.subarray(0, length))
      ;(to as BytesColumn).blob.set(blob)
    } else {
      const cells = kind === 'address' ? 16 * length : length
      ;(to as Uint8Array).set((from as Uint8Array).subarray(0, cells))
    }
  }
  writer.length = length
  writer.lost = batch.lost
  writer.dictionary = batch.dictionary
  return writer
}
