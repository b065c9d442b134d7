/**
 * Spare buffers: a batch made of one starts with zeros, a copy is a copy, and nothing is given out
 * twice.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchWriter, packBatch } from '../../core/batch.ts'
import { Lease } from '../../core/runtime/lease.ts'
import { giveBuffer, takeBuffer } from '../../core/spare.ts'

const columns = { a: 'number', b: 'u32' } as const

function filled(rows: number) {
  const writer = new BatchWriter('t', columns, rows)
  writer.data.a.fill(7)
  writer.data.b.fill(9)
  writer.length = rows
  return writer.done()
}

test('a buffer that was given back comes out again once, zeroed', () => {
  const batch = filled(2000)
  giveBuffer(batch.buffer)
  const again = new BatchWriter('t', columns, 2000).done()
  assert.equal(again.buffer, batch.buffer)
  assert.ok(again.data.a.every(value => value === 0) && again.data.b.every(value => value === 0))
  assert.notEqual(new BatchWriter('t', columns, 2000).done().buffer, batch.buffer)
})

test('a copy over a spare buffer holds the original, byte for byte', () => {
  giveBuffer(filled(3000).buffer)
  const batch = filled(3000)
  batch.data.a[17] = 42
  const copy = packBatch(batch, true)
  assert.notEqual(copy.buffer, batch.buffer)
  assert.deepEqual(new Uint8Array(copy.buffer), new Uint8Array(batch.buffer))
})

test('a transferred buffer is never kept, and what is kept has a limit', () => {
  const { buffer } = filled(4000)
  structuredClone(buffer, { transfer: [buffer] })
  giveBuffer(buffer)
  assert.equal(takeBuffer(0).byteLength, 0)
  const given = Array.from({ length: 100 }, () => new ArrayBuffer(1 << 20))
  for (const each of given) giveBuffer(each)
  const kept = given.map(() => takeBuffer(1 << 20)).filter(each => given.includes(each))
  assert.ok(kept.length <= 4, `${kept.length} MiB were kept`)
})

test('a leased batch is given back when the last of its holders is done, not before', () => {
  const batch = filled(5000)
  const lease = new Lease(batch)
  lease.hold()
  lease.drop()
  assert.notEqual(new BatchWriter('t', columns, 5000).done().buffer, batch.buffer)
  lease.drop()
  assert.equal(new BatchWriter('t', columns, 5000).done().buffer, batch.buffer)
})
