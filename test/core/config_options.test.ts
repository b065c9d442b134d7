/**
 * A component's options: defaults, units, types, limits; each mistake with the exact line that a person reads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowsConfig, mistakesIn, planOf, withFlows } from './config_fixture.ts'

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

/** Lines under `flows`, then what is said about each. */
const cases: readonly (readonly [
  name: string,
  lines: readonly string[],
  said: readonly string[],
])[] = [
  [
    'a bare number where a unit is meant says how to write it',
    ['interval: 10', 'buffer: 64'],
    [
      '3:15 receivers.flows.interval: 10 has no unit; write 10s, or 10ms, 10m, 10h',
      '4:13 receivers.flows.buffer: 64 has no unit; write 64B, or 64KiB, 64MiB, 64GiB',
    ],
  ],
  [
    'a unit that is nearly right is put right',
    ['buffer: 64mb', 'interval: 10 sec'],
    [
      '3:13 receivers.flows.buffer: "64mb" is no size, did you mean "64MiB" or "64MB"?',
      '4:15 receivers.flows.interval: "10 sec" is no time; write it like 250ms, 10s or 1h30m',
    ],
  ],
  [
    'what is not a quantity at all is told by the type',
    ['interval: [1s]', 'buffer: true'],
    [
      '3:15 receivers.flows.interval: expected a time such as 10s, got a list',
      '4:13 receivers.flows.buffer: expected a size such as 64MiB, got the value true',
    ],
  ],
  [
    'negative quantities are refused',
    ['interval: -1s', 'buffer: -1'],
    [
      '3:15 receivers.flows.interval: "-1s" is negative; a time is 0 or more',
      '4:13 receivers.flows.buffer: "-1" is negative; a size is 0 or more',
    ],
  ],
  [
    'limits are shown in the unit of the option',
    ['interval: 10ms', 'buffer: 1B', 'table_size: 2000000'],
    [
      '3:15 receivers.flows.interval: must be at least 100ms',
      '4:13 receivers.flows.buffer: must be at least 4KiB',
      '5:17 receivers.flows.table_size: must be at most 1048576',
    ],
  ],
  [
    'a limit from above is shown likewise',
    ['interval: 2h'],
    ['3:15 receivers.flows.interval: must be at most 1h'],
  ],
  [
    'a value of the wrong type is named, with how to write it where that is plain',
    [
      'table_size: "4096"',
      'sample_rate: half',
      'fragments: yes',
      'zone: 0123',
      'interfaces: [a, 5]',
    ],
    [
      '3:17 receivers.flows.table_size: expected a whole number, got "4096"; remove the quotes',
      '4:18 receivers.flows.sample_rate: expected a number, got "half"',
      '5:16 receivers.flows.fragments: expected true or false, got "yes"; write true',
      '6:11 receivers.flows.zone: expected text, got the number 0123; put it in quotes: "0123"',
      '7:21 receivers.flows.interfaces.1: expected text, got the number 5; put it in quotes: "5"',
    ],
  ],
  [
    'a number of the wrong kind is reported once, not for each limit that it breaks too',
    ['table_size: 1.5', 'sample_rate: .nan'],
    [
      '3:17 receivers.flows.table_size: expected a whole number, got the number 1.5',
      '4:18 receivers.flows.sample_rate: expected a number, got the number .nan',
    ],
  ],
  [
    'a map or a list where text belongs is named',
    ['zone: { a: 1 }', 'level: [flows]', 'interfaces: { a: 1 }'],
    [
      '3:11 receivers.flows.zone: expected text, got a map',
      '4:12 receivers.flows.level: must be one of packets, bytes, flows',
      '5:17 receivers.flows.interfaces.0: expected text, got a map',
    ],
  ],
  [
    'a word that is not allowed lists those that are',
    ['level: byte', 'zone: "Not so"'],
    [
      '3:12 receivers.flows.level: must be one of packets, bytes, flows; did you mean "bytes"?',
      '4:11 receivers.flows.zone: "Not so" does not have the form ^[a-z0-9-]*$',
    ],
  ],
  [
    'an unknown option is named where it is written, with the one that was meant',
    ['intervl: 1s', 'tabel_size: 5', 'bandwidth: 3'],
    [
      '3:5 receivers.flows.intervl: unknown option, did you mean "interval"?',
      '4:5 receivers.flows.tabel_size: unknown option, did you mean "table_size"?',
      '5:5 receivers.flows.bandwidth: unknown option; the options are interfaces, interval, buffer, table_size, sample_rate, fragments, zone, level, required',
    ],
  ],
]

for (const [name, lines, said] of cases) {
  test(name, async () => {
    const expected = said.map(line => `agent.yaml:${line}`)
    assert.deepEqual(await mistakesIn(withFlows(...lines)), expected)
  })
}

test('an option that must be given is asked for in its own words, at the component', async () => {
  const text = withFlows().replace('{ path: x }', '{ tls: {} }')
  assert.deepEqual(await mistakesIn(text), [
    'agent.yaml:3:14 exporters.flow_log.path: must be given: The file',
    'agent.yaml:3:26 exporters.flow_log.tls: unknown option; the options are path, headers, rotate, shape, sending_queue, retry_on_failure, timeout',
  ])
})

test('an optional block stays absent until it is written, and is checked then', async () => {
  const text = (tls: string) =>
    withFlows().replace('exporters: {', `exporters: { prometheus: { ${tls} },`)
  assert.deepEqual(await mistakesIn(text('tls: { min_version: 1.3 }')), [
    'agent.yaml:3:28 exporters.prometheus.tls.cert: must be given: Certificate file',
    'agent.yaml:3:48 exporters.prometheus.tls.min_version: must be one of 1.2, 1.3',
  ])
  assert.deepEqual(await mistakesIn(text('endpoint: "x:1"')), [])
})

test('free schemas are checked as well', async () => {
  const text = withFlows().replace('{ path: x }', '{ path: x, shape: { deep: a } }')
  assert.deepEqual(await mistakesIn(text), [
    'agent.yaml:3:50 exporters.flow_log.shape.deep: expected a whole number, got "a"',
  ])
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
