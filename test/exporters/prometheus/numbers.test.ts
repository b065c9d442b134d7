/**
 * Numbers as text: for every double exactly what JavaScript writes, but for the infinities.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  canonicalText,
  NUMBER_BYTES_MAX,
  writeNumber,
} from '../../../exporters/prometheus/numbers.ts'

const buffer = Buffer.alloc(64, 'x')

function written(value: number): string {
  const end = writeNumber(buffer, 3, value)
  assert.ok(end - 3 <= NUMBER_BYTES_MAX)
  return buffer.toString('latin1', 3, end)
}

test('whole numbers are written as JavaScript writes them', () => {
  const edges = [
    0,
    -0,
    1,
    9,
    10,
    99,
    100,
    1e9 - 1,
    1e9,
    1e9 + 1,
    1e10,
    2 ** 31,
    2 ** 32,
    2 ** 53 - 1,
  ]
  for (const value of edges) assert.equal(written(value), String(value))
  for (let power = 1; power < 2 ** 53; power *= 10) {
    for (const value of [power - 1, power, power + 1]) assert.equal(written(value), String(value))
  }
  fc.assert(fc.property(fc.maxSafeNat(), value => assert.equal(written(value), String(value))))
})

test('all other numbers too, and read back as themselves', () => {
  const value = fc.double({ noDefaultInfinity: true })
  fc.assert(
    fc.property(value, number => {
      assert.equal(written(number), String(number))
      assert.equal(Number(written(number)), number + 0)
    }),
    { numRuns: 1000 },
  )
  assert.equal(written(Number.NaN), 'NaN')
  assert.equal(written(Number.POSITIVE_INFINITY), '+Inf')
  assert.equal(written(Number.NEGATIVE_INFINITY), '-Inf')
  assert.equal(written(-Number.MAX_VALUE), '-1.7976931348623157e+308')
})

test('OpenMetrics shows bounds of buckets with a point', () => {
  const bounds = [0, 1, -5, 0.5, 1e21, 1e-7, Number.POSITIVE_INFINITY]
  assert.deepEqual(bounds.map(canonicalText), [
    '0.0',
    '1.0',
    '-5.0',
    '0.5',
    '1e+21',
    '1e-7',
    '+Inf',
  ])
})
