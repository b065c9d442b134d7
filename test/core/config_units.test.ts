/**
 * Times and sizes: what is read, and that what is printed can be read again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearest } from '../../core/config/suggest.ts'
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  sizeMistake,
} from '../../core/config/units.ts'

test('durations are read as Go reads them, and days', () => {
  const table = {
    '1h30m': 5_400_000,
    '250ms': 250,
    '1.5s': 1500,
    '0': 0,
    '0s': 0,
    '2d': 172_800_000,
  }
  for (const [text, ms] of Object.entries(table)) assert.equal(parseDuration(text), ms, text)
  assert.equal(parseDuration('1us'), 0.001)
  assert.equal(parseDuration('1µs500ns'), 0.0015)
  for (const text of ['', '1', '-1s', 's', '1 s', '1S', '1s ', '1e3s', '.5s', '1w']) {
    assert.equal(parseDuration(text), undefined, text)
  }
})

test('sizes have decimal and binary units', () => {
  const table = { '64MiB': 67_108_864, '10MB': 10_000_000, '512B': 512, '0': 0, '1.5KiB': 1536 }
  for (const [text, bytes] of Object.entries(table)) assert.equal(parseSize(text), bytes, text)
  assert.equal(parseSize('1kB'), 1000)
  for (const text of ['', '64', '64M', '64mb', 'MiB', '-1B', '1 MiB', '1e3B']) {
    assert.equal(parseSize(text), undefined, text)
  }
})

test('a size in another spelling gets the right one', () => {
  assert.equal(sizeMistake('64Mi'), '"64Mi" is no size, did you mean "64MiB"?')
  assert.equal(sizeMistake('5g'), '"5g" is no size, did you mean "5GiB" or "5GB"?')
  assert.equal(sizeMistake('big'), '"big" is no size; write it like 512B, 64KiB or 10MB')
})

test('what is printed means the same when it is read', () => {
  const whole = fc.integer({ min: 0, max: 10 ** 10 })
  fc.assert(fc.property(whole, ms => parseDuration(formatDuration(ms)) === ms))
  fc.assert(fc.property(whole, bytes => parseSize(formatSize(bytes)) === bytes))
  assert.equal(formatDuration(5_400_000), '1h30m')
  assert.equal(formatDuration(0.25), '250us')
  assert.equal(formatSize(67_108_864), '64MiB')
  assert.equal(formatSize(10_000_000), '10MB')
})

test('a name is near when a third of it or less is changed, a swap being one change', () => {
  const known = ['interval', 'interfaces', 'sample_rate', 'labels']
  assert.equal(nearest('intervl', known), 'interval')
  assert.equal(nearest('sampel_rate', known), 'sample_rate')
  assert.equal(nearest('Labels', known), 'labels')
  assert.equal(nearest('lbl', known), undefined)
  assert.equal(nearest('bandwidth', known), undefined)
  assert.equal(nearest('x', ['y']), undefined)
  assert.equal(nearest('flows', ['flows/a', 'flow']), 'flow')
})
