/** Adding columns to a batch: nothing that was there may change, whatever its kind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BytesColumn, widen } from '../../core/index.ts'
import { batchOf } from '../harness/flow_batch.ts'

test('a widened batch holds all cells of before, and new columns that are empty', () => {
  const columns = {
    count: 'number',
    address: 'address',
    name: 'text',
    data: 'bytes',
    port: 'u16',
  } as const
  const rows = Array.from({ length: 11 }, (_, i) => ({
    count: i * 1e10,
    address: `10.0.0.${i}`,
    name: `name ${i % 3}`,
    data: new Uint8Array(i).fill(i),
    port: 1000 + i,
  }))
  const batch = batchOf('flows', columns, rows, 5)
  const writer = widen(batch, { site: 'text', more: 'number' })
  ;(writer.data.site as Uint32Array)[0] = writer.textId('berlin')
  const wide = writer.done()
  assert.deepEqual(Object.keys(wide.columns), [...Object.keys(columns), 'site', 'more'])
  assert.deepEqual([wide.table, wide.length, wide.lost], ['flows', 11, 5])
  const names = wide.data.name as Uint32Array
  const { end, blob } = wide.data.data as BytesColumn
  for (let row = 0; row < 11; row++) {
    assert.equal((wide.data.count as Float64Array)[row], row * 1e10)
    assert.equal((wide.data.address as Uint8Array)[16 * row + 15], row)
    assert.equal(wide.text[names[row]], `name ${row % 3}`)
    assert.deepEqual([...blob.subarray(end[row - 1] ?? 0, end[row])], Array(row).fill(row))
    assert.equal((wide.data.port as Uint16Array)[row], 1000 + row)
    assert.equal((wide.data.more as Float64Array)[row], 0)
  }
  const sites = Array.from(wide.data.site as Uint32Array).map(id => wide.text[id])
  assert.deepEqual(sites.slice(0, 3), ['berlin', '', ''])
})
