/**
 * The batch: one buffer, aligned views, bounded text, and the same rows on the far side of a
 * transfer.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BatchWriter,
  batchBytes,
  type Columns,
  type Kind,
  packBatch,
  rowBytes,
  TEXT_BYTES_MAX,
  TEXT_OVERFLOW,
  unpackBatch,
} from '../../core/batch.ts'

const kinds: readonly Kind[] = ['u8', 'u16', 'u32', 'number', 'address', 'text', 'bytes']
const anyColumns = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 8 }).filter(name => name !== '__proto__'),
  fc.constantFrom(...kinds),
  { minKeys: 1, maxKeys: 12 },
)

/** Byte ranges of all views of a batch. */
function ranges(data: Record<string, unknown>): [number, number][] {
  const all: [number, number][] = []
  for (const column of Object.values(data)) {
    const views = ArrayBuffer.isView(column)
      ? [column]
      : Object.values(column as Record<string, Uint8Array>)
    for (const { byteOffset, byteLength } of views as Uint8Array[]) {
      all.push([byteOffset, byteOffset + byteLength])
    }
  }
  return all.sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

test('columns of any kinds share one buffer, fill it, and never overlap', () => {
  fc.assert(
    fc.property(anyColumns, fc.nat({ max: 100 }), fc.nat({ max: 50 }), (columns, rows, blob) => {
      const { data, buffer, capacity } = new BatchWriter('t', columns, rows, blob).done()
      assert.ok(capacity >= rows && capacity % 8 === 0)
      let end = 0
      for (const [from, to] of ranges(data)) {
        assert.equal(from, end)
        end = to
      }
      assert.equal(end, buffer.byteLength)
    }),
  )
})

test('a row has the bytes of its columns', () => {
  const columns: Columns = { a: 'number', b: 'address', c: 'u32', d: 'text', e: 'u16', f: 'u8' }
  assert.equal(rowBytes(columns), 8 + 16 + 4 + 4 + 2 + 1)
})

test('what was written is read on the far side, and a copy leaves the original alone', () => {
  const columns = { number: 'number', small: 'u8', name: 'text', blob: 'bytes' } as const
  const writer = new BatchWriter('t', columns, 2, 10)
  writer.data.number.set([1.5, 2 ** 53])
  writer.data.small.set([7, 255])
  writer.data.name.set([writer.textId('a'), writer.textId('b')])
  writer.data.blob.blob.set([1, 2, 3])
  writer.data.blob.end.set([1, 3])
  writer.length = 2
  writer.lost = 4
  const batch = writer.done()
  const far = unpackBatch(structuredClone(packBatch(batch, true)))
  assert.deepEqual([...(far.data.number as Float64Array).subarray(0, 2)], [1.5, 2 ** 53])
  assert.deepEqual([...(far.data.small as Uint8Array).subarray(0, 2)], [7, 255])
  const names = [...(far.data.name as Uint32Array).subarray(0, 2)].map(id => far.text[id])
  assert.deepEqual(names, ['a', 'b'])
  const { end, blob } = far.data.blob as unknown as { end: Uint32Array; blob: Uint8Array }
  assert.deepEqual([...blob.subarray(end[0], end[1])], [2, 3])
  assert.deepEqual([far.length, far.lost, far.table], [2, 4, 't'])
  ;(far.data.small as Uint8Array)[0] = 1
  assert.equal(batch.data.small[0], 7)
})

test('equal strings have one id, and beyond the limit all are one cell', () => {
  const writer = new BatchWriter('t', { name: 'text' }, 8)
  assert.equal(writer.textId(''), 0)
  assert.equal(writer.textId('pod'), writer.textId('pod'))
  const long = 'x'.repeat(TEXT_BYTES_MAX)
  const overflow = writer.textId(long)
  assert.equal(writer.text[overflow], TEXT_OVERFLOW)
  assert.equal(writer.textId(`${long}y`), overflow)
  assert.equal(writer.textOverflow, 2)
  assert.ok(batchBytes(writer.done()) < 1000, 'the long strings are not kept')
})
