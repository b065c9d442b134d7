/**
 * A component's options: defaults, units, types, limits; each mistake with the exact line that a
 * person reads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowsConfig, planOf, withFlows } from './config_fixture.ts'

const FLOWS_DEFAULTS = {
  interfaces: ['auto'],
  interval: 1000,
  buffer: 8 * 2 ** 20,
  table_size: 65536,
  sample_rate: 1,
  fragments: false,
  level: 'flows',
}

test('nothing after a component means all its defaults, in milliseconds and bytes', async () => {
  assert.deepEqual(await flowsConfig([]), FLOWS_DEFAULTS)
})

test('nothing after an option means its default', async () => {
  const lines = ['interval:', 'buffer: ~', 'table_size: null', 'interfaces:', 'zone:']
  assert.deepEqual(await flowsConfig(lines), FLOWS_DEFAULTS)
})

test('an empty list is a list, not the default', async () => {
  assert.deepEqual((await flowsConfig(['interfaces: []'])).interfaces, [])
})

test('a single value stands for a list of one', async () => {
  assert.deepEqual((await flowsConfig(['interfaces: eth0'])).interfaces, ['eth0'])
})

test('values arrive as numbers, whatever unit they were written in', async () => {
  const config = await flowsConfig(['interval: 1m30s', 'buffer: 10MB', 'sample_rate: 1e-2'])
  assert.deepEqual(
    { interval: config.interval, buffer: config.buffer, rate: config.sample_rate },
    { interval: 90_000, buffer: 10_000_000, rate: 0.01 },
  )
})

test('a configuration is frozen at every depth', async () => {
  const plan = await planOf(withFlows('interfaces: [a]'))
  assert.throws(() => (plan.receivers[0].config.interfaces as string[]).push('b'), TypeError)
  assert.throws(
    () => Object.assign(plan.exporters[0].config.rotate as object, { size: 1 }),
    TypeError,
  )
})

test('nested defaults and lists of quantities are normalised', async () => {
  const written = '{ path: x, rotate: { ages: [1d, 90m] }, headers: { a: b } }'
  const plan = await planOf(withFlows().replace('{ path: x }', written))
  assert.deepEqual(plan.exporters[0].config, {
    path: 'x',
    headers: { a: 'b' },
    rotate: { size: 64 * 2 ** 20, ages: [86_400_000, 5_400_000] },
  })
  const bare = await planOf(withFlows())
  assert.deepEqual(bare.exporters[0].config.rotate, { size: 64 * 2 ** 20, ages: [86_400_000] })
})
